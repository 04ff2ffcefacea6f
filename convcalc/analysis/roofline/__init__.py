"""Network and device -> the bytes that each operator moves, its intensity, and the least time that it can take."""
