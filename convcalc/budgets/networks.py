"""Several networks against their limits -> one report, with what could not be checked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from convcalc.budgets.check import Verdict, facts_of
from convcalc.budgets.config import ProjectConfig
from convcalc.budgets.findings import as_finding
from convcalc.errors import Problem, SpecError
from convcalc.loader import SpecName
from convcalc.report import Finding, Report


class Networks(NamedTuple):
    """The verdicts on networks, and the problems of what could not be checked, as findings too."""

    verdicts: list[Verdict]
    problems: list[Problem]
    unreadable: int  # networks without a verdict
    unreadable_findings: list[Finding]
    unused_findings: list[Finding]  # of patterns of the configuration that match no network

    @property
    def findings(self) -> list[Finding]:
        """What the limits of all networks found."""
        return [finding for verdict in self.verdicts for finding in verdict.findings]

    def report(self, changes: Sequence[str]) -> Report:
        """Report every verdict; `changes` are lines about the baseline."""
        verdict = facts_of(self.verdicts, self.unreadable, len(self.unused_findings))
        facts = {"verdict": verdict, **({"error": SpecError(self.problems).plain()} if self.problems else {})}
        findings = [*self.findings, *self.unreadable_findings, *self.unused_findings]
        tables = [verdict.table for verdict in self.verdicts]
        return Report("check", tables, (verdict["text"], *changes), facts, False, findings, verdict["text"])


def check_networks(
    specs: Sequence[str], project: ProjectConfig | None, check: Callable[[SpecName], Verdict]
) -> Networks:
    """Check the named networks, or those that the project's configuration lists. Raises SpecError if there are none."""
    names, problems = _names(specs, project)
    unused = [as_finding(problem, project.name, project.name) for problem in problems] if project else []
    verdicts: list[Verdict] = []
    unreadable: list[Finding] = []
    for name in names:
        try:
            verdicts.append(check(name))
        except SpecError as error:
            problems += error.problems
            unreadable += [as_finding(problem, name.path, name.text) for problem in error.problems]
    return Networks(verdicts, problems, len(names) - len(verdicts), unreadable, unused)


def _names(specs: Sequence[str], project: ProjectConfig | None) -> tuple[list[SpecName], list[Problem]]:
    """The networks to check, and a problem for each pattern of the configuration that matches none of them."""
    if specs:
        return [SpecName.parse(spec) for spec in specs], []
    listed = project.listed() if project else []
    if project and listed:
        return listed, project.unused(listed)
    hint = "name one, or list them under specs: in convcalc.yaml"
    raise SpecError(f"{project.name} lists no specs" if project else "no SPEC is named", hint)
