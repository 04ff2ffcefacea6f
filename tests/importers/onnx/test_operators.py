"""Operators that few networks have, each in the smallest graph that has it; figures are worked out in expressions."""

from math import prod

import pytest
from helpers.onnx_models import node, save
from onnx import TensorProto, helper

from convcalc.analysis.count import count
from convcalc.exporters.yaml.writer import write_spec
from convcalc.language.overrides import Overrides
from convcalc.loader import graph


@pytest.fixture
def read(tmp_path):
    def figures(nodes, weights=None, *shape, **options):
        path = save(tmp_path / "m.onnx", nodes, weights, *shape, **{"opset": 20, "producer": "pytorch", **options})
        counted = count(graph(path, Overrides(strict=True)))
        write_spec(counted.graph)
        return counted

    return figures


def figures(counted):
    return counted.figure("params"), counted.figure("macs")


def test_products_of_constants_by_weights_are_work(read):
    """A small network over fixed coordinates, as a table of positions comes out of it, is done at each run."""
    nodes = [
        node("MatMul", ["places", "a.weight"], "m"),
        node("Add", ["m", "a.bias"], "b"),
        node("Relu", ["b"], "r"),
        node("MatMul", ["r", "b.weight"], "t"),
        node("Transpose", ["t"], "s", perm=[1, 0]),
        node("Add", ["x", "s"]),
    ]
    weights = {"places": [float(n) for n in range(18)], "a.weight": (2, 8), "a.bias": (8,), "b.weight": (8, 4)}
    nodes.insert(0, node("Reshape", ["places", "rows"], "grid"))
    nodes[1].input[0] = "grid"
    counted = read(nodes, weights | {"rows": [9, 2]}, (1, 4, 9))
    # nothing tells that the numbers are not learned but their name: a module's parameter would have one in it
    assert counted.figure("macs") == 9 * 2 * 8 + 9 * 8 * 4
    assert counted.figure("params") - 18 == 16 + 8 + 32


def test_a_product_that_gives_weights_is_weights(read):
    nodes = [node("MatMul", ["a", "b"], "w"), node("MatMul", ["x", "w"])]
    assert read(nodes, {"a": (16, 2), "b": (2, 16)}).figure("macs") == 3 * 16 * 16 * 16


@pytest.mark.parametrize(
    ("equation", "shapes", "macs"),
    [
        ("...ij,...jk->...ik", ((1, 4, 8, 5), (1, 4, 5, 6)), 4 * 8 * 5 * 6),
        ("bchw,bc->bchw", ((1, 4, 8, 5), (1, 4)), 0),
        ("bi,bj->bij", ((1, 4), (1, 5)), 0),
        ("bij,bij->bij", ((1, 4, 5), (1, 4, 5)), 0),
    ],
)
def test_equations(read, equation, shapes, macs):
    counted = read([node("Einsum", ["x", "z"], equation=equation)], {}, {"x": shapes[0], "z": shapes[1]})
    assert figures(counted) == (0, macs)


def test_a_convolution_by_computed_weights(read):
    """16 windows of 3x3 over each group of channels, times kernels that a linear layer gives, and a bias."""
    nodes = [
        node("ReduceMean", ["x", "axes"], "m", keepdims=0),
        node("Gemm", ["m", "k"], "w"),
        node("Reshape", ["w", "shape"], "v"),
        node("Conv", ["x", "v", "b"], group=2, pads=[1] * 4, strides=[2, 2]),
    ]
    weights = {"axes": [2, 3], "k": (4, 8 * 2 * 9), "shape": [8, 2, 3, 3], "b": (8,)}
    counted = read(nodes, weights, (1, 4, 8, 8))
    assert figures(counted) == (4 * 144 + 8, 4 * 144 + 8 * 2 * 9 * 16)
    assert [layer.output for layer in counted.graph.outputs] == [(8, 4, 4)]


def test_a_kernel_that_nobody_trains(read):
    nodes = [node("Conv", ["x", "pool.filt"], group=3, pads=[1] * 4)]
    assert figures(read(nodes, {"pool.filt": (3, 1, 3, 3)})) == (0, 3 * 9 * 256)


def test_samples_at_computed_places(read):
    """Four neighbours of each of 25 places in 3 channels, weighted and summed."""
    counted = read([node("GridSample", ["x", "z"])], {}, {"x": (1, 3, 16, 16), "z": (1, 5, 5, 2)})
    assert counted.graph.outputs[0].output == (3, 5, 5)
    assert counted.tallies["multiplications"] == 4 * 3 * 25
    assert counted.figure("macs") == 0
    nodes = [node("AffineGrid", ["x", "size"], "g"), node("GridSample", ["z", "g"], mode="nearest")]
    counted = read(nodes, {"size": [1, 3, 5, 5]}, {"x": (1, 2, 3), "z": (1, 3, 16, 16)})
    assert counted.graph.outputs[0].output == (3, 5, 5)
    assert counted.tallies["multiplications"] == 25 * 2 * 3


def test_windows_put_back_in_place(read):
    counted = read([node("Col2Im", ["x", "size", "window"])], {"size": [8, 8], "window": [2, 2]}, (1, 12, 16))
    assert counted.graph.outputs[0].output == (3, 8, 8)
    assert counted.tallies["additions"] == 12 * 16


