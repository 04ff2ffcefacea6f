"""Activations and arithmetic, element by element."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

from convcalc.importers.onnx.constant_arithmetic import arithmetic
from convcalc.importers.onnx.context import Context
from convcalc.importers.onnx.model import Node, Unsupported
from convcalc.importers.onnx.operators._layers import add_after, aligned, constant_like, gathered, same_shape
from convcalc.importers.onnx.operators.registry import rule
from convcalc.importers.onnx.values import Inputs, Value, axis_at, broadcast, checked, given, optional, sources_of

_ACTIVATIONS = {
    "Relu": "relu", "Sigmoid": "sigmoid", "Tanh": "tanh", "Elu": "elu", "Celu": "elu", "Selu": "selu", "Gelu": "gelu",
    "HardSwish": "hard_swish", "HardSigmoid": "hard_sigmoid", "Mish": "mish", "Softplus": "softplus", "Silu": "silu",
    "Softsign": "softsign", "LeakyRelu": "leaky_relu", "Swish": "silu", "BiasGelu": "gelu", "FastGelu": "gelu",
    "QuickGelu": "gelu", "ThresholdedRelu": "relu",
}  # fmt: skip
_OPERATIONS = {
    operator: operation
    for operation, operators in {
        "exponentials": "Exp Expm1 Sqrt Pow Log Erf Erfc Sin Cos Tan Asin Acos Atan Sinh Cosh Asinh Acosh Atanh",
        "comparisons": "Abs Neg Floor Ceil Round Sign Not And Or Xor Equal Greater Less GreaterOrEqual LessOrEqual "
        "Where IsNaN IsInf BitwiseAnd BitwiseOr BitwiseNot BitwiseXor BitShift Shrink",
        "divisions": "Reciprocal Mod",
        "additions": "CumSum",
        "multiplications": "CumProd",
    }.items()
    for operator in operators.split()
}
_LOGIC = ("Equal", "Less", "Greater", "LessOrEqual", "GreaterOrEqual", "And", "Or", "Not")
_JOINS = {"Add": "add", "Sub": "subtract", "Mul": "multiply", "Div": "divide"}
_JOIN_OPERATIONS = {"Add": "additions", "Sub": "additions", "Mul": "multiplications", "Div": "divisions"}
_BOOL = 9


@rule(*_ACTIVATIONS)
def activation(ctx: Context, node: Node, inputs: Inputs) -> list[Value]:
    value, alpha = given(inputs, 0), node.float("alpha", 0.01)
    if value.ref is None and len(inputs) == 1:
        return [constant_like(value, value.sizes, layout=value.layout)]
    bias = optional(inputs, 1) if node.operator in ("BiasGelu", "FastGelu") else None
    if bias is not None:
        value = binary(ctx, node, "Add", [value, bias])
    fields: dict[str, Any] = {"slope": round(alpha, 7)} if node.operator == "LeakyRelu" else {}
    return [same_shape(ctx, node, _ACTIVATIONS[node.operator], value, **fields)]


def fused_activation(ctx: Context, node: Node, value: Value) -> Value:
    """The activation that ONNX Runtime has fused into a node, by its name."""
    name = node.text("activation")
    if not name:
        return value
    if name == "Clip":
        return same_shape(ctx, node, "hard_tanh", value)
    if name not in _ACTIVATIONS:
        raise Unsupported(f"activation {name!r}")
    return same_shape(ctx, node, _ACTIVATIONS[name], value)


_QUANTIZED = {"QLinearAdd": "Add", "QLinearMul": "Mul"}


@rule(*_QUANTIZED)
def quantized_arithmetic(ctx: Context, node: Node, inputs: Inputs) -> list[Value]:
    """Each operand is followed by its scale and its zero point, as the output's are at the end."""
    return [binary(ctx, node, _QUANTIZED[node.operator], [given(inputs, 0), given(inputs, 3)])]


@rule("QLinearSigmoid", "QLinearLeakyRelu")
def quantized_activation(ctx: Context, node: Node, inputs: Inputs) -> list[Value]:
    kind = "sigmoid" if node.operator == "QLinearSigmoid" else "leaky_relu"
    return [same_shape(ctx, node, kind, given(inputs, 0))]


@rule("QLinearSoftmax")
def quantized_softmax(ctx: Context, node: Node, inputs: Inputs) -> list[Value]:
    return softmax(ctx, node, [given(inputs, 0)])


