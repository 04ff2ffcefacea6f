"""The table as plain aligned text, nothing cut; on a terminal `_terminal` writes it instead."""

from __future__ import annotations

from typing import Any, TextIO

from convcalc.report import Column, Report, Table
from convcalc.report._text import text

LEFT = ("text", "name", "shape", "bar")


def write(report: Report, stream: TextIO) -> None:
    for number, table in enumerate(report.tables):
        stream.write("\n" if number else "")
        stream.write("\n".join(plain(table, report.exact)) + "\n")
    if report.notes:
        stream.write("\n" + "\n".join(report.notes) + "\n")


def cells(table: Table, exact: bool) -> tuple[list[list[str]], list[str] | None]:
    """Every value as text: the rows, and the total."""

    def row(values: Any) -> list[str]:
        return [text(value, column.holds, exact) for value, column in zip(values, table.columns, strict=True)]

    return [row(values) for values in table.rows], None if table.total is None else row(table.total)


def plain(table: Table, exact: bool) -> list[str]:
    """The lines of a table as aligned text."""
    rows, total = cells(table, exact)
    headings = [column.heading for column in table.columns]
    every = [headings, *rows, *([total] if total else [])]
    widths = [max(len(line[at]) for line in every) for at in range(len(headings))]
    rule = "  ".join("-" * width for width in widths)
    lines = [table.title] if table.title else []
    lines += [_line(headings, widths, table.columns), rule]
    lines += [_line(row, widths, table.columns) for row in rows]
    if total:
        lines += [rule, _line(total, widths, table.columns)]
    return [*lines, *table.notes]


def _line(row: list[str], widths: list[int], columns: Any) -> str:
    return "  ".join(
        _pad(cell, width, column) for cell, width, column in zip(row, widths, columns, strict=True)
    ).rstrip()


def _pad(cell: str, width: int, column: Column) -> str:
    return cell.ljust(width) if column.holds in LEFT else cell.rjust(width)
