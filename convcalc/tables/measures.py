"""The columns of `params`: how each is headed, and its value for a row of a count."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from convcalc.analysis.count import Count, Row
from convcalc.errors import SpecError, did_you_mean, quoted
from convcalc.record import Record
from convcalc.report import Column


class Measure(Record):
    """A column of `params`: how it is headed, and its value for a row of a count."""

    column: Column
    value: Callable[[Row, Count], Any]


def _figure(key: str, heading: str, optional: bool = False) -> Measure:
    return Measure(Column(key, heading, optional=optional), lambda row, counted: row.figure(key))


def _share(key: str, heading: str, optional: bool = False) -> Measure:
    return Measure(
        Column(f"{key}_share", heading, "share", optional),
        lambda row, counted: row.figure(key) / counted.figure(key) if counted.figure(key) else 0.0,
    )


ALIVE = (
    "alive: the most elements of activations that exist while a layer runs, in the deployed network (convcalc memory); "
    "blank where it is part of another layer"
)


def _alive(row: Row, counted: Count) -> int | None:
    """The most elements alive while the layers of a row run: of a layer, a block or repeat, or the network."""
    from convcalc.analysis.memory.live import alive_elements

    if row.layer is None and row.path and not row.output:  # a kind
        return None
    return alive_elements(counted.graph).get(row.path)


def _bits(row: Row) -> str | None:
    """The bits of a layer's weights x those of the activations that it reads."""
    from convcalc.analysis.bits import bits_of

    return str(bits_of(row)) if row.layer is not None else None


SIZES = Column("sizes", "sizes", "text", optional=True)


def _own_sizes(row: Row) -> str | None:
    """The sizes that a row's layer sets itself, such as `3x3 s2 g32`."""
    from convcalc.tables.own_sizes import own_sizes

    return own_sizes(row.layer) if row.layer is not None else None


def _receptive(key: str, heading: str, name: str) -> Measure:
    """A column of the receptive field: what a function of `convcalc.tables.receptive` says of a row."""

    def value(row: Row, counted: Count) -> Any:
        from convcalc.tables import receptive

        return getattr(receptive, name)(row, counted)

    return Measure(Column(key, heading, "text", optional=True), value)


MEASURES: dict[str, Measure] = {
    measure.column.key: measure
    for measure in (
        Measure(Column("name", "name", "name"), lambda row, counted: row.path),
        Measure(Column("kind", "kind", "text", optional=True), lambda row, counted: row.kind),
        Measure(SIZES, lambda row, counted: _own_sizes(row)),
        Measure(Column("output", "output", "shape"), lambda row, counted: row.output or None),
        _figure("weights", "weights"),
        _figure("biases", "biases", optional=True),
        _figure("other_params", "other", optional=True),
        _figure("params", "params"),
        _share("weights", "weights %", optional=True),
        _share("params", "params %", optional=True),
        _figure("macs", "MACs"),
        _share("macs", "MACs %"),
        _figure("flops", "FLOPs", optional=True),
        _figure("output_elements", "activations", optional=True),
        Measure(Column("bits", "bits", "text", optional=True), lambda row, counted: _bits(row)),
        _figure("bops", "BOPs", optional=True),
        _figure("weight_bytes", "weight bytes", optional=True),
        Measure(Column("alive", "alive", optional=True), _alive),
        _receptive("sees", "sees", "sees"),
        _receptive("sees_gate", "gate", "gate"),
        _receptive("sees_stride", "sees stride", "stride"),
        _receptive("sees_padding", "sees padding", "padding"),
        _figure("buffers", "buffers", optional=True),
        Measure(Column("weighted", "weighted", optional=True), lambda row, counted: row.depth),
        Measure(Column("nonlinearities", "non-linear", optional=True), lambda row, counted: row.nonlinearities),
        Measure(Column("mixing", "mixing", "text", optional=True), lambda row, counted: row.mixing),
        Measure(Column("layers", "layers", optional=True), lambda row, counted: row.layers),
        Measure(Column("shares", "shares weights of", "text", optional=True), lambda row, counted: row.shares),
    )
}


def choose(columns: str, default: Sequence[str]) -> list[Measure]:
    """The measures of a comma-separated list of columns, `default` for an empty one. Raises SpecError."""
    keys = [key.strip() for key in columns.split(",")] if columns else list(default)
    if keys == ["all"]:
        keys = list(MEASURES)
    for key in keys:
        if key not in MEASURES:
            raise SpecError(f"no column {quoted(key)}", did_you_mean(key, MEASURES))
    return [MEASURES[key] for key in dict.fromkeys(keys)]


def spare_columns(rows: Sequence[Row], columns: Sequence[Column]) -> list[tuple[Column, Sequence[Any]]]:
    """Columns for a terminal that has room: the layers' own sizes, bars for MACs and params against the largest row."""
    drawn: list[tuple[Column, Sequence[Any]]] = []
    sizes = [_own_sizes(row) for row in rows]
    if any(sizes) and SIZES not in columns:
        drawn.append((SIZES, sizes))
    for figure, heading in (("macs", "MACs"), ("params", "params")):
        values = [row.figure(figure) for row in rows]
        if largest := max(values, default=0):
            drawn.append((Column(f"{figure}_bar", heading, "bar"), [value / largest for value in values]))
    return drawn


def as_tree(measures: Sequence[Measure]) -> list[Measure]:
    """The measures with names that are drawn as a tree."""
    return [
        measure._replace(column=measure.column._replace(holds="tree")) if measure.column.holds == "name" else measure
        for measure in measures
    ]