@rule("PRelu")
def prelu(ctx: Context, node: Node, inputs: Inputs) -> list[Value]:
    value, slope = given(inputs, 0), given(inputs, 1)
    if prod(slope.sizes) == 1:
        return [same_shape(ctx, node, "prelu", value, [slope], slopes="one")]
    wide = [at for at, size in enumerate((1,) * (value.rank - slope.rank) + slope.sizes) if size > 1]
    is_by_channel = (
        slope.rank <= value.rank and len(wide) == 1 and ctx.inner_axis(value, wide[0]) == 0 and slope.source_weights
    )
    if is_by_channel and value.sizes[wide[0]] == prod(slope.sizes):
        return [same_shape(ctx, node, "prelu", value, [slope])]
    negative = _together(ctx, node, "comparisons", [value])
    return [binary(ctx, node, "Mul", [negative, slope])]


@rule("Softmax", "LogSoftmax", "Hardmax")
def softmax(ctx: Context, node: Node, inputs: Inputs) -> list[Value]:
    value = given(inputs, 0)
    default = -1 if ctx.model.opsets.get("", 13) >= 13 else 1
    axis = axis_at(node.int("axis", default), value.rank)
    inner = ctx.inner(value.sizes, value.batch)
    at = min(ctx.inner_axis(value, axis), len(inner) - 1)
    fields: dict[str, Any] = {"axis": "last"} if len(inner) > 1 and at == len(inner) - 1 else {"axis": at} if at else {}
    return [same_shape(ctx, node, "log_softmax" if node.operator == "LogSoftmax" else "softmax", value, **fields)]


@rule("Clip")
def clip(ctx: Context, node: Node, inputs: Inputs) -> list[Value]:
    value = given(inputs, 0)
    low, high = _bound(node, inputs, 1, "min"), _bound(node, inputs, 2, "max")
    if value.ref is None:
        is_known = value.data is not None and all(bound is None or bound.scalar() is not None for bound in inputs[1:3])
        data = _clipped(value.data or [], low, high) if is_known else None
        is_view = not any(bound is not None and bound.source_weights for bound in inputs[1:3])
        return [constant_like(value, value.sizes, data, layout=value.layout if is_view else None)]
    if low == 0 and high is not None and abs(high - 6) < 1e-6:
        return [same_shape(ctx, node, "relu6", value)]
    if low == 0 and (high is None or high > 1e30):
        return [same_shape(ctx, node, "relu", value)]
    fields: dict[str, Any] = {
        name: round(bound, 7)
        for name, bound, default in (("low", low, -1), ("high", high, 1))
        if bound is not None and abs(bound) < 1e8 and bound != default
    }
    return [same_shape(ctx, node, "hard_tanh", value, **fields)]


def _clipped(numbers: list[Any], low: float | None, high: float | None) -> list[Any]:
    """Numbers, none below the one bound or above the other."""
    numbers = numbers if low is None else [max(number, low) for number in numbers]
    return numbers if high is None else [min(number, high) for number in numbers]


def _bound(node: Node, inputs: Inputs, at: int, name: str) -> float | None:
    """A bound of Clip, an attribute in older opsets and an input in newer ones."""
    value = optional(inputs, at)
    if value is not None:
        return value.scalar()
    return node.float(name) if node.has(name) else None


@rule(*_OPERATIONS)
def elementwise(ctx: Context, node: Node, inputs: Inputs) -> list[Value]:
    if node.operator in ("CumSum", "CumProd"):
        given(inputs, 1)  # the axis: as many additions along any
        values = [given(inputs, 0)]
        if values[0].ref is None:  # each element depends on those before it
            return [constant_like(values[0], values[0].sizes)]
    else:
        values = _explicitly_broadcast(node, _present(inputs))
    if all(value.ref is None for value in values):
        return [_computed(node.operator, values)]
    return [_together(ctx, node, _OPERATIONS[node.operator], values)]


def _present(inputs: Inputs) -> list[Value]:
    """The inputs that are given, one at least. Raises Unsupported."""
    values = [value for value in inputs if value is not None]
    if not values:
        raise Unsupported("no inputs")
    return values


def _computed(name: str, values: list[Value]) -> Value:
    """The constant that an elementwise operator gives for constants; a view where all that are learned are the same."""
    shape = checked(broadcast(*(value.sizes for value in values)))
    learned = [value for value in values if value.source_weights]
    dtype = _BOOL if name in _LOGIC else values[-1].dtype
    parts, layout = sources_of(values), None
    layouts = {value.layout and value.layout.spread(value.sizes, shape) for value in learned}
    if len(layouts) == 1 and len({part.name for part in parts}) == 1 and (layout := layouts.pop()) is not None:
        parts = (layout.part(parts[0].name, parts[0].size, shape),)
    return Value(shape, arithmetic(name, values), source_weights=parts, dtype=dtype, layout=layout)


