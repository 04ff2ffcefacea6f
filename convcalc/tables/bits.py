"""Build the tables that `bits` prints: bits of each layer, bit operations, bytes of weights and activations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from convcalc.analysis.bits import FLOAT, QuantizedRow, Rule, operations, quantized, weighted
from convcalc.analysis.count import MAC, Count
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
BOPS = (
    "BOPs = bits of the weights x bits of the activations x MACs; of products of two activations, bits of the "
    "activations squared (HAWQ-V3, arXiv:2011.10680)"
)
BYTES = (
    f"weight bytes: weights packed, each layer's filled up to a byte; other bytes: biases and other params at {FLOAT} "
    "bits; activation bytes: what a layer reads"
)
OPS = "OPs: MACs, of one bit by one bit 1/64 of them (XNOR-Net, arXiv:1603.05279)"


def bits_report(counted: Count, options: Sequence[Rule] = ()) -> Report:
    """A network's layers with params or MACs at their bits, and its totals beside those of floats."""
    rows = quantized(counted, options)
    name = title(counted.graph)
    left_out = len(rows) - sum(1 for _ in weighted(rows))
    lines = [conditions(counted)]
    if left_out:
        lines.append(f"{left_out:,} layer{'s'[: left_out != 1]} without params and MACs left out")
    if all(str(row.bits) == f"{FLOAT}x{FLOAT}" for row in rows):
        lines.append(f"nothing states bits, so all are {FLOAT}x{FLOAT}: --bits 8x8, or bits: in the spec")
    if counted.uncounted:
        lines.append(lower_bound(counted))
    figures = _figures(counted, rows)
    totals = {"bits": sorted({str(row.bits) for row in weighted(rows)}), **{str(row[0]): row[1] for row in figures}}
    notes = [BOPS, BYTES, *([OPS] if any(row.binary_macs for row in rows) else []), MAC]
    tables = [
        _layers(name, counted, rows),
        Table(f"{name}: totals", FIGURES, figures, None, lines, {**facts(counted), **totals}, is_answer=True),
    ]
    return Report("bits", tables, [f"{line}." for line in notes], {"conventions": {"bops": BOPS, "bytes": BYTES}})


def _layers(name: str, counted: Count, rows: Sequence[QuantizedRow]) -> Table:
    whole = sum(row.bops for row in rows)
    cells: list[list[Any]] = []
    for row in weighted(rows):
        figures = (row.row.figure("weights"), row.weight_bytes, -(-row.other_bits // 8))
        activations = row.activation_bytes(counted.graph.batch)
        share = row.bops / whole if whole else 0.0
        costs = (row.row.figure("macs"), row.bops, share)
        cells.append([row.row.path, row.row.kind, str(row.bits), *figures, activations, *costs])
    sums = [sum(cell[at] or 0 for cell in cells) for at in (3, 4, 5, 6, 7, 8)]
    unknown = any(cell[6] is None for cell in cells)
    total = ["total", None, None, *sums[:3], None if unknown else sums[3], *sums[4:], 1.0 if whole else 0.0]
    return Table(name, LAYERS, cells, total if cells else None)


def _figures(counted: Count, rows: Sequence[QuantizedRow]) -> list[list[object]]:
    """The totals at the stated bits and at floats. Other params are in all rows, also in those that are left out."""
    weights, macs = counted.figure("weights"), counted.figure("macs")
    others = -(-sum(row.other_bits for row in rows) // 8)
    pairs = [
        ("BOPs", sum(row.bops for row in rows), macs * FLOAT * FLOAT),
        ("weight bytes", sum(row.weight_bytes for row in rows), weights * FLOAT // 8),
        ("other bytes", others, others),
    ]
    if any(row.binary_macs for row in rows):
        pairs.append(("OPs", operations(rows), macs))
    return [[name, value, plain, value / plain if plain else None] for name, value, plain in pairs if plain]
