"""What a terminal shows, as a picture of rich's: SVG, or a fragment of HTML. Nothing in it is loaded from elsewhere."""

from __future__ import annotations

from io import StringIO
from typing import TYPE_CHECKING

from convcalc.formats._terminal import Look, drawings, open_console
from convcalc.report import Report

if TYPE_CHECKING:
    from rich.console import Console

ROOM = 120  # columns at most, unless a table has a wider row
# rich's own pictures name fonts on a server
SVG = """<svg class="convcalc" viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
<style>
.{unique_id}-matrix {{ font-family: monospace; font-size: {char_height}px; line-height: {line_height}px; }}
.{unique_id}-title {{ font-family: sans-serif; font-size: 18px; font-weight: bold; }}
{styles}
</style>
<defs>
<clipPath id="{unique_id}-clip-terminal"><rect width="{terminal_width}" height="{terminal_height}"/></clipPath>
{lines}
</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
"""
HTML = '<pre class="convcalc" style="font-family: monospace; overflow-x: auto">{code}</pre>\n'


def svg(report: Report) -> str:
    """A report as an SVG document: a window with what a terminal shows."""
    from zlib import crc32

    console = _recorded(report)
    name = f"convcalc-{crc32(console.export_text(clear=False).encode())}"  # of its styles, in a page with several
    text = console.export_svg(title=f"convcalc {report.command}", code_format=SVG, unique_id=name)
    return "\n".join(line.strip() for line in text.split("\n") if line.strip()) + "\n"


def html(report: Report) -> str:
    """A report as one element of HTML, with its colours in it."""
    return _recorded(report).export_html(inline_styles=True, code_format=HTML)


def _recorded(report: Report) -> Console:
    """A console that has drawn a report, as wide as its widest line."""
    from rich.cells import cell_len

    look = Look(ROOM, report.exact, has_color=True)
    console = open_console(StringIO(), look, record=True)
    for part in drawings(report, look):
        console.print(part, crop=False)
    lines = console.export_text(clear=False).split("\n")
    console.width = max(cell_len(line.rstrip()) for line in lines)
    return console
