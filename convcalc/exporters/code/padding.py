"""The padding that a layer's windows really cover: `same` and ceil mode resolved to numbers."""

from __future__ import annotations

from typing import Any

from convcalc.kinds import Shape
from convcalc.kinds.conv import Conv
from convcalc.kinds.pool import AvgPool, MaxPool
from convcalc.kinds.window import pairs, reach

Padding = tuple[tuple[int, int], ...]  # (before, after) of each spatial axis


def conv_padding(layer: Conv, shape: Shape, output: Shape, padding: Any) -> Padding:
    """Return the zeros before and after along each axis with `padding` in place of the layer's own."""
    if padding != "same":
        return pairs(padding, len(shape) - 1)
    return covered_padding(shape, output, layer.kernel, layer.stride, "same", layer.dilation)


def pool_padding(layer: MaxPool | AvgPool, shape: Shape, output: Shape) -> Padding:
    """Return the padding before and after that the windows cover along each axis."""
    stride = layer.kernel if layer.stride is None else layer.stride
    return covered_padding(shape, output, layer.kernel, stride, layer.padding, layer.dilation)


def covered_padding(shape: Shape, output: Shape, kernel: Any, stride: Any, padding: Any, dilation: Any) -> Padding:
    """Return the padding before and after that a window covers along each axis. Last rows that it skips count as none.

    >>> covered_padding((3, 224, 224), (8, 112, 112), 3, 2, "same", 1), covered_padding((8, 9), (8, 3), 2, 3, 0, 1)
    (((0, 1), (0, 1)), ((0, 0),))
    """
    spans = reach(shape[1:], kernel, stride, padding, dilation)
    return tuple(
        (before, max((count - 1) * step + span - size - before, 0))
        for size, count, (span, step, before) in zip(shape[1:], output[1:], spans, strict=True)
    )
