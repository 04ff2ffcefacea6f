"""The table as plain aligned text, nothing cut; on a terminal `_terminal` writes it instead."""

from __future__ import annotations

from typing import Any, TextIO

from convcalc.errors import printable
from convcalc.formats._numbers import text
from convcalc.formats._tree import branches
from convcalc.report import Report, Table, without_minor_rows

LEFT = ("text", "level", "name", "tree", "shape", "bar", "equation")

FOR_READERS = True


def write(report: Report, stream: TextIO) -> None:
    for number, table in enumerate(report.tables):
        stream.write("\n" if number else "")
        stream.write("\n".join(plain(without_minor_rows(table), report.exact)) + "\n")
    stream.writelines(f"{printable(line)}\n" for line in closing_lines(report))


def closing_lines(report: Report) -> list[str]:
    """The notes under all tables, and last the verdict."""
    notes = [note for note in report.notes if note != report.verdict]
    return [*notes, report.verdict] if report.verdict else notes


def cells(table: Table, exact: bool) -> tuple[list[list[str]], list[str] | None]:
    """Every value as text: the rows, and the total."""
    holds = [column.holds for column in table.columns]

    def row(values: Any) -> list[str]:
        return [text(value, what, exact) for value, what in zip(values, holds, strict=True)]

    rows = [row(values) for values in table.rows]
    for at in (at for at, what in enumerate(holds) if what == "tree"):
        for line, branch in zip(rows, branches([values[at] for values in table.rows]), strict=True):
            line[at] = branch
    return rows, None if table.total is None else row(table.total)


def plain(table: Table, exact: bool) -> list[str]:
    """The lines of a table as aligned text."""
    rows, total = cells(table, exact)
    headings = [printable(column.heading) for column in table.columns]
    every = [headings, *rows, *([total] if total else [])]
    widths = [max(width(line[at]) for line in every) for at in range(len(headings))]
    is_left = [column.holds in LEFT for column in table.columns]
    lines = ["  ".join(map(pad, line, widths, is_left)).rstrip() for line in every]
    rule = "  ".join("-" * size for size in widths)
    lines.insert(1, rule)
    if total:
        lines.insert(-1, rule)
    texts = [[printable(table.title)] if table.title else [], lines, map(printable, table.notes)]
    return [line for part in texts for line in part]


def pad(cell: str, size: int, is_left: bool) -> str:
    """A cell filled up to `size` columns of a terminal.

    >>> pad("7", 3, is_left=False), pad("層", 3, is_left=True)
    ('  7', '層 ')
    """
    fill = " " * (size - width(cell))
    return cell + fill if is_left else fill + cell


def width(cell: str) -> int:
    """The columns that a text takes on a terminal; a wide character takes two.

    >>> width("conv"), width("層")
    (4, 2)
    """
    if cell.isascii():
        return len(cell)
    from unicodedata import combining, east_asian_width

    return sum(0 if combining(sign) else 2 if east_asian_width(sign) in "WF" else 1 for sign in cell)
