"""The params of a layer are the elements of the tensors that its rule gave it, whatever the rule is."""

import pytest

from convcalc.importers.onnx.elements import Part
from convcalc.importers.onnx.layer_check import require_params_of_weights
from convcalc.importers.onnx.model import Node, Unsupported
from convcalc.importers.onnx.values import Value
from convcalc.kinds import KINDS

W, B = Value((8, 3, 3, 3), source_weights=(Part("w", 216),)), Value((8,), source_weights=(Part("b", 8),))
CONV = {"filters": 8, "kernel": 3}


def check(kind, shape, weights, node=None, **fields):
    require_params_of_weights(node or Node(), KINDS[kind](**fields), [shape], weights)


@pytest.mark.parametrize(
    ("kind", "shape", "weights", "fields"),
    [
        ("conv", (3, 8, 8), [W, B], CONV),
        ("conv", (3, 8, 8), [W, None], {**CONV, "bias": False}),
        ("conv", (3, 8, 8), [W, None], {**CONV, "learned": 5, "bias": False}),  # made from five values
        ("layer_norm", (5, 8), [B, B], {}),
        ("layer_norm", (5, 8), [Value((8,)), Value((8,))], {"affine": False}),  # ones and zeros that nobody trained
        ("layer_norm", (5, 8), [Value((8,)), Value((8,))], {}),
        ("matmul", (4, 4), [], {}),
    ],
)
def test_a_layer_with_the_params_of_its_weights_passes(kind, shape, weights, fields):
    check(kind, shape, weights, **fields)


@pytest.mark.parametrize(
    ("kind", "shape", "weights", "fields", "counted", "stored"),
    [
        ("conv", (3, 8, 8), [W, Value((1,), source_weights=(Part("b", 8),))], CONV, 224, 217),
        ("conv", (3, 8, 8), [W, None], CONV, 224, 216),
        ("layer_norm", (5, 16), [B, B], {}, 32, 16),
        ("layer_norm", (5, 8), [B], {"affine": False}, 0, 8),
        ("group_norm", (8, 4, 4), [], {"groups": 2}, 16, 0),
    ],
)
def test_a_layer_with_other_params_is_unsupported(kind, shape, weights, fields, counted, stored):
    reason = f"{kind} would count {counted} params, its weights have {stored} elements"
    with pytest.raises(Unsupported, match=reason):
        check(kind, shape, weights, **fields)


def test_a_bias_of_zeros_that_the_exporter_left_out_counts():
    node = Node()
    node.has_bias = True
    check("conv", (3, 8, 8), [W, None], node, **CONV)
