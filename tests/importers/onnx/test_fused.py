"""Operators of ONNX Runtime that are one of ONNX's with something before or after it; figures are expressions."""

import numpy
import pytest
from helpers.onnx_models import node, numbers, save
from onnx import helper

from convcalc.analysis.count import count
from convcalc.exporters.yaml.writer import write_spec
from convcalc.language.overrides import Overrides
from convcalc.loader import graph, read

MS = "com.microsoft"
ONE = {"s": numbers(0.1, kind="float32"), "z": numbers(0, kind="uint8")}


def int8(*shape):
    return numpy.ones(shape, "int8")


CASES = {
    "attention with quantised weights": (
        [node("QAttention", ["x", "w", "b", "s", "s", "", "z", "z"], domain=MS, num_heads=4)],
        {**ONE, "w": int8(16, 48), "b": (48,)},
        {"x": (1, 5, 16)},
        (16 * 48 + 48, 5 * 16 * 48 + 2 * 5 * 5 * 16, (5, 16)),
    ),
    "attention with quantised weights over earlier keys and values": (
        [
            helper.make_node(
                *("QAttention", ["x", "w", "b", "s", "s", "", "z", "z", "p"], ["y", "now"]), domain=MS, num_heads=4
            )
        ],
        {**ONE, "w": int8(16, 48), "b": (48,)},
        {"x": (1, 5, 16), "p": (2, 1, 4, 9, 4)},
        (16 * 48 + 48, 5 * 16 * 48 + 2 * 5 * (9 + 5) * 16, (5, 16)),
    ),
    "a recurrence with quantised weights": (
        [
            node(
                *("DynamicQuantizeLSTM", ["x", "w", "r", "b", "", "", "", "p", "s", "z", "s", "z"]),
                domain=MS,
                hidden_size=8,
            )
        ],
        {**ONE, "w": int8(1, 16, 32), "r": int8(1, 8, 32), "b": (1, 64), "p": (1, 24)},
        {"x": (7, 1, 16)},
        (32 * (16 + 8) + 64 + 24, 7 * 32 * (16 + 8), (7, 1, 8)),
    ),
    "a bias and a skip connection": (
        [node("BiasAdd", ["x", "b", "z"], domain=MS)],
        {"b": (32,)},
        {"x": (1, 4, 32), "z": (1, 4, 32)},
        (32, 0, (4, 32)),
    ),
    "a bias and a gate": (
        [node("BiasSplitGelu", ["x", "b"], domain=MS)],
        {"b": (64,)},
        {"x": (1, 4, 64)},
        (64, 0, (4, 32)),
    ),
    "a softmax of a sum": (
        [node("BiasSoftmax", ["x", "z"], domain=MS, axis=3, is_inner_broadcast=1)],
        {},
        {"x": (1, 4, 5, 5), "z": (1, 1, 5, 5)},
        (0, 0, (4, 5, 5)),
    ),
    "a dropped bias": (
        [node("BiasDropout", ["x", "b", "z"], domain=MS)],
        {"b": (32,)},
        {"x": (1, 4, 32), "z": (1, 4, 32)},
        (32, 0, (4, 32)),
    ),
    "a product and an activation": (
        [node("FusedMatMulActivation", ["x", "w"], domain=MS, activation="Relu")],
        {"w": (64, 5)},
        {"x": (1, 4, 64)},
        (64 * 5, 4 * 64 * 5, (4, 5)),
    ),
    "matrices whose first axis is their rows": (
        [node("FusedMatMul", ["x", "w"], domain=MS, transBatchA=1, transBatchB=1)],
        {"w": (64, 4, 3, 5)},
        {"x": (1, 4, 3, 64)},
        (64 * 4 * 3 * 5, 4 * 3 * 64 * 5, (4, 3, 1, 5)),
    ),
    "weights of four bits in blocks": (
        [node("MatMulBnb4", ["x", "p", "m"], domain=MS, K=32, N=8, block_size=16, quant_type=1)],
        {"p": numpy.zeros(128, "uint8"), "m": numbers(*[0.5] * 16, kind="float32")},
        {"x": (1, 5, 32)},
        (32 * 8, 5 * 32 * 8, (5, 8)),
    ),
    "a quantised convolution with channels last": (
        [node("QLinearConv", ["x", "s", "z", "w", "s", "z", "s", "z"], domain=MS, channels_last=1)],
        {**ONE, "w": int8(4, 3, 3, 3)},
        {"x": (1, 9, 8, 3)},
        (4 * 27, 4 * 27 * 7 * 6, (7, 6, 4)),
    ),
    "pools with channels last": (
        [
            node("NhwcMaxPool", ["x"], "m", domain=MS, kernel_shape=[2, 2], strides=[2, 2]),
            node("QLinearAveragePool", ["m", "s", "z", "s", "z"], "a", domain=MS, kernel_shape=[2, 2], channels_last=1),
            node("QLinearGlobalAveragePool", ["a", "s", "z", "s", "z"], domain=MS, channels_last=1),
        ],
        ONE,
        {"x": (1, 10, 8, 3)},
        (0, 0, (1, 1, 3)),
    ),
    "a quantised mean and a choice": (
        [
            node("QLinearWhere", ["c", "x", "s", "z", "x", "s", "z", "s", "z"], "w", domain=MS),
            node("QLinearReduceMean", ["w", "s", "z", "s", "z"], domain=MS, axes=[2, 3], keepdims=0),
        ],
        {**ONE, "c": numbers(True, kind="bool")},
        {"x": (1, 3, 8, 8)},
        (0, 0, (3,)),
    ),
    "random numbers": (
        [node("RandomNormalLike", ["x"], "r"), node("Add", ["x", "r"])],
        {},
        {"x": (1, 8)},
        (0, 0, (8,)),
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_params_macs_and_shape(tmp_path, case):
    nodes, weights, inputs, right = CASES[case]
    counted = count(graph(save(tmp_path / "m.onnx", nodes, weights, inputs, opset=18), Overrides(strict=True)))
    assert (counted.figure("params"), counted.figure("macs"), counted.graph.outputs[0].output) == right
    assert counted.graph.balance.difference == 0
    assert count(read(write_spec(counted.graph))).tallies == counted.tallies
