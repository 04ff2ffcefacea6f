"""Fully connected layers."""

from __future__ import annotations

from typing import Any

from convcalc.importers.onnx.context import Context
from convcalc.importers.onnx.elements import distinct
from convcalc.importers.onnx.model import Node, Unsupported
from convcalc.importers.onnx.operators._layers import aligned, bias_after, initial_state, is_zero, learned_field
from convcalc.importers.onnx.operators.registry import rule
from convcalc.importers.onnx.values import MOST_AXES, Inputs, Value, bias_of, checked, given, sources_of


@rule("Gemm")
def gemm(ctx: Context, node: Node, inputs: Inputs) -> list[Value]:
    value, weight, bias = given(inputs, 0), given(inputs, 1), bias_of(inputs, 2)
    if node.int("transA"):
        raise Unsupported("transposed input")
    if weight.ref is not None:
        raise Unsupported("weights that are not constant")
    rows, columns = weight.sizes_of_rank(2)
    features, entries = (rows, columns) if node.int("transB") else (columns, rows)
    if value.ref is None and is_zero(value) and weight.source_weights:
        value = initial_state(ctx, value)
    if value.ref is None:
        shape = checked((value.sizes_of_rank(1, MOST_AXES)[0], features))
        return [Value(shape, source_weights=sources_of((value, weight, bias)))]
    require_entries(value, entries)
    if bias is None or bias.ref is None:
        return [linear(ctx, node, value, features, weight, bias)]
    return [_with_offset(ctx, node, _linear_layer(ctx, node, value, features, weight, None, False), bias)]


def require_entries(value: Value, entries: int) -> None:
    """Raise Unsupported unless the last axis of a value has as many entries as the weights take."""
    size = value.sizes_of_rank(1, MOST_AXES)[-1]
    if size != entries:
        raise Unsupported(f"input of {size} features for weights of {entries}")


def linear(ctx: Context, node: Node, value: Value, features: int, weight: Value, bias: Value | None) -> Value:
    """A fully connected layer on the last axis."""
    bias, node, is_fused = bias_after(ctx, node, bias, features, 0)
    if bias is not None and bias.source_weights and distinct(bias.source_weights) != features:
        return _with_offset(ctx, node, _linear_layer(ctx, node, value, features, weight, None, False), bias)
    return _linear_layer(ctx, node, value, features, weight, bias, is_fused)


def _with_offset(ctx: Context, node: Node, product: Value, bias: Value) -> Value:
    """A product plus a bias that is learned in part, as where keys have none, or that is an activation."""
    batch, refs = aligned(ctx, node, [product, bias], [product.sizes, bias.sizes], product.sizes)
    return ctx.layer(node, "add", refs, product.sizes, batch)


def _linear_layer(
    ctx: Context, node: Node, value: Value, features: int, weight: Value, bias: Value | None, is_fused: bool
) -> Value:
    fields: dict[str, Any] = {"features": features}
    if len(ctx.inner(value.sizes, value.batch)) > 2:
        fields["axis"] = "last"
    if bias is None and not is_fused and not node.has_bias:
        fields["bias"] = False
    fields.update(learned_field(ctx, node.inputs[1] if len(node.inputs) > 1 else "", weight))
    batch = value.batch
    if batch == value.rank - 1:
        if value.sizes[batch] == ctx.batch:
            raise Unsupported("sum over the batch axis")
        batch = None
    return ctx.layer(node, "linear", [value], (*value.sizes[:-1], features), batch, [weight, bias], **fields)
