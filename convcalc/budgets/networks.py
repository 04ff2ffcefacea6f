"""Several networks against their limits -> one report, with what could not be checked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from convcalc.budgets.check import NoLimits
from convcalc.budgets.config import ProjectConfig
from convcalc.budgets.findings import as_finding, rules_of
from convcalc.budgets.verdict import Gaps, Verdict, facts_of, folded
from convcalc.errors import Problem, SpecError, printable
from convcalc.loader import SpecName
from convcalc.report import Finding, Report

if TYPE_CHECKING:
    from convcalc.budgets.spec_list import Selection

MOST_NAMED = 5  # networks without limits, or files without a network, that a note names


VERDICTS = {"error": "failed", "warn": "warning", "info": "passed", "ok": "passed"}


class Networks(NamedTuple):
    """The verdicts on networks, and the problems of what could not be checked, as findings too."""

    verdicts: list[Verdict]
    problems: list[Problem]
    unreadable_findings: list[Finding]
    unused_findings: list[Finding]  # of patterns of the configuration that match no network
    unreadable: list[dict[str, Any]]  # what a program should know of each network that cannot be checked
    gaps: Gaps
    remarks: list[str]  # on what was found in a folder

    @property
    def findings(self) -> list[Finding]:
        """What the limits of all networks found."""
        return [finding for verdict in self.verdicts for finding in verdict.findings]

    def report(self, changes: Sequence[str], is_verbose: bool) -> Report:
        """Report every verdict; `changes` are lines about the baseline. `is_verbose`: a reader sees every limit too."""
        verdict = facts_of(self.verdicts, self.gaps)
        networks = [*map(_facts, self.verdicts), *self.unreadable]
        facts = {
            "verdict": verdict,
            "networks": networks,
            **({"error": SpecError(self.problems).plain()} if self.problems else {}),
        }
        findings = [*self.findings, *self.unreadable_findings, *self.unused_findings]
        tables = [verdict.table for verdict in self.verdicts]
        notes = (*self.remarks, *changes, verdict["text"])
        short = folded(self.verdicts) if len(tables) > 1 and not is_verbose else ()
        return Report("check", tables, notes, facts, False, findings, verdict["text"], short, rules_of(findings))


class _Unreadable(NamedTuple):
    """A network that cannot be checked, and why."""

    name: str
    path: str
    problems: Sequence[Problem]

    def facts(self) -> dict[str, Any]:
        errors = [problem.message for problem in self.problems]
        return {"name": self.name, "path": self.path, "verdict": "unreadable", "errors": errors}


def check_networks(
    specs: Sequence[str], project: ProjectConfig | None, check: Callable[[SpecName], Verdict], is_hook: bool = False
) -> Networks:
    """Check the named networks, or those that the project's configuration lists. Raises SpecError if there are none.

    With `is_hook`, `specs` are changed files, and it is no error if there is no network with limits among them.
    """
    selection, problems = select(specs, project, is_hook)
    unused = [as_finding(problem, project.name, project.name) for problem in problems] if project else []
    verdicts: list[Verdict] = []
    unlimited: list[str] = []
    unread = [_Unreadable(word, word, [problem]) for word, problem in selection.problems.items()]
    for name in selection.names:
        try:
            verdicts.append(check(name))
        except SpecError as error:
            if isinstance(error, NoLimits) and name.text in selection.found:
                unlimited.append(name.text)
            else:
                unread.append(_Unreadable(name.text, name.path, error.problems))
    problems += [problem for one in unread for problem in one.problems]
    findings = [as_finding(problem, one.path, one.name) for one in unread for problem in one.problems]
    unreadable = [one.facts() for one in unread]
    gaps = Gaps(len(unread), len(unused), len(unlimited), len(selection.others), len(selection.unlisted))
    if not verdicts and not problems and not is_hook:
        raise SpecError(f"no network has limits to check: {_names(unlimited)}", "write a budget: in it")
    remarks = [
        f"{word}: {_names(texts)}"
        for word, texts in (
            ("without limits", unlimited),
            ("without a network", selection.others),
            ("not listed under specs: of the settings", selection.unlisted),
        )
        if texts
    ]
    return Networks(_told_apart(verdicts), problems, findings, unused, unreadable, gaps, remarks)


def select(specs: Sequence[str], project: ProjectConfig | None, is_hook: bool) -> tuple[Selection, list[Problem]]:
    """What to check, and a problem for each pattern of the configuration's limits that fits none of what it lists."""
    from convcalc.budgets.spec_list import Selection, select_changed, select_specs

    if specs and not is_hook:
        return select_specs(specs), []
    listed = project.listed() if project else []
    problems = project.unused(listed) if project and listed else []
    if is_hook:
        return select_changed(specs, listed), problems
    if listed:
        return Selection(listed), problems
    hint = "name one, or list them under specs: in convcalc.yaml"
    raise SpecError(f"{project.name} lists no specs" if project else "no SPEC is named", hint)


def _facts(verdict: Verdict) -> dict[str, Any]:
    """What a program should know of a network: its spec, its verdict, its figures before and after."""
    levels = [finding.level for finding in verdict.findings]
    numbers = {"limits": len(levels), "failed": levels.count("error"), "warnings": levels.count("warn")}
    facts = {"name": verdict.table.title, "spec": verdict.spec, "verdict": VERDICTS[verdict.level], **numbers}
    return {**verdict.facts, **facts}


def _told_apart(verdicts: Sequence[Verdict]) -> list[Verdict]:
    """The verdicts, the SPEC in the title of each network whose title another one has."""
    titles = Counter(verdict.table.title for verdict in verdicts)
    return [
        verdict.titled(printable(f"{title} ({verdict.spec})")) if titles[title := verdict.table.title] > 1 else verdict
        for verdict in verdicts
    ]


def _names(texts: Sequence[str]) -> str:
    more = len(texts) - MOST_NAMED
    return ", ".join(map(printable, texts[:MOST_NAMED])) + (f" and {more} more" if more > 0 else "")
