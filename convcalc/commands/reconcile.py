"""convcalc reconcile: which convention, size and batch explain a claimed number."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from convcalc.commands._options import SPEC, Output, emit, output_options, spec_options
from convcalc.language.overrides import Overrides

if TYPE_CHECKING:
    from convcalc.conventions.reconcile import Claim, Reading
    from convcalc.graph import Graph
    from convcalc.report import Table


@click.command("reconcile")
@click.argument("spec", type=SPEC)
@click.option("--claim", "claims", multiple=True, required=True, metavar="N", help="4.14G, 25.6M params, params=25.6M.")
@click.option("--most", type=click.IntRange(1, 10_000), default=12, show_default=True, help="Explanations to show.")
@spec_options
@output_options
def command(
    spec: str,
    claims: tuple[str, ...],
    most: int,
    overrides: Overrides,
    output: Output,
) -> None:
    """Whose number is it: what explains a claimed cost.

    Tries every convention at the spec's input size and common ones, with batches, doubled or halved, with and without
    the head, with batch norms folded, and ranks what gives the claimed digits by how little had to be changed.

    \b
    convcalc reconcile resnet50.yaml --claim 4.14G
    convcalc reconcile resnet50.yaml --claim 4.1G --claim "25.6M params"
    """
    from convcalc.conventions.reconcile import read_claim, readings
    from convcalc.errors import Problem, SpecError, UserError
    from convcalc.language.builder import build
    from convcalc.loader import open_document
    from convcalc.report import Report

    try:
        read = [read_claim(text) for text in claims]
    except UserError as misfit:
        raise SpecError([Problem(f"--claim: {misfit.message}", hint=misfit.hint)]) from None
    document, overrides = open_document(spec, overrides, is_strict=False)

    def at(size: str, folded: bool) -> Graph | None:
        inputs = (size,) if size else overrides.inputs
        try:
            return build(document, overrides._replace(inputs=inputs, deploy=folded or overrides.deploy))
        except SpecError:
            if not size and not folded:
                raise
            return None

    found = readings(at)
    tables = [claim_table(claim, found, most) for claim in read]
    emit(Report("reconcile", tables), output)


def claim_table(claim: Claim, found: list[Reading], most: int) -> Table:
    """The explanations of one claim, the simplest first; the nearest figures where there is none."""
    from convcalc.conventions.reconcile import nearest, reconcile
    from convcalc.report import Column, Table

    every = reconcile(claim, found)
    shown = every[:most] or nearest(claim, found)
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
        for way in shown
    ]
    heading = f"{claim.text} ({claim.of}): " + (
        f"{len(every)} explanation{'s' * (len(every) > 1)}" if every else "nothing explains it"
    )
    notes = [f"claimed {claim.value:,.0f}, give or take {claim.slack:,.0f}: the precision of its digits"]
    if not every:
        notes.append(
            f"none of {len(found)} sizes and foldings, doubled, halved or without a head, gives it; the nearest"
        )
    elif every[most:]:
        notes.append(f"{len(every) - most} more that change more or lie further off; --most shows them")
    facts = {"claim": claim.text, "of": claim.of, "value": float(claim.value), "explanations": len(every)}
    return Table(heading, columns, rows, None, notes, facts)
