"""The receptive field of every layer: how much of the input one of its elements depends on, through joins too.

Theoretical, never "effective": as far as the arithmetic reaches, also into the padding. Norms are taken as identity. A
factor of a product that has one element for each channel (a squeeze-excite gate) is left out, and what follows marked.
Source: Araujo, Norris and Sim, Computing Receptive Fields of Convolutional Neural Networks, Distill 2019.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from convcalc.analysis.receptive_rules import sight_of
from convcalc.analysis.sight import Sight
from convcalc.graph import Graph, Layer, Ref

EVERYTHING = "all"


def receptive_fields(graph: Graph, layers: int | None = None) -> list[tuple[int, ...] | None]:
    """The size of the field of each layer along each spatial axis; None where it sees everything, or is not known.

    Layers come in the graph's order, only the first `layers` where a number is given; the field is as wide as the
    arithmetic says, also past the border.

    >>> from convcalc.kinds.conv import Conv
    >>> graph = Graph("two")
    >>> first = graph.add("first", Conv(filters=4, kernel=3, stride=2), (graph.add_input("x", (3, 32, 32)),))
    >>> _ = graph.add("second", Conv(filters=4, kernel=3), (first,))
    >>> receptive_fields(graph)
    [(1, 1), (3, 3), (7, 7)]
    """
    return [sight.size for sight in sights(graph, layers)]


def sights(graph: Graph, layers: int | None = None) -> list[Sight]:
    """What each layer sees, or each of the first `layers`, in the graph's order; of several outputs, the first.

    >>> from convcalc.loader import read
    >>> field = sights(read("{input: 3x32x32, layers: [{conv: {filters: 4, kernel: 3, stride: 2}}]}"))[1].fields[0]
    >>> field.size, field.step == 2, -field.low == 0
    (3, True, True)
    """
    known: dict[Ref, Sight] = {}
    for layer in graph.all[:layers]:
        given = [known[ref] for ref in layer.inputs]
        for port in range(len(layer.outputs)):
            known[Ref(layer.index, port)] = sight_of(layer, given, port)
    return [known[Ref(layer.index)] for layer in graph.all[:layers]]


@lru_cache(maxsize=4)
def every_sight(graph: Graph) -> list[Sight]:
    """What each layer of a network sees; kept, because columns and tables ask for one layer after another."""
    return sights(graph)


class Step(NamedTuple):
    """One layer on the way from the input: what it sees, and how that follows from what its input sees."""

    layer: Layer
    sight: Sight
    before: Sight | None


def growth(graph: Graph, layer: Layer) -> list[Step]:
    """The layers through which the field of a layer grew, from the input on: at a join the widest branch.

    >>> from convcalc.loader import read
    >>> network = read("{input: 3x32x32, layers: [{conv: {filters: 4, kernel: 3, stride: 2}}, {max_pool: 2}]}")
    >>> [(step.layer.path, step.sight.size) for step in growth(network, network.layers[-1])]
    [('conv1', (3, 3)), ('max_pool1', (5, 5))]
    """
    seen = every_sight(graph)
    steps: list[Step] = []
    while not layer.is_input and layer.inputs:
        sources = [graph.all[ref.layer] for ref in layer.inputs]
        wanted = [source for source in sources if seen[source.index].axes is not None]
        widest = max(wanted or sources, key=lambda source: seen[source.index].size or ())
        steps.append(Step(layer, seen[layer.index], seen[widest.index]))
        layer = widest
    return steps[::-1]


def shown(size: tuple[int, ...] | None) -> str:
    """A field as text.

    >>> shown((7, 7)), shown((3, 7)), shown(None)
    ('7', '3x7', 'all')
    """
    if size is None:
        return EVERYTHING
    return str(size[0]) if len(set(size)) == 1 else "x".join(map(str, size))
