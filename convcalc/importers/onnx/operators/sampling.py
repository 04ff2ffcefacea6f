"""Rules for samples taken at places that are computed, and for operators whose work has no figure here but whose
output's shape is known, so that what is behind them counts."""

from __future__ import annotations

from math import prod

from convcalc.importers.onnx.context import Context, Inputs
from convcalc.importers.onnx.model import Node
from convcalc.importers.onnx.operators.conv_pool import conv
from convcalc.importers.onnx.operators.registry import rule
from convcalc.importers.onnx.values import Unsupported, Value, given


@rule("GridSample")
def grid_sample(ctx: Context, node: Node, inputs: Inputs) -> list[Value]:
    """Each sample is a weighted sum of its neighbours: two along each axis, four of a cubic one."""
    value, grid = given(inputs, 0), given(inputs, 1)
    shape = (*value.sizes[:2], *grid.sizes[1:-1])
    sources, inner = [value, grid], ctx.inner(shape, value.batch)
    if str(node.get("mode", "linear")) == "nearest":
        return [ctx.layer(node, "gather", sources, shape, value.batch, shape=inner)]
    each = 4 if "cubic" in str(node.get("mode", "linear")) else 2
    around = (each ** (len(shape) - 2), *inner)
    found = ctx.layer(node, "gather", sources, around, None, shape=around)
    found = ctx.layer(node, "elementwise", [found], around, None, operation="multiplications")
    summed = ctx.layer(node, "reduce", [found], inner, None, axes=0)
    return [Value(shape, ref=summed.ref, batch=value.batch)]


@rule("AffineGrid")
def affine_grid(ctx: Context, node: Node, inputs: Inputs) -> list[Value]:
    """The places of a grid, each with a 1 behind, times the matrix of each input, element by element and summed."""
    value, (count, _, *grid) = given(inputs, 0), given(inputs, 1).ints()
    axes, batch = len(grid), value.batch
    places = Value((prod(grid), 1, axes + 1))
    parts = [ctx.view(node, places, places.sizes), ctx.view(node, value, (1, axes, axes + 1))]
    made = ctx.layer(node, "multiply", parts, (count, prod(grid), axes, axes + 1), batch)
    summed = ctx.layer(node, "reduce", [made], (count, prod(grid), axes), batch, axes=2)
    return [Value((count, *grid, axes), ref=ctx.view(node, summed, (*grid, axes)), batch=batch)]


@rule("Col2Im")
def fold(ctx: Context, node: Node, inputs: Inputs) -> list[Value]:
    """Windows put back in place, those that overlap added up."""
    value, size, window = given(inputs, 0), given(inputs, 1).ints(), given(inputs, 2).ints()
    shape = (value.sizes[0], value.sizes[1] // prod(window), *size)
    added = ctx.layer(node, "elementwise", [value], value.sizes, value.batch, operation="additions")
    return [ctx.layer(node, "gather", [added], shape, value.batch, shape=ctx.inner(shape, value.batch))]


@rule("RoiAlign", "MaxRoiPool")
def regions(ctx: Context, node: Node, inputs: Inputs) -> list[Value]:
    value, rois = given(inputs, 0), given(inputs, 1)
    size = node.get("pooled_shape") or [node.get("output_height", 1), node.get("output_width", 1)]
    raise Unsupported("its work is not counted", (rois.sizes[0], value.sizes[1], *size))


@rule("MaxUnpool")
def unpool(ctx: Context, node: Node, inputs: Inputs) -> list[Value]:
    value = given(inputs, 0)
    kernel = node.get("kernel_shape") or []
    strides = node.get("strides") or [1] * len(kernel)
    grid = [(size - 1) * step + window for size, step, window in zip(value.sizes[2:], strides, kernel, strict=True)]
    shape = (*value.sizes[:2], *grid) if len(inputs) < 3 else tuple(given(inputs, 2).ints())
    return [ctx.layer(node, "gather", [value], shape, value.batch, shape=ctx.inner(shape, value.batch))]


@rule("DeformConv")
def deformable(ctx: Context, node: Node, inputs: Inputs) -> list[Value]:
    """A convolution of what the offsets pick; the picking is not counted, the convolution is."""
    value, weight, offset = (given(inputs, at) for at in range(3))
    moved = [found for found in (value, offset, *inputs[4:5]) if found is not None]
    inner = ctx.inner(value.sizes, value.batch)
    picked = ctx.layer(node, "gather", moved, value.sizes, value.batch, shape=inner)
    return conv(ctx, node, [picked, weight, *inputs[3:4]])  # type: ignore[no-any-return]


@rule("RotaryEmbedding")
def rotary(ctx: Context, node: Node, inputs: Inputs) -> list[Value]:
    value = given(inputs, 0)
    return [ctx.layer(node, "elementwise", [value], value.sizes, value.batch, operation="multiplications")]


@rule("OneHot")
def one_hot(ctx: Context, node: Node, inputs: Inputs) -> list[Value]:
    value, (depth, *_) = given(inputs, 0), given(inputs, 1).ints()
    axis = node.get("axis", -1) % (len(value.sizes) + 1)
    shape = (*value.sizes[:axis], depth, *value.sizes[axis:])
    if value.ref is None:
        return [Value(shape)]
    return [ctx.layer(node, "gather", [value], shape, value.batch, shape=ctx.inner(shape, value.batch))]


@rule("DynamicQuantizeLinear")
def quantised(ctx: Context, node: Node, inputs: Inputs) -> list[Value]:
    return [given(inputs, 0), Value((), [1.0]), Value((), [0], element=2)]
