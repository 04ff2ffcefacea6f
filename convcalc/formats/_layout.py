"""How a table fits a width: numbers in units, names over several lines, columns left out. Numbers are never cut.

What does not fit is written shorter, in this order: numbers in units, names over several lines, optional columns
left out (which a note says), names folded further. What still does not fit runs over the edge, whole.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, TypeVar

from convcalc.errors import printable
from convcalc.formats.table import cells, width
from convcalc.report import Column, Table

FOLDING = ("name", "tree", "text", "equation", "times")
T = TypeVar("T")
GAP = 2
# how narrow a column may be folded: text, a name, text that can be left out instead
SHORTEST, SHORTEST_NAME, SHORTEST_OPTIONAL = 16, 24, 30
# what a line may be broken after: a slash or a space; in a heading or in words a space, or a hyphen between letters
PART, WORD = r"[^/ ]*[/ ]*", r".+?(?:(?<=[^\W\d])-(?=\w)| +|$)"
SHORTEST_OF_ALL = 8  # where nothing is left to leave out


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
    layouts = _layouts(table, room, exact)
    layout = next(layouts)
    spare = table.spare() if layout.width + GAP < room else ()
    for count in range(len(spare), 0, -1):
        fuller = _lay(_with_spare(table, spare[:count]), exact is not False)
        if fuller.width <= room:
            return fuller
    while layout.width > room and (shorter := next(layouts, None)) is not None:
        layout = shorter
    return layout


def _with_spare(table: Table, spare: Sequence[tuple[Column, Sequence[Any]]]) -> Table:
    """A table with spare columns after its own."""
    rows = [[*row, *(values[at] for _, values in spare)] for at, row in enumerate(table.rows)]
    total = table.total and [*table.total, *(None for _ in spare)]
    return table._replace(columns=[*table.columns, *(column for column, _ in spare)], rows=rows, total=total)


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
        if at == 0 or not table.columns[at].optional:
            continue
        left_out.insert(0, table.columns[at].heading)
        note = f"no room for: {', '.join(left_out)} (use a wider terminal, or -f csv)"
        layout = _without(layout, at)._replace(notes=[*table.notes, note])
        yield layout
        yield _fold(layout, room)
    yield _fold(layout, room, SHORTEST_OF_ALL)


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
    rooms = [max(size, _longest_word(heading)) for heading, size in zip(layout.headings, below, strict=True)]
    headings = [folded(heading, room, "", WORD) for heading, room in zip(layout.headings, rooms, strict=True)]
    widths = [max(size, _widest(heading)) for heading, size in zip(headings, below, strict=True)]
    return layout._replace(headings=headings, widths=widths)


def _longest_word(text: str) -> int:
    return max((width(part.rstrip()) for part in re.findall(WORD, text)), default=0)


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


def _fold(layout: Layout, room: int, shortest: int | None = None) -> Layout:
    """Names and texts over several lines, the widest column first, none below its shortest."""
    widths = list(layout.widths)
    folding = [at for at, column in enumerate(layout.columns) if column.holds in FOLDING]
    least = {at: max(_least(layout, at, shortest), _longest_word(layout.columns[at].heading)) for at in folding}
    excess = layout.width - room
    while excess > 0:
        widest = max(folding, key=lambda at: widths[at] - least[at], default=0)
        if not folding or widths[widest] <= least[widest]:
            break
        widths[widest] -= 1
        excess -= 1
    holds = [column.holds for column in layout.columns]
    rows = [
        [_folded(cell, widths[at], holds[at]) if at in folding else cell for at, cell in enumerate(row)]
        for row in layout.rows
    ]
    for at in folding:
        if holds[at] == "tree":  # one of more levels than there is room for
            widths[at] = max([widths[at], *(_widest(row[at]) for row in rows)])
    headings = [
        folded(printable(layout.columns[at].heading), widths[at], "", WORD) if at in folding else heading
        for at, heading in enumerate(layout.headings)
    ]
    return layout._replace(headings=headings, widths=widths, rows=rows)


def _folded(cell: str, room: int, holds: str) -> str:
    """A cell over several lines; those of a name in a tree are below its branch."""
    if holds != "tree":
        return folded(cell, room, part=PART if holds == "name" else WORD)
    name = cell.lstrip("│├└ ")
    branch = cell[: len(cell) - len(name)]
    first, *rest = folded(name, max(room - len(branch), SHORTEST_OF_ALL)).split("\n")
    below = branch.replace("├", "│").replace("└", " ")
    return "\n".join([branch + first, *(below + line for line in rest)])


def _least(layout: Layout, at: int, shortest: int | None) -> int:
    """How narrow a column may be folded; `shortest` where nothing else helps."""
    column = layout.columns[at]
    longest = max((_longest_word(row[at]) for row in layout.rows), default=0)
    if column.holds == "times":  # only between its number and its word
        return longest
    if shortest:
        return shortest if column.holds in ("name", "tree") else max(shortest, min(longest, SHORTEST))
    return SHORTEST_NAME if column.holds in ("name", "tree") else SHORTEST_OPTIONAL if column.optional else SHORTEST


def folded(text: str, room: int, indent: str = " ", part: str = PART) -> str:
    """Text over several lines of at most `room` columns, broken after a slash or a space where there is one.

    >>> print(folded("inception_3a/reduce_5x5", 16))
    inception_3a/
     reduce_5x5
    """
    lines: list[str] = []
    for whole in text.split("\n"):
        line = ""
        for piece in re.findall(part, whole):
            if line.strip() and width(line + piece.rstrip()) > room:
                lines.append(line.rstrip())
                line = indent
            line += piece
            while width(line.rstrip()) > room:
                lines.append(line[:room])
                line = indent + line[room:]
        lines.append(line.rstrip())
    return "\n".join(lines)
