"""JSON lines: one object a row and nothing else, so that a report of any length streams."""

from __future__ import annotations

from typing import TextIO

from convcalc.formats.json import encode, row
from convcalc.report import Report

STREAMS = True


def write(report: Report, stream: TextIO) -> None:
    for table in report.tables:
        for values in table.rows:
            stream.write(encode(row(table.columns, values)) + "\n")
