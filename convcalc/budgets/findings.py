"""The rows and findings of checked limits, of published totals, and of what cannot be checked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from convcalc.analysis.expect import Expectation
from convcalc.budgets.limits import FIELDS, KEYS, Limit
from convcalc.budgets.measure import CheckedLimit
from convcalc.errors import Problem, printable
from convcalc.loader import SpecName
from convcalc.report import UNREADABLE_RULE, Finding, Rule

if TYPE_CHECKING:
    from convcalc.budgets.changes import Changes

NEW_RULE = "new"


def limit_result(
    checked: CheckedLimit, spec: SpecName, name: str, changes: Changes | None
) -> tuple[list[Any], Finding]:
    """The row and the finding of a limit, at the line that `changes` name where it is exceeded, else at its own."""
    limit, place = checked.limit, checked.limit.place
    level = "ok" if checked.ok else limit.level
    numbers = (checked.value, checked.bound, checked.headroom)
    location = (place.source.name, place.line, place.column) if place else (spec.path, 1, 1)
    row = [checked.rule, *numbers, level, _heaviest(checked), limit.origin]
    finding = Finding(level, checked.rule, checked.message, *location, name)
    return row, finding if changes is None else changes.located(finding, checked)


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
    return Finding("error", UNREADABLE_RULE, message, file, line, column, printable(scope), path)


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


def rules_of(findings: Sequence[Finding]) -> dict[str, Rule]:
    """Explain the rules of findings."""
    return {finding.rule: _rule(finding.rule) for finding in findings}


def _rule(rule: str) -> Rule:
    """Explain a rule: `macs/kinds/conv/at_most` is a figure, whose layers it is on, and how it is limited."""
    if rule in _RULES:
        return _RULES[rule]
    figure, _, rest = rule.partition("/")
    if figure == "expect":
        return Rule(f"{rest} is the published total.", "Correct the layers, or the total under expect: of the spec.")
    scope, _, bound = rest.rpartition("/")
    where = f" of {scope.replace('/', ' ', 1)}" if scope else ""
    meaning = KEYS.get(figure, figure)
    return Rule(f"{figure} ({meaning}){where}: {_BOUNDS.get(bound, bound)}.", _HELP)


_HELP = (
    "Make the network smaller: convcalc check names its largest layers, convcalc diff SPEC --base REV what changed, "
    "convcalc suggest what would save. Or raise the limit where it is written."
)
_BOUNDS = {
    "at_most": FIELDS["at_most"],
    "max_increase": FIELDS["max_increase"],
    "ratchet": "no increase over --base",
    "baseline": "no increase over the figure that --baseline FILE records",
}
_RULES = {
    "output": Rule("The shape of the last output is the required one.", "Change the last layers or the budget."),
    NEW_RULE: Rule(
        "Limits on growth of a network that does not exist at the base are not checked.",
        "Check that it is new. new: in convcalc.yaml, or --new, sets the level.",
    ),
    UNREADABLE_RULE: Rule(
        "A network cannot be checked: its spec, a limit or an option is invalid.",
        "Correct what the message names.",
    ),
}
