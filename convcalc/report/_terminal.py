"""The table on a terminal, with rich: colours, folding names, numbers whole. Everything else is plain text."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

from convcalc.report import Report, Table

if TYPE_CHECKING:
    from rich.console import Console

STYLES = {"name": "bold", "text": "", "shape": "cyan", "share": "magenta", "ratio": "bold green", "bar": "blue"}


def wants_rich(color: str) -> bool:
    """True where the table goes to a terminal, or colours are demanded: --color, then NO_COLOR, FORCE_COLOR, TERM."""
    if color == "always":
        return True
    if color == "never":
        return _is_terminal()
    if _is_terminal():
        return os.environ.get("TERM") != "dumb"
    return _forced() and not os.environ.get("NO_COLOR")


def _forced() -> bool:
    return os.environ.get("FORCE_COLOR", "") not in ("", "0")


def _is_terminal() -> bool:
    try:
        return sys.stdout.isatty()
    except ValueError:
        return False


def has_color(color: str) -> bool:
    """Whether colours are used at all."""
    if color != "auto":
        return color == "always"
    return not os.environ.get("NO_COLOR")


def write(report: Report, color: str) -> None:
    """Write a report's tables to the terminal."""
    from rich.console import Console

    width = None if _is_terminal() or "COLUMNS" in os.environ else 10_000
    console = Console(
        no_color=not has_color(color),
        color_system="auto" if not has_color(color) or _is_terminal() else "standard",
        force_terminal=has_color(color) or None,
        width=width,
        markup=False,
        emoji=False,
        highlight=False,
    )
    for number, table in enumerate(report.tables):
        if number:
            console.print()
        _write_table(console, table, report.exact)
    for note in report.notes:
        console.print(note, style="dim")


def _write_table(console: Console, table: Table, exact: bool) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table as RichTable
    from rich.text import Text

    from convcalc.report.table import LEFT, cells

    rows, total = cells(table, exact)
    drawn = RichTable(
        box=SIMPLE_HEAD, show_footer=total is not None, pad_edge=False, header_style="bold", footer_style="bold"
    )
    for at, column in enumerate(table.columns):
        folds = column.holds in ("name", "text")
        options: dict[str, Any] = (
            {"overflow": "fold", "min_width": min(12, _widest(rows, total, at))} if folds else {"no_wrap": True}
        )
        drawn.add_column(
            Text(column.heading),
            Text(total[at]) if total else "",
            justify="left" if column.holds in LEFT else "right",
            style=STYLES.get(column.holds, ""),
            **options,
        )
    for row in rows:
        drawn.add_row(*(Text(cell) for cell in row))
    if table.title:
        console.print(Text(table.title, style="bold"))
    console.print(drawn)
    for note in table.notes:
        console.print(Text(note, style="dim"))


def _widest(rows: list[list[str]], total: list[str] | None, at: int) -> int:
    return max((len(row[at]) for row in [*rows, *([total] if total else [])]), default=1)
