"""Rules for samples taken at places that are computed, and for operators whose work has no figure here but whose
output's shape is known, so that what is behind them counts."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING

from convcalc.exchange.onnx_model import Node
from convcalc.exchange.onnx_rules.base import Inputs, rule
from convcalc.exchange.onnx_rules.windows import conv
from convcalc.exchange.onnx_values import NoRule, Value, given

if TYPE_CHECKING:
    from convcalc.exchange.read_onnx import Walk


@rule("GridSample")
def grid_sample(walk: Walk, node: Node, inputs: Inputs) -> list[Value]:
    """Each sample is a weighted sum of its neighbours: two along each axis, four of a cubic one."""
    value, grid = given(inputs, 0), given(inputs, 1)
    shape = (*value.sizes[:2], *grid.sizes[1:-1])
    sources, inner = [value, grid], walk.inner(shape, value.batch)
    if str(node.get("mode", "linear")) == "nearest":
        return [walk.layer(node, "gather", sources, shape, value.batch, shape=inner)]
    each = 4 if "cubic" in str(node.get("mode", "linear")) else 2
    around = (each ** (len(shape) - 2), *inner)
    found = walk.layer(node, "gather", sources, around, None, shape=around)
    found = walk.layer(node, "elementwise", [found], around, None, operation="multiplications")
    summed = walk.layer(node, "reduce", [found], inner, None, axes=0)
    return [Value(shape, ref=summed.ref, batch=value.batch)]


@rule("AffineGrid")
def affine_grid(walk: Walk, node: Node, inputs: Inputs) -> list[Value]:
    """The places of a grid, each with a 1 behind, times the matrix of each input, element by element and summed."""
    value, (count, _, *grid) = given(inputs, 0), given(inputs, 1).ints()
    axes, batch = len(grid), value.batch
    places = Value((prod(grid), 1, axes + 1))
    parts = [walk.view(node, places, places.sizes), walk.view(node, value, (1, axes, axes + 1))]
    made = walk.layer(node, "multiply", parts, (count, prod(grid), axes, axes + 1), batch)
    summed = walk.layer(node, "reduce", [made], (count, prod(grid), axes), batch, axes=2)
    return [Value((count, *grid, axes), ref=walk.view(node, summed, (*grid, axes)), batch=batch)]


@rule("Col2Im")
def fold(walk: Walk, node: Node, inputs: Inputs) -> list[Value]:
    """Windows put back in place, those that overlap added up."""
    value, size, window = given(inputs, 0), given(inputs, 1).ints(), given(inputs, 2).ints()
    shape = (value.sizes[0], value.sizes[1] // prod(window), *size)
    added = walk.layer(node, "elementwise", [value], value.sizes, value.batch, operation="additions")
    return [walk.layer(node, "gather", [added], shape, value.batch, shape=walk.inner(shape, value.batch))]


@rule("RoiAlign", "MaxRoiPool")
def regions(walk: Walk, node: Node, inputs: Inputs) -> list[Value]:
    value, rois = given(inputs, 0), given(inputs, 1)
    size = node.get("pooled_shape") or [node.get("output_height", 1), node.get("output_width", 1)]
    raise NoRule("its work is not counted", (rois.sizes[0], value.sizes[1], *size))


@rule("MaxUnpool")
def unpool(walk: Walk, node: Node, inputs: Inputs) -> list[Value]:
    value = given(inputs, 0)
    kernel = node.get("kernel_shape") or []
    strides = node.get("strides") or [1] * len(kernel)
    grid = [(size - 1) * step + window for size, step, window in zip(value.sizes[2:], strides, kernel, strict=True)]
    shape = (*value.sizes[:2], *grid) if len(inputs) < 3 else tuple(given(inputs, 2).ints())
    return [walk.layer(node, "gather", [value], shape, value.batch, shape=walk.inner(shape, value.batch))]


@rule("DeformConv")
def deformable(walk: Walk, node: Node, inputs: Inputs) -> list[Value]:
    """A convolution of what the offsets pick; the picking is not counted, the convolution is."""
    value, weight, offset = (given(inputs, at) for at in range(3))
    moved = [found for found in (value, offset, *inputs[4:5]) if found is not None]
    inner = walk.inner(value.sizes, value.batch)
    picked = walk.layer(node, "gather", moved, value.sizes, value.batch, shape=inner)
    return conv(walk, node, [picked, weight, *inputs[3:4]])  # type: ignore[no-any-return]


@rule("RotaryEmbedding")
def rotary(walk: Walk, node: Node, inputs: Inputs) -> list[Value]:
    value = given(inputs, 0)
    return [walk.layer(node, "elementwise", [value], value.sizes, value.batch, operation="multiplications")]


@rule("OneHot")
def one_hot(walk: Walk, node: Node, inputs: Inputs) -> list[Value]:
    value, (depth, *_) = given(inputs, 0), given(inputs, 1).ints()
    axis = node.get("axis", -1) % (len(value.sizes) + 1)
    shape = (*value.sizes[:axis], depth, *value.sizes[axis:])
    if value.ref is None:
        return [Value(shape)]
    return [walk.layer(node, "gather", [value], shape, value.batch, shape=walk.inner(shape, value.batch))]


@rule("DynamicQuantizeLinear")
def quantised(walk: Walk, node: Node, inputs: Inputs) -> list[Value]:
    return [given(inputs, 0), Value((), [1.0]), Value((), [0], element=2)]
