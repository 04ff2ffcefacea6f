"""convcalc conventions: how other tools count."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from convcalc.commands._options import Output, emit, output_options

if TYPE_CHECKING:
    from convcalc.conventions.convention import Convention
    from convcalc.report import Table


@click.command("conventions")
@click.argument("tool", required=False, default="", metavar="[TOOL]")
@output_options
def command(tool: str, output: Output) -> None:
    """How other tools count: every convention, or the rules of one.

    \b
    convcalc conventions
    convcalc conventions thop
    convcalc params resnet50.yaml --as thop
    """
    from convcalc.conventions.convention import find, names
    from convcalc.report import Report

    table = rules_table(find(tool)) if tool else overview([find(name) for name in names()])
    emit(Report("conventions", [table]), output)


def overview(found: list[Convention]) -> Table:
    """A row a convention: what it counts, in which unit."""
    from convcalc.report import Column, Table

    columns = [Column("tool", "tool", "text"), Column("unit", "unit", "text"), Column("about", "counts", "name")]
    rows = [[one.label, one.unit, one.about] for one in found]
    notes = ("a multiply-accumulate is 1 MAC, 1 mult-add or 2 FLOPs; convcalc conventions TOOL shows the rules",)
    return Table("Conventions", columns, rows, None, notes)


def rules_table(one: Convention) -> Table:
    """A row a kind: the expression that a tool counts, and what it gets wrong."""
    from convcalc.report import Column, Table

    columns = [Column("kind", "kind", "name"), Column("rule", one.unit, "text"), Column("error", "known error", "text")]
    kinds = [*one.texts, *(kind for kind in one.errors if kind not in one.texts)]
    rows = [[kind, one.texts.get(kind, "0"), one.errors.get(kind, "")] for kind in kinds]
    notes = [
        one.about,
        f"source: {one.source}",
        "every other kind counts 0" + ("" if one.batch else "; the batch does not count"),
        "inputs and outputs are elements; module and function are 1 by the spec's via:, a module if left out",
    ]
    return Table(one.label, columns, rows, None, notes)
