"""Matrix products: of activations, and with weights, which makes them fully connected layers."""

from __future__ import annotations

from math import prod
from typing import Any

from convcalc.importers.onnx.constant_arithmetic import transposed
from convcalc.importers.onnx.context import Context
from convcalc.importers.onnx.elements import Part
from convcalc.importers.onnx.model import Node, Unsupported
from convcalc.importers.onnx.operators._layers import aligned, constant_like, initial_state, is_zero, learned_field
from convcalc.importers.onnx.operators.elementwise import binary, fused_activation
from convcalc.importers.onnx.operators.linear import linear, require_entries
from convcalc.importers.onnx.operators.registry import rule
from convcalc.importers.onnx.operators.reshape import permuted, without_axes
from convcalc.importers.onnx.values import (
    MOST_AXES,
    Inputs,
    Value,
    bias_of,
    broadcast,
    checked,
    given,
    optional,
    sources_of,
)

# where the quantised forms have the second matrix and the bias
_SECOND = {"QLinearMatMul": 3, "QGemm": 3}  # 1 for any other
_BIAS = {"QGemm": 6, "DynamicQuantizeMatMul": 4, "MatMulIntegerToFloat": 6, "Gemm": 2, "FusedGemm": 2}


@rule("Gemm", "FusedGemm", "QGemm")
def gemm(ctx: Context, node: Node, inputs: Inputs) -> list[Value]:
    """A product of two matrices, either of them turned round, plus a bias of any shape that broadcasts."""
    at = _SECOND.get(node.operator, 1)
    first, second, bias = given(inputs, 0), given(inputs, at), _bias(node, inputs, at)
    first.sizes_of_rank(1, MOST_AXES)
    is_by_rows = bool(node.int("transB"))
    if node.int("transA"):
        first = _turned(ctx, node, first)
    if is_by_rows and second.ref is None and second.rank == 2:
        second, is_by_rows = _turned(ctx, node, second), False
    made = _product(ctx, node, first, second, bias, is_by_rows, at)
    return [fused_activation(ctx, node, made) if node.operator == "FusedGemm" else made]


@rule(
    "MatMul",
    "FusedMatMul",
    "FusedMatMulActivation",
    "MatMulInteger",
    "QLinearMatMul",
    "DynamicQuantizeMatMul",
    "MatMulIntegerToFloat",
)
def matmul(ctx: Context, node: Node, inputs: Inputs) -> list[Value]:
    at = _SECOND.get(node.operator, 1)
    first, second = given(inputs, 0), given(inputs, at)
    bias = _bias(node, inputs, at) if node.operator in _BIAS else None
    first, second = (
        _batch_last(ctx, node, value) if node.int(name) else value
        for name, value in (("transBatchA", first), ("transBatchB", second))
    )
    if node.int("transA"):
        first = _turned(ctx, node, first)
    made = _product(ctx, node, first, second, bias, bool(node.int("transB")), at)
    return [fused_activation(ctx, node, made) if node.operator == "FusedMatMulActivation" else made]


@rule("MatMulNBits", "MatMulBnb4")
def matmul_by_packed(ctx: Context, node: Node, inputs: Inputs) -> list[Value]:
    """A product with weights of few bits, several in a byte: what is learned is what they unpack to."""
    value, packed, bias = given(inputs, 0), given(inputs, 1), optional(inputs, 5)
    entries, features = node.int("K"), node.int("N")
    stored, bits = prod(packed.sizes), node.int("bits", 4)
    node.int("block_size")
    if not 0 < entries * features * bits <= stored * 8 * (4 if packed.dtype == 6 else 1):
        raise Unsupported(f"{stored} bytes for weights of {entries} x {features}")
    require_entries(value, entries)
    parts = tuple(Part(part.name, entries * features) for part in packed.source_weights)
    weight = Value((entries, features), source_weights=parts)
    return [_layer_of(ctx, node, value, weight, bias)]


def _layer_of(ctx: Context, node: Node, value: Value, weight: Value, bias: Value | None) -> Value:
    """A fully connected layer whose weights are stored in another form."""
    features = weight.sizes[1]
    fields = {"axis": "last"} if len(ctx.inner(value.sizes, value.batch)) > 2 else {}
    shape = (*value.sizes[:-1], features)
    made = ctx.layer(node, "linear", [value], shape, value.batch, [weight], features=features, bias=False, **fields)
    return made if bias is None else binary(ctx, node, "Add", [made, bias])


