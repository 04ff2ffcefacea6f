"""What a terminal shows, as an element of HTML to put into a page; it names no style and no font of elsewhere."""

from __future__ import annotations

from typing import TextIO

from convcalc.formats._terminal_picture import html
from convcalc.report import Report

FOR_READERS = True


def write(report: Report, stream: TextIO) -> None:
    stream.write(html(report))
