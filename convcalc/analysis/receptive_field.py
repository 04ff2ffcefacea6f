"""The receptive field of every layer: how much of the input one of its elements depends on, through joins too.

Source: Araujo, Norris and Sim, Computing Receptive Fields of Convolutional Neural Networks, Distill 2019.
"""

from __future__ import annotations

from fractions import Fraction
from typing import NamedTuple

from convcalc.graph import Graph, Layer

EVERYTHING = "all"


class Seen(NamedTuple):
    """Along one axis: output element i depends on input elements low + i*step to high + i*step."""

    step: Fraction
    low: Fraction
    high: Fraction

    @property
    def size(self) -> int:
        return int(self.high - self.low) + 1


def receptive_fields(graph: Graph) -> list[tuple[int, ...] | None]:
    """The size of the field of each layer along each axis of the input's grid, None where a layer sees everything.

    Layers come in the graph's order; the field is as wide as the arithmetic says, also past the border.

    >>> from convcalc.kinds.conv import Conv
    >>> graph = Graph("two")
    >>> first = graph.add("first", Conv(filters=4, kernel=3, stride=2), (graph.add_input("x", (3, 32, 32)),))
    >>> _ = graph.add("second", Conv(filters=4, kernel=3), (first,))
    >>> receptive_fields(graph)
    [(1, 1), (3, 3), (7, 7)]
    """
    seen: list[tuple[Seen, ...] | None] = []
    for layer in graph.all:
        seen.append(_seen(layer, [seen[ref.layer] for ref in layer.inputs]))
    return [None if axes is None else tuple(axis.size for axis in axes) for axes in seen]


def _seen(layer: Layer, before: list[tuple[Seen, ...] | None]) -> tuple[Seen, ...] | None:
    if not before:
        return tuple(Seen(Fraction(1), Fraction(0), Fraction(0)) for _ in layer.output[1:])
    first, *others = before
    if any(axes is None for axes in before) or layer.kind.mixing in ("attention", "recurrent"):
        return None
    assert first is not None
    for axes in others:
        if axes is None or len(axes) != len(first):
            return None
        first = tuple(
            Seen(ours.step, min(ours.low, theirs.low), max(ours.high, theirs.high))
            for ours, theirs in zip(first, axes, strict=True)
        )
    window = layer.kind.window(layer.shapes[0])
    if window:
        return tuple(
            Seen(axis.step * step, axis.low - before * axis.step, axis.high + (span - 1 - before) * axis.step)
            for axis, (span, step, before) in zip(first, window, strict=True)
        )
    grid, output = layer.shapes[0][1:], layer.output[1:]
    if len(grid) != len(output) or len(output) != len(first) or not output:
        return None
    if any(size == 1 < old for old, size in zip(grid, output, strict=True)):
        return None
    return tuple(
        Seen(axis.step * old / size, axis.low, axis.high) for axis, old, size in zip(first, grid, output, strict=True)
    )


def shown(size: tuple[int, ...] | None) -> str:
    """A field as text.

    >>> shown((7, 7)), shown((3, 7)), shown(None)
    ('7', '3x7', 'all')
    """
    if size is None:
        return EVERYTHING
    return str(size[0]) if len(set(size)) == 1 else "x".join(map(str, size))
