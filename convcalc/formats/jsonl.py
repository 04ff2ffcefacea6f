"""JSON lines: one object a row and nothing else, so that a report of any length streams."""

from __future__ import annotations

import json
from typing import TextIO

from convcalc.formats.json import plain, row
from convcalc.report import Report

STREAMS = True


def write(report: Report, stream: TextIO) -> None:
    for table in report.tables:
        for values in table.rows:
            stream.write(json.dumps(row(table.columns, values), ensure_ascii=False, default=plain) + "\n")
