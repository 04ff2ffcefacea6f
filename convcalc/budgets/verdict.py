"""The verdict on one network, as a table, a row or a line; and on several networks in one line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from convcalc.budgets.findings import NEW_RULE
from convcalc.report import Column, Finding, Table

COLUMNS = (
    Column("rule", "limit on", "text"),
    Column("value", "value", "exact"),
    Column("limit", "limit", "exact"),
    Column("headroom", "headroom", "exact", optional=True),
    Column("level", "", "level"),
    Column("heaviest", "largest layers", "text"),
    Column("source", "from", "text", optional=True),
)

_LEVEL_WORDS = {"error": ("failed", "failed"), "warn": ("warning", "warnings"), "info": ("note", "notes")}


# a row a network whose limits all hold
PASSED = (
    Column("network", "network", "name"),
    Column("limits", "limits", "exact"),
    Column("rule", "closest limit", "text"),
    Column("value", "value", "exact"),
    Column("limit", "limit", "exact"),
    Column("used", "used", "share"),
    Column("level", "", "level"),
    Column("source", "from", "text", optional=True),
)


class Verdict(NamedTuple):
    """The result of checking one network: a table and findings, with one row and one finding for each limit."""

    table: Table
    findings: Sequence[Finding]
    unchecked: int = 0  # limits on growth of a network that is not at the base
    remarks: Sequence[str] = ()  # the notes of the table that say more than its rows
    spec: str = ""  # the SPEC
    facts: Mapping[str, Any] = {}

    @property
    def passed(self) -> bool:
        """Whether every limit of level error holds."""
        return all(finding.level != "error" for finding in self.findings)

    @property
    def level(self) -> str:
        """The worst level of its findings: error, warn, info or ok."""
        levels = [finding.level for finding in self.findings]
        return next((level for level in ("error", "warn", "info") if level in levels), "ok")

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The rows of the table by their keys: rule, value, limit, headroom, level, heaviest, source."""
        keys = [column.key for column in self.table.columns]
        return [dict(zip(keys, row, strict=True)) for row in self.table.rows]

    def titled(self, title: str) -> Verdict:
        """Return the same verdict under another title of the network."""
        findings = [finding._replace(scope=title) for finding in self.findings]
        return self._replace(table=self.table._replace(title=title), findings=findings)

    def passed_row(self) -> list[Any]:
        """The row of PASSED: how many limits hold, and the one of which the largest part is used."""
        counts = [row for row in self.rows if row["headroom"] is not None and row["limit"]]
        closest = max(counts, key=lambda row: (row["value"] / row["limit"], row["limit"]), default=self.rows[0])
        used = closest["value"] / closest["limit"] if counts else None
        number = len(self.findings) - sum(finding.rule == NEW_RULE for finding in self.findings)
        values = (closest[key] for key in ("rule", "value", "limit"))
        return [self.table.title, number, *values, used, "ok", closest["source"]]

    def __str__(self) -> str:
        from convcalc.formats.table import plain

        return "\n".join(plain(self.table, exact=True))


class Gaps(NamedTuple):
    """What was not checked: networks that cannot be read, patterns of the configuration that match no network.

    Of what was found in a folder also the networks without limits, and the files without a network; of a hook's files
    the networks that the configuration does not list.
    """

    unreadable: int = 0
    unused: int = 0
    unlimited: int = 0
    others: int = 0
    unlisted: int = 0


def folded(verdicts: Sequence[Verdict]) -> list[Table]:
    """The tables for a reader of several verdicts: one row a network of which all limits hold, before the others."""
    passed = [verdict for verdict in verdicts if verdict.level == "ok"]
    rows = [verdict.passed_row() for verdict in passed]
    notes = [f"{verdict.table.title}: {remark}" for verdict in passed for remark in verdict.remarks]
    tables = [Table("", PASSED, rows, None, notes)] if rows else []
    return [*tables, *(verdict.table for verdict in verdicts if verdict.level != "ok")]


def summary(verdicts: Sequence[Verdict], gaps: Gaps = Gaps()) -> str:  # noqa: B008  (immutable)
    """Summarize verdicts in one line, also what could not be checked.

    >>> from convcalc.budgets.check import check
    >>> summary([check("reduce-5x5-2-bottleneck", params=17_000)])
    '3 limits in 1 network: all passed'
    """
    levels = _levels(verdicts)
    numbers = [(levels.count(level), words) for level, words in _LEVEL_WORDS.items() if level in levels]
    parts = [f"{number} {words[number != 1]}" for number, words in numbers]
    unchecked = _gap_texts(verdicts, gaps)
    total = f"{_number(len(levels), 'limit')} in {_number(len(verdicts), 'network')}"
    if not unchecked:
        return f"{total}: {', '.join(parts) or 'all passed'}"
    checked = [f"{total}: {', '.join(parts)}" if parts else f"{total} passed"] if levels else []
    nothing = "" if levels or gaps.unreadable else "nothing is checked: "
    return nothing + "; ".join([*checked, *unchecked])


def _levels(verdicts: Sequence[Verdict]) -> list[str]:
    """The level of each limit that was checked."""
    return [finding.level for verdict in verdicts for finding in verdict.findings if finding.rule != NEW_RULE]


def _gap_texts(verdicts: Sequence[Verdict], gaps: Gaps) -> list[str]:
    """What was not checked, in words."""
    texts = []
    new = sum(verdict.unchecked > 0 for verdict in verdicts)
    if new:
        growth = sum(verdict.unchecked for verdict in verdicts)
        texts.append(f"{_number(growth, 'limit')} on growth not checked in {_number(new, 'new network')}")
    if gaps.unreadable:
        texts.append(f"{gaps.unreadable} of {_number(_networks(verdicts, gaps), 'network')} cannot be checked")
    if gaps.unused:
        texts.append(f"{_number(gaps.unused, 'pattern')} of the configuration without a network")
    if gaps.unlimited:
        texts.append(f"{_number(gaps.unlimited, 'network')} without limits")
    if gaps.others:
        texts.append(f"{_number(gaps.others, 'file')} without a network")
    if gaps.unlisted:
        texts.append(f"{_number(gaps.unlisted, 'changed network')} not listed")
    return texts


def _networks(verdicts: Sequence[Verdict], gaps: Gaps) -> int:
    return len(verdicts) + gaps.unreadable + gaps.unlimited


def _number(number: int, noun: str) -> str:
    return f"{number} {noun}{'s'[: number != 1]}"


def facts_of(verdicts: Sequence[Verdict], gaps: Gaps) -> dict[str, Any]:
    """The verdict on all networks for a program: its text and its numbers."""
    levels = _levels(verdicts)
    return {
        "text": summary(verdicts, gaps),
        "networks": _networks(verdicts, gaps),
        "checked": len(verdicts),
        "unreadable": gaps.unreadable,
        "new": sum(verdict.unchecked > 0 for verdict in verdicts),
        "limits": len(levels),
        "failed": levels.count("error"),
        "warnings": levels.count("warn"),
        "unchecked_limits": sum(verdict.unchecked for verdict in verdicts),
        "unused_patterns": gaps.unused,
        "without_limits": gaps.unlimited,
        "files_without_a_network": gaps.others,
        "not_listed": gaps.unlisted,
    }
