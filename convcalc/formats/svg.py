"""A picture of what a terminal shows, as SVG; for READMEs and pages."""

from __future__ import annotations

from typing import TextIO

from convcalc.formats._terminal_picture import svg
from convcalc.report import Report

FOR_READERS = True


def write(report: Report, stream: TextIO) -> None:
    stream.write(svg(report))
