"""Build the tables and findings that `diff` prints: what changed between two networks, and what it cost."""

from __future__ import annotations

from collections.abc import Mapping

from convcalc.analysis.compare import compare
from convcalc.analysis.count import Count
from convcalc.analysis.diff import Difference
from convcalc.report import Column, Finding, Report, Table
from convcalc.tables.compare import bit_notes, heading, memory_notes, with_minor_rows
from convcalc.tables.count import conditions, counted_report, lower_bound, title

EDITED = ("changed", "renamed", "moved")  # sorts that say something without any figure


def diff_report(
    old: Count,
    new: Count,
    difference: Difference,
    top: int | None = None,
    is_all: bool = True,
    precision: str = "",
) -> Report:
    """The totals before and after, then a row a change: all of them, or the `top` ones by MACs (0: no row).

    Without `is_all` the layers of a long table that came, went or are affected without params and MACs are minor.
    """
    tables = [_total_table(old, new, difference, precision)]
    if top != 0 and difference.changes:
        changes = _change_table(difference, top)
        tables.append(changes if is_all else with_minor_rows(changes, "params or MACs", EDITED))
    return counted_report("diff", tables, (old, new))


def _total_table(old: Count, new: Count, difference: Difference, precision: str) -> Table:
    """A row a figure: before, after, the change; below it the changes that cost or save the most."""
    columns = [
        Column("figure", "", "text"),
        Column("before", "before"),
        Column("after", "after"),
        Column("change", "change", "change"),
        Column("share", "%", "share"),
    ]
    rows = []
    for total in compare([old, new], precision):
        before, after = total.values
        share = (after - before) / before if before else None
        rows.append([heading(total.figure), before, after, after - before, share])
    names = [title(counted.graph) for counted in (old, new)]
    what = names[0] if names[0] == names[1] else f"{names[0]} -> {names[1]}"
    lines = [conditions(counted) for counted in (old, new)]
    notes = lines[:1] if lines[0] == lines[1] else [f"before: {lines[0]}", f"after: {lines[1]}"]
    notes += [
        f"{word}: {lower_bound(counted)}" for word, counted in (("before", old), ("after", new)) if counted.uncounted
    ]
    notes += bit_notes((old, new))
    notes += memory_notes((old, new), ("before", "after"), precision)
    return Table(what, columns, rows, None, [*notes, *_summary_lines(difference)], is_answer=True)


def _summary_lines(difference: Difference) -> list[str]:
    """The largest causes in words, and how many changes there are of each sort."""
    lines = []
    for cause in difference.causes()[:5]:
        path = cause.path + (f" and {cause.alike} more of the same" if cause.alike else "")
        what = f"{path}: {cause.what}" if cause.what else path
        parts = [_cost_text(cause.itself)] if any(cause.itself.values()) else []
        if cause.layers:
            layers = ", ".join(cause.layers[:3]) + (f" and {len(cause.layers) - 3} more" if cause.layers[3:] else "")
            parts.append(f"{_cost_text(cause.affected)} after it, in {layers}")
        lines.append(f"{what}: {'; '.join(parts)}")
    sorts = [change.sort for change in difference.changes]
    numbers = [f"{sorts.count(sort)} {sort}" for sort in dict.fromkeys(sorts)]
    if difference.renumbered:
        names = "its name" if difference.renumbered == 1 else "their names"
        numbers.append(f"{difference.renumbered} with another number in {names}")
    return [*lines, ", ".join(numbers) or "no layer is different"]


def _cost_text(changes: Mapping[str, int]) -> str:
    parts = [f"{changes[name]:+,} {word}" for name, word in (("params", "params"), ("macs", "MACs")) if changes[name]]
    return ", ".join(parts) or f"{changes['flops']:+,} FLOPs"


def _change_table(difference: Difference, top: int | None) -> Table:
    """A row a change, in the order of the network; the total is the change of the totals."""
    columns = [
        Column("sort", "", "text"),
        Column("name", "layer", "name"),
        Column("what", "what", "text"),
        Column("params_before", "params before", optional=True),
        Column("params", "params +/-", "change"),
        Column("macs_before", "MACs before", optional=True),
        Column("macs", "MACs +/-", "change"),
    ]
    changes = list(difference.changes)
    if top is not None:
        kept = sorted(changes, key=lambda change: (-abs(change.change("macs")), -abs(change.change("params"))))[:top]
        changes = [change for change in changes if change in kept]
    rows = [
        [
            change.sort,
            change.path,
            change.what,
            change.figures["params"][0],
            change.change("params"),
            change.figures["macs"][0],
            change.change("macs"),
        ]
        for change in changes
    ]
    params, macs = (sum(change.change(name) for change in changes) for name in ("params", "macs"))
    total = ["total", None, None, None, params, None, macs]
    note = f"{len(changes)} of {len(difference.changes)} changes, those with the most MACs"
    return Table("", columns, rows, total, [note] if len(changes) < len(difference.changes) else [])


def diff_findings(difference: Difference, new: Count, file: str) -> list[Finding]:
    """A finding for each change at the location of its layer; in `file` if that is not known."""
    findings = []
    for change in difference.changes:
        place = change.row.layer.place if change.row.layer and change.sort != "removed" else None
        where = (place.source.name, place.line, place.column) if place else (file, 1, 1)
        costs = {name: change.change(name) for name in ("params", "macs", "flops")}
        text = f"{change.path}: {change.what}" + (f": {_cost_text(costs)}" if any(costs.values()) else "")
        rule = "diff/behind" if change.sort == "affected" else f"diff/{change.sort}"  # rule ids never change
        findings.append(Finding("info", rule, text, *where, title(new.graph)))
    return findings
