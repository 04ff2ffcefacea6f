"""Operators of ONNX Runtime that are one of ONNX's with something before or after it: a bias, a gate, channels last."""

from __future__ import annotations

from convcalc.importers.onnx.context import Context
from convcalc.importers.onnx.model import Node, Unsupported
from convcalc.importers.onnx.operators._layers import same_shape
from convcalc.importers.onnx.operators.elementwise import binary, elementwise, softmax
from convcalc.importers.onnx.operators.reduction import reduce_axes
from convcalc.importers.onnx.operators.registry import rule
from convcalc.importers.onnx.operators.slicing import cut_axis
from convcalc.importers.onnx.values import MOST_AXES, Inputs, Value, given, optional


def as_operator(node: Node, operator: str) -> Node:
    """The node as one with another operator, for the rule of that operator."""
    other = node.copy()
    other.operator = operator
    return other


@rule("BiasAdd", "BiasDropout")
def bias_and_residual(ctx: Context, node: Node, inputs: Inputs) -> list[Value]:
    """A value, plus a bias, plus the value of a skip connection."""
    value = binary(ctx, node, "Add", [given(inputs, 0), given(inputs, 1)])
    residual = optional(inputs, 2)
    return [value if residual is None else binary(ctx, node, "Add", [value, residual])]


@rule("BiasSplitGelu")
def gated(ctx: Context, node: Node, inputs: Inputs) -> list[Value]:
    """A value plus a bias, whose first half of the channels is multiplied by the GELU of the second."""
    value = binary(ctx, node, "Add", [given(inputs, 0), given(inputs, 1)])
    width, axis = value.sizes_of_rank(2, MOST_AXES)[-1], value.rank - 1
    if width % 2:
        raise Unsupported(f"halves of {width} channels")
    left, right = (cut_axis(ctx, node, value, axis, start, start + width // 2) for start in (0, width // 2))
    return [binary(ctx, node, "Mul", [left, same_shape(ctx, node, "gelu", right)])]


@rule("BiasSoftmax")
def biased_softmax(ctx: Context, node: Node, inputs: Inputs) -> list[Value]:
    return softmax(ctx, node, [binary(ctx, as_operator(node, "Add"), "Add", [given(inputs, 0), given(inputs, 1)])])


@rule("QLinearWhere")
def quantized_choice(ctx: Context, node: Node, inputs: Inputs) -> list[Value]:
    """The two values are each followed by their scale and zero point."""
    return elementwise(ctx, as_operator(node, "Where"), [given(inputs, at) for at in (0, 1, 4)])


@rule("QLinearReduceMean")
def quantized_mean(ctx: Context, node: Node, inputs: Inputs) -> list[Value]:
    return reduce_axes(ctx, as_operator(node, "ReduceMean"), [given(inputs, 0)])
