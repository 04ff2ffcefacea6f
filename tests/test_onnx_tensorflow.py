"""What tf2onnx, and Keras through it, write: its names, its ways to spell layers out, its loops."""

import pytest
from onnx import helper
from test_onnx import figures, node, numbers, save

from convcalc.analysis.count import count
from convcalc.exchange.read_onnx import load
from convcalc.request import graph


def kinds(path, **options):
    return [layer.kind.name for layer in graph(path, **options).layers]


def test_what_tensorflow_names_as_a_variable_is_learned_and_what_no_training_changes_is_not(tmp_path):
    nodes = [
        node("Mul", ["x", "net/normalization_1/truediv_recip:0"], "n", name="net/normalization_1/truediv"),
        node("Add", ["n", "const_fold_opt__3"], "a", name="net/rescaling_1/add"),
        node("Add", ["a", "net/position/add/y:0"], "p"),
        node("Mul", ["p", "net/bn_1/batchnorm/mul:0"], "s"),
        node("Add", ["s", "const_fold_opt__12"], "b"),
        node("MatMul", ["b", "net/dense/MatMul/ReadVariableOp:0"], "m"),
        node("Add", ["m", "net/dense/BiasAdd/ReadVariableOp:0"], "d"),
        node("Concat", ["d", "net/rnn/zeros:0"], "y", axis=1),
    ]
    weights = {
        "net/normalization_1/truediv_recip:0": (1, 6),
        "const_fold_opt__3": (1, 6),
        "net/position/add/y:0": (1, 6),
        "net/bn_1/batchnorm/mul:0": (1, 6),
        "const_fold_opt__12": (1, 6),
        "net/dense/MatMul/ReadVariableOp:0": (6, 1),
        "net/dense/BiasAdd/ReadVariableOp:0": (1,),
        "net/rnn/zeros:0": (1, 6),
    }
    path = save(tmp_path / "m.onnx", nodes, weights, (1, 6))
    assert figures(path) == (6 + 6 + 6 + 1, 6)


@pytest.mark.parametrize(("size", "wanted"), [(50, 20), (1000, 400), (5, 2), (7, 2), (1, 0)])
def test_a_factor_that_is_stored_rounded_gives_the_size_it_is_for(tmp_path, size, wanted):
    nodes = [node("Resize", ["x", "", "scales"])]
    path = save(tmp_path / "m.onnx", nodes, {"scales": numbers(1, 1, 0.4, 0.4, kind="float32")}, (1, 3, size, size))
    (layer,) = graph(path).layers
    assert layer.output == (3, wanted, wanted) if wanted else layer.kind.name == "opaque"


def test_pads_below_zero_make_the_output_of_a_transposed_convolution_larger(tmp_path):
    nodes = [node("ConvTranspose", ["x", "w"], "c", strides=[3, 3], pads=[0, 0, -1, -1]), node("Add", ["c", "b"])]
    path = save(tmp_path / "m.onnx", nodes, {"w": (3, 5, 2, 2), "b": (1, 5, 1, 1)}, (1, 3, 8, 8))
    (layer,) = graph(path).layers
    assert layer.output == (5, 24, 24)
    assert figures(path) == (60 + 5, 60 * 64)


def test_names_are_those_of_the_layers_and_a_norm_that_was_folded_is_told(tmp_path):
    nodes = [
        node("Transpose", ["x"], "t__1:0", perm=[0, 3, 1, 2]),
        helper.make_node("Conv", ["t__1:0", "net_1.00/c_1/convolution/merged_input:0", "b"], ["c"], name="Conv__7"),
        helper.make_node("Relu", ["c"], ["r"], name="net_1.00/relu_1/Relu6"),
        helper.make_node("Mul", ["r", "net_1.00/bn_1/batchnorm/mul:0"], ["m"], name="net_1.00/bn_1/batchnorm/mul_1"),
        helper.make_node("Add", ["m", "const_fold_opt__3"], ["y"], name="net_1.00/bn_1/batchnorm/add_1"),
    ]
    weights = {"net_1.00/c_1/convolution/merged_input:0": (8, 3, 1, 1), "b": (8,)}
    weights |= {"net_1.00/bn_1/batchnorm/mul:0": (1, 8, 1, 1), "const_fold_opt__3": (1, 8, 1, 1)}
    found = load(save(tmp_path / "m.onnx", nodes, weights, (1, 5, 5, 3)))
    assert [layer.path for layer in found.layers] == ["permute1", "net_1.00/c_1", "net_1.00/relu_1", "net_1.00/bn_1"]
    assert "batch norm was folded" in found.about["note"]
    assert count(found).figure("params") == 24 + 8 + 16