def test_what_an_identity_matrix_multiplies(read):
    nodes = [node("EyeLike", ["like"], "e", dtype=1), node("MatMul", ["x", "e"])]
    assert figures(read(nodes, {"like": [[1.0] * 16] * 16})) == (0, 3 * 16 * 256)


def test_batch_norm_without_anything_learned(read):
    ones = helper.make_tensor("one", TensorProto.FLOAT, (3,), [1.0] * 3)
    zeros = helper.make_tensor("zero", TensorProto.FLOAT, (3,), [0.0] * 3)
    nodes = [
        node("Constant", [], "s", value=ones),
        node("Constant", [], "z", value=zeros),
        node("BatchNormalization", ["x", "s", "z", "n.running_mean", "n.running_var"]),
    ]
    assert figures(read(nodes, {"n.running_mean": (3,), "n.running_var": (3,)})) == (0, 0)


def attention(batch):
    """As PyTorch writes a head of attention over steps x batch x features, with the batch inside of other axes."""
    return [
        node("Transpose", ["x"], "s", perm=[1, 0, 2]),
        node("MatMul", ["s", "w"], "q"),
        node("Reshape", ["q", "heads"], "h"),
        node("Transpose", ["h"], "a", perm=[1, 0, 2]),
        node("Transpose", ["h"], "b", perm=[1, 2, 0]),
        node("MatMul", ["a", "b"], "p"),
        node("Softmax", ["p"], "o"),
        node("MatMul", ["o", "a"], "m"),
        node("Reshape", ["m", "apart"], "n"),
        node("Transpose", ["n"], "t", perm=[2, 0, 1, 3]),
        node("Reshape", ["t", "rows"], "r"),
        node("Gemm", ["r", "v"], "g"),
        node("Reshape", ["g", "steps"], "u"),
        node("Transpose", ["u"], "y", perm=[1, 0, 2]),
    ], {
        "w": (32, 32),
        "v": (32, 32),
        "heads": [10, batch * 4, 8],
        "apart": [batch, 4, 10, 8],
        "rows": [10 * batch, 32],
        "steps": [10, batch, 32],
    }


@pytest.mark.parametrize("batch", [1, 2, 4])
def test_a_stored_batch_inside_of_other_axes(read, batch):
    counted = read(*attention(batch), (batch, 10, 32))
    assert figures(counted) == (2 * 1024, 2 * 10 * 1024 + 2 * 4 * 10 * 10 * 8)
    assert prod(counted.graph.outputs[0].output) == 10 * 32


def test_steps_in_front_of_the_batch(read):
    nodes = [helper.make_node("LSTM", ["x", "w", "u", "b"], ["y"], hidden_size=5)]
    counted = read(nodes, {"w": (1, 20, 3), "u": (1, 20, 5), "b": (1, 40)}, (12, 1, 3))
    assert figures(counted) == (60 + 100 + 40, 12 * (60 + 100))


def test_what_the_batch_of_one_stands_among_is_an_axis_like_others(read):
    """A convolution over what was the last axis, the batch of one having gone to the end."""
    nodes = [
        node("Transpose", ["x"], "t", perm=[1, 2, 3, 0]),
        node("Reshape", ["t", "s"], "r"),
        node("Conv", ["r", "w"]),
    ]
    counted = read(nodes, {"s": [1, 3, 16, 16], "w": (8, 3, 1, 1)})
    assert figures(counted) == (24, 24 * 256)


def test_frames_side_by_side_in_the_batch(read):
    """Two images through one convolution and one pooling, then apart again."""
    nodes = [
        node("Concat", ["x", "z"], "c", axis=0),
        node("Conv", ["c", "w"], "f", pads=[1] * 4),
        node("AveragePool", ["f"], "p", kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("Split", ["p"], ["a", "b"], axis=0, num_outputs=2),
        node("Sub", ["a", "b"]),
    ]
    counted = read(nodes, {"w": (8, 3, 3, 3)}, {"x": (1, 3, 16, 16), "z": (1, 3, 16, 16)})
    assert figures(counted) == (216, 2 * 216 * 256)
    assert counted.graph.outputs[0].output[-3:] == (8, 8, 8)


def test_a_rule_that_fails_takes_back_what_it_has_worked_out(read):
    """A product of constants, read by one that works across the batch of one: the second try makes its layers again."""
    nodes = [
        node("MatMul", ["n", "k"], "c"),
        node("Transpose", ["x"], "t", perm=[1, 0]),
        node("MatMul", ["t", "c"], "m"),
        node("Reshape", ["c", "row"], "r"),
        node("Concat", ["m", "r"], axis=0),
    ]
    counted = read(nodes, {"n": (1, 5), "k": (5, 7), "row": [1, 7]}, (1, 4))
    assert counted.graph.outputs[0].output == (5, 7)
    assert counted.figure("macs") == 4 * 7 + 5 * 7


def test_every_element_in_order_is_another_shape(read):
    """As PyTorch's newer exporter spells an average over a grid."""
    nodes = [
        node("ReduceMean", ["x", "axes"], "m", keepdims=1),
        node("Reshape", ["m", "flat"], "f"),
        node("Gather", ["f", "each"], "g"),
        node("Flatten", ["g"], "r"),
        node("Gemm", ["r", "k"]),
    ]
    weights = {"axes": [2, 3], "flat": [-1], "each": [[[[0]], [[1]], [[2]]]], "k": (3, 5)}
    counted = read(nodes, weights)
    assert [layer.kind.name for layer in counted.graph.layers] == ["global_avg_pool", "flatten", "linear"]
