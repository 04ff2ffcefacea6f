"""Fully connected layers."""

from __future__ import annotations

from math import prod
from typing import Any

from convcalc.importers.onnx.context import Context
from convcalc.importers.onnx.elements import distinct
from convcalc.importers.onnx.model import Node, Unsupported
from convcalc.importers.onnx.operators._layers import aligned, bias_after, learned_field
from convcalc.importers.onnx.values import MOST_AXES, Value


def require_entries(value: Value, entries: int) -> None:
    """Raise Unsupported unless the last axis of a value has as many entries as the weights take."""
    size = value.sizes_of_rank(1, MOST_AXES)[-1]
    if size != entries:
        raise Unsupported(f"input of {size} features for weights of {entries}")


def linear(
    ctx: Context, node: Node, value: Value, features: int, weight: Value, bias: Value | None, at: int = 1
) -> Value:
    """A fully connected layer on the last axis, whose weights are the input `at` of its node."""
    fields: dict[str, Any] = {"features": features, **learned_field(ctx, node, at, weight)}
    bias, node, is_fused = bias_after(ctx, node, bias, features, 0)
    if bias is not None and (
        bias.ref is not None
        or prod(bias.sizes) != features
        or (bias.source_weights and distinct(bias.source_weights) != features)
    ):
        return _with_offset(ctx, node, _linear_layer(ctx, node, value, weight, None, False, fields), bias)
    return _linear_layer(ctx, node, value, weight, bias, is_fused, fields)


def _with_offset(ctx: Context, node: Node, product: Value, bias: Value) -> Value:
    """A product plus a bias that is learned in part, as where keys have none, of another shape, or an activation."""
    batch, refs = aligned(ctx, node, [product, bias], [product.sizes, bias.sizes], product.sizes)
    return ctx.layer(node, "add", refs, product.sizes, batch)


def _linear_layer(
    ctx: Context, node: Node, value: Value, weight: Value, bias: Value | None, is_fused: bool, fields: dict[str, Any]
) -> Value:
    if len(ctx.inner(value.sizes, value.batch)) > 2:
        fields["axis"] = "last"
    if bias is None and not is_fused and not node.has_bias:
        fields["bias"] = False
    batch = value.batch
    if batch == value.rank - 1:
        if value.sizes[batch] == ctx.batch:
            raise Unsupported("sum over the batch axis")
        batch = None
    return ctx.layer(node, "linear", [value], (*value.sizes[:-1], fields["features"]), batch, [weight, bias], **fields)
