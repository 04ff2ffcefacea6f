"""Normalization."""

from __future__ import annotations

from typing import Any

from convcalc.importers.onnx.context import Context
from convcalc.importers.onnx.model import Node, Unsupported
from convcalc.importers.onnx.operators._layers import same_shape
from convcalc.importers.onnx.operators.elementwise import binary
from convcalc.importers.onnx.operators.registry import rule
from convcalc.importers.onnx.values import Inputs, Value, axis_at, given


@rule("BatchNormalization", "SpatialBN")
def batch_norm(ctx: Context, node: Node, inputs: Inputs) -> list[Value]:
    value, scale, shift = (given(inputs, at) for at in range(3))
    is_plain = ctx.model.producer == "pytorch" and not scale.source_weights and not shift.source_weights
    fields = {"affine": False} if is_plain else {}
    if value.batch == 0 and value.sizes[0] != ctx.batch and value.rank > 1:
        # what the batch axis holds beside the batch becomes one more axis after the channels
        swap = (1, 0, *range(2, value.rank))
        permuted = (value.sizes[1], value.sizes[0] // ctx.batch, *value.sizes[2:])
        first = ctx.layer(node, "permute", [value], permuted, None, order=swap)
        made = ctx.layer(node, "batch_norm", [first], permuted, None, [scale, shift], **fields)
        return [ctx.layer(node, "permute", [made], value.sizes, 0, order=swap)]
    return [same_shape(ctx, node, "batch_norm", value, [scale, shift], **fields)]


@rule("InstanceNormalization")
def instance_norm(ctx: Context, node: Node, inputs: Inputs) -> list[Value]:
    fields = {"affine": True} if given(inputs, 1).source_weights else {}
    return [same_shape(ctx, node, "instance_norm", given(inputs, 0), inputs[1:3], **fields)]


@rule("GroupNormalization", "GroupNorm")
def group_norm(ctx: Context, node: Node, inputs: Inputs) -> list[Value]:
    groups = node.int("num_groups") or node.int("groups") or 1
    fields = {} if given(inputs, 1).source_weights else {"affine": False}
    return [same_shape(ctx, node, "group_norm", given(inputs, 0), inputs[1:3], groups=groups, **fields)]


@rule("LayerNormalization", "SkipLayerNormalization", "RMSNormalization", "SimplifiedLayerNormalization")
def layer_norm(ctx: Context, node: Node, inputs: Inputs) -> list[Value]:
    value = given(inputs, 0)
    if node.operator == "SkipLayerNormalization":
        value = binary(ctx, node, "Add", [value, given(inputs, 1)])
        inputs = [value, *inputs[2:4]]
    weights = [weight for weight in inputs[1:3] if weight is not None and weight.ref is None]
    axis = axis_at(node.int("axis", -1), value.rank)
    if node.operator in ("RMSNormalization", "SimplifiedLayerNormalization"):
        return [same_shape(ctx, node, "rms_norm", value, weights)]
    fields: dict[str, Any] = {} if any(weight.source_weights for weight in weights) else {"affine": False}
    if not fields and len(weights) < 2:
        fields = {"bias": False}
    normalized = value.rank - axis
    if normalized > 1 and normalized == len(ctx.inner(value.sizes, value.batch)):
        fields["over"] = "all"
    elif normalized > 1:
        raise Unsupported("normalization over some of the axes")
    if node.int("channels"):  # set by a fusion
        fields["over"] = "channels"
    return [same_shape(ctx, node, "layer_norm", value, weights, **fields)]


@rule("LRN")
def lrn(ctx: Context, node: Node, inputs: Inputs) -> list[Value]:
    return [same_shape(ctx, node, "lrn", given(inputs, 0), size=node.int("size", 5))]


@rule("LpNormalization", "MeanVarianceNormalization")
def norm_without_weights(ctx: Context, node: Node, inputs: Inputs) -> list[Value]:
    return [same_shape(ctx, node, "layer_norm", given(inputs, 0), affine=False)]
