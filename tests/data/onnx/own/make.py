"""Makes the model beside this file: a convolution, an operator of one's own with its weights, a classifier."""

from pathlib import Path

from onnx import TensorProto, helper

weights = {"stem.weight": (16, 3, 3, 3), "mix.weight": (32, 16, 5), "mix.bias": (32,), "fc.weight": (10, 32)}
nodes = [
    helper.make_node("Conv", ["image", "stem.weight"], ["a"], name="/stem/Conv", strides=[2, 2]),
    helper.make_node(
        "RingConv", ["a", "mix.weight", "mix.bias"], ["b"], name="/mix/RingConv", domain="com.example", mode="wrap"
    ),
    helper.make_node("GlobalAveragePool", ["b"], ["c"]),
    helper.make_node("Flatten", ["c"], ["d"]),
    helper.make_node("Gemm", ["d", "fc.weight"], ["y"], name="/fc/Gemm", transB=1),
]
image = helper.make_tensor_value_info("image", TensorProto.FLOAT, ["N", 3, 33, 33])
graph = helper.make_graph(nodes, "ring", [image], [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)])
for name, shape in weights.items():
    graph.initializer.add(name=name, dims=shape, data_type=TensorProto.FLOAT)  # without its values
model = helper.make_model(
    graph, opset_imports=[helper.make_opsetid("", 17), helper.make_opsetid("com.example", 1)], ir_version=8
)
(Path(__file__).parent / "ring.onnx").write_bytes(model.SerializeToString())
