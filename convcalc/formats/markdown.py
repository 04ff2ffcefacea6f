"""Markdown: GitHub's tables, for pull requests and notes."""

from __future__ import annotations

import re
from typing import TextIO

from convcalc.errors import printable
from convcalc.formats.table import LEFT, cells, pad
from convcalc.report import Report, Table

_SIGNS = re.compile(r"([\\`*\[\]<>|~#&$]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9]))")
_START = re.compile(r"\A(\d+(?=[.)])|(?=[-+=]))(.)")  # what begins a list, a rule or a heading
_BACKSLASH = r"\1\\\2"

FOR_READERS = True


def write(report: Report, stream: TextIO) -> None:
    parts = [_table(table, report.exact) for table in report.tables]
    if report.notes:
        parts.append("\n".join(_item(note) for note in report.notes) + "\n")
    stream.write("\n".join(parts))


def _table(table: Table, exact: bool) -> str:
    rows, total = cells(table, exact)
    lines = [[escape(cell) for cell in row] for row in [[column.heading for column in table.columns], *rows]]
    if total is not None:
        lines.append([f"**{escape(cell)}**" if cell else "" for cell in total])
    widths = [max(3, *(len(line[at]) for line in lines)) for at in range(len(table.columns))]
    is_left = [column.holds in LEFT for column in table.columns]
    rule = ["-" * width if left else "-" * (width - 1) + ":" for width, left in zip(widths, is_left, strict=True)]
    padded = [[pad(*cell) for cell in zip(line, widths, is_left, strict=True)] for line in lines]
    drawn = "".join(f"| {' | '.join(line)} |\n" for line in [padded[0], rule, *padded[1:]])
    title = f"**{escape(table.title)}**\n\n" if table.title else ""
    notes = "".join(f"{_item(note)}\n" for note in table.notes)
    return title + drawn + ("\n" + notes if notes else "")


def escape(text: str) -> str:
    """Text that shows as it is: no markup, no HTML, no cell border, nobody mentioned.

    >>> print(escape("a|b"), escape("_x_"), escape("reduce_5x5"), escape("<b>"), escape("@me"))
    a\\|b \\_x\\_ reduce_5x5 \\<b\\> @<!-- -->me
    """
    return _SIGNS.sub(r"\\\1", printable(text)).replace("@", "@<!-- -->")


def _item(note: str) -> str:
    """A note as an item of a list, whatever it begins with."""
    return f"- {_START.sub(_BACKSLASH, escape(note.strip()))}"
