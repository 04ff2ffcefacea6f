"""Rules for convolution and pooling."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

from convcalc.errors import UserError
from convcalc.graph import Ref
from convcalc.importers.onnx.context import Context, Inputs
from convcalc.importers.onnx.model import Node
from convcalc.importers.onnx.operators.products import bias_after, is_fixed
from convcalc.importers.onnx.operators.registry import rule, single
from convcalc.importers.onnx.values import (
    Unsupported,
    Value,
    bias_of,
    given,
)
from convcalc.kinds import KINDS


def _window(node: Node, kernel: Sequence[int]) -> dict[str, Any]:
    """Kernel, stride, padding and dilation as our fields, those that are the default left out."""
    axes = len(kernel)
    fields: dict[str, Any] = {"kernel": single(kernel)}
    strides = node.get("strides") or [1] * axes
    fields.update({"stride": single(strides)} if set(strides) != {1} else {})
    fields.update(_padding(node, axes))
    dilations = node.get("dilations") or [1] * axes
    fields.update({"dilation": single(dilations)} if set(dilations) != {1} else {})
    return fields


def _padding(node: Node, axes: int) -> dict[str, Any]:
    automatic = node.get("auto_pad", "NOTSET") or "NOTSET"
    if automatic in ("SAME_UPPER", "SAME_LOWER"):
        return {"padding": "same"}
    pads = node.get("pads") or [0] * (2 * axes)
    if automatic == "VALID" or not any(pads):
        return {}
    return {"padding": _sides(pads)}


def _sides(pads: Sequence[int]) -> Any:
    """ONNX's pads as our padding: one number where it can be."""
    axes = len(pads) // 2
    both = tuple(a if a == b else (a, b) for a, b in zip(pads[:axes], pads[axes:], strict=True))
    return both[0] if len(set(both)) == 1 and isinstance(both[0], int) else both


def channels_first(ctx: Context, node: Node, value: Value) -> Value:
    """The value as N x C x ..., with the batch in front, which our graph leaves out. Raises Unsupported."""
    if value.batch == 0 and value.sizes[0] == ctx.batch:
        return value
    if value.sizes[0] == 1 == ctx.batch:
        return Value(value.shape, ref=ctx.view(node, value, ctx.inner(value.sizes, 0)), batch=0)
    raise Unsupported("the batch is not in front")


@rule("Conv", "FusedConv", "ConvInteger", "QLinearConv")
def conv(ctx: Context, node: Node, inputs: Inputs) -> list[Value]:
    if node.operator == "QLinearConv":
        inputs = [inputs[0], inputs[3], inputs[8] if len(inputs) > 8 else None]
    elif node.operator == "ConvInteger":
        inputs = inputs[:2]
    value, weight = given(inputs, 0), given(inputs, 1)
    bias = bias_of(inputs, 2)
    filters, _, *kernel = weight.sizes
    groups = node.get("group", 1)
    channels = value.sizes[1]
    if weight.sizes[1] * groups != channels:
        raise UserError(f"{channels} channels meet weights for {weight.sizes[1] * groups}", "filters")
    if weight.ref is not None:
        return [_conv_by(ctx, node, channels_first(ctx, node, value), weight, bias)]
    fields: dict[str, Any] = {}
    if groups == channels and groups > 1:
        fields = {"groups": "channels", **({"filters": filters} if filters != channels else {})}
    else:
        fields = {"filters": filters, **({"groups": groups} if groups > 1 else {})}
    window = _window(node, kernel)
    bias, node, is_fused = bias_after(ctx, node, bias, filters, 1)
    fields = {**fields, **window, **({} if bias is not None or is_fused or node.has_bias else {"bias": False})}
    fields.update(_learned(ctx, node, weight))
    if _is_framed(ctx, value, kernel):
        return [_over_frames(ctx, node, "conv", value, fields, [weight, bias])]
    value = channels_first(ctx, node, value)
    kind = KINDS["conv"](**fields)
    inner = kind.output(ctx.inner(value.sizes, 0))
    return [ctx.layer(node, kind, [value], (value.sizes[0], *inner), 0, [weight, bias])]


def _learned(ctx: Context, node: Node, weight: Value) -> dict[str, int]:
    """The field that says how many learned values a kernel comes from, where it is not one for each."""
    return {"learned": 0} if is_fixed(ctx, node.inputs[1], weight) else ctx.weights.learned_field(weight)


