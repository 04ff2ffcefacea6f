"""Reports: every analysis ends in tables of plain values, and each file beside this one writes them in one format.

A format is a module with `write(report, stream)`; its name is the file's. Nothing registers it. One that says
`STREAMS = True` writes each row as it comes and keeps none; one that says `OF_FINDINGS = True` writes no tables.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple, TextIO

from convcalc.folders import modules

if TYPE_CHECKING:
    from pathlib import Path

SCHEMA_VERSION = 1
BINARY = ("parquet",)  # formats for a file, not for a terminal


class Column(NamedTuple):
    """A column: its key in JSON and CSV, its heading, and what its values are.

    `holds` is one of: text, name (folds when the table is too wide), shape, count (a whole number), exact (one of which
    every digit matters), change (one with its sign), share (a fraction), ratio (`12.1x`), times (a ratio in words:
    `12.1x fewer`), equation (a mapping of formula, numbers and value), bar (a fraction, drawn). A column that is
    `optional` is left out where a terminal is too narrow.
    """

    key: str
    heading: str
    holds: str = "count"
    optional: bool = False


class Table(NamedTuple):
    """Rows of plain values under columns; `total` is a last row set apart, `notes` stand below.

    `facts` are what a machine should know about the table: hash, input, batch, totals.
    """

    title: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[Any]]
    total: Sequence[Any] | None = None
    notes: Sequence[str] = ()
    facts: Mapping[str, Any] = {}


class Finding(NamedTuple):
    """One thing that a check found: a level (error, warn, info, ok), a stable rule, a message, and where.

    `file` and `line` are of the spec; `scope` names the network, so that the same rule in two specs stays apart.
    """

    level: str
    rule: str
    message: str
    file: str
    line: int = 1
    column: int = 1
    scope: str = ""


class Report(NamedTuple):
    """What a command found: tables, findings, and the conventions that hold for all of them."""

    command: str
    tables: Sequence[Table]
    notes: Sequence[str] = ()
    facts: Mapping[str, Any] = {}
    exact: bool = False
    findings: Sequence[Finding] = ()

    @property
    def broken(self) -> list[Finding]:
        """The findings that are not in order, the worst first."""
        order = ("error", "warn", "info")
        found = [finding for finding in self.findings if finding.level in order]
        return sorted(found, key=lambda finding: order.index(finding.level))


def names() -> list[str]:
    """The text formats there are."""
    return [name for name in modules(__file__) if name not in BINARY]


def streams(form: str) -> bool:
    """Whether a format writes tables of any length in bounded memory."""
    return getattr(import_module(f"{__name__}.{form}"), "STREAMS", False)


def is_of_findings(form: str) -> bool:
    """Whether a format writes the findings, not the tables."""
    return getattr(import_module(f"{__name__}.{form}"), "OF_FINDINGS", False)


def write(report: Report, form: str, stream: TextIO) -> None:
    """Write a report in the format `form`."""
    import_module(f"{__name__}.{form}").write(report, stream)


def write_file(report: Report, form: str, path: Path) -> None:
    """Write a report into a file, UTF-8, line ends as they are."""
    with path.open("w", encoding="utf-8", newline="") as stream:
        write(report, form, stream)
