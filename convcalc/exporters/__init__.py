"""Graph -> the file of another tool: one module or package a target, found by the name that `--to` takes."""
