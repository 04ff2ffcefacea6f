"""A graph as boxes and arrows, folded to a depth, for the formats that draw one."""

from __future__ import annotations

from typing import NamedTuple

from convcalc.amounts import human
from convcalc.analysis.count import Count, fold
from convcalc.kinds import shape_text


class Box(NamedTuple):
    """A layer, a folded block, or an input: its lines of text."""

    lines: tuple[str, ...]
    is_input: bool = False


class Drawing(NamedTuple):
    """Boxes, and the arrows between them by their numbers."""

    title: str
    boxes: list[Box]
    arrows: list[tuple[int, int]]


def draw(counted: Count, depth: int | None = None) -> Drawing:
    """Draw a count as boxes with their costs; blocks below `depth` parts of a path are one box.

    >>> from convcalc.analysis.count import count
    >>> from convcalc.loader import read
    >>> found = draw(count(read("input: 3x8x8\\nlayers: [conv: {filters: 4, kernel: 1}, relu]")))
    >>> [box.lines for box in found.boxes][:2], found.arrows
    ([('input', '3x8x8'), ('conv1', 'conv, 4x8x8', '16 params, 768 MACs')], [(0, 1), (1, 2)])
    """
    boxes: list[Box] = []
    home: dict[int, int] = {}  # the box of a layer
    for layer in counted.graph.all:
        if layer.is_input:
            home[layer.index] = len(boxes)
            boxes.append(Box((layer.path, shape_text(layer.output)), True))
    layers = iter(counted.graph.layers)
    for row in counted.rows if depth is None else fold(counted, depth):
        for _ in range(row.layers):
            home[next(layers).index] = len(boxes)
        costs = [
            f"{human(row.figure(figure))} {word}"
            for figure, word in (("params", "params"), ("macs", "MACs"))
            if row.figure(figure)
        ]
        about = f"{row.kind}, {shape_text(row.output)}"
        boxes.append(Box((row.path, about, ", ".join(costs)) if costs else (row.path, about)))
    arrows = {
        (home[ref.layer], home[layer.index]): None
        for layer in counted.graph.all
        for ref in layer.inputs
        if home[ref.layer] != home[layer.index]
    }
    return Drawing(counted.graph.name, boxes, list(arrows))
