"""convcalc diff: what changed between two networks, and what it cost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from convcalc.commands._options import SPEC, Output, emit, output_options, spec_options, strict_option
from convcalc.language.overrides import Overrides

if TYPE_CHECKING:
    from convcalc.analysis.count import Count
    from convcalc.analysis.diff import Difference
    from convcalc.report import Finding, Table


@click.command("diff")
@click.argument("specs", nargs=-1, required=True, type=SPEC, metavar="OLD NEW")
@click.option("--base", default="", metavar="REV", help="One SPEC, against itself at this git revision.")
@click.option("--exit-code", is_flag=True, help="Exit 1 where anything is different.")
@click.option("--top", type=click.IntRange(1), metavar="N", help="Only the N changes that cost or save the most MACs.")
@click.option("--report", "reports", multiple=True, metavar="FMT=FILE", help="Write the report to a file as well.")
@click.option("--totals", is_flag=True, help="Leave out the rows of the layers.")
@spec_options
@strict_option
@output_options
def command(
    specs: tuple[str, ...],
    base: str,
    exit_code: bool,
    top: int | None,
    reports: tuple[str, ...],
    totals: bool,
    output: Output,
    overrides: Overrides,
) -> int:
    """What changed between two networks, layer by layer, and what each change cost.

    Layers are matched by what they are as well as by name, so a renamed or moved one is not removed and added. A layer
    that costs other than it did because of another names it.

    The options that change a spec change both; SPEC@VARIANT chooses a variant of one.

    \b
    convcalc diff old.yaml new.yaml
    convcalc diff net.yaml --base origin/main
    convcalc diff resnet50 resnet101 --top 5
    """
    from convcalc.analysis.diff import diff
    from convcalc.commands.check import summarise, target
    from convcalc.formats import is_of_findings
    from convcalc.report import Report
    from convcalc.tables.count import CONVENTIONS, facts, notes

    targets = [output, *map(target, reports)]
    old, new = _counts(specs, base, overrides)
    found = diff(old, new)
    tables = [_totals(old, new, found)]
    if not totals and found.changes:
        tables.append(_changes(found, top))
    networks = [facts(one) for one in (old, new)]
    findings = _findings(found, new, specs[-1]) if any(is_of_findings(one.form) for one in targets) else []
    about = {"conventions": CONVENTIONS, "networks": networks}
    report = Report("diff", tables, notes(tables), about, findings=findings)
    for one in targets:
        emit(report, one)
    if any(one.form == "github" for one in targets):
        summarise(report)
    return int(exit_code and bool(found.changes))


def _counts(specs: tuple[str, ...], base: str, overrides: Overrides) -> tuple[Count, Count]:
    """The two networks, counted; with --base the one at the revision first."""
    from convcalc.analysis.count import count
    from convcalc.errors import SpecError, quoted
    from convcalc.loader import graph_at, graphs

    if base and len(specs) != 1:
        raise SpecError("--base compares one SPEC with itself", f"found {len(specs)} of them")
    if not base and len(specs) != 2:
        raise SpecError(
            "diff needs two networks, or one and --base REV", "for example: convcalc diff old.yaml new.yaml"
        )
    if base:
        before = graph_at(base, specs[0], overrides)
        if before is None:
            raise SpecError(f"there is no {quoted(specs[0])} at {quoted(base)}", "it is new: all of it is the change")
        (after,) = graphs(specs, overrides)
        return count(before), count(after)
    old, new = graphs(specs, overrides)
    return count(old), count(new)


def _totals(old: Count, new: Count, found: Difference) -> Table:
    """A row a figure: before, after, the change; below it the changes that cost or save the most."""
    from convcalc.analysis.compare import compare
    from convcalc.commands.compare import HEADINGS
    from convcalc.report import Column, Table
    from convcalc.tables.count import conditions, lower_bound, title

    columns = [
        Column("figure", "", "text"),
        Column("before", "before"),
        Column("after", "after"),
        Column("change", "change", "change"),
        Column("share", "%", "share"),
    ]
    rows = []
    for total in compare([old, new]):
        before, after = total.values
        share = (after - before) / before if before else None
        rows.append([HEADINGS.get(total.figure, total.figure), before, after, after - before, share])
    names = [title(one.graph) for one in (old, new)]
    heading = names[0] if names[0] == names[1] else f"{names[0]} -> {names[1]}"
    under = [conditions(one) for one in (old, new)]
    stated = under[:1] if under[0] == under[1] else [f"before: {under[0]}", f"after: {under[1]}"]
    stated += [f"{word}: {lower_bound(one)}" for word, one in (("before", old), ("after", new)) if one.uncounted]
    return Table(heading, columns, rows, None, [*stated, *_told(found)])


def _told(found: Difference) -> list[str]:
    """The largest causes in words, and how many changes there are of each sort."""
    lines = []
    for cause in found.causes()[:5]:
        path = cause.path + (f" and {cause.alike} alike" if cause.alike else "")
        what = f"{path}: {cause.what}" if cause.what else path
        parts = [_costs(cause.itself)] if any(cause.itself.values()) else []
        if cause.layers:
            shown = ", ".join(cause.layers[:3]) + (f" and {len(cause.layers) - 3} more" if cause.layers[3:] else "")
            parts.append(f"{_costs(cause.behind)} behind it in {shown}")
        lines.append(f"{what}: {'; '.join(parts)}")
    sorts = [one.sort for one in found.changes]
    counted = [f"{sorts.count(sort)} {sort}" for sort in dict.fromkeys(sorts)]
    if found.renumbered:
        counted.append(f"{found.renumbered} with another number in their name")
    return [*lines, ", ".join(counted) or "no layer is different"]


def _costs(changes: Any) -> str:
    parts = [f"{changes[name]:+,} {word}" for name, word in (("params", "params"), ("macs", "MACs")) if changes[name]]
    return ", ".join(parts) or f"{changes['flops']:+,} FLOPs"


def _changes(found: Difference, top: int | None) -> Table:
    """A row a change, in the order of the network; the total is the change of the totals."""
    from convcalc.report import Column, Table

    columns = [
        Column("sort", "", "text"),
        Column("name", "layer", "name"),
        Column("what", "what", "text"),
        Column("params_before", "params before", optional=True),
        Column("params", "params +/-", "change"),
        Column("macs_before", "MACs before", optional=True),
        Column("macs", "MACs +/-", "change"),
    ]
    shown = list(found.changes)
    if top is not None:
        kept = sorted(shown, key=lambda one: (-abs(one.change("macs")), -abs(one.change("params"))))[:top]
        shown = [one for one in shown if one in kept]
    rows = [
        [
            one.sort,
            one.path,
            one.what,
            one.figures["params"][0],
            one.change("params"),
            one.figures["macs"][0],
            one.change("macs"),
        ]
        for one in shown
    ]
    params, macs = (sum(one.change(name) for one in shown) for name in ("params", "macs"))
    total = ["total", None, None, None, params, None, macs]
    note = f"{len(shown)} of {len(found.changes)} changes, those with the most MACs"
    return Table("", columns, rows, total, [note] if len(shown) < len(found.changes) else [])


def _findings(found: Difference, new: Count, spec: str) -> list[Finding]:
    """Every change as a remark at the place where the layer is written."""
    from convcalc.language.sources import without_variant
    from convcalc.report import Finding
    from convcalc.tables.count import title

    remarks = []
    for one in found.changes:
        place = one.row.layer.place if one.row.layer and one.sort != "removed" else None
        at = (place.source.name, place.line, place.column) if place else (without_variant(spec), 1, 1)
        changes = {name: one.change(name) for name in ("params", "macs", "flops")}
        costs = f": {_costs(changes)}" if any(changes.values()) else ""
        remarks.append(Finding("info", f"diff/{one.sort}", f"{one.path}: {one.what}{costs}", *at, title(new.graph)))
    return remarks
