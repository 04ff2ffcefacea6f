"""Rises that somebody allows once: `nets/a.yaml params 85k: the detector needs it` turns an error into a note."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from convcalc.budgets.findings import finding_lines
from convcalc.budgets.limits import parse_limit
from convcalc.budgets.verdict import Verdict
from convcalc.errors import SpecError, UserError, printable, quoted
from convcalc.report import Finding

LEVEL = "info"
_TEXT = re.compile(r"(\S.*?) +([a-z_]+(?:/\S+)?) +([0-9][0-9_.,]* ?[A-Za-z]*) *: *(\S.*)")


class Allowance(NamedTuple):
    """What a network may exceed: a rule, or all rules of a figure; up to which value, and why."""

    spec: str
    rule: str
    at_most: int
    reason: str

    def covers(self, finding: Finding, value: Any) -> bool:
        """Whether it allows what an error found: never more than its value, and no published total."""
        is_rule = finding.rule == self.rule or finding.rule.startswith(f"{self.rule}/")
        is_number = isinstance(value, int) and not finding.rule.startswith("expect/")
        return finding.level == "error" and is_rule and is_number and value <= self.at_most


def parse_allowance(text: str) -> Allowance:
    """Parse `SPEC RULE VALUE: REASON`. Raises SpecError.

    >>> parse_allowance("nets/a b.yaml params 85k: the detector needs it")
    Allowance(spec='nets/a b.yaml', rule='params', at_most=85000, reason='the detector needs it')
    """
    match = _TEXT.fullmatch(text.strip())
    if match is None:
        example = "for example: nets/a.yaml params 85k: the detector needs it"
        raise SpecError(f"--allow: SPEC LIMIT VALUE: REASON was expected, found {quoted(text)}", example)
    spec, rule, value, reason = match.groups()
    try:
        at_most = parse_limit(rule.partition("/")[0], value)
    except UserError as error:
        raise SpecError(f"--allow: {error.message}", error.hint) from None
    return Allowance(spec, rule, at_most, printable(reason))


def allow(verdict: Verdict, allowances: Sequence[Allowance]) -> Verdict:
    """Return a verdict in which each error that is allowed is a note, with the reason."""
    rows, findings, used = [], [], []
    own = [allowance for allowance in allowances if allowance.spec == verdict.spec]
    at = [column.key for column in verdict.table.columns].index("level")
    for row, finding in zip(verdict.table.rows, verdict.findings, strict=True):
        chosen = next((one for one in own if one.covers(finding, row[1])), None)
        if chosen is not None:
            row = [*row[:at], LEVEL, *row[at + 1 :]]
            message = f"{finding.message}; allowed up to {chosen.at_most:,}: {chosen.reason}"
            used.append({"rule": finding.rule, "at_most": chosen.at_most, "reason": chosen.reason})
            finding = finding._replace(level=LEVEL, message=message)
        rows.append(row)
        findings.append(finding)
    if not used:
        return verdict
    rest = verdict.table.notes[len(finding_lines(verdict.findings)) :]
    table = verdict.table._replace(rows=rows, notes=[*finding_lines(findings), *rest])
    return verdict._replace(table=table, findings=findings, facts={**verdict.facts, "allowed": used})
