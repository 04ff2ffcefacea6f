"""Layer -> operators: the rules of runtimes, a file for each, with PROFILE."""
