"""Graph -> units of source code, in no language yet: what the PyTorch and Keras exporters share."""
