"""Matrix products."""

from __future__ import annotations

from convcalc.importers.onnx.context import Context
from convcalc.importers.onnx.model import Node, Unsupported
from convcalc.importers.onnx.operators._layers import aligned, initial_state, is_frozen, is_zero
from convcalc.importers.onnx.operators.linear import linear, require_entries
from convcalc.importers.onnx.operators.registry import rule
from convcalc.importers.onnx.values import MOST_AXES, Inputs, Value, broadcast, checked, given, sources_of


@rule("MatMul", "FusedMatMul", "MatMulInteger", "QLinearMatMul")
def matmul(ctx: Context, node: Node, inputs: Inputs) -> list[Value]:
    first, second = given(inputs, 0), given(inputs, 3 if node.operator == "QLinearMatMul" else 1)
    if not first.rank or not second.rank:
        raise Unsupported("product by a scalar")
    is_transposed = bool(node.int("transB"))
    if first.ref is None and second.ref is None and is_zero(first) and second.source_weights:
        first = initial_state(ctx, first)
    if first.ref is None and second.ref is None:
        return [constant_product(first, second)]
    is_by_matrix = second.ref is None and second.rank == 2 and not is_transposed
    if is_by_matrix and not is_frozen(ctx, node.inputs[1] if len(node.inputs) > 1 else "", second):
        entries, features = second.sizes
        require_entries(first, entries)
        return [linear(ctx, node, first, features, second, None)]
    if first.ref is None and first.rank == 2:
        return [_linear_from_left(ctx, node, first, second)]
    return [product(ctx, node, first, second, is_transposed)]


def _linear_from_left(ctx: Context, node: Node, weight: Value, value: Value) -> Value:
    """A fully connected layer on the last axis but one."""
    features, entries = weight.sizes
    sizes = value.sizes_of_rank(2, MOST_AXES)
    if sizes[-2] != entries:
        raise Unsupported(f"input of {sizes[-2]} features for weights of {entries}")
    shape = (*sizes[:-2], features, sizes[-1])
    axis = ctx.inner_axis(value, len(shape) - 2) - len(ctx.inner(sizes, value.batch))
    return ctx.layer(node, "linear", [value], shape, value.batch, [weight], features=features, axis=axis, bias=False)


def constant_product(first: Value, second: Value) -> Value:
    columns = second.sizes[-1:] if second.rank > 1 else ()
    shape = (*broadcast(first.sizes[:-2], second.sizes[:-2]), *first.sizes[-2:-1], *columns)
    return Value(checked(shape), None, source_weights=sources_of((first, second)))


def product(ctx: Context, node: Node, first: Value, second: Value, transpose: bool = False) -> Value:
    """The product of two activations."""
    left = first.sizes if first.rank > 1 else (1, *first.sizes)
    right = second.sizes if second.rank > 1 else (*second.sizes, 1)
    columns = right[-2] if transpose else right[-1]
    shape = checked((*broadcast(left[:-2], right[:-2]), left[-2], columns))
    batch, refs = aligned(ctx, node, [first, second], [left, right], shape)
    return ctx.layer(node, "matmul", refs, shape, batch, **({"transpose": True} if transpose else {}))
