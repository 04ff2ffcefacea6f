"""convcalc params: what each layer of a network costs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from convcalc.commands._options import SPEC, Output, WholeNumber, emit, output_options, spec_options, strict_option
from convcalc.commands._sections import Sectioned
from convcalc.language.overrides import Overrides

if TYPE_CHECKING:
    from convcalc.report import Table


@click.command("params", cls=Sectioned)
@click.argument("specs", nargs=-1, required=True, type=SPEC, metavar="SPEC...")
@spec_options
@strict_option
@click.option("--depth", type=WholeNumber(1, 100), help="Fold blocks below this many levels into one row each.")
@click.option(
    "--by", type=click.Choice(["layer", "kind"]), default="layer", help="A row for each layer, or for each kind."
)
@click.option("--tree", "is_tree", is_flag=True, help="A row for each block too, before what is in it.")
@click.option("--columns", default="", metavar="A,B,...", help="The columns to show, or 'all'.")
@click.option("--sort", default="", metavar="COLUMN", help="Sort by a column, largest first; -COLUMN: smallest first.")
@click.option("--as", "tool", default="", metavar="TOOL", help="The figures that another tool prints, or 'all' tools.")
@click.option("--backward", is_flag=True, help="With --as: the figures of a forward and a backward pass.")
@output_options
def command(
    specs: tuple[str, ...],
    depth: int | None,
    by: str,
    is_tree: bool,
    columns: str,
    sort: str,
    tool: str,
    backward: bool,
    overrides: Overrides,
    output: Output,
) -> None:
    """Show what each layer costs: weights, MACs, output shape.

    \b
    convcalc params net.yaml
    convcalc params googlenet --depth 1
    convcalc params resnet50 --tree --depth 2
    convcalc params mobilenet_v1 --set width=0.5 --input 160 -f json
    convcalc params net.yaml --as thop
    """
    from convcalc.analysis.count import count
    from convcalc.errors import SpecError
    from convcalc.loader import graphs
    from convcalc.tables.count import count_tables, counted_report

    tables: list[Table] = []
    if backward and not tool:
        raise SpecError("--backward goes with --as", "for example --as torch --backward; convcalc train counts a step")
    if tool:
        from convcalc.tables.conventions import tables_as

        if by == "kind" or columns or sort or is_tree:
            raise SpecError("--as has columns of its own", "leave --by, --columns, --sort and --tree out")
        for graph in graphs(specs, overrides):
            tables += tables_as(count(graph), tool, depth, backward)
    else:
        if is_tree and (by == "kind" or sort):
            raise SpecError("--tree has the order of the network", "leave --by and --sort out")
        for graph in graphs(specs, overrides):
            tables += count_tables(count(graph), depth, by, columns, sort, is_tree)
    emit(counted_report("params", tables), output)
