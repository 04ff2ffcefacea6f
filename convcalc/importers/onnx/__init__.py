"""The bytes of an ONNX file -> Model -> Graph, without the onnx package and without reading the weights."""
