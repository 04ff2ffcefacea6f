"""convcalc params: what each layer of a network costs."""

from __future__ import annotations

import click

from convcalc.commands._options import SPEC, Output, emit, output_options, spec_options, strict_option
from convcalc.language.overrides import Overrides


@click.command("params")
@click.argument("specs", nargs=-1, required=True, type=SPEC, metavar="SPEC...")
@spec_options
@strict_option
@click.option("--depth", type=click.IntRange(1, 100), help="Fold blocks below this many levels into one row each.")
@click.option(
    "--by", type=click.Choice(["layer", "kind"]), default="layer", help="A row a layer, or totals for each kind."
)
@click.option("--columns", default="", metavar="A,B,...", help="The columns to show; 'all' for every one.")
@click.option(
    "--sort", default="", metavar="COLUMN", help="Sort by a column, the largest first; -COLUMN: the smallest."
)
@click.option("--as", "tool", default="", metavar="TOOL", help="What another tool would print; 'all' for every one.")
@output_options
def command(
    specs: tuple[str, ...],
    depth: int | None,
    by: str,
    columns: str,
    sort: str,
    tool: str,
    output: Output,
    overrides: Overrides,
) -> None:
    """What each layer costs: weights, MACs, output shape.

    \b
    convcalc params net.yaml
    convcalc params googlenet --depth 1
    convcalc params mobilenet_v1 --set width=0.5 --input 160 -f json
    convcalc params net.yaml --as thop
    """
    from convcalc.analysis.count import count
    from convcalc.errors import SpecError
    from convcalc.loader import graphs
    from convcalc.report import Report
    from convcalc.tables.count import CONVENTIONS, count_tables, notes

    if tool:
        from convcalc.tables.convention import tables_as

        if by == "kind" or columns or sort:
            raise SpecError("--as has columns of its own", "leave --by, --columns and --sort out")
        tables = [table for graph in graphs(specs, overrides) for table in tables_as(count(graph), tool, depth)]
        emit(Report("params", tables, notes(tables), {"conventions": CONVENTIONS}), output)
        return
    tables = []
    for graph in graphs(specs, overrides):
        tables += count_tables(count(graph), depth, by, columns, sort)
    emit(Report("params", tables, notes(tables), {"conventions": CONVENTIONS}), output)