def _together(ctx: Context, node: Node, operation: str, values: Sequence[Value]) -> Value:
    """One operation over activations; a constant that is not learned only gives its shape."""
    shape = checked(broadcast(*(value.sizes for value in values)))
    operands = [value for value in values if value.ref is not None or (value.source_weights and prod(value.sizes) > 1)]
    if not 1 <= len(operands) <= 3:
        raise Unsupported(f"{len(operands)} inputs")
    batch, refs = aligned(ctx, node, operands, [value.sizes for value in operands], shape)
    inner = ctx.inner(shape, batch)
    if all(ctx.graph.shape(ref) != inner for ref in refs) and len(refs) < len(values):
        refs[0] = ctx.ref(gathered(ctx, node, [refs[0]], shape, batch))
    return ctx.layer(node, "elementwise", refs, shape, batch, operation=operation)


@rule("Sum", "Max", "Min", "Mean")
def several(ctx: Context, node: Node, inputs: Inputs) -> list[Value]:
    values = _present(inputs)
    if len(values) == 1:
        return values
    if all(value.ref is None for value in values):
        return [_computed(node.operator, values)]
    if node.operator == "Sum":
        return [binary(ctx, node, "Add", values)]
    if node.operator == "Mean" or any(value.ref is None for value in values):
        return [_together(ctx, node, "additions" if node.operator == "Mean" else "comparisons", values)]
    shape = checked(broadcast(*(value.sizes for value in values)))
    batch, refs = aligned(ctx, node, values, [value.sizes for value in values], shape)
    return [ctx.layer(node, "maximum", refs, shape, batch)]


@rule("Add", "Sub", "Mul", "Div")
def add_or_multiply(ctx: Context, node: Node, inputs: Inputs) -> list[Value]:
    values = [given(inputs, 0), given(inputs, 1)]
    if all(value.ref is None for value in values):
        return [_computed(node.operator, values)]
    return [binary(ctx, node, node.operator, values)]


def binary(ctx: Context, node: Node, name: str, values: list[Value]) -> Value:
    """Arithmetic of activations; among them may be learned constants (a scale, a parameter) and numbers."""
    values = [ctx.materialize(value) for value in _explicitly_broadcast(node, values)]
    learned = [value for value in values if _is_learned(value)]
    activations = [value for value in values if value.ref is not None]
    if len(values) == 2 and len(activations) + len(learned) < 2:
        return _together(ctx, node, _JOIN_OPERATIONS[name], values)
    if len(values) == 2 and activations and learned and name == "Mul":
        scale = _scale(ctx, node, activations[0], learned[0])
        if scale is not None:
            return scale
    shape = checked(broadcast(*(value.sizes for value in values)))
    batch, refs = aligned(ctx, node, values, [value.sizes for value in values], shape)
    return ctx.layer(node, _JOINS[name], refs, shape, batch)


def _is_learned(value: Value) -> bool:
    return value.ref is None and bool(value.source_weights)


def _explicitly_broadcast(node: Node, values: list[Value]) -> list[Value]:
    """The operands with broadcasting as opset 6 wrote it: the second's first axis is `axis` of the first."""
    is_explicit, axis = node.int("broadcast"), node.int("axis", -1)
    if not is_explicit or len(values) != 2 or not node.has("axis"):
        return values
    first, second = values
    after = first.rank - axis - second.rank
    if not 0 < after <= first.rank or second.ref is not None:
        return values
    return [first, constant_like(second, (*second.sizes, *(1 for _ in range(after))), second.data)]


def _scale(ctx: Context, node: Node, value: Value, factor: Value) -> Value | None:
    """Learned factors along one axis, with the offsets of an Add after it; None where they are not such."""
    shape = broadcast(value.sizes, factor.sizes)
    wide = [at for at, size in enumerate((1,) * (len(shape) - factor.rank) + factor.sizes) if size > 1]
    if shape != value.sizes or len(wide) != 1 or wide[0] == value.batch:
        return None
    axis = ctx.inner_axis(value, wide[0])
    fields: dict[str, Any] = {}
    if axis:
        fields["axis"] = "last" if axis == len(ctx.inner(value.sizes, value.batch)) - 1 else axis
    weights = [factor]
    add, offset = add_after(ctx, node) if node.operator == "Mul" else (None, None)
    is_own = offset is not None and not set(offset.source_weights) & set(factor.source_weights)
    is_own = is_own and not (offset is not None and offset.has_more_sources)
    if add is not None and offset is not None and _is_learned(offset) and is_own and offset.shape == factor.sizes:
        ctx.fuse(node, add)
        weights.append(offset)
        fields["bias"] = True
    return same_shape(ctx, node, "scale", value, weights, **fields)
