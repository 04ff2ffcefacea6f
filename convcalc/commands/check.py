"""convcalc check: whether networks keep their budgets."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from convcalc.commands._options import SPEC, Output, emit, output_options, spec_options
from convcalc.errors import Problem, SpecError, did_you_mean, quoted
from convcalc.language.overrides import Overrides

if TYPE_CHECKING:
    from convcalc.budgets.baseline import Baseline
    from convcalc.budgets.check import Verdict
    from convcalc.budgets.config import Config
    from convcalc.report import Finding, Report

FLAGS = {"params": "max_params", "macs": "max_macs", "flops": "max_flops", "weight_bytes": "max_weight_bytes"}


@click.command("check")
@click.argument("specs", nargs=-1, type=SPEC, metavar="[SPEC...]")
@spec_options
@click.option("--max-params", default="", metavar="N", help="At most so many params: 5M.")
@click.option("--max-macs", default="", metavar="N", help="At most so many MACs: 600M.")
@click.option("--max-flops", default="", metavar="N", help="At most so many FLOPs.")
@click.option("--max-weight-bytes", default="", metavar="N", help="At most so much for the params: 25 MiB.")
@click.option(
    "--base", default="", metavar="REV", help="Limits on growth: against where the branch left this revision."
)
@click.option("--baseline", "recorded", default="", metavar="FILE", help="Figures recorded there may not rise.")
@click.option("--update-baseline", is_flag=True, help="Record what fell, and what is new, in the --baseline FILE.")
@click.option("--allow-increase", "reason", default="", metavar="REASON", help="Record what rose too, and why.")
@click.option(
    "--config",
    "settings",
    envvar="CONVCALC_CONFIG",
    metavar="FILE",
    help="Limits of the project [the nearest convcalc.yaml, or pyproject.toml with a tool.convcalc].",
)
@click.option("--no-config", is_flag=True, help="Only the limits of the specs, and those given here.")
@click.option("--max-warnings", type=click.IntRange(0), metavar="N", help="More broken limits of level warn: exit 1.")
@click.option("--exit-zero", is_flag=True, help="Exit 0 where a limit is broken.")
@click.option("--report", "reports", multiple=True, metavar="FMT=FILE", help="Write the report to a file as well.")
@output_options
def command(
    specs: tuple[str, ...],
    base: str,
    recorded: str,
    update_baseline: bool,
    reason: str,
    settings: str | None,
    no_config: bool,
    max_warnings: int | None,
    exit_zero: bool,
    reports: tuple[str, ...],
    output: Output,
    overrides: Overrides,
    **most: str,
) -> int:
    """Whether networks keep their budgets: those of their specs and of the project, and limits given here.

    Without SPEC those that the project's settings list.

    \b
    convcalc check net.yaml
    convcalc check net.yaml --max-params 5M --max-macs 600M
    convcalc check net.yaml --base origin/main -f github
    """
    from convcalc.budgets.check import as_finding, given, judge, summary
    from convcalc.budgets.config import config
    from convcalc.formats import is_of_findings
    from convcalc.report import Report

    limits = given({metric: text for metric, flag in FLAGS.items() if (text := most[flag])}, "--max-{}")
    targets = [output, *map(target, reports)]
    own = None if no_config else config(settings or "")
    baseline = _baseline(recorded, update_baseline, reason, overrides)
    update = reason if update_baseline else None
    verdicts: list[Verdict] = []
    problems: list[Problem] = []
    unusable: list[Finding] = []
    for spec in _specs(specs, own, problems):
        try:
            verdicts.append(judge(spec, limits, own, base, overrides, baseline, update))
        except SpecError as error:
            problems += error.problems
            unusable += [as_finding(problem, spec) for problem in error.problems]
    said = _write(baseline) if baseline is not None and update_baseline else []
    findings = [finding for verdict in verdicts for finding in verdict.findings]
    facts = {"error": SpecError(problems).plain()} if problems else {}
    tables = [verdict.table for verdict in verdicts]
    report = Report("check", tables, (summary(verdicts), *said), facts, findings=[*findings, *unusable])
    for one in targets:
        if verdicts or is_of_findings(one.form):
            emit(report, one)
    if verdicts and any(one.form == "github" for one in targets):
        summarise(report)
    if problems:
        if verdicts:
            click.get_current_context().meta.pop("convcalc.format")  # where JSON was asked for, stdout has it already
        raise SpecError(problems)
    warnings = sum(one.level == "warn" for one in findings)
    is_broken = any(one.level == "error" for one in findings) or (max_warnings is not None and warnings > max_warnings)
    return 1 if is_broken and not exit_zero else 0


def _specs(named: tuple[str, ...], settings: Config | None, problems: list[Problem]) -> list[str]:
    """The specs to check: those named, or those that the settings list; of these, every pattern must fit one."""
    if named:
        return list(named)
    found = settings.files() if settings else []
    if settings and found:
        problems += settings.unused(found)
        return found
    hint = "name one, or list them under specs: in convcalc.yaml"
    raise SpecError(f"{settings.name} lists no specs" if settings else "no SPEC is named", hint)


def _baseline(path: str, is_updated: bool, reason: str, overrides: Overrides) -> Baseline | None:
    """The file of --baseline. Raises SpecError for options that would record something else than the spec."""
    from convcalc.budgets.baseline import Baseline

    if not path:
        if is_updated or reason:
            raise SpecError(f"--{'update-baseline' if is_updated else 'allow-increase'} needs --baseline FILE")
        return None
    if reason and not is_updated:
        raise SpecError("--allow-increase needs --update-baseline")
    changed = {
        "--set": overrides.sets,
        "--variant": overrides.variant,
        "--input": overrides.inputs,
        "--deploy": overrides.deploy,
        "--batch": overrides.batch != 1,
    }
    used = [flag for flag, value in changed.items() if value]
    if used:
        raise SpecError(f"--baseline records specs as they are, not with {used[0]}", "SPEC@VARIANT names a variant")
    return Baseline(path, must_exist=not is_updated)


def _write(baseline: Baseline) -> list[str]:
    """Write the baseline's file anew, where anything in it is different; what became of old entries."""
    from pathlib import Path

    said = baseline.forget()
    path, text = Path(baseline.path), baseline.text()
    try:
        if not path.exists() or path.read_text("utf-8") != text:
            path.write_text(text, "utf-8", newline="")
    except OSError as error:
        raise SpecError(f"{quoted(baseline.path)} cannot be written: {error.strerror}") from None
    return said


def summarise(report: Report) -> None:
    """Append the tables to the summary of a workflow's step, where there is one."""
    import os
    from pathlib import Path

    from convcalc.formats import write

    path = os.environ.get("GITHUB_STEP_SUMMARY")
    if path:
        with Path(path).open("a", encoding="utf-8") as stream:
            write(report._replace(exact=True), "markdown", stream)


def target(text: str) -> Output:
    """The output that a `--report FMT=FILE` names. Raises SpecError."""
    from pathlib import Path

    from convcalc.formats import names

    name, equals, path = text.partition("=")
    if not equals or not path:
        raise SpecError(f"--report: FMT=FILE was expected, found {quoted(text)}")
    if name not in names():
        raise SpecError(f"--report: no format {quoted(name)}", did_you_mean(name, names()))
    return Output(name, Path(path), True, "never")
