"""The table on a terminal: colours, and a layout that fits. Numbers are never cut.

What does not fit is written shorter, in this order: numbers in units, names over several lines, optional columns
left out (which a note says). What still does not fit runs over the edge, whole. No library's table does that, and
importing one takes longer than counting a network.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator, Sequence
from typing import NamedTuple, TextIO, TypeVar

from convcalc.errors import printable
from convcalc.formats.table import LEFT, cells, pad, width
from convcalc.report import Column, Report, Table

# what a terminal is told: SGR codes
BOLD, DIM = "1", "2"
STYLES = {"name": BOLD, "shape": "36", "share": "35", "ratio": "1;32", "times": "1;32", "bar": "34"}
T = TypeVar("T")
GAP = 2
# how narrow a column may be folded: text, a name, text that can be left out instead
SHORTEST, SHORTEST_NAME, SHORTEST_OPTIONAL = 16, 24, 30
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


class Layout(NamedTuple):
    """A table as it fits: columns that are left, their cells as text (names may hold line ends), widths, notes."""

    title: str
    columns: Sequence[Column]
    headings: list[str]
    rows: list[list[str]]
    total: list[str] | None
    widths: list[int]
    notes: Sequence[str]

    @property
    def width(self) -> int:
        return sum(self.widths) + GAP * (len(self.widths) - 1)


def fit(table: Table, room: int, exact: bool | None) -> Layout:
    """The fullest layout that is at most `room` wide; the shortest where none is."""
    for layout in _layouts(table, room, exact):
        if layout.width <= room:
            break
    return layout


def _layouts(table: Table, room: int, exact: bool | None) -> Iterator[Layout]:
    for digits in (True, False) if exact is None else (exact,):
        layout = _lay(table, digits)
        yield layout
        layout = _short_headings(layout)
        yield layout
    layout = _as_tree(layout)
    yield layout
    yield _fold(layout, room)
    left_out: list[str] = []
    for at in reversed(range(len(table.columns))):
        if not table.columns[at].optional:
            continue
        left_out.insert(0, table.columns[at].heading)
        note = f"no room for: {', '.join(left_out)} (use a wider terminal, or -f csv)"
        layout = _without(layout, at)._replace(notes=[*table.notes, note])
        yield layout
        yield _fold(layout, room)


def _lay(table: Table, exact: bool) -> Layout:
    rows, total = cells(table, exact)
    headings = [printable(column.heading) for column in table.columns]
    every = [headings, *rows, *([total] if total else [])]
    widths = [max(width(line[at]) for line in every) for at in range(len(headings))]
    return Layout(table.title, table.columns, headings, rows, total, widths, table.notes)


def _without(layout: Layout, at: int) -> Layout:
    def rest(line: Sequence[T]) -> list[T]:
        return [*line[:at], *line[at + 1 :]]

    return layout._replace(
        columns=rest(layout.columns),
        headings=rest(layout.headings),
        rows=[rest(row) for row in layout.rows],
        total=layout.total and rest(layout.total),
        widths=rest(layout.widths),
    )


def _short_headings(layout: Layout) -> Layout:
    """Headings over several lines where they are wider than what stands below them."""
    below = [
        max((width(line[at]) for line in [*layout.rows, *([layout.total] if layout.total else [])]), default=0)
        for at in range(len(layout.columns))
    ]
    rooms = [max(size, *map(width, heading.split(" "))) for heading, size in zip(layout.headings, below, strict=True)]
    headings = [folded(heading, room) for heading, room in zip(layout.headings, rooms, strict=True)]
    widths = [max(size, _widest(heading)) for heading, size in zip(headings, below, strict=True)]
    return layout._replace(headings=headings, widths=widths)


def _widest(cell: str) -> int:
    return max(map(width, cell.split("\n")))


def _as_tree(layout: Layout) -> Layout:
    """Paths cut behind the last slash: what paths under each other have in common stands in a row of its own."""
    at = next((at for at, column in enumerate(layout.columns) if column.holds == "name"), None)
    if at is None:
        return layout
    rows: list[list[str]] = []
    above = ""
    for row in layout.rows:
        start, slash, end = row[at].rpartition("/")
        if slash and start != above:
            rows.append([f"{start}/" if other == at else "" for other in range(len(row))])
        rows.append([f" {end}" if slash and other == at else cell for other, cell in enumerate(row)])
        above = start
    cells = [layout.headings[at], layout.total[at] if layout.total else "", *(row[at] for row in rows)]
    widths = [max(map(_widest, cells)) if other == at else size for other, size in enumerate(layout.widths)]
    return layout._replace(rows=rows, widths=widths)


def _fold(layout: Layout, room: int) -> Layout:
    """Names and texts over several lines, the widest column first, none below its shortest."""
    widths = list(layout.widths)
    folding = [at for at, column in enumerate(layout.columns) if column.holds in ("name", "text", "equation")]
    least = {at: max(_least(layout.columns[at]), _widest(layout.headings[at])) for at in folding}
    excess = layout.width - room
    while excess > 0:
        widest = max(folding, key=lambda at: widths[at] - least[at], default=0)
        if not folding or widths[widest] <= least[widest]:
            break
        widths[widest] -= 1
        excess -= 1
    rows = [[folded(cell, widths[at]) if at in folding else cell for at, cell in enumerate(row)] for row in layout.rows]
    return layout._replace(widths=widths, rows=rows)


def _least(column: Column) -> int:
    return SHORTEST_NAME if column.holds == "name" else SHORTEST_OPTIONAL if column.optional else SHORTEST


def folded(text: str, room: int, indent: str = " ") -> str:
    """Text over several lines of at most `room` columns, broken after a slash or a space where there is one.

    >>> print(folded("inception_3a/reduce_5x5", 16))
    inception_3a/
     reduce_5x5
    """
    lines: list[str] = []
    for whole in text.split("\n"):
        line = ""
        for part in re.findall(r"[^/ ]*[/ ]*", whole):
            if line.strip() and width(line + part.rstrip()) > room:
                lines.append(line.rstrip())
                line = indent
            line += part
            while width(line.rstrip()) > room:
                lines.append(line[:room])
                line = indent + line[room:]
        lines.append(line.rstrip())
    return "\n".join(lines)


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
