"""The nine graphs that the onnx package ships: every operator known, totals equal to a count made from the file."""

from math import prod
from pathlib import Path

import onnx
import pytest

from convcalc.analysis.count import count
from convcalc.exporters.yaml.writer import write_spec
from convcalc.language.overrides import Overrides
from convcalc.loader import graph

LIGHT = Path(onnx.__file__).parent / "backend" / "test" / "data" / "light"
MODELS = sorted(LIGHT.glob("*.onnx"))
# what each network is known for: multiply-accumulates, and learned values
PUBLISHED = {"light_resnet50": (4_089_184_256, 25_557_032), "light_inception_v1": (1_431_556_352, 6_998_552)}


def counted_from_the_file(path):
    """MACs and learned values by walking the nodes with the shapes that onnx itself infers; no code of ours."""
    model = onnx.load(str(path))
    sizes = {tensor.name: list(tensor.dims) for tensor in model.graph.initializer}
    for node in model.graph.node:  # these files keep their weights as ConstantOfShape of a stored shape
        if node.op_type == "ConstantOfShape":
            stored = next(tensor for tensor in model.graph.initializer if tensor.name == node.input[0])
            sizes[node.output[0]] = onnx.numpy_helper.to_array(stored).tolist()
    inferred = onnx.shape_inference.infer_shapes(model).graph
    for value in (*inferred.value_info, *inferred.output, *inferred.input):
        sizes.setdefault(value.name, [axis.dim_value for axis in value.type.tensor_type.shape.dim])
    macs = params = 0
    views = {node.output[0]: node.input[0] for node in model.graph.node if node.op_type == "Unsqueeze"}
    for node in model.graph.node:
        shapes = [sizes.get(views.get(name, name)) for name in node.input]
        out = sizes[node.output[0]]
        if node.op_type == "Conv":
            macs += prod(out[1:]) * prod(shapes[1][1:])
            params += sum(map(prod, shapes[1:]))
        elif node.op_type == "Gemm":
            macs += prod(shapes[1])
            params += sum(map(prod, shapes[1:]))
        elif node.op_type == "BatchNormalization":
            params += prod(shapes[1]) + prod(shapes[2])
        elif node.op_type in ("Mul", "Add") and node.input[1] in views:
            params += prod(shapes[1])
        elif node.op_type == "MatMul":
            macs += prod(out) * shapes[0][-1]
            params += prod(shapes[1])
        elif node.op_type == "Add" and shapes[1] and len(shapes[1]) == 1:
            params += prod(shapes[1])
    return macs, params


def test_there_are_nine():
    assert len(MODELS) == 9


@pytest.mark.parametrize("path", MODELS, ids=lambda path: path.stem)
def test_light_model(path):
    network = graph(str(path), Overrides(strict=True))
    counted = count(network)
    assert (counted.figure("macs"), counted.figure("params")) == counted_from_the_file(path)
    if path.stem in PUBLISHED:
        assert (counted.figure("macs"), counted.figure("params")) == PUBLISHED[path.stem]
    text = write_spec(network)  # proves itself against the network's figures
    assert text.count("\n") < 120
