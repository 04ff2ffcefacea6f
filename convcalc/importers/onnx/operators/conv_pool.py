"""Convolution and pooling."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from convcalc.errors import UserError
from convcalc.importers.onnx.context import Context
from convcalc.importers.onnx.model import Node, Unsupported
from convcalc.importers.onnx.operators._layers import bias_after, gathered, learned_field, one_or_all
from convcalc.importers.onnx.operators._windows import (
    Fields,
    as_shape,
    batch_first,
    before_and_after,
    sliding,
    window_of,
)
from convcalc.importers.onnx.operators.elementwise import binary, fused_activation
from convcalc.importers.onnx.operators.registry import rule
from convcalc.importers.onnx.operators.reshape import permuted, reshaped
from convcalc.importers.onnx.operators.slicing import cut_axis
from convcalc.importers.onnx.values import MOST_AXES, Inputs, Shape, Value, bias_of, given, optional, per_axis
from convcalc.kinds import KINDS

BLOCKED = "com.microsoft.nchwc"  # ONNX Runtime's domain of operators on channels in blocks
_WEIGHT = {"QLinearConv": 3}  # where the weights are; 1 for any other


def _require_kernel(node: Node, kernel: Sequence[int]) -> None:
    """Raise Unsupported where a node states another kernel than its weights have."""
    stated = node.ints("kernel_shape")
    if stated and stated != [*kernel]:
        raise Unsupported(f"kernel_shape {stated} of weights with a kernel of {[*kernel]}")


def _weights_of(node: Node, inputs: Inputs) -> tuple[Value, Value, Value | None]:
    """Input, weights and bias of a convolution, and of its quantised forms."""
    if node.operator == "QLinearConv":
        inputs = [optional(inputs, 0), optional(inputs, _WEIGHT[node.operator]), optional(inputs, 8)]
    elif node.operator == "ConvInteger":
        inputs = inputs[:2]
    return given(inputs, 0), given(inputs, 1), bias_of(inputs, 2)


@rule("Conv", "FusedConv", "ConvInteger", "QLinearConv")
def conv(ctx: Context, node: Node, inputs: Inputs) -> list[Value]:
    """A convolution; ONNX Runtime's own forms add another value to it and activate the sum."""
    if node.int("channels_last"):
        value = _channels_first(ctx, node, given(inputs, 0))
        return [_channels_last(ctx, node, _conv(ctx, node, [value, *inputs[1:]]))]
    made = _conv(ctx, node, inputs)
    if node.operator != "FusedConv" and node.domain != BLOCKED:
        return [made]
    if (other := optional(inputs, 3)) is not None:
        made = binary(ctx, node, "Add", [made, other])
    return [fused_activation(ctx, node, made)]


@rule("NhwcConv", "NhwcFusedConv")
def conv_channels_last(ctx: Context, node: Node, inputs: Inputs) -> list[Value]:
    value = _channels_first(ctx, node, given(inputs, 0))
    made = _channels_last(ctx, node, _conv(ctx, node, [value, given(inputs, 1), optional(inputs, 2)]))
    if (other := optional(inputs, 3)) is not None:
        made = binary(ctx, node, "Add", [made, other])
    return [fused_activation(ctx, node, made) if node.operator == "NhwcFusedConv" else made]


def _channels_first(ctx: Context, node: Node, value: Value) -> Value:
    axes = len(value.sizes_of_rank(3, MOST_AXES)) - 2
    return permuted(ctx, node, value, (0, axes + 1, *range(1, axes + 1)))


def _channels_last(ctx: Context, node: Node, value: Value) -> Value:
    axes = value.rank - 2
    return permuted(ctx, node, value, (0, *range(2, axes + 2), 1))


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
        return _conv_by(ctx, node, batch_first(ctx, node, value), weight, bias)
    if bias is not None and bias.ref is not None:
        return _plus_computed(ctx, node, _conv(ctx, node, [value, weight]), bias)
    if groups == channels and groups > 1:
        fields: Fields = {"groups": "channels", **({"filters": filters} if filters != channels else {})}
    else:
        fields = {"filters": filters, **({"groups": groups} if groups > 1 else {})}
    window = window_of(node, kernel)
    bias, node, is_fused = bias_after(ctx, node, bias, filters, len(kernel))
    fields = {**fields, **window, **({} if bias is not None or is_fused or node.has_bias else {"bias": False})}
    fields.update(learned_field(ctx, node, _WEIGHT.get(node.operator, 1), weight))
    return sliding(ctx, node, "conv", value, kernel, fields, [weight, bias])


