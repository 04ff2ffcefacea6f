"""Windows that slide over the spatial axes, also where the batch axis holds more than the batch."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

from convcalc.importers.onnx.context import Context
from convcalc.importers.onnx.model import Node, Unsupported
from convcalc.importers.onnx.operators._layers import gathered, one_or_all
from convcalc.importers.onnx.operators.elementwise import binary
from convcalc.importers.onnx.values import Shape, Value, per_axis
from convcalc.kinds import KINDS

Fields = dict[str, Any]


def window_of(node: Node, kernel: Sequence[int]) -> Fields:
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
    return {"padding": before_and_after(pads)}


def before_and_after(pads: Sequence[int]) -> Any:
    """ONNX's pads as our padding: one number where it is the same everywhere."""
    axes = len(pads) // 2
    both = tuple(a if a == b else (a, b) for a, b in zip(pads[:axes], pads[axes:], strict=True))
    return both[0] if len(set(both)) == 1 and isinstance(both[0], int) else both


def batch_first(ctx: Context, node: Node, value: Value) -> Value:
    """The value as N x C x ..., where N is the batch, which our graph leaves out. Raises Unsupported."""
    if value.batch == 0 and value.sizes[0] == ctx.batch:
        return value
    if value.rank and value.sizes[0] == 1 == ctx.batch:
        return Value(value.shape, ref=ctx.view(node, value, ctx.inner(value.sizes, 0)), batch=0)
    raise Unsupported("input whose first axis is not the batch")


def sliding(
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
    value = batch_first(ctx, node, value)
    kind = KINDS[name](**fields)
    return ctx.layer(node, kind, [value], (value.sizes[0], *kind.output(ctx.inner(value.sizes, 0))), 0, weights)


def as_shape(value: Value, shape: Shape) -> Value:
    return Value(shape, source_weights=value.source_weights, ref=value.ref, data=value.data)


def _has_frames(ctx: Context, value: Value) -> bool:
    """Whether the first axis holds more than the batch, such as frames: a window never mixes them."""
    first = value.sizes_of_rank(1, len(value.sizes))[0]
    return first != ctx.batch and (value.batch == 0 or ctx.batch == 1)


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
    return binary(ctx, node, "Add", [made, as_shape(bias, column)])
