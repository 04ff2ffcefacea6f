"""JSON: exact whole numbers, keys that stay, `schema_version` first."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any, TextIO

from convcalc import __version__
from convcalc.report import SCHEMA_VERSION, Column, Report, Table


def write(report: Report, stream: TextIO) -> None:
    data: dict[str, Any] = {"schema_version": SCHEMA_VERSION, "convcalc": __version__, "command": report.command}
    data.update(report.facts)
    data["tables"] = [_table(table) for table in report.tables]
    json.dump(data, stream, indent=1, ensure_ascii=False, default=plain)
    stream.write("\n")


def plain(value: Any) -> Any:
    """A variable's exact decimal as a number, anything else that JSON lacks as text."""
    return float(value) if isinstance(value, Decimal) else str(value)


def _table(table: Table) -> dict[str, Any]:
    found: dict[str, Any] = {"title": table.title, **table.facts}
    found["rows"] = [row(table.columns, values) for values in table.rows]
    if table.total is not None:
        found["total"] = row(table.columns, table.total)
    return found


def row(columns: Any, values: Any) -> dict[str, Any]:
    """A row as an object: column keys, plain values."""
    return {column.key: _value(column, value) for column, value in zip(columns, values, strict=True)}


def _value(column: Column, value: Any) -> Any:
    if column.holds == "shape" and value is not None:
        return [int(size) for size in value] if not isinstance(value, str) else value
    return value if isinstance(value, (int, float, str, bool, list, dict, type(None))) else plain(value)
