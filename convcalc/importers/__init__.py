"""A model of another tool -> Graph: one module or package a format."""
