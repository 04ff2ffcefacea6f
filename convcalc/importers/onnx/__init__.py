"""An ONNX file in, a Graph out: the bytes read, the nodes in order, each given to the rule of its operator."""
