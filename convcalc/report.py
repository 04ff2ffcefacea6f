"""What commands hand to a format: tables and findings of plain values."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, NamedTuple

from convcalc.record import Record

SCHEMA_VERSION = 1
UNREADABLE_RULE = "spec"  # of a finding that says why something cannot be checked


class Column(NamedTuple):
    """A column: its key in JSON and CSV, its heading, and what its values are.

    `holds` is one of: text, name (folds when the table is too wide), tree (a name below
    those that it is part of), shape, count (a whole number), exact (one of which
    every digit matters), change (one with its sign), share (a fraction), ratio (`12.1x`), times (a ratio in words:
    `12.1x fewer`), level (of a finding), equation (a mapping of formula, numbers and value), bar (a fraction, drawn).
    A column that is `optional` is left out where a terminal is too narrow.
    """

    key: str
    heading: str
    holds: str = "count"
    optional: bool = False


class Table(Record):
    """Rows of plain values under columns; `total` is a last row set apart, `notes` stand below.

    `facts` are what a machine should know about the table: hash, input, batch, totals. The table that `is_answer` is
    drawn where a reader looks first: last, where a report is longer than the screen. `minor` are the indices of rows
    that a reader can do without, and `minor_note` says so: the text table alone leaves them out.
    `spare` makes columns, each with a value a row, that are drawn where a terminal has room, and in no other format.
    """

    title: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[Any]]
    total: Sequence[Any] | None = None
    notes: Sequence[str] = ()
    facts: Mapping[str, Any] = {}
    is_answer: bool = False
    minor: Collection[int] = ()
    minor_note: str = ""
    spare: Callable[[], Sequence[tuple[Column, Sequence[Any]]]] = tuple


def without_minor_rows(table: Table) -> Table:
    """A table as it is read: without its minor rows, and with the note that says so."""
    if not table.minor:
        return table
    kept = [at for at in range(len(table.rows)) if at not in table.minor]

    def spare() -> Sequence[tuple[Column, Sequence[Any]]]:
        return [(column, [values[at] for at in kept]) for column, values in table.spare()]

    notes = [*table.notes, table.minor_note]
    return table._replace(rows=[table.rows[at] for at in kept], notes=notes, minor=(), spare=spare)


class Finding(Record):
    """One thing that a check found: a level (error, warn, info, ok), a stable rule, a message, and where.

    `file` and `line` are of the spec; `scope` names the network, so that the same rule in two specs stays apart.
    `spec` is the network's file, where that is known: the location may be in the project's configuration.
    """

    level: str
    rule: str
    message: str
    file: str
    line: int = 1
    column: int = 1
    scope: str = ""
    spec: str = ""


class Rule(Record):
    """What a rule of findings means, and what to do about one."""

    description: str
    help: str


class Report(Record):
    """What a command found: tables, findings, and the conventions that hold for all of them.

    `verdict` is one line on all findings, also on what could not be checked; for the formats of findings, as `rules`,
    which explain the rules. `folded` are tables for a reader, where `tables` are too many; programs read `tables`.
    """

    command: str
    tables: Sequence[Table]
    notes: Sequence[str] = ()
    facts: Mapping[str, Any] = {}
    exact: bool = False
    findings: Sequence[Finding] = ()
    verdict: str = ""
    folded: Sequence[Table] = ()
    rules: Mapping[str, Rule] = {}

    def for_readers(self) -> Report:
        """Return the report that is shown to a reader."""
        return self._replace(tables=self.folded, folded=()) if self.folded else self

    def with_answer_last(self) -> Report:
        """The same report with the tables that answer after the others."""
        return self._replace(tables=sorted(self.tables, key=lambda table: table.is_answer))

    @property
    def broken(self) -> list[Finding]:
        """The findings that are not in order, the worst first."""
        order = ("error", "warn", "info")
        found = [finding for finding in self.findings if finding.level in order]
        return sorted(found, key=lambda finding: order.index(finding.level))
