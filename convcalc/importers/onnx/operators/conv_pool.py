"""Convolution and pooling."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

from convcalc.errors import UserError
from convcalc.importers.onnx.context import Context
from convcalc.importers.onnx.model import Node, Unsupported
from convcalc.importers.onnx.operators._layers import bias_after, gathered, learned_field, one_or_all
from convcalc.importers.onnx.operators.elementwise import binary, fused_activation
from convcalc.importers.onnx.operators.registry import rule
from convcalc.importers.onnx.operators.reshape import permuted
from convcalc.importers.onnx.operators.slicing import cut_axis
from convcalc.importers.onnx.values import MOST_AXES, Inputs, Shape, Value, bias_of, given, optional, per_axis
from convcalc.kinds import KINDS

Fields = dict[str, Any]
BLOCKED = "com.microsoft.nchwc"  # ONNX Runtime's domain of operators on channels in blocks


def _window(node: Node, kernel: Sequence[int]) -> Fields:
    """Kernel, stride, padding and dilation as fields of our kinds; defaults are left out."""
    fields: Fields = {"kernel": one_or_all(kernel)}
    strides = node.ints("strides") or [1] * len(kernel)
    fields.update({"stride": one_or_all(strides)} if set(strides) != {1} else {})
    fields.update(_padding(node, len(kernel)))
    dilations = node.ints("dilations") or [1] * len(kernel)
    fields.update({"dilation": one_or_all(dilations)} if set(dilations) != {1} else {})
    return fields


def _padding(node: Node, axes: int) -> Fields:
    automatic = node.text("auto_pad", "NOTSET") or "NOTSET"
    pads = node.ints("pads")
    if automatic in ("SAME_UPPER", "SAME_LOWER"):
        return {"padding": "same"}
    pads = per_axis(node, "pads", 2 * axes, 0)
    if automatic == "VALID" or not any(pads):
        return {}
    return {"padding": _before_and_after(pads)}


def _before_and_after(pads: Sequence[int]) -> Any:
    """ONNX's pads as our padding: one number where it is the same everywhere."""
    axes = len(pads) // 2
    both = tuple(a if a == b else (a, b) for a, b in zip(pads[:axes], pads[axes:], strict=True))
    return both[0] if len(set(both)) == 1 and isinstance(both[0], int) else both


def _batch_first(ctx: Context, node: Node, value: Value) -> Value:
    """The value as N x C x ..., where N is the batch, which our graph leaves out. Raises Unsupported."""
    if value.batch == 0 and value.sizes[0] == ctx.batch:
        return value
    if value.rank and value.sizes[0] == 1 == ctx.batch:
        return Value(value.shape, ref=ctx.view(node, value, ctx.inner(value.sizes, 0)), batch=0)
    raise Unsupported("input whose first axis is not the batch")


def _require_kernel(node: Node, kernel: Sequence[int]) -> None:
    """Raise Unsupported where a node states another kernel than its weights have."""
    stated = node.ints("kernel_shape")
    if stated and stated != [*kernel]:
        raise Unsupported(f"kernel_shape {stated} of weights with a kernel of {[*kernel]}")


def _weights_of(node: Node, inputs: Inputs) -> tuple[Value, Value, Value | None]:
    """Input, weights and bias of a convolution, and of its quantised forms."""
    if node.operator == "QLinearConv":
        inputs = [optional(inputs, 0), optional(inputs, 3), optional(inputs, 8)]
    elif node.operator == "ConvInteger":
        inputs = inputs[:2]
    return given(inputs, 0), given(inputs, 1), bias_of(inputs, 2)


@rule("Conv", "FusedConv", "ConvInteger", "QLinearConv")
def conv(ctx: Context, node: Node, inputs: Inputs) -> list[Value]:
    """A convolution; ONNX Runtime's own forms add another value to it and activate the sum."""
    made = _conv(ctx, node, inputs)
    if node.operator != "FusedConv" and node.domain != BLOCKED:
        return [made]
    if (other := optional(inputs, 3)) is not None:
        made = binary(ctx, node, "Add", [made, other])
    return [fused_activation(ctx, node, made)]


