"""Operators of vision: sampling at computed positions, regions, and the inverse of pooling.

Where our figures have no word for the work, the shape of the output is known at least, and what follows counts.
"""

from __future__ import annotations

from math import prod

from convcalc.importers.onnx.context import Context
from convcalc.importers.onnx.model import Node, Unsupported
from convcalc.importers.onnx.operators._layers import gathered, same_shape
from convcalc.importers.onnx.operators.conv_pool import conv
from convcalc.importers.onnx.operators.registry import rule
from convcalc.importers.onnx.values import MOST_AXES, Inputs, Value, checked, given, optional, per_axis


@rule("GridSample")
def grid_sample(ctx: Context, node: Node, inputs: Inputs) -> list[Value]:
    """Each sample is a weighted sum of its neighbours: two along each axis, four for a cubic one."""
    value, grid = given(inputs, 0), given(inputs, 1)
    shape = checked((*value.sizes_of_rank(3, 5)[:2], *grid.sizes_of_rank(value.rank)[1:-1]))
    inner, mode = ctx.inner(shape, value.batch), node.text("mode", "linear")
    if mode == "nearest":
        return [gathered(ctx, node, [value, grid], shape, value.batch)]
    neighbours = (4 if "cubic" in mode else 2) ** (len(shape) - 2)
    samples = gathered(ctx, node, [value, grid], (neighbours, *inner), None)
    weighted = same_shape(ctx, node, "elementwise", samples, operation="multiplications")
    summed = ctx.layer(node, "reduce", [weighted], inner, None, axes=0)
    return [Value(shape, ref=summed.ref, batch=value.batch)]


@rule("AffineGrid")
def affine_grid(ctx: Context, node: Node, inputs: Inputs) -> list[Value]:
    """The positions of a grid, each followed by a 1, times the matrix of each input, element by element and summed."""
    value, size = given(inputs, 0), given(inputs, 1).ints()
    count, grid = size[:1], checked(size)[2:]
    axes, batch = len(grid), value.batch
    if axes not in (2, 3) or value.rank != 3 or batch not in (None, 0):
        raise Unsupported(f"input with {axes} spatial axes")
    positions = Value(checked((prod(grid), 1, axes + 1)))
    parts = [ctx.view(node, positions, positions.sizes), ctx.view(node, value, (1, axes, axes + 1))]
    made = ctx.layer(node, "multiply", parts, (*count, prod(grid), axes, axes + 1), batch)
    summed = ctx.layer(node, "reduce", [made], (*count, prod(grid), axes), batch, axes=2)
    return [Value((*count, *grid, axes), ref=ctx.view(node, summed, (*grid, axes)), batch=batch)]


@rule("Col2Im")
def fold(ctx: Context, node: Node, inputs: Inputs) -> list[Value]:
    """Windows put back in place, those that overlap added up."""
    value, size, window = given(inputs, 0), given(inputs, 1).ints(), given(inputs, 2).ints()
    count, entries = value.sizes_of_rank(3)[:2]
    if min(window, default=0) < 1:
        raise Unsupported("window without elements")
    added = same_shape(ctx, node, "elementwise", value, operation="additions")
    return [gathered(ctx, node, [added], (count, entries // prod(window), *size), value.batch)]


@rule("RoiAlign", "MaxRoiPool")
def regions(ctx: Context, node: Node, inputs: Inputs) -> list[Value]:
    channels = given(inputs, 0).sizes_of_rank(4)[1]
    count = given(inputs, 1).sizes_of_rank(1, MOST_AXES)[0]
    size = node.ints("pooled_shape") or [node.int("output_height", 1), node.int("output_width", 1)]
    raise Unsupported("its work cannot be counted", checked((count, channels, *size)))


@rule("MaxUnpool")
def unpool(ctx: Context, node: Node, inputs: Inputs) -> list[Value]:
    value, sizes = given(inputs, 0), optional(inputs, 2)
    count, channels, *old = value.sizes_of_rank(3, MOST_AXES)
    kernel, strides = per_axis(node, "kernel_shape", len(old), 1), per_axis(node, "strides", len(old), 1)
    pads = per_axis(node, "pads", 2 * len(old), 0)
    if sizes is not None:
        return [gathered(ctx, node, [value], sizes.ints(), value.batch)]
    sides = [before + after for before, after in zip(pads, pads[len(old) :], strict=False)]
    new = [
        (size - 1) * step + window - side for size, step, window, side in zip(old, strides, kernel, sides, strict=True)
    ]
    return [gathered(ctx, node, [value], (count, channels, *new), value.batch)]


@rule("DeformConv")
def deformable_conv(ctx: Context, node: Node, inputs: Inputs) -> list[Value]:
    """A convolution of what the offsets pick; the picking is not counted, the convolution is."""
    value, weight, offset = (given(inputs, at) for at in range(3))
    sources = [source for source in (value, offset, optional(inputs, 4)) if source is not None]
    picked = gathered(ctx, node, sources, value.sizes, value.batch)
    return conv(ctx, node, [picked, weight, optional(inputs, 3)])
