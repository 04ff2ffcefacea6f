"""Build the tables that `reconcile` prints: what explains a claimed number."""

from __future__ import annotations

from collections.abc import Sequence

from convcalc.conventions.reconcile import Claim, Reading, nearest, reconcile
from convcalc.report import Column, Report, Table


def reconcile_report(claims: Sequence[Claim], readings: list[Reading], most: int) -> Report:
    """A table for each claim with at most `most` explanations."""
    return Report("reconcile", [_claim_table(claim, readings, most) for claim in claims])


def _claim_table(claim: Claim, readings: list[Reading], most: int) -> Table:
    """The explanations of one claim, the simplest first; the nearest figures where there is none."""
    every = reconcile(claim, readings)
    columns = [
        Column("tool", "as", "text"),
        Column("unit", "unit", "text"),
        Column("input", "input", "text"),
        Column("changes", "changed", "text"),
        Column("figure", "gives"),
        Column("off", "off by", "share"),
        Column("because", "because", "name", optional=True),
    ]
    rows = [
        [way.tool, way.unit, way.size, ", ".join(way.changes), way.figure, float(way.off(claim)), way.because]
        for way in every[:most] or nearest(claim, readings)
    ]
    heading = f"{claim.text} ({claim.of}): " + (
        f"{len(every)} explanation{'s' * (len(every) > 1)}" if every else "no explanation"
    )
    notes = [f"claimed {claim.value:,.0f}, within {claim.slack:,.0f}, the precision of its digits"]
    if not every:
        notes.append(
            f"no match in {len(readings)} input sizes and foldings, doubled, halved or without the head; the nearest"
        )
    elif every[most:]:
        notes.append(
            f"{len(every) - most} more explanations with more changes or a larger difference; --most shows them"
        )
    facts = {"claim": claim.text, "of": claim.of, "value": float(claim.value), "explanations": len(every)}
    return Table(heading, columns, rows, None, notes, facts)
