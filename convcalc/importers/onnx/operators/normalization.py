"""Normalization."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

from convcalc.importers.onnx.context import Context
from convcalc.importers.onnx.model import Node, Unsupported
from convcalc.importers.onnx.operators._layers import same_shape
from convcalc.importers.onnx.operators.elementwise import binary
from convcalc.importers.onnx.operators.indexing import gather
from convcalc.importers.onnx.operators.registry import rule
from convcalc.importers.onnx.operators.reshape import permuted, reshaped
from convcalc.importers.onnx.operators.slicing import cut_axis
from convcalc.importers.onnx.values import MOST_AXES, Inputs, Value, axis_at, given, optional

_ROOT_MEAN_SQUARE = ("RMSNormalization", "SimplifiedLayerNormalization", "SkipSimplifiedLayerNormalization")


@rule("BatchNormalization", "SpatialBN")
def batch_norm(ctx: Context, node: Node, inputs: Inputs) -> list[Value]:
    value, scale, shift = (given(inputs, at) for at in range(3))
    is_plain = ctx.model.producer == "pytorch" and not scale.source_weights and not shift.source_weights
    fields = {"affine": False} if is_plain else {}
    if scale.ref is not None or shift.ref is not None:
        return [_channels(ctx, node, "batch_norm", value, scale, shift)]
    return [_by_channel(ctx, node, "batch_norm", value, [scale, shift], **fields)]


def _by_channel(
    ctx: Context, node: Node, kind: str, value: Value, weights: Sequence[Value | None], **fields: Any
) -> Value:
    """A norm of each channel; what the batch axis holds beside the batch becomes one more axis after the channels."""
    if value.batch != 0 or value.sizes[0] == ctx.batch or value.rank < 2:
        return same_shape(ctx, node, kind, value, weights, **fields)
    swap = (1, 0, *range(2, value.rank))
    shape = (value.sizes[1], value.sizes[0] // ctx.batch, *value.sizes[2:])
    first = ctx.layer(node, "permute", [value], shape, None, order=swap)
    made = ctx.layer(node, kind, [first], shape, None, weights, **fields)
    return ctx.layer(node, "permute", [made], value.sizes, 0, order=swap)


@rule("InstanceNormalization")
def instance_norm(ctx: Context, node: Node, inputs: Inputs) -> list[Value]:
    return [_channels(ctx, node, "instance_norm", given(inputs, 0), given(inputs, 1), given(inputs, 2))]


@rule("GroupNormalization", "GroupNorm", "SkipGroupNorm")
def group_norm(ctx: Context, node: Node, inputs: Inputs) -> list[Value]:
    """Groups of channels, which com.microsoft has last if it does not say otherwise; a sum before, silu after it."""
    value, scale, shift = given(inputs, 0), given(inputs, 1), optional(inputs, 2)
    value.sizes_of_rank(2, MOST_AXES)
    for at in (3, 4) if node.operator == "SkipGroupNorm" else ():
        if (other := optional(inputs, at)) is not None:
            if other.rank == 2 and value.rank == 4:  # one number for each channel of an image
                other = reshaped(ctx, node, other, (other.sizes[0], 1, 1, other.sizes[1]), other.batch)
            value = binary(ctx, node, "Add", [value, other])
    total = value
    is_channels_last = node.operator != "GroupNormalization" and node.int("channels_last", 1) == 1
    if is_channels_last:
        value = permuted(ctx, node, value, (0, value.rank - 1, *range(1, value.rank - 1)))
    groups = node.int("num_groups") or node.int("groups") or 1
    made = _channels(ctx, node, "group_norm", value, scale, shift, groups=groups)
    if node.int("activation"):
        made = same_shape(ctx, node, "silu", made)
    if is_channels_last:
        made = permuted(ctx, node, made, (0, *range(2, value.rank), 1))
    return [made, total] if node.operator == "SkipGroupNorm" else [made]


def _channels(
    ctx: Context, node: Node, kind: str, value: Value, scale: Value, shift: Value | None, **fields: Any
) -> Value:
    """A norm with a scale and a shift for each channel; one that is not learned is not counted."""
    given_weights = [weight for weight in (scale, shift) if weight is not None]
    learned = [weight for weight in given_weights if weight.source_weights and weight.ref is None]
    channels = value.sizes_of_rank(2, MOST_AXES)[1]
    is_whole = len(learned) == 2 and all(prod(weight.sizes) == channels for weight in learned)
    if is_whole:
        return _by_channel(ctx, node, kind, value, learned, **fields, affine=True)
    made = _by_channel(ctx, node, kind, value, (), **fields, affine=False)
    for operation, weight in zip(("Mul", "Add"), (scale, shift), strict=True):
        if weight is not None and (weight.source_weights or weight.ref is not None):
            made = _per_channel(ctx, node, operation, made, weight)
    return made


def _per_channel(ctx: Context, node: Node, operation: str, value: Value, weight: Value) -> Value:
    """A value times, or plus, one number for each channel or for each group of channels."""
    count, channels, *grid = value.sizes
    groups = prod(weight.sizes)
    if not groups or channels % groups or weight.rank != 1:
        raise Unsupported(f"weights of shape {weight.sizes} for {channels} channels")
    split = reshaped(ctx, node, value, (count, groups, channels // groups, *grid), value.batch)
    wide = reshaped(ctx, node, weight, (groups, *(1 for _ in range(split.rank - 2))), None)
    return reshaped(ctx, node, binary(ctx, node, operation, [split, wide]), value.sizes, value.batch)


@rule(
    *("LayerNormalization", "RMSNormalization", "SimplifiedLayerNormalization"),
    *("SkipLayerNormalization", "SkipSimplifiedLayerNormalization"),
)
def layer_norm(ctx: Context, node: Node, inputs: Inputs) -> list[Value]:
    """The norm, of a sum where the operator has one: of the input, another, and a bias. The last output is the sum."""
    value = given(inputs, 0)
    if not node.operator.startswith("Skip"):
        return [_layer_norm(ctx, node, value, inputs[1:3])]
    weights = inputs[2:4] if node.operator == "SkipLayerNormalization" else inputs[2:3]
    bias = optional(inputs, 4 if node.operator == "SkipLayerNormalization" else 3)
    value = binary(ctx, node, "Add", [value, given(inputs, 1)])
    if bias is not None:
        value = binary(ctx, node, "Add", [value, bias])
    made = _layer_norm(ctx, node, value, weights)
    return [made, Value(None), Value(None), value] if any(node.outputs[1:]) else [made]


def _layer_norm(ctx: Context, node: Node, value: Value, weights: Sequence[Value | None]) -> Value:
    """A norm over the last axes, from `axis` on, with the weights that are learned; computed ones are joined to it."""
    axis, is_over_channels = axis_at(node.int("axis", -1), value.rank), bool(node.int("channels"))  # set by a fusion
    present = [weight for weight in weights if weight is not None]
    is_computed = any(weight.ref is not None for weight in present)
    learned = [] if is_computed else present
    if node.operator in _ROOT_MEAN_SQUARE:
        kind, fields = "rms_norm", {}
        if len(learned) != 1:
            raise Unsupported("norm with a scale that is computed")
    else:
        kind, fields = "layer_norm", {} if any(weight.source_weights for weight in learned) else {"affine": False}
        fields.update({"bias": False} if not fields and len(learned) < 2 else {})
    made = _over(ctx, node, kind, value, learned, axis, fields, is_over_channels)
    for operation, weight in zip(("Mul", "Add"), present if is_computed else (), strict=False):
        made = binary(ctx, node, operation, [made, weight])
    return made


def _over(
    ctx: Context,
    node: Node,
    kind: str,
    value: Value,
    weights: Sequence[Value],
    axis: int,
    fields: dict[str, Any],
    is_over_channels: bool,
) -> Value:
    """A norm over the channels, the last axis, or all axes from one on: these as one axis, and apart again."""
    if is_over_channels:
        return same_shape(ctx, node, kind, value, weights, **fields, over="channels")
    if axis == value.rank - 1:
        return same_shape(ctx, node, kind, value, weights, **fields)
    if value.batch is not None and value.batch >= axis and value.sizes[value.batch] == ctx.batch > 1:
        raise Unsupported("it works across the batch")
    if kind == "layer_norm" and value.rank - axis == len(ctx.inner(value.sizes, value.batch)):
        return same_shape(ctx, node, kind, value, weights, **fields, over="all")
    batch = value.batch if value.batch is not None and value.batch < axis else None
    flat = reshaped(ctx, node, value, (*value.sizes[:axis], prod(value.sizes[axis:])), batch)
    return reshaped(ctx, node, same_shape(ctx, node, kind, flat, weights, **fields), value.sizes, value.batch)


@rule("EmbedLayerNormalization")
def embedding_norm(ctx: Context, node: Node, inputs: Inputs) -> list[Value]:
    """The sum of the rows of two or three tables, of words, positions and segments, and a norm of it."""
    words, segments, table = given(inputs, 0), optional(inputs, 1), optional(inputs, 4)
    count, tokens = words.sizes_of_rank(2)
    parts = [*gather(ctx, node, [given(inputs, 2), words])]
    positions, explicit = given(inputs, 3), optional(inputs, 8)
    if explicit is not None and explicit.ref is not None:
        parts += gather(ctx, node, [positions, explicit])
    else:
        row = reshaped(ctx, node, positions, positions.sizes_of_rank(2), None)
        if tokens > row.sizes[0]:
            raise Unsupported(f"{tokens} tokens for {row.sizes[0]} positions")
        parts.append(cut_axis(ctx, node, Value(row.sizes, ref=ctx.parameter(row, row.sizes)), 0, 0, tokens))
    if segments is not None and table is not None:
        parts += gather(ctx, node, [table, segments])
    total = parts[0]
    for part in parts[1:]:
        total = binary(ctx, node, "Add", [total, part])
    made = _layer_norm(ctx, node, total, [given(inputs, 5), optional(inputs, 6)])
    optional(inputs, 7)  # the mask, whose sums per row are the second output: lengths
    return [made, Value((count,)), total]


@rule("LRN")
def lrn(ctx: Context, node: Node, inputs: Inputs) -> list[Value]:
    return [same_shape(ctx, node, "lrn", given(inputs, 0), size=node.int("size", 5))]


@rule("LpNormalization", "MeanVarianceNormalization")
def norm_without_weights(ctx: Context, node: Node, inputs: Inputs) -> list[Value]:
    return [same_shape(ctx, node, "layer_norm", given(inputs, 0), affine=False)]