def _conv_by(ctx: Context, node: Node, value: Value, weight: Value, bias: Value | None) -> Value:
    """A convolution by computed weights: its windows, and their product with the kernels."""
    filters, per_group, *kernel = weight.sizes
    groups = node.int("group", 1)
    kind = KINDS["conv"](filters=filters, groups=groups, bias=False, **window_of(node, kernel))
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
    return ctx.layer(node, "add", [ctx.ref(output), ctx.view(node, as_shape(bias, wide), wide)], shape, 0)


def _plus_computed(ctx: Context, node: Node, value: Value, bias: Value) -> Value:
    """Features plus a bias that other layers compute."""
    return binary(ctx, node, "Add", [value, reshaped(ctx, node, bias, (*bias.sizes, *(1,) * (value.rank - 2)), None)])


@rule("ConvTranspose")
def transposed_conv(ctx: Context, node: Node, inputs: Inputs) -> list[Value]:
    value, weight, bias = given(inputs, 0), given(inputs, 1), bias_of(inputs, 2)
    if bias is not None and bias.ref is not None:
        (made,) = transposed_conv(ctx, node, [value, weight])
        return [_plus_computed(ctx, node, made, bias)]
    groups = node.int("group", 1)
    _, per_group, *kernel = weight.sizes_of_rank(3, MOST_AXES)
    _require_kernel(node, kernel)
    filters = per_group * groups
    window, extra = _window_and_extra(node, kernel)
    fields = {"filters": filters, **window, **({"groups": groups} if groups > 1 else {})}
    fields.update({"output_padding": one_or_all(extra)} if any(extra) else {})
    bias, node, is_fused = bias_after(ctx, node, bias, filters, len(kernel))
    fields.update({} if bias is not None or is_fused else {"bias": False})
    fields.update(learned_field(ctx, node, 1, weight))
    sizes = node.ints("output_shape")[-len(kernel) :]
    is_same = node.text("auto_pad") in ("SAME_UPPER", "SAME_LOWER")
    if sizes or is_same:
        fields.update(_padding_for(node, value, kernel, sizes))
    return [sliding(ctx, node, "transposed_conv", value, kernel, fields, [weight, bias])]


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
    padding = before_and_after([*before, *after])
    return {"padding": padding, "output_padding": one_or_all(extra)}


def _window_and_extra(node: Node, kernel: Sequence[int]) -> tuple[Fields, list[int]]:
    """The window of a transposed convolution, and its output padding, which negative pads at the end express too."""
    axes = len(kernel)
    extra = per_axis(node, "output_padding", axes, 0)
    window = window_of(node, kernel)
    pads = per_axis(node, "pads", 2 * axes, 0)
    if "padding" in window and window["padding"] != "same" and min(pads[axes:]) < 0:
        extra = [more - min(0, after) for more, after in zip(extra, pads[axes:], strict=True)]
        window["padding"] = before_and_after([*pads[:axes], *(max(0, after) for after in pads[axes:])])
    return window, extra


@rule("MaxPool", "AveragePool", "LpPool", "QLinearAveragePool", "NhwcMaxPool")
def pool(ctx: Context, node: Node, inputs: Inputs) -> list[Value]:
    value = given(inputs, 0)
    is_last = bool(node.int("channels_last")) or node.operator == "NhwcMaxPool"
    value = _channels_first(ctx, node, value) if is_last else value
    kernel = node.ints("kernel_shape")
    if not kernel or not value.rank:
        raise Unsupported("no kernel_shape" if value.rank else "scalar input")
    fields = window_of(node, kernel)
    if "stride" not in fields:
        fields["stride"] = 1
    if fields["stride"] == fields["kernel"]:
        del fields["stride"]
    fields.update({"ceil_mode": True} if node.int("ceil_mode") else {})
    name = "max_pool" if node.operator in ("MaxPool", "NhwcMaxPool") else "avg_pool"
    if name == "avg_pool" and "padding" in fields and not node.int("count_include_pad"):
        fields["include_padding"] = False
    made = sliding(ctx, node, name, value, kernel, fields)
    if is_last:
        return [_channels_last(ctx, node, made)]
    return [made, made] if node.operator == "MaxPool" else [made]  # the second: where the maxima are


@rule("GlobalAveragePool", "GlobalMaxPool", "GlobalLpPool", "QLinearGlobalAveragePool")
def global_pool(ctx: Context, node: Node, inputs: Inputs) -> list[Value]:
    value = given(inputs, 0)
    is_last = bool(node.int("channels_last"))
    value = batch_first(ctx, node, _channels_first(ctx, node, value) if is_last else value)
    name = "global_max_pool" if node.operator == "GlobalMaxPool" else "global_avg_pool"
    if value.rank < 3:
        return [value]
    made = ctx.layer(node, name, [value], (*value.sizes[:2], *(1 for _ in value.sizes[2:])), 0)
    return [_channels_last(ctx, node, made) if is_last else made]