def _conv_by(ctx: Context, node: Node, value: Value, weight: Value, bias: Value | None) -> Value:
    """A convolution by weights that are computed: windows, and their product with the kernels."""
    filters, per_group, *kernel = weight.sizes
    groups = node.get("group", 1)
    kind = KINDS["conv"](filters=filters, groups=groups, bias=False, **_window(node, kernel))
    inner = kind.output(ctx.inner(value.sizes, 0))
    entries, places = per_group * prod(kernel), prod(inner[1:])
    windows = (groups, entries, places)
    kernels: Value | Ref = Value(
        (groups, filters // groups, entries), ref=ctx.view(node, weight, (groups, filters // groups, entries))
    )
    taken = ctx.layer(node, "gather", [value], windows, None, shape=windows)
    made = ctx.layer(node, "matmul", [kernels, taken], (groups, filters // groups, places), None)
    shape = (value.sizes[0], *inner)
    found = Value(shape, ref=ctx.view(node, made, inner), batch=0)
    if bias is None:
        return found
    wide = Value((filters, *(1 for _ in kernel)), origins=bias.origins, ref=bias.ref, data=bias.data)
    side = ctx.view(node, wide, (filters, *(1 for _ in kernel)))
    return ctx.layer(node, "add", [ctx.ref(found), side], shape, 0)


def _is_framed(ctx: Context, value: Value, kernel: Sequence[int]) -> bool:
    """Whether the first axis holds more than the batch: frames, or whatever a window never mixes."""
    return len(kernel) == 2 and value.sizes[0] != ctx.batch and (value.batch == 0 or ctx.batch == 1)


def _over_frames(
    ctx: Context, node: Node, name: str, value: Value, fields: dict[str, Any], weights: Sequence[Value | None] = ()
) -> Value:
    """A 2-D window over frames that lie in the batch axis: the same as one in 3-D that never mixes them."""
    frames, channels, height, width = value.sizes
    if value.batch != 0:
        value = Value(value.sizes, ref=ctx.view(node, value, value.sizes), batch=0)
    frames //= ctx.batch
    wide = dict(fields)
    for key, one in (("kernel", 1), ("stride", 1), ("padding", 0), ("dilation", 1)):
        if key in fields and fields[key] != "same":
            size = fields[key]
            wide[key] = (one, *(size if isinstance(size, tuple) else (size, size)))
    first = ctx.layer(node, "permute", [value], (ctx.batch, channels, frames, height, width), 0, order=(1, 0, 2, 3))
    kind = KINDS[name](**wide)
    inner = kind.output((channels, frames, height, width))
    made = ctx.layer(node, kind, [first], (ctx.batch, *inner), 0, weights)
    shape = (ctx.batch * frames, inner[0], *inner[2:])
    return ctx.layer(node, "permute", [made], shape, 0, order=(1, 0, 2, 3))


@rule("ConvTranspose")
def transposed_conv(ctx: Context, node: Node, inputs: Inputs) -> list[Value]:
    value, weight = given(inputs, 0), given(inputs, 1)
    bias = bias_of(inputs, 2)
    value = channels_first(ctx, node, value)
    groups = node.get("group", 1)
    _, per_group, *kernel = weight.sizes
    filters = per_group * groups
    window, extra = _window_and_extra(node, kernel)
    fields = {"filters": filters, **window, **({"groups": groups} if groups > 1 else {})}
    fields.update({"output_padding": single(extra)} if any(extra) else {})
    bias, node, is_fused = bias_after(ctx, node, bias, filters, 1)
    fields.update({} if bias is not None or is_fused else {"bias": False})
    fields.update(_learned(ctx, node, weight))
    sizes = node.get("output_shape")
    if sizes:
        strides = node.get("strides") or [1] * len(kernel)
        exact = all(
            size * step == new for size, step, new in zip(value.sizes[2:], strides, sizes[-len(kernel) :], strict=True)
        )
        if not exact:
            raise Unsupported("an output size of its own")
        fields["padding"] = "same"
    kind = KINDS["transposed_conv"](**fields)
    inner = kind.output(ctx.inner(value.sizes, 0))
    return [ctx.layer(node, kind, [value], (value.sizes[0], *inner), 0, [weight, bias])]


def _window_and_extra(node: Node, kernel: Sequence[int]) -> tuple[dict[str, Any], list[int]]:
    """The window of a transposed convolution, and what its output has more at the end, which pads below 0 say too."""
    axes = len(kernel)
    extra = list(node.get("output_padding") or [0] * axes)
    window = _window(node, kernel)
    pads = node.get("pads") or [0] * (2 * axes)
    if "padding" in window and window["padding"] != "same" and min(pads[axes:]) < 0:
        extra = [more - min(0, after) for more, after in zip(extra, pads[axes:], strict=True)]
        shrunk = [*pads[:axes], *(max(0, after) for after in pads[axes:])]
        window["padding"] = _sides(shrunk)
    return window, extra


@rule("MaxPool", "AveragePool", "LpPool")
def pool(ctx: Context, node: Node, inputs: Inputs) -> list[Value]:
    value = given(inputs, 0)
    kernel = node.get("kernel_shape") or []
    fields = _window(node, kernel)
    if "stride" not in fields:
        fields["stride"] = 1
    if fields["stride"] == fields["kernel"]:
        del fields["stride"]
    fields.update({"ceil_mode": True} if node.get("ceil_mode", 0) else {})
    name = "max_pool" if node.operator == "MaxPool" else "avg_pool"
    if name == "avg_pool" and "padding" in fields and not node.get("count_include_pad", 0):
        fields["include_padding"] = False
    if _is_framed(ctx, value, kernel):
        return [_over_frames(ctx, node, name, value, fields)]
    value = channels_first(ctx, node, value)
    kind = KINDS[name](**fields)
    inner = kind.output(ctx.inner(value.sizes, 0))
    return [ctx.layer(node, kind, [value], (value.sizes[0], *inner), 0)]


@rule("GlobalAveragePool", "GlobalMaxPool", "GlobalLpPool")
def global_pool(ctx: Context, node: Node, inputs: Inputs) -> list[Value]:
    value = given(inputs, 0)
    value = channels_first(ctx, node, value)
    name = "global_max_pool" if node.operator == "GlobalMaxPool" else "global_avg_pool"
    shape = (*value.sizes[:2], *(1 for _ in value.sizes[2:]))
    if len(value.sizes) < 3:
        return [value]
    return [ctx.layer(node, name, [value], shape, 0)]
