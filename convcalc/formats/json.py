"""JSON: exact whole numbers, keys that stay, `schema_version` first; a line a row, so that versions can be compared."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, TextIO

from convcalc import __version__
from convcalc.report import SCHEMA_VERSION, Column, Report, Table

_UNPRINTABLE = re.compile(r"[^\n -~]")


def write(report: Report, stream: TextIO) -> None:
    head = {"schema_version": SCHEMA_VERSION, "convcalc": __version__, "command": report.command, **report.facts}
    stream.write("{\n" + _members(head, 1) + ' "tables": [')
    for number, table in enumerate(report.tables):
        stream.write(",\n" if number else "\n")
        _table(table, stream)
    stream.write("\n ]\n}\n" if report.tables else "]\n}\n")


def _table(table: Table, stream: TextIO) -> None:
    stream.write("  {\n" + _members({"title": table.title, **table.facts}, 3) + '   "rows": [')
    end = "]"
    for values in table.rows:
        stream.write((",\n" if end != "]" else "\n") + f"    {_line(row(table.columns, values))}")
        end = "\n   ]"
    total = "" if table.total is None else f',\n   "total": {_line(row(table.columns, table.total))}'
    stream.write(f"{end}{total}\n  }}")


def _members(values: Mapping[str, Any], depth: int) -> str:
    return "".join(f"{' ' * depth}{_line(key)}: {_line(value)},\n" for key, value in values.items())


def _line(value: Any) -> str:
    return encode(value)


def encode(value: Any, indent: int | None = None) -> str:
    r"""A value as JSON that is valid Unicode, each row on one line, whatever reads it.

    What does not print is written as an escape; half of a surrogate pair, which no text can hold, as text.

    >>> print(encode("a\u2028b\udce9"))
    "a\u2028b\\udce9"
    """
    text = json.dumps(value, ensure_ascii=False, default=plain, indent=indent)
    return text if text.isprintable() else _UNPRINTABLE.sub(_escaped, text)


def _escaped(found: re.Match[str]) -> str:
    sign = found[0]
    if sign.isprintable():
        return sign
    return f"\\\\u{ord(sign):04x}" if "\ud800" <= sign <= "\udfff" else json.dumps(sign)[1:-1]


def plain(value: Any) -> Any:
    """A variable's exact decimal as a number, anything else that JSON lacks as text."""
    return float(value) if isinstance(value, Decimal) else str(value)


def row(columns: Any, values: Any) -> dict[str, Any]:
    """A row as an object: column keys, plain values."""
    return {column.key: _value(column, value) for column, value in zip(columns, values, strict=True)}


def _value(column: Column, value: Any) -> Any:
    if column.holds == "shape" and value is not None:
        return [int(size) for size in value] if not isinstance(value, str) else value
    return value if isinstance(value, (int, float, str, bool, list, dict, type(None))) else plain(value)
