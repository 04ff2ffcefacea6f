"""Operators with every input they can have, and ONNX Runtime's own; figures are worked out in expressions."""

import pytest
from helpers.onnx_models import node, numbers, save
from onnx import helper

from convcalc.analysis.count import count
from convcalc.language.overrides import Overrides
from convcalc.loader import graph

MS, NCHWC, ML = "com.microsoft", "com.microsoft.nchwc", "ai.onnx.ml"
ONE = {
    "s": numbers(0.1, kind="float32"),
    "z": numbers(0, kind="uint8"),
}  # the scale and zero point of quantised numbers


def multi(operator, inputs, outputs, **attributes):
    return helper.make_node(operator, inputs, outputs, **attributes)


def read(tmp_path, nodes, weights, inputs, opset=18):
    path = save(tmp_path / "m.onnx", nodes, weights, inputs, opset=opset)
    counted = count(graph(path, Overrides(strict=True)))
    return counted.figure("params"), counted.figure("macs"), counted.graph.outputs[0].output


CASES = {
    "the bias of a norm of a sum": (
        [node("SkipLayerNormalization", ["x", "z", "g", "b", "c"], domain=MS)],
        {"g": (16,), "b": (16,), "c": (16,)},
        {"x": (1, 5, 16), "z": (1, 5, 16)},
        (3 * 16, 0, (5, 16)),
    ),
    "the sum of a norm, and work on it": (
        [
            multi("SkipLayerNormalization", ["x", "z", "g", "b"], ["n", "", "", "t"], domain=MS),
            node("MatMul", ["t", "w"]),
        ],
        {"g": (16,), "b": (16,), "w": (16, 4)},
        {"x": (1, 5, 16), "z": (1, 5, 16)},
        (16 * 4, 5 * 16 * 4, (5, 4)),
    ),
    "the norm of a sum by its root mean square": (
        [node("SkipSimplifiedLayerNormalization", ["x", "z", "g", "c"], domain=MS)],
        {"g": (16,), "c": (16,)},
        {"x": (1, 5, 16), "z": (1, 5, 16)},
        (2 * 16, 0, (5, 16)),
    ),
    "a bias in an activation": (
        [node("MatMul", ["x", "w"], "m"), node("BiasGelu", ["m", "b"], domain=MS)],
        {"w": (16, 32), "b": (32,)},
        {"x": (1, 5, 16)},
        (16 * 32 + 32, 5 * 16 * 32, (5, 32)),
    ),
    "tables of words, positions and segments, and a norm": (
        [node("EmbedLayerNormalization", ["x", "z", "w", "p", "e", "g", "b"], domain=MS)],
        {"w": (30, 8), "p": (12, 8), "e": (2, 8), "g": (8,), "b": (8,)},
        {"x": (1, 5), "z": (1, 5)},
        (30 * 8 + 12 * 8 + 2 * 8 + 2 * 8, 0, (5, 8)),
    ),
    "attention with weights for queries and keys of another width than values": (
        [node("Attention", ["x", "w", "b"], domain=MS, num_heads=4, qkv_hidden_sizes=[8, 8, 16])],
        {"w": (16, 32), "b": (32,)},
        {"x": (1, 5, 16)},
        (16 * 32 + 32, 5 * 16 * 32 + 5 * 5 * 8 + 5 * 5 * 16, (5, 16)),
    ),
    "attention over earlier keys and values": (
        [multi("Attention", ["x", "k", "v", "", "p", "q"], ["y", "a", "b"])],
        {},
        dict.fromkeys("xkv", (1, 4, 1, 8)) | dict.fromkeys("pq", (1, 4, 9, 8)),
        (0, 2 * 4 * 10 * 8, (4, 1, 8)),
    ),
    "keys of fewer heads, after those of earlier steps": (
        [
            multi(
                *("GroupQueryAttention", ["x", "k", "v", "p", "q"], ["y", "a", "b"]),
                domain=MS,
                num_heads=4,
                kv_num_heads=2,
            )
        ],
        {},
        {"x": (1, 3, 32), "k": (1, 3, 16), "v": (1, 3, 16), "p": (1, 2, 9, 8), "q": (1, 2, 9, 8)},
        (0, 2 * 3 * 12 * 32, (3, 32)),
    ),
    "groups of channels that are last": (
        [node("GroupNorm", ["x", "g", "b"], domain=MS, groups=4, activation=1)],
        {"g": (32,), "b": (32,)},
        {"x": (1, 8, 8, 32)},
        (2 * 32, 0, (8, 8, 32)),
    ),
    "one number for each group": (
        [node("GroupNormalization", ["x", "g", "b"], num_groups=4)],
        {"g": (4,), "b": (4,)},
        {"x": (1, 32, 8, 8)},
        (2 * 4, 0, (32, 8, 8)),
    ),
    "a norm over rows and columns, and what follows": (
        [node("LayerNormalization", ["x", "g", "b"], "n", axis=2), node("Conv", ["n", "w"])],
        {"g": (8, 8), "b": (8, 8), "w": (4, 3, 3, 3)},
        {"x": (1, 3, 8, 8)},
        (2 * 64 + 108, 108 * 36, (4, 6, 6)),
    ),
    "peepholes and first states": (
        [multi("LSTM", ["x", "w", "r", "b", "", "h", "c", "p"], ["y"], hidden_size=8)],
        {"w": (1, 32, 16), "r": (1, 32, 8), "b": (1, 64), "h": (1, 1, 8), "c": (1, 1, 8), "p": (1, 24)},
        {"x": (7, 1, 16)},
        (4 * 8 * (16 + 8 + 2) + 8 + 8 + 3 * 8, 7 * 4 * 8 * (16 + 8), (7, 1, 8)),
    ),
    "a recurrence with the batch first": (
        [multi("GRU", ["x", "w", "r"], ["y"], hidden_size=8, layout=1)],
        {"w": (1, 24, 6), "r": (1, 24, 8)},
        {"x": (1, 7, 6)},
        (24 * (6 + 8), 7 * 24 * (6 + 8), (7, 1, 8)),
    ),
    "a product with a vector": (
        [node("MatMul", ["x", "v"])],
        {"v": (16,)},
        {"x": (1, 5, 16)},
        (16, 5 * 16, (5,)),
    ),
    "weights times a vector": (
        [node("Reshape", ["x", "flat"], "v"), node("MatMul", ["w", "v"])],
        {"w": (4, 16), "flat": [16]},
        {"x": (1, 16)},
        (4 * 16, 4 * 16, (4,)),
    ),
    "an input turned round": (
        [node("Gemm", ["x", "w"], transA=1)],
        {"w": (4, 3)},
        {"x": (4, 16)},
        (4 * 3, 16 * 4 * 3, (16, 3)),
    ),
    "a product of two activations, plus a column": (
        [node("Gemm", ["x", "z", "b"], transB=1)],
        {"b": (5, 1)},
        {"x": (5, 16), "z": (7, 16)},
        (5, 5 * 16 * 7, (5, 7)),
    ),
    "weights of four bits": (
        [node("MatMulNBits", ["x", "p", "s"], domain=MS, K=32, N=8, bits=4, block_size=16)],
        {"p": numbers(*[0] * 128, kind="uint8").reshape(8, 2, 8), "s": numbers(*[0.5] * 16, kind="float32")},
        {"x": (1, 5, 32)},
        (32 * 8, 5 * 32 * 8, (5, 8)),
    ),
    "quantised addition, pool and product": (
        [
            node("QLinearAdd", ["x", "s", "z", "x", "s", "z", "s", "z"], "a", domain=MS),
            node("QLinearGlobalAveragePool", ["a", "s", "z", "s", "z"], "p", domain=MS),
            node("Flatten", ["p"], "f"),
            node("QGemm", ["f", "s", "z", "w", "s", "z", "", "s", "z"], domain=MS, transB=1),
        ],
        {**ONE, "w": numbers(*[1] * 15, kind="int8").reshape(5, 3)},
        {"x": (1, 3, 8, 8)},
        (15, 15, (5,)),
    ),
    "quantised concatenation": (
        [node("QLinearConcat", ["s", "z", "x", "s", "z", "x", "s", "z"], domain=MS, axis=1)],
        ONE,
        {"x": (1, 3, 8, 8)},
        (0, 0, (6, 8, 8)),
    ),
    "channels in blocks": (
        [
            node("Conv", ["x", "w"], "c", domain=NCHWC, activation="Relu", pads=[1] * 4),
            node("MaxPool", ["c"], "m", domain=NCHWC, kernel_shape=[2, 2], strides=[2, 2]),
            node("ReorderOutput", ["m"], domain=NCHWC, channels=8),
        ],
        {"w": (8, 3, 3, 3)},
        {"x": (1, 3, 8, 8)},
        (216, 216 * 64, (8, 4, 4)),
    ),
    "a convolution, a sum and an activation in one": (
        [node("FusedConv", ["x", "w", "", "z"], domain=MS, activation="Relu")],
        {"w": (8, 3, 1, 1)},
        {"x": (1, 3, 8, 8), "z": (1, 8, 8, 8)},
        (24, 24 * 64, (8, 8, 8)),
    ),
    "a transposed convolution of a stated size": (
        [node("ConvTranspose", ["x", "w"], strides=[2, 2], output_shape=[8, 9])],
        {"w": (2, 4, 3, 3)},
        {"x": (1, 2, 4, 4)},
        (72, 72 * 16, (4, 8, 9)),
    ),
    "a transposed convolution with more at its end that is the same size": (
        [node("ConvTranspose", ["x", "w"], strides=[2, 2], auto_pad="SAME_UPPER", output_padding=[1, 1])],
        {"w": (2, 1, 3, 3)},
        {"x": (1, 2, 3, 3)},
        (18, 18 * 9, (1, 6, 6)),
    ),
    "unpooling by the indices of a pool, with pads": (
        [
            multi("MaxPool", ["x"], ["p", "i"], kernel_shape=[3, 3], strides=[2, 2], pads=[1] * 4),
            node("MaxUnpool", ["p", "i"], kernel_shape=[3, 3], strides=[2, 2], pads=[1] * 4),
        ],
        {},
        {"x": (1, 3, 16, 16)},
        (0, 0, (3, 15, 15)),
    ),
    "a scale of one axis": (
        [node("Resize", ["x", "", "f"], axes=[2])],
        {"f": [2.0]},
        {"x": (1, 3, 16, 8)},
        (0, 0, (3, 32, 8)),
    ),
    "the largest size of the same proportions": (
        [node("Resize", ["x", "", "", "n"], axes=[2, 3], keep_aspect_ratio_policy="not_larger")],
        {"n": [8, 10]},
        {"x": (1, 3, 16, 16)},
        (0, 0, (3, 8, 8)),
    ),
    "one slope for each row": (
        [node("PRelu", ["x", "a"])],
        {"a": (3, 8, 1)},
        {"x": (1, 3, 8, 8)},
        (24, 0, (3, 8, 8)),
    ),
    "a sequence, put together and joined": (
        [
            multi("SequenceConstruct", ["x", "x"], ["q"]),
            multi("SequenceInsert", ["q", "x"], ["r"]),
            node("ConcatFromSequence", ["r"], "c", axis=1),
            node("Conv", ["c", "w"]),
        ],
        {"w": (4, 9, 1, 1)},
        {"x": (1, 3, 8, 8)},
        (36, 36 * 64, (4, 8, 8)),
    ),
    "columns where a condition is true": (
        [node("Compress", ["x", "c"], "k", axis=1), node("Conv", ["k", "w"])],
        {"c": [1, 0, 1], "w": (4, 2, 1, 1)},
        {"x": (1, 3, 8, 8)},
        (8, 8 * 64, (4, 8, 8)),
    ),
    "frames of one axis": (
        [node("Reshape", ["x", "n"], "f"), node("Conv", ["f", "w", "b"])],
        {"n": [5, 3, 16], "w": (4, 3, 3), "b": (4,)},
        {"x": (1, 5, 3, 16)},
        (36 + 4, 5 * 36 * 14, (5, 4, 14)),
    ),
    "frames of three axes": (
        [node("Reshape", ["x", "n"], "f"), node("Conv", ["f", "w", "b"], group=3, pads=[1] * 6)],
        {"n": [5, 3, 4, 4, 4], "w": (3, 1, 3, 3, 3), "b": (3,)},
        {"x": (1, 5, 3, 4, 4, 4)},
        (81 + 3, 5 * 81 * 64, (5, 3, 4, 4, 4)),
    ),
    "an equation of three terms": (
        [node("Einsum", ["x", "w", "v"], equation="bij,jk,kl->bil")],
        {"w": (6, 7), "v": (7, 3)},
        {"x": (1, 5, 6)},
        (42 + 21, 5 * 6 * 7 + 5 * 7 * 3, (5, 3)),
    ),
    "an equation without an arrow": (
        [node("Einsum", ["x", "w"], equation="bj,jk")],
        {"w": (6, 7)},
        {"x": (1, 6)},
        (42, 42, (7,)),
    ),
    "an equation of one term": (
        [node("Einsum", ["x"], equation="bijk->bki")],
        {},
        {"x": (1, 4, 5, 6)},
        (0, 0, (6, 4)),
    ),
    "a linear classifier": (
        [
            multi(
                *("LinearClassifier", ["x"], ["l", "p"]), domain=ML, coefficients=[0.5] * 12, intercepts=[0.5] * 3,
                classlabels_ints=[0, 1, 2], post_transform="SOFTMAX",
            ),
            node("Identity", ["p"]),
        ],
        {},
        {"x": (1, 4)},
        (12 + 3, 12, (3,)),
    ),
    "a scaled input and a linear regressor": (
        [
            node("Scaler", ["x"], "n", domain=ML, offset=[0.5] * 4, scale=[2.0] * 4),
            node("LinearRegressor", ["n"], domain=ML, coefficients=[0.5] * 8, targets=2),
        ],
        {},
        {"x": (1, 4)},
        (8, 8, (2,)),
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_params_macs_and_shape(tmp_path, case):
    nodes, weights, inputs, right = CASES[case]
    assert read(tmp_path, nodes, weights, inputs) == right


def test_weights_that_contradict_each_other_are_named(tmp_path):
    """As PyTorch's exporter writes an LSTM with a projection: the states are narrower than the gates."""
    nodes = [multi("LSTM", ["x", "w", "r", "b"], ["y"], hidden_size=32)]
    weights = {"w": (1, 128, 16), "r": (1, 128, 8), "b": (1, 256)}
    counted = count(graph(save(tmp_path / "m.onnx", nodes, weights, {"x": (7, 1, 16)}), Overrides()))
    (layer,) = [layer for layer in counted.graph.layers if layer.kind.name == "opaque"]
    assert layer.kind.reason == "states of 8 numbers for weights of 4 gates and 128 rows"
    assert counted.figure("params") == 128 * 16 + 128 * 8 + 256


def test_an_output_that_a_rule_does_not_compute_is_a_layer_without_a_figure(tmp_path):
    """It is not taken for an input that was left out."""
    nodes = [
        multi("LayerNormalization", ["x", "g"], ["n", "mean"]),
        multi("Conv", ["c", "w", "mean"], ["v"]),
        node("Add", ["n", "v"]),
    ]
    path = save(tmp_path / "m.onnx", nodes, {"g": (8,), "w": (4, 3, 1, 1)}, {"x": (1, 5, 8), "c": (1, 3, 8, 8)})
    reasons = {
        layer.kind.operator: layer.kind.reason for layer in graph(path, Overrides()).layers if not layer.kind.is_counted
    }
    assert reasons["LayerNormalization"] == "an output that is not computed"


def test_the_projection_that_pytorch_leaves_out_of_a_file_is_put_back(tmp_path):
    """Its exporter cuts the gates of 32 down to the 8 features that they are projected to."""
    nodes = [
        *(node("Slice", [name, "zero", "end", "zero"], f"{name}_cut") for name in ("weight_ih", "weight_hh", "bias")),
        *(node("Unsqueeze", [f"{name}_cut", "zero"], f"{name}_3") for name in ("weight_ih", "weight_hh", "bias")),
        multi("LSTM", ["x", "weight_ih_3", "weight_hh_3", "bias_3"], ["y"], hidden_size=8),
    ]
    weights = {"weight_ih": (128, 16), "weight_hh": (128, 8), "bias": (256,), "zero": [0], "end": [32]}
    nodes[2] = node("Slice", ["bias", "zero", "half", "zero"], "bias_cut")
    path = save(tmp_path / "m.onnx", nodes, {**weights, "half": [64]}, {"x": (7, 1, 16)}, producer="pytorch")
    counted = count(graph(path, Overrides(strict=True)))
    assert counted.figure("params") == 128 * 16 + 128 * 8 + 256 + 32 * 8
    assert counted.figure("macs") == 7 * (128 * 16 + 128 * 8 + 32 * 8)
    assert counted.graph.outputs[0].output == (7, 1, 8)
