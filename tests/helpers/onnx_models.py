"""ONNX models made by hand, node by node."""

import numpy
from onnx import TensorProto, helper, numpy_helper

from convcalc.analysis.count import count
from convcalc.exporters.yaml.writer import write_spec
from convcalc.language.overrides import Overrides
from convcalc.loader import graph


def build(nodes, weights=None, shape=(1, 3, 16, 16), opset=17, element=TensorProto.FLOAT, producer=""):
    """A model with the input x, or several named ones, and the output y. Weights are shapes, arrays, or numbers in a
    list."""
    inputs = shape if isinstance(shape, dict) else {"x": shape}
    built = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info(name, element, list(sizes)) for name, sizes in inputs.items()],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
    )
    for name, value in (weights or {}).items():
        if isinstance(value, tuple):
            built.initializer.add(name=name, dims=value, data_type=TensorProto.FLOAT)
            continue
        if isinstance(value, list):
            kind = "float32" if any(isinstance(number, float) for number in value) else "int64"
            value = numpy.array(value, kind)
        built.initializer.append(numpy_helper.from_array(value, name))
    return helper.make_model(built, opset_imports=[helper.make_opsetid("", opset)], producer_name=producer)


def save(path, *model, **options):
    """The path of a file with the model."""
    path.write_bytes(build(*model, **options).SerializeToString())
    return str(path)


def figures(path, **options):
    """Params and MACs of a file, whose spec counts alike."""
    counted = count(graph(path, Overrides(**options)))
    write_spec(counted.graph)
    return counted.figure("params"), counted.figure("macs")


def node(operator, inputs, output="y", **attributes):
    return helper.make_node(operator, inputs, [output], **attributes)


def numbers(*values, kind="int64"):
    """An array of these values."""
    return numpy.array(values, kind)
