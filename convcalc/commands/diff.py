"""convcalc diff: what changed between two networks, and what it cost."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from convcalc.commands._options import (
    SPEC,
    Output,
    WholeNumber,
    emit_all,
    output_options,
    outputs_of,
    report_option,
    spec_options,
    strict_option,
)
from convcalc.commands._precision import precision_option
from convcalc.commands._sections import Sectioned
from convcalc.language.overrides import Overrides

if TYPE_CHECKING:
    from convcalc.analysis.count import Count


@click.command("diff", cls=Sectioned)
@click.argument("specs", nargs=-1, required=True, type=SPEC, metavar="OLD NEW")
@click.option("--base", default="", metavar="REV", help="Compare one SPEC with itself at this git revision.")
@click.option("--exit-code", is_flag=True, help="Exit 1 if anything is different.")
@click.option("--top", type=WholeNumber(1), metavar="N", help="Only the N changes that cost or save the most MACs.")
@report_option
@click.option("--totals", is_flag=True, help="Only the totals.")
@click.option("--all", "is_all", is_flag=True, help="Show the layers without params or MACs too.")
@precision_option
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
    is_all: bool,
    precision: str,
    overrides: Overrides,
    output: Output,
) -> int:
    """Show what changed between two networks, layer by layer, and what each change costs.

    Layers are matched by their fields as well as by name, so a renamed or moved layer does not count as removed and
    added. If the cost of an unchanged layer differs because of another layer, that one is named.

    Options that change a spec apply to both networks; SPEC@VARIANT chooses a variant of one.

    \b
    convcalc diff old.yaml new.yaml
    convcalc diff net.yaml --base origin/main
    convcalc diff resnet50 resnet101 --top 5
    """
    from convcalc.analysis.diff import diff
    from convcalc.formats import is_of_findings
    from convcalc.loader import SpecName
    from convcalc.tables.diff import diff_findings, diff_report

    outputs = outputs_of(output, reports)
    old, new = _counts(specs, base, overrides)
    difference = diff(old, new)
    report = diff_report(old, new, difference, 0 if totals else top, is_all, precision)
    if any(is_of_findings(one.form) for one in outputs):
        report = report._replace(findings=diff_findings(difference, new, SpecName.parse(specs[-1]).path))
    emit_all(report, outputs)
    return int(exit_code and bool(difference.changes))


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
        return count(before.graph), count(after)
    old, new = graphs(specs, overrides)
    return count(old), count(new)
