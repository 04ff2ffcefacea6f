"""Models of other tools in, a Graph out: one package or file for each format."""
