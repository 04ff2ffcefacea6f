"""The arena that a planner lays tensors into: TensorFlow Lite Micro's greedy planner, by size.

Source: Pisarchyk and Lee, Efficient Memory Management for Deep Neural Net Inference, arXiv:2001.03288, "greedy by
size"; tensorflow/lite/micro/memory_planner/greedy_memory_planner.cc.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

ALIGNMENT = 16


class Buffer(NamedTuple):
    """Bytes that are needed from operator `first` to operator `last`."""

    size: int
    first: int
    last: int


def plan(buffers: Sequence[Buffer], alignment: int = ALIGNMENT) -> tuple[int, list[int]]:
    """Return the size of the arena, and the offset of each buffer.

    The largest buffer comes first, of equal ones the later; each has the lowest gap among those that are alive with it.

    >>> plan([Buffer(32, 0, 1), Buffer(64, 1, 2), Buffer(16, 2, 3)])
    (96, [64, 0, 64])
    """
    sizes = [-(-buffer.size // alignment) * alignment for buffer in buffers]
    offsets = [0] * len(buffers)
    placed: list[int] = []
    for number in sorted(range(len(buffers)), key=lambda number: (-sizes[number], -number)):
        ours = buffers[number]
        offset = 0
        for other in placed:  # by offset
            theirs = buffers[other]
            if theirs.first > ours.last or theirs.last < ours.first:
                continue
            if offsets[other] >= offset + sizes[number]:
                break
            offset = max(offset, offsets[other] + sizes[other])
        offsets[number] = offset
        placed.append(number)
        placed.sort(key=offsets.__getitem__)
    return max((offset + size for offset, size in zip(offsets, sizes, strict=True)), default=0), offsets