@rule("NhwcConv", "NhwcFusedConv")
def conv_channels_last(ctx: Context, node: Node, inputs: Inputs) -> list[Value]:
    value = given(inputs, 0)
    axes = len(value.sizes_of_rank(3, MOST_AXES)) - 2
    to_first, to_last = (0, axes + 1, *range(1, axes + 1)), (0, *range(2, axes + 2), 1)
    made = _conv(ctx, node, [permuted(ctx, node, value, to_first), given(inputs, 1), optional(inputs, 2)])
    made = permuted(ctx, node, made, to_last)
    if (other := optional(inputs, 3)) is not None:
        made = binary(ctx, node, "Add", [made, other])
    return [fused_activation(ctx, node, made) if node.operator == "NhwcFusedConv" else made]


@rule("ReorderInput", "ReorderOutput")
def reorder(ctx: Context, node: Node, inputs: Inputs) -> list[Value]:
    """The channels in blocks, as ONNX Runtime has them inside, or no longer: the shape is as if they were not."""
    value = given(inputs, 0)
    channels = node.int("channels")
    is_last = bool(node.int("channels_last"))
    value.sizes_of_rank(4)
    if node.operator == "ReorderInput":
        return [permuted(ctx, node, value, (0, 3, 1, 2)) if is_last else value]
    if channels and channels != value.sizes[1]:
        value = cut_axis(ctx, node, value, 1, 0, channels)  # the block had more than the network has
    return [permuted(ctx, node, value, (0, 2, 3, 1)) if is_last else value]


def _conv(ctx: Context, node: Node, inputs: Inputs) -> Value:
    value, weight, bias = _weights_of(node, inputs)
    filters, per_group, *kernel = weight.sizes_of_rank(3, MOST_AXES)
    _require_kernel(node, kernel)
    groups = node.int("group", 1)
    channels = value.sizes_of_rank(2, MOST_AXES)[1]
    if node.domain == BLOCKED and 1 < groups < channels == filters:
        raise Unsupported("groups of blocks of channels")
    if node.domain == BLOCKED and channels < per_group * groups < channels + 64 and value.ref is not None:
        # blocks are filled up with zeros, and the weights as they are stored with them
        value = gathered(ctx, node, [value], (value.sizes[0], per_group * groups, *value.sizes[2:]), value.batch)
        channels = per_group * groups
    if per_group * groups != channels:
        raise UserError(f"{channels} channels meet weights for {per_group * groups}", "filters")
    if weight.ref is not None:
        return _conv_by(ctx, node, _batch_first(ctx, node, value), weight, bias)
    if groups == channels and groups > 1:
        fields: Fields = {"groups": "channels", **({"filters": filters} if filters != channels else {})}
    else:
        fields = {"filters": filters, **({"groups": groups} if groups > 1 else {})}
    window = _window(node, kernel)
    bias, node, is_fused = bias_after(ctx, node, bias, filters, len(kernel))
    fields = {**fields, **window, **({} if bias is not None or is_fused or node.has_bias else {"bias": False})}
    fields.update(_learned(ctx, node, weight))
    return _sliding(ctx, node, "conv", value, kernel, fields, [weight, bias])


def _learned(ctx: Context, node: Node, weight: Value) -> dict[str, int]:
    """The field that says how many learned values a kernel has, where it is not one for each weight."""
    name = node.inputs[1] if len(node.inputs) > 1 else ""
    return learned_field(ctx, name, weight)


def _sliding(
    ctx: Context,
    node: Node,
    name: str,
    value: Value,
    kernel: Sequence[int],
    fields: Fields,
    weights: Sequence[Value | None] = (),
) -> Value:
    """A layer with a window over the spatial axes."""
    if _has_frames(ctx, value):
        if len(kernel) == 3:
            return _windows_of_frames(ctx, node, name, value, fields, weights)
        return _over_frames(ctx, node, name, value, fields, weights)
    value = _batch_first(ctx, node, value)
    kind = KINDS[name](**fields)
    return ctx.layer(node, kind, [value], (value.sizes[0], *kind.output(ctx.inner(value.sizes, 0))), 0, weights)


