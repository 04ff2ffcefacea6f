"""The report on a terminal, drawn by rich: colours, signs, and the layout that fits.

`_layout` decides what fits; rich only draws it. A table of rich takes about a hundred times as long a row as the same
lines without one, so only what fits a screen is one. rich is imported here and nowhere else, and only where something
is drawn.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, TextIO

from convcalc.errors import printable
from convcalc.formats._layout import GAP, Layout, fit, folded
from convcalc.formats.table import LEFT, closing_lines, pad, width
from convcalc.report import Report, Table, without_minor_rows

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions
    from rich.segment import Segment
    from rich.table import Table as RichTable

MOST_ROWS = 40  # of a rich.table.Table: with more, drawing takes longer than importing rich and counting together
BOLD, DIM, RED, GREEN = "bold", "dim", "red", "green"
STYLES = {"name": BOLD, "tree": BOLD, "shape": "cyan", "share": "magenta", "bar": "blue"}
LEVELS = {"error": "bold red", "warn": "yellow", "info": "cyan", "ok": GREEN}
SIGNS = {"error": "✗", "warn": "!", "info": "i", "ok": "✓"}
PLAIN_SIGNS = {"error": "x", "warn": "!", "info": "i", "ok": "+"}
NOTHING = ("0", "0.0%")
COSTS = ("weights", "params", "macs", "flops")  # of which fewer is green
FINDING = re.compile(r"(.*?:\d+:\d+: )(error|warn|info)(: .*)", re.DOTALL)
ERROR_STYLES = (
    (re.compile(r"( +hint: .*)"), "cyan"),
    (re.compile(r" +\| +(\^~*)$"), LEVELS["error"]),
    (re.compile(r"(?! +\d+ \|)(?:.*?: )?(error)(?=: )"), LEVELS["error"]),
)
IN_ASCII = str.maketrans("─█▉▊▋▌▍▎▏│├└", "-########||`")


class Look(NamedTuple):
    """How a report is drawn: columns of the terminal, digits (None: where there is room), colours, only ASCII."""

    room: int
    exact: bool | None = None
    has_color: bool = False
    is_plain: bool = False


def draw(report: Report, look: Look) -> str:
    """A report as the text that a terminal is sent."""
    from io import StringIO

    stream = StringIO()
    console = open_console(stream, look)
    for part in drawings(report, look):
        console.print(part, crop=False)
    text = stream.getvalue()
    return text.translate(IN_ASCII) if look.is_plain else text


def open_console(stream: TextIO, look: Look, record: bool = False) -> Console:
    """A console that changes no text: no markup, no emoji codes, no wrapping, and nothing of the environment."""
    from rich.console import Console

    return Console(
        file=stream,
        width=look.room,
        color_system="standard" if look.has_color else None,
        force_terminal=look.has_color,
        force_jupyter=False,
        no_color=not look.has_color,
        markup=False,
        emoji=False,
        highlight=False,
        legacy_windows=False,
        record=record,
    )


def drawings(report: Report, look: Look) -> Iterator[Drawing]:
    """The parts of a report in order: its tables, its notes, and last the verdict."""
    for number, table in enumerate(report.tables):
        layout = fit(signed(without_minor_rows(table), look), look.room, look.exact)
        yield Drawing(layout, look, has_gap=number > 0)
    *notes, verdict = [*closing_lines(report), ""] if not report.verdict else closing_lines(report)
    empty = Layout("", (), [], [], None, [], notes)
    level = next((finding.level for finding in report.broken), "ok") if verdict else ""
    yield Drawing(empty, look, verdict=(level, verdict))


def signed(table: Table, look: Look) -> Table:
    """A table with a sign before each level of its findings."""
    levels = [at for at, column in enumerate(table.columns) if column.holds == "level"]
    if not levels:
        return table
    rows = [list(row) for row in table.rows]
    for row in rows:
        for at in levels:
            row[at] = sign_of(row[at], look) + str(row[at])
    return table._replace(rows=rows)


def sign_of(level: str, look: Look) -> str:
    """The sign of a level, with a space after it; "" for a word that is none.

    >>> sign_of("error", Look(80)), sign_of("error", Look(80, is_plain=True))
    ('✗ ', 'x ')
    """
    sign = (PLAIN_SIGNS if look.is_plain else SIGNS).get(level, "")
    return f"{sign} " if sign else ""


class Drawing(NamedTuple):
    """A layout for a console of rich, as a table or as the same lines."""

    layout: Layout
    look: Look
    has_gap: bool = False
    verdict: tuple[str, str] = ("", "")

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Any]:
        from rich.segment import Segment

        layout, room = self.layout, self.look.room
        if self.has_gap:
            yield Segment.line()
        if layout.title:
            yield from _text_lines(layout.title, room, BOLD)
        if layout.columns:
            if len(layout.rows) <= MOST_ROWS and _is_measured_alike(layout):
                yield from console.render(as_table(layout), options.update(width=layout.width))
            else:
                yield from as_lines(layout)
        for note in layout.notes:
            finding = FINDING.fullmatch(note)
            yield from _finding_lines(finding, room) if finding else _text_lines(note, room, DIM)
        level, text = self.verdict
        if text:
            yield from _text_lines(sign_of(level, self.look) + text, room, LEVELS[level])


def as_table(layout: Layout) -> RichTable:
    """A table of rich in which every column has its exact width, so that rich cuts and wraps nothing."""
    from rich.box import Box
    from rich.table import Table as RichTable
    from rich.text import Text

    box = Box("    \n    \n ── \n    \n    \n ── \n    \n    \n")
    # one column for padding and one for the box: the two between columns
    table = RichTable(
        box=box,
        padding=(0, GAP - 1, 0, 0),
        pad_edge=False,
        show_edge=False,
        show_footer=bool(layout.total),
        header_style="",
        footer_style="",
    )
    for at in range(len(layout.columns)):
        heading, total = (
            Text(_padded(cell, layout, at), BOLD)
            for cell in (layout.headings[at], (layout.total or layout.headings)[at])
        )
        table.add_column(heading, total, width=layout.widths[at], no_wrap=True, overflow="ignore")
    for row in layout.rows:
        styles = _styles(layout, row)
        table.add_row(*[Text(_padded(cell, layout, at), styles[at]) for at, cell in enumerate(row)])
    return table


def as_lines(layout: Layout) -> Iterator[Segment]:
    """The lines of a table, the same as those of `as_table`."""
    from rich.segment import Segment

    loud, rule = [BOLD] * len(layout.columns), "─" * layout.width
    yield from _row_lines(layout, layout.headings, loud, is_at_bottom=True)
    yield from (Segment(rule), Segment.line())
    for row in layout.rows:
        yield from _row_lines(layout, row, _styles(layout, row))
    if layout.total:
        yield from (Segment(rule), Segment.line())
        yield from _row_lines(layout, layout.total, loud)


def _row_lines(
    layout: Layout, row: Sequence[str], styles: Sequence[str], is_at_bottom: bool = False
) -> Iterator[Segment]:
    from rich.segment import Segment

    parts = [cell.split("\n") for cell in row]
    height = max(map(len, parts))
    if is_at_bottom:
        parts = [[""] * (height - len(part)) + part for part in parts]
    for number in range(height):
        for at, part in enumerate(parts):
            cell = part[number] if number < len(part) else ""
            gap = " " * GAP if at + 1 < len(parts) else ""
            yield Segment(_padded(cell, layout, at), _style(styles[at]))
            yield Segment(gap)
        yield Segment.line()


def _style(text: str) -> Any:
    from rich.style import Style

    return Style.parse(text) if text else None  # rich keeps what it has parsed


def _padded(cell: str, layout: Layout, at: int) -> str:
    is_left = layout.columns[at].holds in LEFT
    return "\n".join(pad(line, layout.widths[at], is_left) for line in cell.split("\n"))


def _styles(layout: Layout, row: Sequence[str]) -> list[str]:
    """The style of each cell of a row; the first number of one that a check found broken has that of its level."""
    styles = []
    level = ""
    for column, cell in zip(layout.columns, row, strict=True):
        style = STYLES.get(column.holds, "")
        if column.holds == "level":
            level = cell.rpartition(" ")[2]
            style = LEVELS.get(level, "")
        elif cell in NOTHING:
            style = DIM
        elif column.holds == "times" and cell.endswith(("fewer", "more")):
            style = GREEN if cell.endswith("fewer") else RED
        elif column.holds == "change" and cell[:1] in "+-" and column.key in (*COSTS, "change"):
            style = GREEN if cell.startswith("-") else RED
        styles.append(style)
    if level in ("error", "warn"):
        at = next((at for at, column in enumerate(layout.columns) if column.holds in ("count", "exact")), None)
        if at is not None:
            styles[at] = LEVELS[level]
    return styles


def _is_measured_alike(layout: Layout) -> bool:
    """Whether rich takes every cell to be as wide as it is here; it would cut one that it takes to be wider."""
    from rich.cells import cell_len

    cells = (cell for row in (layout.headings, *layout.rows, layout.total or ()) for cell in row)
    return all(cell.isascii() or cell_len(cell) == width(cell) for cell in cells)


def _text_lines(text: str, room: int, style: str) -> Iterator[Segment]:
    from rich.segment import Segment

    for line in folded(printable(text), room, "").split("\n"):
        yield Segment(line, _style(style))
        yield Segment.line()


def _finding_lines(finding: re.Match[str], room: int) -> Iterator[Segment]:
    """A finding: the level in its colour, the rest as it is."""
    from rich.segment import Segment

    first, *rest = folded(printable(finding[0]), room, "").split("\n")
    start, level, end = first.partition(f" {finding[2]}:")
    yield Segment(start)
    yield Segment(level, _style(LEVELS[finding[2]]))
    yield Segment(end)
    yield Segment.line()
    for line in rest:
        yield Segment(line)
        yield Segment.line()


def draw_error(message: str) -> str:
    """The text of errors in colours: the word in red, the caret in red, the hint in cyan.

    >>> draw_error("error: no layers").encode()
    b'\\x1b[1;31merror\\x1b[0m: no layers\\n'
    """
    from io import StringIO

    from rich.text import Text

    stream = StringIO()
    console = open_console(stream, Look(10_000, has_color=True))
    for line in message.split("\n"):
        text = Text(line)
        for pattern, style in ERROR_STYLES:
            if found := pattern.match(line):
                text.stylize(style, *found.span(1))
                break
        console.print(text, crop=False, no_wrap=True, overflow="ignore")
    return stream.getvalue()
