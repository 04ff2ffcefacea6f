"""convcalc check: whether networks keep their budgets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from convcalc.commands._options import SPEC, emit, output_options, spec_options

if TYPE_CHECKING:
    from convcalc.analysis.budget import Checked, Limit
    from convcalc.analysis.count import Count
    from convcalc.report import Finding, Table

FLAGS = {"params": "max_params", "macs": "max_macs", "flops": "max_flops", "weight_bytes": "max_weight_bytes"}


@click.command("check")
@click.argument("specs", nargs=-1, required=True, type=SPEC, metavar="SPEC...")
@spec_options
@click.option("--max-params", default="", metavar="N", help="At most so many params: 5M.")
@click.option("--max-macs", default="", metavar="N", help="At most so many MACs: 600M.")
@click.option("--max-flops", default="", metavar="N", help="At most so many FLOPs.")
@click.option("--max-weight-bytes", default="", metavar="N", help="At most so much for the params: 25 MiB.")
@click.option(
    "--base", default="", metavar="REV", help="Limits on growth: against where the branch left this revision."
)
@click.option("--max-warnings", type=click.IntRange(0), metavar="N", help="More broken limits of level warn: exit 1.")
@click.option("--exit-zero", is_flag=True, help="Exit 0 where a limit is broken.")
@click.option("--report", "reports", multiple=True, metavar="FMT=FILE", help="Write the report to a file as well.")
@output_options
def command(
    specs: tuple[str, ...],
    base: str,
    max_warnings: int | None,
    exit_zero: bool,
    reports: tuple[str, ...],
    form: str,
    output: Any,
    exact: Any,
    color: str,
    **options: Any,
) -> int:
    """Whether networks keep their budgets: the `budget:` and `expect:` of their specs, and limits given here.

    \b
    convcalc check net.yaml
    convcalc check net.yaml --max-params 5M --max-macs 600M
    convcalc check net.yaml --base origin/main -f github
    """
    from convcalc.analysis.count import count
    from convcalc.commands._options import graph
    from convcalc.errors import Problem, SpecError
    from convcalc.report import Report

    given = _given({metric: options.pop(flag) for metric, flag in FLAGS.items()})
    targets = [_target(text) for text in reports]
    tables: list[Table] = []
    findings: list[Finding] = []
    problems: list[Problem] = []
    for spec in specs:
        try:
            table, found = _checked(count(graph(spec, **options)), spec, given, base, options)
            tables.append(table)
            findings += found
        except SpecError as error:
            problems += error.problems
    report = Report("check", tables, (), {}, findings=findings)
    if tables:
        emit(report, form, output, exact, color)
        for name, path in targets:
            emit(report, name, path, True, "never")
    if problems:
        raise SpecError(problems)
    warnings = sum(one.level == "warn" for one in findings)
    is_broken = any(one.level == "error" for one in findings) or (max_warnings is not None and warnings > max_warnings)
    return 1 if is_broken and not exit_zero else 0


def _given(texts: dict[str, str]) -> list[Limit]:
    """The limits of the command line."""
    from convcalc.analysis.budget import Limit, quantity
    from convcalc.errors import Misfit, SpecError

    found = []
    for metric, text in texts.items():
        try:
            if text:
                found.append(Limit(metric, at_most=quantity(metric, text)))
        except Misfit as misfit:
            raise SpecError(f"--max-{metric.replace('_', '-')}: {misfit.message}", misfit.hint) from None
    return found


def _target(text: str) -> tuple[str, Any]:
    from pathlib import Path

    from convcalc.errors import SpecError, did_you_mean, quoted
    from convcalc.report import names

    name, equals, path = text.partition("=")
    if not equals or not path:
        raise SpecError(f"--report: FMT=FILE was expected, found {quoted(text)}")
    if name not in names():
        raise SpecError(f"--report: no format {quoted(name)}", did_you_mean(name, names()))
    return name, Path(path)


def _checked(
    counted: Count, spec: str, given: list[Limit], base: str, options: dict[str, Any]
) -> tuple[Table, list[Finding]]:
    """The limits of one network, as a table and as findings. A limit given here never loosens one of the spec."""
    from convcalc.analysis.budget import check, limits, needs_base
    from convcalc.analysis.expect import compare
    from convcalc.errors import SpecError, quoted
    from convcalc.report import Column, Finding, Table
    from convcalc.tables import title

    wanted = [*limits(counted.graph.about.get("budget")), *given]
    expected = compare(counted)
    if not wanted and not expected:
        raise SpecError(f"{quoted(spec)} has no limits to check", "write a budget: in it, or give --max-params N")
    before = _base(spec, base, options) if base and not _is_model(spec) else None
    results = check(counted, wanted, before)
    name = title(counted.graph)
    rows: list[list[Any]] = []
    findings = []
    for one in results:
        level = "ok" if one.ok else one.limit.level
        rows.append([one.rule, *_cells(one), level, _heaviest(one)])
        place = one.limit.place
        at = (place.source.name, place.line, place.column) if place else (spec, 1, 1)
        findings.append(Finding(level, one.rule, one.message, *at, name))
    for figure in expected:
        level = "ok" if figure.ok else "error"
        rows.append([f"expect/{figure.key}", figure.actual, figure.stated, None, level, ""])
        text = "" if figure.ok else f"{figure.key} is {figure.actual}, expect: says {figure.stated}"
        place = figure.node.place
        findings.append(Finding(level, f"expect/{figure.key}", text, place.source.name, place.line, place.column, name))
    columns = [Column("rule", "limit on", "text"), Column("value", "value", "text"), Column("limit", "limit", "text")]
    columns += [Column("headroom", "headroom"), Column("level", "", "text"), Column("heaviest", "most of it", "text")]
    notes = [one.message for one in findings if one.message]
    if base and before is None:
        notes.append(f"new: there is none at {base}; limits on growth do not apply")
    elif not base and needs_base(wanted):
        notes.append("limits on growth were not checked: give --base REV")
    return Table(name, columns, rows, None, notes), findings


def _cells(one: Checked) -> list[Any]:
    both = [f"{value:,}" if isinstance(value, int) else value for value in (one.value, one.bound)]
    return [*both, one.headroom]


def _heaviest(one: Checked) -> str:
    sign = "+" if one.rule.endswith(("increase", "ratchet")) else ""
    return ", ".join(f"{path} {sign}{value:,}" for path, value in one.heaviest)


def _is_model(spec: str) -> bool:
    return spec.lower().endswith(".onnx") or spec == "-"


def _base(spec: str, base: str, options: dict[str, Any]) -> Count | None:
    """The same spec at the revision, counted under the same options; None where it is new."""
    from convcalc.analysis.count import count
    from convcalc.build import build
    from convcalc.errors import Misfit, SpecError
    from convcalc.files import Files
    from convcalc.request import asked
    from convcalc.revision import Revision

    try:
        files = Revision(base, spec, options["root"])
    except Misfit as misfit:
        raise SpecError(misfit.message, misfit.hint) from None
    path = spec if Files().exists(spec) else spec.rpartition("@")[0] or spec
    if Files().exists(path) and not files.exists(path):
        return None
    return count(build(*asked(spec, **options, is_strict=False, files=files)))