def _conv_by(ctx: Context, node: Node, value: Value, weight: Value, bias: Value | None) -> Value:
    """A convolution by computed weights: its windows, and their product with the kernels."""
    filters, per_group, *kernel = weight.sizes
    groups = node.int("group", 1)
    kind = KINDS["conv"](filters=filters, groups=groups, bias=False, **_window(node, kernel))
    inner = kind.output(ctx.inner(value.sizes, 0))
    entries, positions = per_group * prod(kernel), prod(inner[1:])
    by_group: Shape = (groups, filters // groups, entries)
    kernels = Value(by_group, ref=ctx.view(node, weight, by_group))
    windows = gathered(ctx, node, [value], (groups, entries, positions), None)
    product = ctx.layer(node, "matmul", [kernels, windows], (groups, filters // groups, positions), None)
    shape = (value.sizes[0], *inner)
    output = Value(shape, ref=ctx.view(node, product, inner), batch=0)
    if bias is None:
        return output
    wide = (filters, *(1 for _ in kernel))
    return ctx.layer(node, "add", [ctx.ref(output), ctx.view(node, _as_shape(bias, wide), wide)], shape, 0)


def _as_shape(value: Value, shape: Shape) -> Value:
    return Value(shape, source_weights=value.source_weights, ref=value.ref, data=value.data)


def _has_frames(ctx: Context, value: Value) -> bool:
    """Whether the first axis holds more than the batch, such as frames: a window never mixes them."""
    return value.sizes[0] != ctx.batch and (value.batch == 0 or ctx.batch == 1)


def _over_frames(
    ctx: Context, node: Node, name: str, value: Value, fields: Fields, weights: Sequence[Value | None]
) -> Value:
    """A window over frames in the batch axis: a window of one axis more, and there of size 1."""
    frames, channels, *grid = value.sizes_of_rank(3, 4)
    if value.batch != 0:
        value = Value(value.sizes, ref=ctx.view(node, value, value.sizes), batch=0)
    frames //= ctx.batch
    wide = dict(fields)
    for key, depth in (("kernel", 1), ("stride", 1), ("padding", 0), ("dilation", 1)):
        if key in fields and fields[key] != "same":
            size = fields[key]
            wide[key] = (depth, *(size if isinstance(size, tuple) else (size,) * len(grid)))
    swap = (1, 0, *range(2, value.rank))
    first = ctx.layer(node, "permute", [value], (ctx.batch, channels, frames, *grid), 0, order=swap)
    kind = KINDS[name](**wide)
    inner = kind.output((channels, frames, *grid))
    made = ctx.layer(node, kind, [first], (ctx.batch, *inner), 0, weights)
    shape = (ctx.batch * frames, inner[0], *inner[2:])
    return ctx.layer(node, "permute", [made], shape, 0, order=swap)


def _windows_of_frames(
    ctx: Context, node: Node, name: str, value: Value, fields: Fields, weights: Sequence[Value | None]
) -> Value:
    """A 3-D window over frames, which no kind has: a product with all windows, or a sum or maximum over each."""
    if "learned" in fields:
        raise Unsupported("kernel made from other values, over frames")
    if value.batch != 0:
        value = Value(value.sizes, ref=ctx.view(node, value, value.sizes), batch=0)
    frames = value.sizes[0] // ctx.batch
    kind = KINDS[name](**fields)
    filters, *grid = kind.output(value.sizes[1:])
    kernel = fields["kernel"] if isinstance(fields["kernel"], tuple) else (fields["kernel"],) * 3
    places, shape = prod(grid), (value.sizes[0], filters, *grid)
    if name != "conv":
        windows = gathered(ctx, node, [value], (ctx.batch, frames, filters, places, prod(kernel)), 0)
        operation = "comparisons" if name == "max_pool" else "additions"
        made = ctx.layer(node, "reduce", [windows], windows.sizes[:-1], 0, axes=3, operation=operation)
        return Value(shape, ref=ctx.view(node, made, ctx.inner(shape, 0)), batch=0)
    weight, bias = weights
    _, per_group, *_ = weight.sizes if weight is not None else (0, 0)
    groups, entries = value.sizes[1] // per_group, per_group * prod(kernel)
    windows = gathered(ctx, node, [value], (ctx.batch, groups, entries, frames * places), 0)
    kernels = Value((1, groups, filters // groups, entries))
    if weight is not None:
        kernels.source_weights, kernels.ref = weight.source_weights, ctx.view(node, weight, kernels.sizes[1:])
        kernels.batch = 0
    product = ctx.layer(node, "matmul", [kernels, windows], (ctx.batch, groups, filters // groups, frames * places), 0)
    made = gathered(ctx, node, [product], shape, 0)
    if bias is None:
        return made
    column = (filters, 1, 1, 1)
    return binary(ctx, node, "Add", [made, _as_shape(bias, column)])


@rule("ConvTranspose")
def transposed_conv(ctx: Context, node: Node, inputs: Inputs) -> list[Value]:
    value, weight, bias = given(inputs, 0), given(inputs, 1), bias_of(inputs, 2)
    groups = node.int("group", 1)
    _, per_group, *kernel = weight.sizes_of_rank(3, MOST_AXES)
    _require_kernel(node, kernel)
    filters = per_group * groups
    window, extra = _window_and_extra(node, kernel)
    fields = {"filters": filters, **window, **({"groups": groups} if groups > 1 else {})}
    fields.update({"output_padding": one_or_all(extra)} if any(extra) else {})
    bias, node, is_fused = bias_after(ctx, node, bias, filters, len(kernel))
    fields.update({} if bias is not None or is_fused else {"bias": False})
    fields.update(_learned(ctx, node, weight))
    sizes = node.ints("output_shape")[-len(kernel) :]
    is_same = node.text("auto_pad") in ("SAME_UPPER", "SAME_LOWER")
    if sizes or is_same:
        fields.update(_padding_for(node, value, kernel, sizes))
    return [_sliding(ctx, node, "transposed_conv", value, kernel, fields, [weight, bias])]


def _padding_for(node: Node, value: Value, kernel: Sequence[int], sizes: Sequence[int]) -> Fields:
    """The padding, or what is added at the end, with which a transposed convolution has an output of these sizes.

    By default, and with SAME, they are input times stride, whatever the output padding is.
    """
    axes = len(kernel)
    steps, dilations = per_axis(node, "strides", axes, 1), per_axis(node, "dilations", axes, 1)
    grid = value.sizes_of_rank(axes + 2)[2:]
    if sizes and len(sizes) != axes:
        raise Unsupported(f"output_shape of {len(sizes)} axes for {axes}")
    sizes = sizes or [size * step for size, step in zip(grid, steps, strict=True)]
    full = [
        (size - 1) * step + dilation * (span - 1) + 1
        for size, step, dilation, span in zip(grid, steps, dilations, kernel, strict=True)
    ]
    surplus = [have - wanted for have, wanted in zip(full, sizes, strict=True)]
    before, after = ([max(0, more) // 2 for more in surplus], [(max(0, more) + 1) // 2 for more in surplus])
    extra = [max(0, -more) for more in surplus]
    padding = _before_and_after([*before, *after])
    return {"padding": padding, "output_padding": one_or_all(extra)}


def _window_and_extra(node: Node, kernel: Sequence[int]) -> tuple[Fields, list[int]]:
    """The window of a transposed convolution, and its output padding, which negative pads at the end express too."""
    axes = len(kernel)
    extra = per_axis(node, "output_padding", axes, 0)
    window = _window(node, kernel)
    pads = per_axis(node, "pads", 2 * axes, 0)
    if "padding" in window and window["padding"] != "same" and min(pads[axes:]) < 0:
        extra = [more - min(0, after) for more, after in zip(extra, pads[axes:], strict=True)]
        window["padding"] = _before_and_after([*pads[:axes], *(max(0, after) for after in pads[axes:])])
    return window, extra


@rule("MaxPool", "AveragePool", "LpPool", "QLinearAveragePool")
def pool(ctx: Context, node: Node, inputs: Inputs) -> list[Value]:
    value = given(inputs, 0)
    if node.int("channels_last"):
        raise Unsupported("channels last")
    kernel = node.ints("kernel_shape")
    if not kernel or not value.rank:
        raise Unsupported("no kernel_shape" if value.rank else "scalar input")
    fields = _window(node, kernel)
    if "stride" not in fields:
        fields["stride"] = 1
    if fields["stride"] == fields["kernel"]:
        del fields["stride"]
    fields.update({"ceil_mode": True} if node.int("ceil_mode") else {})
    name = "max_pool" if node.operator == "MaxPool" else "avg_pool"
    if name == "avg_pool" and "padding" in fields and not node.int("count_include_pad"):
        fields["include_padding"] = False
    made = _sliding(ctx, node, name, value, kernel, fields)
    return [made, made] if node.operator == "MaxPool" else [made]  # the second: where the maxima are


@rule("GlobalAveragePool", "GlobalMaxPool", "GlobalLpPool", "QLinearGlobalAveragePool")
def global_pool(ctx: Context, node: Node, inputs: Inputs) -> list[Value]:
    if node.int("channels_last"):
        raise Unsupported("channels last")
    value = _batch_first(ctx, node, given(inputs, 0))
    name = "global_max_pool" if node.operator == "GlobalMaxPool" else "global_avg_pool"
    if value.rank < 3:
        return [value]
    return [ctx.layer(node, name, [value], (*value.sizes[:2], *(1 for _ in value.sizes[2:])), 0)]
