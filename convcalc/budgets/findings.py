"""The rows and findings of checked limits, of published totals, and of what cannot be checked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from convcalc.analysis.expect import Expectation
from convcalc.budgets.limits import Limit
from convcalc.budgets.measure import CheckedLimit
from convcalc.errors import Problem, printable
from convcalc.loader import SpecName
from convcalc.report import Finding

NEW_RULE = "new"


def limit_result(checked: CheckedLimit, spec: SpecName, name: str) -> tuple[list[Any], Finding]:
    """The row and the finding of a limit."""
    limit, place = checked.limit, checked.limit.place
    level = "ok" if checked.ok else limit.level
    numbers = (checked.value, checked.bound, checked.headroom)
    location = (place.source.name, place.line, place.column) if place else (spec.path, 1, 1)
    row = [checked.rule, *numbers, level, _heaviest(checked), limit.origin]
    return row, Finding(level, checked.rule, checked.message, *location, name)


def expect_result(total: Expectation, name: str) -> tuple[list[Any], Finding]:
    """The row and the finding of a published total."""
    level = "ok" if total.ok else "error"
    place = total.node.place
    rule = f"expect/{total.key}"
    text = "" if total.ok else f"{total.key} is {total.actual}, expect: says {total.stated}"
    row = [rule, total.actual, total.stated, None, level, "", str(place).rpartition(":")[0]]
    return row, Finding(level, rule, text, place.source.name, place.line, place.column, name)


def new_result(
    growth: Sequence[Limit], level: str, spec: SpecName, revision: str, name: str
) -> tuple[list[Any], Finding]:
    """The row and the finding of a network whose limits on growth have nothing to compare with."""
    place = growth[0].place
    limits = f"{len(growth)} limit{'s'[: len(growth) != 1]} on growth"
    text = f"new: it does not exist at {printable(revision)}; {limits} not checked"
    location = (place.source.name, place.line, place.column) if place else (spec.path, 1, 1)
    row = [NEW_RULE, None, None, None, level, "", growth[0].origin]
    return row, Finding(level, NEW_RULE, text, *location, name)


def as_finding(problem: Problem, path: str, scope: str) -> Finding:
    """Convert a problem of a spec that cannot be checked to a finding: a report without it would look like a pass."""
    file, line, column = path, 1, 1
    if problem.place:
        file, line, column = problem.place.source.name, problem.place.line, problem.place.column
    message = f"{problem.message} ({problem.hint})" if problem.hint else problem.message
    return Finding("error", "spec", message, file, line, column, printable(scope))


def finding_lines(findings: Sequence[Finding]) -> list[str]:
    """A line for each finding with a message, in the form that editors read: location, level, message."""
    return [
        f"{printable(finding.file)}:{finding.line}:{finding.column}: {finding.level}: {finding.message}"
        for finding in findings
        if finding.message
    ]


def _heaviest(checked: CheckedLimit) -> str:
    sign = "+" if checked.rule.endswith(("increase", "ratchet", "baseline")) else ""
    return ", ".join(f"{path} {sign}{value:,}" for path, value in checked.heaviest)
