"""Build the tables of other tools' conventions: their rules, and a network's cost as they print it."""

from __future__ import annotations

from convcalc.analysis.count import Count, fold
from convcalc.conventions.convention import (
    Convention,
    difference,
    figures,
    find,
    known_errors,
    names,
    our_macs,
    total_of,
)
from convcalc.conventions.quantities import Census
from convcalc.errors import SpecError, quoted
from convcalc.report import Column, Report, Table
from convcalc.tables.count import facts, footer, title

_THEIRS = "theirs"


def conventions_report(tool: str = "") -> Report:
    """The rules of one convention, or a row for each. Raises SpecError for an unknown tool."""
    table = _rules_table(find(tool)) if tool else _overview([find(name) for name in names()])
    return Report("conventions", [table])


def tables_as(counted: Count, tool: str, depth: int | None = None, backward: bool = False) -> list[Table]:
    """What a tool prints: a row a layer; for `all` a row a tool. Raises SpecError for an unknown tool.

    With `backward`, what it prints for a forward and a backward pass.
    """
    if backward and tool != "all":
        convention = find(tool)
        if not convention.backward:
            tool = f"{convention.name}-backward"
        if tool not in names():
            known = ", ".join(name for name in names() if find(name).backward)
            raise SpecError(f"--backward: no convention {quoted(tool)}", f"there is {known}")
    return [_every(counted)] if tool == "all" else [_one(counted, find(tool), depth)]


def _one(counted: Count, convention: Convention, depth: int | None) -> Table:
    """A row a layer: our MACs beside the tool's figure, and under it why the two differ."""
    graph = counted.graph
    census = Census(graph)
    each = figures(convention, census, graph.batch)
    found = [each[entry] for entry in census.entries.values()]
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
        difference(convention, census),
        *known_errors(convention, census),
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
        Column("difference", "difference from ours"),
        Column("because", "because of", "name"),
    ]
    ours = counted.figure("macs")
    census = Census(graph)
    found = []
    for convention in map(find, names()):
        theirs = total_of(convention, census)
        base = our_macs(convention, census)
        because = difference(convention, census, 4).partition(f"{convention.base} ")[2] or "the same"
        found.append(
            (convention.counts_flops, theirs, [convention.label, convention.unit, theirs, theirs - base, because])
        )
    rows = [row for _, _, row in sorted(found, key=lambda one: (one[0], one[1], one[2][0]))]
    notes = [
        *footer(counted),
        f"ours: {ours:,} MACs; tools that print FLOPs are compared with 2 x that, with the backward "
        "pass with 2 x ours of a step (convcalc train)",
        f"{len({row[2] for row in rows})} different figures from {len(rows)} conventions",
    ]
    return Table(f"{title(graph)}, as each tool counts it", columns, rows, None, notes, facts(counted))


def _overview(found: list[Convention]) -> Table:
    """A row a convention: what it counts, in which unit."""
    columns = [Column("tool", "tool", "text"), Column("unit", "unit", "text"), Column("about", "counts", "name")]
    rows = [[one.label, one.unit, one.about] for one in found]
    notes = ("a multiply-accumulate is 1 MAC, 1 mult-add or 2 FLOPs; 'convcalc conventions TOOL' shows its rules",)
    return Table("Conventions", columns, rows, None, notes)


def _rules_table(one: Convention) -> Table:
    """A row a kind: the expression that a tool counts, and what it gets wrong."""
    columns = [Column("kind", "kind", "name"), Column("rule", one.unit, "text"), Column("error", "known error", "text")]
    kinds = [*one.texts, *(kind for kind in one.errors if kind not in one.texts)]
    rows = [[kind, one.texts.get(kind, "0"), one.errors.get(kind, "")] for kind in kinds]
    notes = [
        one.about,
        f"source: {one.source}",
        "all other kinds count 0" + ("" if one.batch else "; the batch size is not counted"),
        "input and output are elements; module and function are 1 or 0, by the layer's via: (default: module)",
    ]
    return Table(one.label, columns, rows, None, notes)
