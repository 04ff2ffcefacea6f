"""The table on a terminal: colours, and the layout that fits."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from typing import NamedTuple, TextIO

from convcalc.errors import printable
from convcalc.formats._layout import GAP, Layout, fit, folded
from convcalc.formats.table import LEFT, pad
from convcalc.report import Report

# what a terminal is told: SGR codes
BOLD, DIM = "1", "2"
STYLES = {"name": BOLD, "shape": "36", "share": "35", "ratio": "1;32", "times": "1;32", "bar": "34"}
NOTHING = ("0", "0.0%")


def wants_color(choice: str) -> bool:
    """Whether to write colours: --color, then NO_COLOR, FORCE_COLOR, TERM, then whether stdout is a terminal."""
    if choice != "auto":
        return choice == "always"
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR", "0") not in ("", "0"):
        return True
    return is_terminal()


def is_terminal() -> bool:
    """Whether stdout is a terminal that can do more than print lines."""
    try:
        return sys.stdout.isatty() and os.environ.get("TERM") != "dumb"
    except ValueError:
        return False


def write(report: Report, stream: TextIO, exact: bool | None, has_color: bool) -> None:
    """Write a report's tables; `exact` None: every digit where there is room, else units."""
    from shutil import get_terminal_size

    room = get_terminal_size().columns if is_terminal() or "COLUMNS" in os.environ else 10_000
    paint = Paint(has_color)
    for number, table in enumerate(report.tables):
        lines = draw(fit(table, room, exact), room, paint)
        stream.writelines(f"{line}\n" for line in ([""] if number else []))
        stream.writelines(f"{line}\n" for line in lines)
    notes = (line for note in report.notes for line in folded(printable(note), room, "").split("\n"))
    stream.writelines(f"{paint(line, DIM)}\n" for line in notes)


class Paint(NamedTuple):
    """Puts text into a style, where there are colours at all."""

    has_color: bool

    def __call__(self, text: str, style: str) -> str:
        return f"\x1b[{style}m{text}\x1b[0m" if self.has_color and style and text.strip() else text


def draw(layout: Layout, room: int, paint: Paint) -> Iterator[str]:
    """The lines of a table."""
    if layout.title:
        yield from (paint(line, BOLD) for line in folded(printable(layout.title), room, "").split("\n"))
    rule = "─" * layout.width
    styles = [STYLES.get(column.holds, "") for column in layout.columns]
    loud = [BOLD] * len(styles)
    yield from _lines(layout, layout.headings, loud, paint)
    yield rule
    for row in layout.rows:
        yield from _lines(layout, row, styles, paint)
    if layout.total:
        yield rule
        yield from _lines(layout, layout.total, loud, paint)
    for note in layout.notes:
        yield from (paint(line, DIM) for line in folded(printable(note), room, "").split("\n"))


def _lines(layout: Layout, row: list[str], styles: list[str], paint: Paint) -> Iterator[str]:
    """A row as the lines it takes: cells side by side, each under its own first line."""
    parts = [cell.split("\n") for cell in row]
    for number in range(max(map(len, parts))):
        line = []
        for part, size, column, style in zip(parts, layout.widths, layout.columns, styles, strict=True):
            cell = part[number] if number < len(part) else ""
            line.append(paint(pad(cell, size, column.holds in LEFT), DIM if cell in NOTHING else style))
        yield (" " * GAP).join(line).rstrip()
