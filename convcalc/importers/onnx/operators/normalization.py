"""Rules for normalisation."""

from __future__ import annotations

from typing import Any

from convcalc.importers.onnx.context import Context, Inputs
from convcalc.importers.onnx.model import Node
from convcalc.importers.onnx.operators.elementwise import binary
from convcalc.importers.onnx.operators.registry import rule
from convcalc.importers.onnx.values import (
    Unsupported,
    Value,
    axis_at,
    given,
)


@rule("BatchNormalization", "SpatialBN")
def batch_norm(ctx: Context, node: Node, inputs: Inputs) -> list[Value]:
    value, scale, shift = (given(inputs, at) for at in range(3))
    rank = len(value.sizes)
    is_plain = ctx.model.producer == "pytorch" and not scale.origins and not shift.origins
    fields = {"affine": False} if is_plain else {}
    if value.batch == 0 and value.sizes[0] != ctx.batch and rank > 1:
        # what lies in the batch axis beside the batch is one more axis behind the channels
        swap = [1, 0, *range(2, rank)]
        turned = (value.sizes[1], value.sizes[0] // ctx.batch, *value.sizes[2:])
        first = ctx.layer(node, "permute", [value], turned, None, order=tuple(swap))
        made = ctx.layer(node, "batch_norm", [first], turned, None, inputs[1:3], **fields)
        return [ctx.layer(node, "permute", [made], value.sizes, 0, order=tuple(swap))]
    return [ctx.layer(node, "batch_norm", [value], value.sizes, value.batch, inputs[1:3], **fields)]


@rule("InstanceNormalization")
def instance_norm(ctx: Context, node: Node, inputs: Inputs) -> list[Value]:
    value, scale = given(inputs, 0), given(inputs, 1)
    fields = {"affine": True} if scale.origins else {}
    return [ctx.layer(node, "instance_norm", [value], value.sizes, value.batch, inputs[1:3], **fields)]


@rule("GroupNormalization", "GroupNorm")
def group_norm(ctx: Context, node: Node, inputs: Inputs) -> list[Value]:
    value = given(inputs, 0)
    groups = node.get("num_groups") or node.get("groups") or 1
    fields = {} if given(inputs, 1).origins else {"affine": False}
    return [ctx.layer(node, "group_norm", [value], value.sizes, value.batch, inputs[1:3], groups=groups, **fields)]


@rule("LayerNormalization", "SkipLayerNormalization", "RMSNormalization", "SimplifiedLayerNormalization")
def layer_norm(ctx: Context, node: Node, inputs: Inputs) -> list[Value]:
    value = given(inputs, 0)
    if node.operator == "SkipLayerNormalization":
        value = binary(ctx, node, "Add", [value, given(inputs, 1)])
        inputs = [value, *inputs[2:4]]
    weights = [found for found in inputs[1:3] if found is not None and found.ref is None]
    axis = axis_at(node.get("axis", -1), len(value.sizes))
    inner = len(ctx.inner(value.sizes, value.batch))
    over = len(value.sizes) - axis
    if node.operator in ("RMSNormalization", "SimplifiedLayerNormalization"):
        return [ctx.layer(node, "rms_norm", [value], value.sizes, value.batch, weights)]
    fields: dict[str, Any] = {} if any(found.origins for found in weights) else {"affine": False}
    if fields == {} and len(weights) < 2:
        fields = {"bias": False}
    if over > 1 and over == inner:
        fields["over"] = "all"
    elif over > 1:
        raise Unsupported("it normalises some axes")
    channels = node.get("channels", 0)
    if channels:
        fields["over"] = "channels"
    return [ctx.layer(node, "layer_norm", [value], value.sizes, value.batch, weights, **fields)]


@rule("LRN")
def lrn(ctx: Context, node: Node, inputs: Inputs) -> list[Value]:
    value = given(inputs, 0)
    return [ctx.layer(node, "lrn", [value], value.sizes, value.batch, size=node.get("size", 5))]


@rule("LpNormalization", "MeanVarianceNormalization")
def norm_without_weights(ctx: Context, node: Node, inputs: Inputs) -> list[Value]:
    value = given(inputs, 0)
    return [ctx.layer(node, "layer_norm", [value], value.sizes, value.batch, affine=False)]
