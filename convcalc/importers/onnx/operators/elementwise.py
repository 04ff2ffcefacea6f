"""Rules for what is done element by element: activations and arithmetic."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

from convcalc.importers.onnx.context import Context, Inputs
from convcalc.importers.onnx.model import Node
from convcalc.importers.onnx.operators.products import aligned
from convcalc.importers.onnx.operators.registry import like, rule
from convcalc.importers.onnx.values import (
    Value,
    arithmetic,
    axis_at,
    broadcast,
    checked,
    given,
)

_ACTIVATIONS = {
    "Relu": "relu", "Sigmoid": "sigmoid", "Tanh": "tanh", "Elu": "elu", "Celu": "elu", "Selu": "selu", "Gelu": "gelu",
    "HardSwish": "hard_swish", "HardSigmoid": "hard_sigmoid", "Mish": "mish", "Softplus": "softplus", "Silu": "silu",
    "Softsign": "softsign", "LeakyRelu": "leaky_relu", "Swish": "silu", "BiasGelu": "gelu", "FastGelu": "gelu",
    "QuickGelu": "gelu", "ThresholdedRelu": "relu",
}  # fmt: skip


_WORK = {
    "exponentials": "Exp Expm1 Sqrt Pow Log Erf Erfc Sin Cos Tan Asin Acos Atan Sinh Cosh Asinh Acosh Atanh",
    "comparisons": "Abs Neg Floor Ceil Round Sign Not And Or Xor Equal Greater Less GreaterOrEqual LessOrEqual Where "
    "IsNaN IsInf BitwiseAnd BitwiseOr BitwiseNot BitwiseXor BitShift Shrink",
    "divisions": "Reciprocal Mod",
    "additions": "CumSum",
    "multiplications": "CumProd",
}


@rule(*_ACTIVATIONS)
def activation(ctx: Context, node: Node, inputs: Inputs) -> list[Value]:
    value = given(inputs, 0)
    if value.ref is None:
        return [like(value, value.sizes)]
    fields = {}
    if node.operator == "LeakyRelu":
        fields = {"slope": round(node.get("alpha", 0.01), 7)}
    return [ctx.layer(node, _ACTIVATIONS[node.operator], [value], value.sizes, value.batch, **fields)]


@rule("PRelu")
def prelu(ctx: Context, node: Node, inputs: Inputs) -> list[Value]:
    value, slope = given(inputs, 0), given(inputs, 1)
    fields = {"slopes": "one"} if prod(slope.sizes) == 1 else {}
    return [ctx.layer(node, "prelu", [value], value.sizes, value.batch, [slope], **fields)]


@rule("Softmax", "LogSoftmax", "Hardmax")
def softmax(ctx: Context, node: Node, inputs: Inputs) -> list[Value]:
    value = given(inputs, 0)
    newest = ctx.model.opsets.get("", 13)
    axis = axis_at(node.get("axis", -1 if newest >= 13 else 1), len(value.sizes))
    inner = ctx.inner(value.sizes, value.batch)
    at = min(ctx.inner_axis(value, axis), len(inner) - 1)
    fields: dict[str, Any] = {"axis": "last"} if len(inner) > 1 and at == len(inner) - 1 else {"axis": at} if at else {}
    name = "log_softmax" if node.operator == "LogSoftmax" else "softmax"
    return [ctx.layer(node, name, [value], value.sizes, value.batch, **fields)]


@rule("Clip")
def clip(ctx: Context, node: Node, inputs: Inputs) -> list[Value]:
    value = given(inputs, 0)
    bounds = [
        node.get(name) if len(inputs) <= at or inputs[at] is None else given(inputs, at).scalar()
        for at, name in ((1, "min"), (2, "max"))
    ]
    if value.ref is None:
        return [like(value, value.sizes, value.data)]
    low, high = bounds
    if low == 0 and high is not None and abs(high - 6) < 1e-6:
        return [ctx.layer(node, "relu6", [value], value.sizes, value.batch)]
    if low == 0 and (high is None or high > 1e30):
        return [ctx.layer(node, "relu", [value], value.sizes, value.batch)]
    fields = {
        name: round(bound, 7)
        for name, bound in (("low", low), ("high", high))
        if bound is not None and abs(bound) < 1e8 and bound != {"low": -1, "high": 1}[name]
    }
    return [ctx.layer(node, "hard_tanh", [value], value.sizes, value.batch, **fields)]


@rule(*" ".join(_WORK.values()).split())
def elementwise(ctx: Context, node: Node, inputs: Inputs) -> list[Value]:
    values = [value for value in inputs if value is not None]
    if node.operator in ("CumSum", "CumProd"):
        values = values[:1]
    if all(value.ref is None for value in values):
        return [_computed(node.operator, values)]
    work = next(work for work, names in _WORK.items() if node.operator in names.split())
    return [_together(ctx, node, work, values)]


def _computed(name: str, values: list[Value]) -> Value:
    """An element-wise operator on constants."""
    shape = broadcast(*(value.sizes for value in values))
    origins = tuple(dict.fromkeys(origin for value in values for origin in value.origins))
    is_logic = name in ("Equal", "Less", "Greater", "LessOrEqual", "GreaterOrEqual", "And", "Or", "Not")
    element = 9 if is_logic else values[-1].element
    return Value(checked(shape), arithmetic(name, values), origins=origins, element=element)


def _together(ctx: Context, node: Node, work: str, values: Sequence[Value]) -> Value:
    """One operation over activations; constants that nobody learned only give their shape."""
    shape = broadcast(*(value.sizes for value in values))
    real = [value for value in values if value.ref is not None or (value.origins and prod(value.sizes) > 1)]
    batch, refs = aligned(ctx, node, real, [value.sizes for value in real], shape)
    inner = ctx.inner(shape, batch)
    if all(ctx.graph.shape(ref) != inner for ref in refs) and len(refs) < len(values):
        gather = ctx.layer(node, "gather", [refs[0]], shape, batch, shape=inner)
        refs[0] = ctx.ref(gather)
    return ctx.layer(node, "elementwise", refs[:3], shape, batch, operation=work)


@rule("Sum", "Max", "Min", "Mean")
def several(ctx: Context, node: Node, inputs: Inputs) -> list[Value]:
    values = [value for value in inputs if value is not None]
    if len(values) == 1:
        return values
    if all(value.ref is None for value in values):
        return [_computed(node.operator, values)]
    if node.operator == "Sum":
        return [binary(ctx, node, "Add", values)]
    real = [value for value in values if value.ref is not None]
    if len(real) < len(values) or node.operator == "Mean":
        return [_together(ctx, node, "comparisons" if node.operator != "Mean" else "additions", values[:3])]
    shape = broadcast(*(value.sizes for value in values))
    batch, refs = aligned(ctx, node, values, [value.sizes for value in values], shape)
    return [ctx.layer(node, "maximum", refs, shape, batch)]


@rule("Add", "Sub", "Mul", "Div")
def arithmetics(ctx: Context, node: Node, inputs: Inputs) -> list[Value]:
    values = [given(inputs, 0), given(inputs, 1)]
    if all(value.ref is None for value in values):
        return [_computed(node.operator, values)]
    return [binary(ctx, node, node.operator, values)]


_JOINS = {"Add": "add", "Sub": "subtract", "Mul": "multiply", "Div": "divide"}


_JOIN_WORK = {"Add": "additions", "Sub": "additions", "Mul": "multiplications", "Div": "divisions"}


def binary(ctx: Context, node: Node, name: str, values: list[Value]) -> Value:
    """Arithmetic of activations, with learned constants among them: a scale, a parameter beside it, or a number."""
    # the old form of broadcasting: the second's axes stand at `axis` of the first
    if node.get("broadcast", 0) and len(values) == 2 and node.get("axis") is not None:
        first, second = values
        behind = len(first.sizes) - node.get("axis") - len(second.sizes)
        if behind > 0 and second.ref is None:
            values = [first, like(second, (*second.sizes, *(1 for _ in range(behind))), second.data)]
    values = [ctx.materialize(value) for value in values]
    learned = [value for value in values if value.ref is None and value.origins]
    real = [value for value in values if value.ref is not None]
    if len(values) == 2 and len(real) + len(learned) < 2:
        return _together(ctx, node, _JOIN_WORK[name], values)
    if len(values) == 2 and learned and name == "Mul":
        scale = _scale(ctx, node, real[0], learned[0])
        if scale is not None:
            return scale
    shape = broadcast(*(value.sizes for value in values))
    batch, refs = aligned(ctx, node, values, [value.sizes for value in values], shape)
    return ctx.layer(node, _JOINS[name], refs, shape, batch)


def _scale(ctx: Context, node: Node, value: Value, factor: Value) -> Value | None:
    """Learned factors along one axis, with the offsets that an Add behind it may hold."""
    shape = broadcast(value.sizes, factor.sizes)
    wide = [at for at, size in enumerate((1,) * (len(shape) - len(factor.sizes)) + factor.sizes) if size > 1]
    if shape != value.sizes or len(wide) != 1 or wide[0] == value.batch:
        return None
    axis = ctx.inner_axis(value, wide[0])
    inner = ctx.inner(value.sizes, value.batch)
    fields: dict[str, Any] = {}
    if axis:
        fields["axis"] = "last" if axis == len(inner) - 1 else axis
    add = ctx.only_reader(node.outputs[0], ("Add",)) if node.operator == "Mul" else None
    weights = [factor]
    if add is not None:
        (other,) = [name for name in add.inputs if name != node.outputs[0]]
        offset = ctx.values.get(other)
        if offset is not None and offset.ref is None and offset.origins and offset.sizes == factor.sizes:
            ctx.fuse(node, add)
            weights.append(offset)
            fields["bias"] = True
    return ctx.layer(node, "scale", [value], value.sizes, value.batch, weights, **fields)