def _bias(node: Node, inputs: Inputs, second: int) -> Value | None:
    at = _BIAS[node.operator]
    if at == second + 1:
        return bias_of(inputs, at)
    return bias_of([optional(inputs, second), optional(inputs, at)], 1)


def _batch_last(ctx: Context, node: Node, value: Value) -> Value:
    """A value whose first axis is moved to the rows of its matrices."""
    rank = len(value.sizes_of_rank(3, MOST_AXES))
    return permuted(ctx, node, value, [*range(1, rank - 1), 0, rank - 1])


def _turned(ctx: Context, node: Node, value: Value) -> Value:
    """A value with its last two axes in the other order."""
    rank = len(value.sizes_of_rank(2, MOST_AXES))
    order = [*range(rank - 2), rank - 1, rank - 2]
    if value.ref is None:
        layout = value.layout and value.layout.permuted(order)
        return constant_like(value, [value.sizes[axis] for axis in order], transposed(value, order), layout=layout)
    return permuted(ctx, node, value, order)


def _product(
    ctx: Context, node: Node, first: Value, second: Value, bias: Value | None, is_by_rows: bool, at: int
) -> Value:
    """A product by the input `at` and a bias: a layer where one of both is constant, of two activations otherwise."""
    if not first.rank or not second.rank:
        raise Unsupported("product by a scalar")
    if first.ref is None and second.ref is None and is_zero(first) and second.source_weights:
        first = initial_state(ctx, first)
    if first.ref is None and second.ref is None:
        return constant_product(first, second, bias, is_by_rows)
    if second.ref is None and second.rank == 2 and not is_by_rows:
        entries, features = second.sizes
        require_entries(first, entries)
        return linear(ctx, node, first, features, second, bias, at)
    if first.ref is None and first.rank == 2 and not is_by_rows:
        made = _linear_from_left(ctx, node, first, second)
    else:
        made = product(ctx, node, first, second, is_by_rows)
    return made if bias is None else binary(ctx, node, "Add", [made, bias])


def _linear_from_left(ctx: Context, node: Node, weight: Value, value: Value) -> Value:
    """A fully connected layer on the last axis but one, or on a vector."""
    features, entries = weight.sizes
    fields: dict[str, Any] = {"features": features, "bias": False, **learned_field(ctx, node, 0, weight)}
    if value.rank == 1:
        require_entries(value, entries)
        return ctx.layer(node, "linear", [value], (features,), None, [weight], **fields)
    sizes = value.sizes_of_rank(2, MOST_AXES)
    if sizes[-2] != entries:
        raise Unsupported(f"input of {sizes[-2]} features for weights of {entries}")
    shape = (*sizes[:-2], features, sizes[-1])
    axis = ctx.inner_axis(value, len(shape) - 2) - len(ctx.inner(sizes, value.batch))
    return ctx.layer(node, "linear", [value], shape, value.batch, [weight], axis=axis, **fields)


def constant_product(first: Value, second: Value, bias: Value | None = None, is_by_rows: bool = False) -> Value:
    columns = second.sizes[-2:-1] if is_by_rows else second.sizes[-1:] if second.rank > 1 else ()
    shape = (*broadcast(first.sizes[:-2], second.sizes[:-2]), *first.sizes[-2:-1], *columns)
    if bias is not None and bias.ref is not None:
        raise Unsupported("product of constants with a bias that is computed")
    return Value(checked(shape), None, source_weights=sources_of((first, second, bias)))


def product(ctx: Context, node: Node, first: Value, second: Value, transpose: bool = False) -> Value:
    """The product of two activations. The axis that a vector is given for it goes away again."""
    left = first.sizes if first.rank > 1 else (1, *first.sizes)
    right = second.sizes if second.rank > 1 else (*second.sizes, 1)
    columns = right[-2] if transpose else right[-1]
    shape = checked((*broadcast(left[:-2], right[:-2]), left[-2], columns))
    batch, refs = aligned(ctx, node, [first, second], [left, right], shape)
    made = ctx.layer(node, "matmul", refs, shape, batch, **({"transpose": True} if transpose else {}))
    added = {len(shape) - 2 for _ in (first,) if first.rank == 1} | {
        len(shape) - 1 for _ in (second,) if second.rank == 1
    }
    return without_axes(ctx, node, made, added) if added else made
