"""Rules for normalisation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from convcalc.exchange.onnx_model import Node
from convcalc.exchange.onnx_rules.base import Inputs, rule
from convcalc.exchange.onnx_rules.elements import binary
from convcalc.exchange.onnx_values import (
    NoRule,
    Value,
    axis_at,
    given,
)

if TYPE_CHECKING:
    from convcalc.exchange.read_onnx import Walk


@rule("BatchNormalization", "SpatialBN")
def batch_norm(walk: Walk, node: Node, inputs: Inputs) -> list[Value]:
    value, scale, shift = (given(inputs, at) for at in range(3))
    rank = len(value.sizes)
    is_plain = walk.model.producer == "pytorch" and not scale.origins and not shift.origins
    fields = {"affine": False} if is_plain else {}
    if value.batch == 0 and value.sizes[0] != walk.batch and rank > 1:
        # what lies in the batch axis beside the batch is one more axis behind the channels
        swap = [1, 0, *range(2, rank)]
        turned = (value.sizes[1], value.sizes[0] // walk.batch, *value.sizes[2:])
        first = walk.layer(node, "permute", [value], turned, None, order=tuple(swap))
        made = walk.layer(node, "batch_norm", [first], turned, None, inputs[1:3], **fields)
        return [walk.layer(node, "permute", [made], value.sizes, 0, order=tuple(swap))]
    return [walk.layer(node, "batch_norm", [value], value.sizes, value.batch, inputs[1:3], **fields)]


@rule("InstanceNormalization")
def instance_norm(walk: Walk, node: Node, inputs: Inputs) -> list[Value]:
    value, scale = given(inputs, 0), given(inputs, 1)
    fields = {"affine": True} if scale.origins else {}
    return [walk.layer(node, "instance_norm", [value], value.sizes, value.batch, inputs[1:3], **fields)]


@rule("GroupNormalization", "GroupNorm")
def group_norm(walk: Walk, node: Node, inputs: Inputs) -> list[Value]:
    value = given(inputs, 0)
    groups = node.get("num_groups") or node.get("groups") or 1
    fields = {} if given(inputs, 1).origins else {"affine": False}
    return [walk.layer(node, "group_norm", [value], value.sizes, value.batch, inputs[1:3], groups=groups, **fields)]


@rule("LayerNormalization", "SkipLayerNormalization", "RMSNormalization", "SimplifiedLayerNormalization")
def layer_norm(walk: Walk, node: Node, inputs: Inputs) -> list[Value]:
    value = given(inputs, 0)
    if node.operator == "SkipLayerNormalization":
        value = binary(walk, node, "Add", [value, given(inputs, 1)])
        inputs = [value, *inputs[2:4]]
    weights = [found for found in inputs[1:3] if found is not None and found.ref is None]
    axis = axis_at(node.get("axis", -1), len(value.sizes))
    inner = len(walk.inner(value.sizes, value.batch))
    over = len(value.sizes) - axis
    if node.operator in ("RMSNormalization", "SimplifiedLayerNormalization"):
        return [walk.layer(node, "rms_norm", [value], value.sizes, value.batch, weights)]
    fields: dict[str, Any] = {} if any(found.origins for found in weights) else {"affine": False}
    if fields == {} and len(weights) < 2:
        fields = {"bias": False}
    if over > 1 and over == inner:
        fields["over"] = "all"
    elif over > 1:
        raise NoRule("it normalises some axes")
    channels = node.get("channels", 0)
    if channels:
        fields["over"] = "channels"
    return [walk.layer(node, "layer_norm", [value], value.sizes, value.batch, weights, **fields)]


@rule("LRN")
def lrn(walk: Walk, node: Node, inputs: Inputs) -> list[Value]:
    value = given(inputs, 0)
    return [walk.layer(node, "lrn", [value], value.sizes, value.batch, size=node.get("size", 5))]


@rule("LpNormalization", "MeanVarianceNormalization")
def norm_without_weights(walk: Walk, node: Node, inputs: Inputs) -> list[Value]:
    value = given(inputs, 0)
    return [walk.layer(node, "layer_norm", [value], value.sizes, value.batch, affine=False)]
