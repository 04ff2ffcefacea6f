"""A network's cost as other tools print it, as tables."""

from __future__ import annotations

from convcalc.analysis.count import Count, fold
from convcalc.conventions.convention import Convention, difference, figures, find, known_errors, names
from convcalc.report import Column, Table
from convcalc.tables.count import facts, footer, title

_THEIRS = "theirs"


def tables_as(counted: Count, tool: str, depth: int | None = None) -> list[Table]:
    """What a tool prints: a row a layer; for `all` a row a tool. Raises SpecError for an unknown tool."""
    return [_every(counted)] if tool == "all" else [_one(counted, find(tool), depth)]


def _one(counted: Count, convention: Convention, depth: int | None) -> Table:
    """A row a layer: our MACs beside the tool's figure, and under it why the two differ."""
    graph = counted.graph
    found = figures(convention, graph)
    rows = [
        row._replace(tallies={**row.tallies, _THEIRS: theirs}) for row, theirs in zip(counted.rows, found, strict=True)
    ]
    if depth is not None:
        rows = fold(counted._replace(rows=rows), depth)
    columns = [
        Column("name", "name", "name"),
        Column("kind", "kind", "text"),
        Column("output", "output", "shape"),
        Column("params", "params"),
        Column("macs", "MACs"),
        Column("as", f"{convention.name} {convention.unit}"),
    ]
    cells = [
        [row.path, row.kind, row.output or None, row.figure("params"), row.figure("macs"), row.tallies[_THEIRS]]
        for row in rows
    ]
    total = ["total", None, None, counted.figure("params"), counted.figure("macs"), sum(found)]
    notes = [
        *footer(counted),
        difference(convention, graph),
        *known_errors(convention, graph),
        f"{convention.label}: {convention.about}",
    ]
    more = {"tool": convention.name, "version": convention.version, "unit": convention.unit, "total": sum(found)}
    heading = f"{title(graph)} as {convention.label}"
    return Table(heading, columns, cells, total, notes, {**facts(counted), "as": more})


def _every(counted: Count) -> Table:
    """A row a tool: what it prints for one and the same network."""
    graph = counted.graph
    columns = [
        Column("tool", "tool", "text"),
        Column("unit", "unit", "text"),
        Column("total", "prints"),
        Column("difference", "difference to ours"),
        Column("because", "because of", "name"),
    ]
    ours = counted.figure("macs")
    found = []
    for convention in map(find, names()):
        theirs = sum(figures(convention, graph))
        base = ours * (2 if convention.counts_flops else 1)
        because = difference(convention, graph, 4).partition("our MACs ")[2] or "the same"
        found.append(
            (convention.counts_flops, theirs, [convention.label, convention.unit, theirs, theirs - base, because])
        )
    rows = [row for _, _, row in sorted(found, key=lambda one: (one[0], one[1], one[2][0]))]
    notes = [
        *footer(counted),
        f"ours: {ours:,} MACs; a tool that prints FLOPs is compared with twice that",
        f"{len({row[2] for row in rows})} different figures from {len(rows)} conventions",
    ]
    return Table(f"{title(graph)}: what each tool prints", columns, rows, None, notes, facts(counted))
