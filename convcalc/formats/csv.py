"""CSV: exact whole numbers, shares as fractions, one header. No total row, so that a sum over a column is the total.

Several tables become one: a first column `table` says which a row belongs to.
"""

from __future__ import annotations

import csv
from decimal import Decimal
from typing import Any, TextIO

from convcalc.errors import printable
from convcalc.formats._numbers import equation
from convcalc.kinds.sizes import shape_text
from convcalc.report import Column, Report

STREAMS = True
# how a spreadsheet recognises a formula
_FORMULA = tuple("=+-@＝＋－＠")


def write(report: Report, stream: TextIO) -> None:
    writer = csv.writer(stream, lineterminator="\n")
    keys = list(dict.fromkeys(column.key for table in report.tables for column in table.columns))
    is_one = len(report.tables) == 1
    writer.writerow([safe(key) for key in (keys if is_one else ["table", *keys])])
    for table in report.tables:
        columns = table.columns
        lines = (
            [value if type(value) is int else _cell(value, column) for value, column in zip(row, columns, strict=True)]
            for row in table.rows
        )
        if is_one:
            writer.writerows(lines)
            continue
        own = [column.key for column in columns]
        at = [own.index(key) if key in own else None for key in keys]
        title = safe(table.title)
        writer.writerows([title, *("" if place is None else line[place] for place in at)] for line in lines)


def _cell(value: Any, column: Column) -> Any:
    if column.holds == "shape" and isinstance(value, (tuple, list)):
        return shape_text(value)
    if column.holds == "equation":
        return safe(equation(value))
    return value if value is None or isinstance(value, (int, float, Decimal)) else safe(str(value))


def safe(text: str) -> str:
    """Text that no spreadsheet takes for a formula.

    >>> safe("=1+2"), safe("conv1")
    ("'=1+2", 'conv1')
    """
    text = printable(text)
    return f"'{text}" if text.startswith(_FORMULA) else text
