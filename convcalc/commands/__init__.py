"""Command line -> Report -> output: one click command a file, found by its name."""
