"""Build the tables that `bits` prints: bits of each layer, bit operations, bytes of weights and activations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from convcalc.analysis.bits import BOPS, BYTES, activation_bits, bits_of, operations
from convcalc.analysis.count import MAC, Count, Row
from convcalc.bits import FLOAT
from convcalc.report import Column, Report, Table
from convcalc.tables.count import conditions, facts, lower_bound, title

LAYERS = (
    Column("name", "name", "name"),
    Column("kind", "kind", "text", optional=True),
    Column("bits", "bits", "text"),
    Column("weights", "weights", optional=True),
    Column("weight_bytes", "weight bytes"),
    Column("other_bytes", "other bytes", optional=True),
    Column("activation_bytes", "activation bytes", optional=True),
    Column("macs", "MACs", optional=True),
    Column("bops", "BOPs"),
    Column("bops_share", "BOPs %", "share"),
)
FIGURES = (
    Column("figure", "figure", "text"),
    Column("value", "at these bits"),
    Column("float_value", f"at {FLOAT}x{FLOAT}"),
    Column("ratio", "", "times"),
)
OPS = "OPs: MACs, of one bit by one bit 1/64 of them (XNOR-Net, arXiv:1603.05279)"


def bits_report(counted: Count) -> Report:
    """A network's layers with params or MACs at their bits, and its totals beside those of floats."""
    rows = [row for row in counted.rows if row.figure("params") or row.figure("macs")]
    name = title(counted.graph)
    left_out = len(counted.rows) - len(rows)
    lines = [conditions(counted)]
    if left_out:
        lines.append(f"{left_out:,} layer{'s'[: left_out != 1]} without params and MACs left out")
    if not counted.graph.has_bits:
        lines.append(f"nothing states bits, so all are {FLOAT}x{FLOAT}: --bits 8x8, or bits: in the spec")
    if counted.uncounted:
        lines.append(lower_bound(counted))
    figures = _figures(counted)
    totals = {"bits": sorted({str(bits_of(row)) for row in rows}), **{str(row[0]): row[1] for row in figures}}
    notes = [BOPS, BYTES, "activation bytes: what a layer reads", *([OPS] if _binary(counted) else []), MAC]
    tables = [
        _layers(name, counted, rows),
        Table(f"{name}: totals", FIGURES, figures, None, lines, {**facts(counted), **totals}, is_answer=True),
    ]
    return Report("bits", tables, [f"{line}." for line in notes], {"conventions": {"bops": BOPS, "bytes": BYTES}})


def _binary(counted: Count) -> bool:
    return any(bits_of(row) == (1, 1) and row.figure("macs") for row in counted.rows)


def _other_bytes(row: Row | Count) -> int:
    return (row.figure("params") - row.figure("weights")) * FLOAT // 8


def _layers(name: str, counted: Count, rows: Sequence[Row]) -> Table:
    whole = counted.figure("bops")
    activations = [activation_bits(row, counted.graph.batch) for row in rows]
    cells: list[list[Any]] = []
    for row, bits in zip(rows, activations, strict=True):
        figures = (row.figure("weights"), row.figure("weight_bytes"), _other_bytes(row), _in_bytes(bits))
        bops = row.figure("bops")
        share = bops / whole if whole else 0.0
        cells.append([row.path, row.kind, str(bits_of(row)), *figures, row.figure("macs"), bops, share])
    read = None if None in activations else _in_bytes(sum(bits or 0 for bits in activations))
    stored = (counted.figure("weights"), counted.figure("weight_bytes"), _other_bytes(counted))
    total = ["total", None, None, *stored, read, counted.figure("macs"), whole, 1.0 if whole else 0.0]
    return Table(name, LAYERS, cells, total if cells else None)


def _in_bytes(bits: int | None) -> int | None:
    return None if bits is None else -(-bits // 8)


def _figures(counted: Count) -> list[list[object]]:
    """The totals at the stated bits and at floats."""
    weights, macs = counted.figure("weights"), counted.figure("macs")
    pairs = [
        ("BOPs", counted.figure("bops"), macs * FLOAT * FLOAT),
        ("weight bytes", counted.figure("weight_bytes"), weights * FLOAT // 8),
        ("other bytes", _other_bytes(counted), _other_bytes(counted)),
    ]
    if _binary(counted):
        pairs.append(("OPs", operations(counted.rows), macs))
    return [[name, value, plain, value / plain if plain else None] for name, value, plain in pairs if plain]
