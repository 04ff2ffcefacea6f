"""What `params` and `explain` say of the receptive fields: values of columns, lines of the footer, how a field grew."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from functools import lru_cache

from convcalc.analysis.count import Count, Row
from convcalc.analysis.explain import Part
from convcalc.analysis.receptive_field import EVERYTHING, Step, every_sight, growth, shown
from convcalc.analysis.sight import Sight
from convcalc.graph import Graph, Layer
from convcalc.kinds import shape_text
from convcalc.report import Column, Table

Cell = int | str | None
MEANING = (
    "sees: elements of the input that one of the output depends on, along each axis; sees_stride: how far apart the "
    "fields of neighbours are; sees_padding: how far the first begins before the input "
    "(Araujo, Norris and Sim, Distill 2019). Theoretical, with norms as identity and without gates"
)
GATE = "+gate: an element sees everything through a squeeze-excite gate, which is left out"
GROWTH = (
    Column("name", "layer", "name"),
    Column("kind", "kind", "text", optional=True),
    Column("sees", "sees", "text"),
    Column("how", "sees before + (span - 1)*stride before", "text"),
    Column("sees_stride", "stride", "text"),
    Column("sees_padding", "padding", "text"),
)


@lru_cache(maxsize=4)
def _last_layers(graph: Graph) -> dict[str, Layer]:
    """The last layer of each group, by the group's path."""
    return {group.path: graph.all[group.stop - 1] for group in graph.groups}


def _layer(row: Row, counted: Count) -> Layer | None:
    """The layer of a row, of a group its last one, of the network none."""
    if row.layer is not None:
        return row.layer
    is_group = row.path and row.output  # a kind has no output
    return _last_layers(counted.graph).get(row.path) if is_group else None


def sees(row: Row, counted: Count) -> Cell:
    """The size of a row's field: a number, `3x7` where the axes differ, "all", or None where it is not known."""
    layer = _layer(row, counted)
    return _size(every_sight(counted.graph)[layer.index]) if layer else None


def stride(row: Row, counted: Count) -> Cell:
    """How far apart the fields of neighbours are, in elements of the input."""
    layer = _layer(row, counted)
    return _cell([axis.step for axis in every_sight(counted.graph)[layer.index].fields]) if layer else None


def padding(row: Row, counted: Count) -> Cell:
    """How far the first element's field begins before the input."""
    layer = _layer(row, counted)
    return _cell([-axis.low for axis in every_sight(counted.graph)[layer.index].fields]) if layer else None


def gate(row: Row, counted: Count) -> Cell:
    """Mark where gates were left out."""
    layer = _layer(row, counted)
    return "+gate" if layer and every_sight(counted.graph)[layer.index].has_gate else None


def has_gates(graph: Graph) -> bool:
    """Whether a network has gates that were left out."""
    return any(sight.has_gate for sight in every_sight(graph))


def _size(sight: Sight) -> Cell:
    return EVERYTHING if sight.is_all else _cell([axis.size for axis in sight.fields])


def _cell(values: Sequence[int | Fraction]) -> Cell:
    """One number where all axes have the same."""
    if not values:
        return None
    if len(set(values)) > 1:
        return "x".join(map(str, values))
    return values[0].numerator if values[0].denominator == 1 else str(values[0])


def lines(graph: Graph) -> list[str]:
    """The lines of the footer: the effective stride, and which layers see past the input."""
    known = every_sight(graph)
    last = _deepest(graph, known)
    if last is None:
        return ["no layer has a receptive field that is known"]
    sight = known[last.index]
    steps, sides = _cell([axis.step for axis in sight.fields]), _cell([-axis.low for axis in sight.fields])
    found = [f"effective stride {steps}: {last.path} sees {shown(sight.size)}, padding {sides}"]
    if has_gates(graph):
        found.append(f"{GATE}")
    image = next(iter(graph.inputs.values()))[1:]
    beyond = [layer for layer in graph.layers if _exceeds(known[layer.index].size, image)]
    if beyond:
        size = shown(known[beyond[-1].index].size)
        found.append(
            f"from {beyond[0].path} on a field exceeds the input: {beyond[-1].path} sees {size} of {shape_text(image)}"
        )
    return found


def _exceeds(size: tuple[int, ...] | None, image: tuple[int, ...]) -> bool:
    if size is None or len(size) != len(image):
        return False
    return any(ours > own for ours, own in zip(size, image, strict=True))


def growth_tables(graph: Graph, parts: Sequence[Part]) -> list[Table]:
    """For each layer, and the last layer of each group, how its field grew; for a network, that of its last field."""
    layers = [part.layer or _last(graph, part.path) for part in parts]
    return [_growth_table(graph, layer) for layer in layers if layer is not None]


def _last(graph: Graph, path: str) -> Layer | None:
    """The last layer of a group; of a network the last one whose field is known."""
    return _last_layers(graph).get(path) or _deepest(graph, every_sight(graph))


def _deepest(graph: Graph, known: Sequence[Sight]) -> Layer | None:
    return next((layer for layer in reversed(graph.layers) if known[layer.index].axes), None)


def _growth_table(graph: Graph, layer: Layer) -> Table:
    """How the field of a layer grew from the input on; layers that change nothing are left out."""
    rows = []
    for step in growth(graph, layer):
        if step.sight != step.before:
            fields = step.sight.fields
            sides = _cell([axis.step for axis in fields]), _cell([-axis.low for axis in fields])
            rows.append([step.layer.path, step.layer.kind.name, _size(step.sight), how(step), *sides])
    return Table(f"{layer.path}: how its receptive field grew", GROWTH, rows)


def how(step: Step) -> str | None:
    """The sum that gives a field from that before; None where a layer does not widen it.

    Along each axis the fields of a window's first and last element are (span - 1) strides apart.
    """
    before = step.before.fields if step.before else ()
    found = []
    for old, new in zip(before, step.sight.fields, strict=False):
        wider = new.size - old.size
        if not wider or not step.layer.kind.window(step.layer.shapes[0]):
            continue
        found.append(f"{old.size} + {Fraction(wider) / old.step}*{old.step} = {new.size}")
    return " and ".join(dict.fromkeys(found)) or None
