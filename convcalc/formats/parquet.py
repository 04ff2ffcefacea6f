"""Parquet, in row groups as the rows come: whole numbers as int64, decimals as doubles, shapes and words as text.

Needs the extra: pip install 'convcalc[sweep]'.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from importlib import import_module
from itertools import chain, islice
from typing import Any, TextIO

from convcalc.errors import SpecError
from convcalc.kinds.sizes import shape_text
from convcalc.report import Column, Report

STREAMS = True
GROUP = 2**16


def write(report: Report, stream: TextIO) -> None:
    try:
        pyarrow, parquet = import_module("pyarrow"), import_module("pyarrow.parquet")
    except ImportError:
        raise SpecError("the format parquet needs pyarrow", "pip install 'convcalc[sweep]'") from None
    if stream.isatty() or not hasattr(stream, "buffer"):
        raise SpecError("parquet is not text", "name a file with -o")
    if len(report.tables) != 1:
        raise SpecError(f"parquet holds one table, this report has {len(report.tables)}", "use -f json")
    (table,) = report.tables
    groups = _groups(table.rows)
    first = next(groups, [])
    schema = pyarrow.schema(
        [(_text(column.key), _type(pyarrow, column, first, at)) for at, column in enumerate(table.columns)]
    )
    with parquet.ParquetWriter(stream.buffer, schema) as writer:
        for rows in chain([first] if first else [], groups):
            columns = [[_cell(row[at], column) for row in rows] for at, column in enumerate(table.columns)]
            try:
                arrays = [pyarrow.array(cells, kind) for cells, kind in zip(columns, schema.types, strict=True)]
            except (OverflowError, pyarrow.ArrowInvalid):
                raise SpecError("a figure is too large for Parquet's 64 bits", "use -f csv") from None
            writer.write_table(pyarrow.Table.from_arrays(arrays, schema=schema))


def _groups(rows: Iterable[Sequence[Any]]) -> Iterator[list[Any]]:
    source = iter(rows)
    while group := list(islice(source, GROUP)):
        yield group


def _type(pyarrow: Any, column: Column, rows: Sequence[Sequence[Any]], at: int) -> Any:
    if column.holds in ("count", "change"):
        return pyarrow.float64() if any(isinstance(row[at], Decimal) for row in rows) else pyarrow.int64()
    return pyarrow.float64() if column.holds in ("share", "ratio", "times", "bar") else pyarrow.string()


def _cell(value: Any, column: Column) -> Any:
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, (tuple, list)):
        return shape_text(value)
    is_number = column.holds in ("count", "change") or isinstance(value, float)
    return value if value is None or is_number else _text(str(value))


def _text(text: str) -> str:
    """Text as valid Unicode."""
    return text.encode("utf-8", "backslashreplace").decode()
