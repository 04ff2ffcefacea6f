"""Operators whose work has no figure here, but whose output's shape is known, so that what is behind them counts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from convcalc.exchange.onnx_model import Node
from convcalc.exchange.onnx_rules.base import Inputs, rule
from convcalc.exchange.onnx_rules.windows import conv
from convcalc.exchange.onnx_values import NoRule, Value, given

if TYPE_CHECKING:
    from convcalc.exchange.read_onnx import Walk


@rule("GridSample")
def grid_sample(walk: Walk, node: Node, inputs: Inputs) -> list[Value]:
    value, grid = given(inputs, 0), given(inputs, 1)
    raise NoRule("its work is not counted", (*value.sizes[:2], *grid.sizes[1:-1]))


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
