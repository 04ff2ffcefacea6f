"""Weights that are not one learned value each: fixed ones, and those that are worked out from others."""

import numpy
import pytest
from helpers.onnx_models import build
from onnx import helper, numpy_helper

from convcalc.analysis.count import count
from convcalc.exporters.torch.verify import verify
from convcalc.importers.onnx.file import read_bytes
from convcalc.importers.onnx.importer import graph_of
from convcalc.loader import read

pytestmark = pytest.mark.filterwarnings("ignore")


def figures(spec):
    counted = count(read(spec))
    return {name: counted.figure(name) for name in ("weights", "biases", "buffers", "params", "macs")}


def test_fixed_weights_are_buffers_and_no_weighted_layer():
    spec = "input: 8x9x9\nlayers: [conv: {kernel: 3, groups: channels, bias: false, learned: 0}]"
    assert figures(spec) == {"weights": 0, "biases": 0, "buffers": 72, "params": 0, "macs": 72 * 49}
    assert count(read(spec)).depth == 0


def test_a_fully_connected_layer_of_fixed_weights_is_no_weighted_layer():
    counted = count(read("input: 8\nlayers: [linear: {features: 4, bias: false, learned: 0}]"))
    assert (counted.figure("params"), counted.figure("buffers"), counted.figure("macs"), counted.depth) == (
        0,
        32,
        32,
        0,
    )


def test_weight_normalisation_learns_one_more_for_each_filter():
    """8 filters of 4x3x3, and a length of each; the work is that of the convolution."""
    layers = "conv: {filters: 8, kernel: 3, learned: 296}, flatten, linear: {features: 2, learned: 786}"
    spec = f"input: 4x9x9\nlayers: [{layers}]"
    assert figures(spec) == {
        "weights": 296 + 786,
        "biases": 8 + 2,
        "buffers": 0,
        "params": 296 + 786 + 10,
        "macs": 288 * 49 + 2 * 392,
    }
    assert all(one.is_same for one in verify(count(read(spec))))


def model(nodes, weights, buffers=()):
    """The graph of an ONNX model of one image of 4x9x9."""
    found = read_bytes(build(nodes, weights, (1, 4, 9, 9)).SerializeToString(), "net.onnx")
    found.buffers = frozenset(buffers)
    return count(graph_of(found, (), "net.onnx", True))


def test_a_gain_that_a_model_multiplies_its_weights_by_is_counted():
    nodes = [helper.make_node("Mul", ["w", "gain"], ["scaled"]), helper.make_node("Conv", ["x", "scaled", "b"], ["y"])]
    counted = model(nodes, {"w": (8, 4, 3, 3), "gain": (8, 1, 1, 1), "b": (8,)})
    assert counted.figure("params") == 8 * 4 * 9 + 8 + 8
    assert counted.figure("macs") == 8 * 4 * 9 * 49


def test_one_gain_for_two_layers_is_counted_once():
    nodes = [
        helper.make_node("Mul", ["w", "gain"], ["first"]),
        helper.make_node("Mul", ["v", "gain"], ["second"]),
        helper.make_node("Conv", ["x", "first"], ["z"]),
        helper.make_node("Conv", ["z", "second"], ["y"]),
    ]
    counted = model(nodes, {"w": (8, 4, 3, 3), "v": (8, 8, 3, 3), "gain": (8, 1, 1, 1)})
    assert counted.figure("params") == 8 * 4 * 9 + 8 * 8 * 9 + 8


def test_low_rank_weights_are_as_many_as_they_are_made_of():
    nodes = [
        helper.make_node("MatMul", ["left", "right"], ["w"]),
        helper.make_node("Flatten", ["x"], ["flat"]),
        helper.make_node("MatMul", ["flat", "w"], ["y"]),
    ]
    counted = model(nodes, {"left": (324, 2), "right": (2, 50)})
    assert counted.figure("params") == 324 * 2 + 2 * 50
    assert counted.figure("macs") == 324 * 50


def test_buffers_of_a_model_are_not_learned():
    nodes = [helper.make_node("Conv", ["x", "blur"], ["y"], group=4)]
    counted = model(nodes, {"blur": (4, 1, 3, 3)}, buffers=("blur",))
    assert [counted.figure(name) for name in ("params", "buffers", "macs")] == [0, 36, 36 * 49]


def test_a_bias_that_is_learned_in_part_counts_in_part():
    """Queries and values have a bias, keys have none: 4 and 4 of 12."""
    nodes = [
        helper.make_node("Constant", [], ["none"], value=numpy_helper.from_array(numpy.zeros(4, "float32"))),
        helper.make_node("Concat", ["q", "none", "v"], ["bias"], axis=0),
        helper.make_node("MatMul", ["x", "w"], ["z"]),
        helper.make_node("Add", ["z", "bias"], ["y"]),
    ]
    counted = model(nodes, {"w": (9, 12), "q": (4,), "v": (4,)})
    assert counted.figure("params") == 9 * 12 + 8


def test_a_layer_over_a_table_that_no_one_learned_runs_each_time():
    """Positions of 49 places become a bias of attention by a layer of their own, as in Swin v2."""
    table = numpy_helper.from_array(numpy.ones((36, 2), "float32"))
    nodes = [
        helper.make_node("Constant", [], ["table"], value=table),
        helper.make_node("MatMul", ["table", "w"], ["positions"]),
        helper.make_node("Reshape", ["positions", "shape"], ["wide"]),
        helper.make_node("Constant", [], ["shape"], value_ints=[1, 4, 9, 9]),
        helper.make_node("Add", ["x", "wide"], ["y"]),
    ]
    counted = model(nodes, {"w": (2, 9)})
    assert [counted.figure(name) for name in ("params", "macs")] == [18, 36 * 18]
