"""Build the tables that `compare` prints: the totals of several networks, and their layers side by side."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import chain

from convcalc.analysis.compare import compare, matches
from convcalc.analysis.count import Count
from convcalc.report import Column, Report, Table
from convcalc.tables.count import bit_conventions, conditions, counted_report, lower_bound, title

HEADINGS = {"macs": "MACs", "flops": "FLOPs", "bops": "BOPs", "nonlinearities": "non-linearities"}
ONE_SCREEN = 20  # rows


def compare_report(
    counts: Sequence[Count],
    depth: int | None = None,
    only_totals: bool = False,
    is_all: bool = True,
    precision: str = "",
) -> Report:
    """Networks side by side: a row a figure with the ratios to the first, then a row a layer.

    Without `is_all` the rows of a long table in which every network has 0 weights and 0 MACs are minor.
    """
    names = labels(counts)
    tables = [total_table(counts, names, precision)]
    if not only_totals:
        layers = layer_table(counts, names, depth)
        tables.append(layers if is_all else with_minor_rows(layers, "weights or MACs"))
    return counted_report("compare", tables, counts)


def heading(figure: str) -> str:
    """The words for a figure.

    >>> heading("macs"), heading("peak_bytes"), heading("params")
    ('MACs', 'peak bytes', 'params')
    """
    return HEADINGS.get(figure, figure.replace("_", " "))


def labels(counts: Sequence[Count]) -> list[str]:
    """A heading for each network: its name, numbered where two have the same."""
    names = [title(counted.graph) for counted in counts]
    return [
        f"{name} ({names[: index + 1].count(name)})" if names.count(name) > 1 else name
        for index, name in enumerate(names)
    ]


def total_table(counts: Sequence[Count], names: Sequence[str], precision: str = "") -> Table:
    """A row a figure, a column a network, and after each but the first how many times fewer or more it has."""
    columns = [Column("figure", "", "text"), Column(names[0], names[0])]
    for name in names[1:]:
        columns += [Column(name, name), Column(f"{name}: ratio", f"vs. {names[0]}", "times")]
    rows = []
    for total in compare(counts, precision):
        others = zip(total.values[1:], total.ratios[1:], strict=True)
        rows.append([heading(total.figure), total.values[0], *chain.from_iterable(others)])
    lines = [conditions(counted) for counted in counts]
    notes = lines[:1] if len(set(lines)) == 1 else [f"{name}: {line}" for name, line in zip(names, lines, strict=True)]
    about = [counted.graph.provenance.note for counted in counts]
    notes += [f"{name}: {note}" for name, note in zip(names, about, strict=True) if note]
    notes += [
        f"{name}: {lower_bound(counted)}" for name, counted in zip(names, counts, strict=True) if counted.uncounted
    ]
    notes += [*bit_notes(counts), *memory_notes(counts, names, precision)]
    return Table("", columns, rows, None, [*notes, f"relative to {names[0]}"], is_answer=True)


def bit_notes(counts: Sequence[Count]) -> list[str]:
    """The conventions of the figures of bits; nothing where no network has bits."""
    return [*bit_conventions().values()] if any(counted.graph.has_bits for counted in counts) else []


def memory_notes(counts: Sequence[Count], names: Sequence[str], precision: str) -> list[str]:
    """The convention of the figures of memory, and whose are lower bounds; nothing without a precision."""
    if not precision:
        return []
    from convcalc.analysis.memory.live import deployed_memory
    from convcalc.analysis.memory.precision import NAMES
    from convcalc.tables.memory import memory_bounds

    needed = [deployed_memory(counted.graph, NAMES[precision]) for counted in counts]
    notes = [f"peak, arena and flash at {NAMES[precision].name}: {needed[0].program.profile.rules}"]
    for name, one in zip(names, needed, strict=True):
        notes += [f"{name}: the memory is a lower bound: {reason}" for reason in memory_bounds(one)]
    return notes


def layer_table(counts: Sequence[Count], names: Sequence[str], depth: int | None) -> Table:
    """A row a layer, matched by name: weights and MACs of each network, and the MACs drawn on one scale."""
    pairs = matches(counts, depth)
    largest = max((row.figure("macs") for match in pairs for row in match.rows if row), default=0) or 1
    columns = [Column("name", "name", "name")]
    for figure in ("weights", "macs"):
        columns += [
            Column(f"{name}: {figure}", f"{heading(figure)} ({number})") for number, name in enumerate(names, 1)
        ]
    columns += [Column(f"{name}: share", f"({number})", "bar", optional=True) for number, name in enumerate(names, 1)]
    rows = []
    for path, layers in pairs:
        figures = [row and row.figure(figure) for figure in ("weights", "macs") for row in layers]
        rows.append([path, *figures, *(row and row.figure("macs") / largest for row in layers)])
    totals = [counted.figure(figure) for figure in ("weights", "macs") for counted in counts]
    legend = ", ".join(f"({number}) {name}" for number, name in enumerate(names, 1))
    return Table("", columns, rows, ["total", *totals, *(None for _ in counts)], [f"{legend}; bars: MACs"])


def with_minor_rows(table: Table, what: str, major: Collection[str] = ()) -> Table:
    """A table whose rows with counts that are all 0 or absent are minor; a short table, and rows that begin with one of
    `major`, have none."""
    counts = [at for at, column in enumerate(table.columns) if column.holds in ("count", "change")]
    minor = {at for at, row in enumerate(table.rows) if row[0] not in major and not any(row[count] for count in counts)}
    if not minor or len(table.rows) <= ONE_SCREEN:
        return table
    note = f"{len(minor):,} row{'s'[: len(minor) != 1]} without {what} left out (--all shows them)"
    return table._replace(minor=minor, minor_note=note)
