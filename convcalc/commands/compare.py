"""convcalc compare: networks side by side."""

from __future__ import annotations

import click

from convcalc.commands._options import SPEC, Output, WholeNumber, emit, output_options, spec_options, strict_option
from convcalc.commands._precision import precision_option
from convcalc.commands._sections import Sectioned
from convcalc.language.overrides import Overrides


@click.command("compare", cls=Sectioned)
@click.argument("specs", nargs=-1, required=True, type=SPEC, metavar="SPEC SPEC...")
@precision_option
@spec_options
@strict_option
@click.option("--depth", type=WholeNumber(1, 100), help="Fold blocks below this many levels into one row each.")
@click.option("--totals", is_flag=True, help="Only the totals.")
@click.option("--all", "is_all", is_flag=True, help="Show the rows without weights or MACs too.")
@output_options
def command(
    specs: tuple[str, ...],
    depth: int | None,
    totals: bool,
    is_all: bool,
    precision: str,
    overrides: Overrides,
    output: Output,
) -> None:
    """Compare networks side by side, with ratios to the first.

    The first table has the totals of each network. The second has a row for each layer, matched by name, with a bar
    for its MACs.

    Options that change a spec apply to every network; SPEC@VARIANT chooses a variant of one.

    \b
    convcalc compare mine.yaml googlenet
    convcalc compare mobilenet_v1 mobilenet_v1@x0.5 --depth 1
    convcalc compare mobilenet_v1@x0.25 ds_cnn --precision int8 --totals
    """
    from convcalc.analysis.count import count
    from convcalc.errors import SpecError
    from convcalc.loader import graphs
    from convcalc.tables.compare import compare_report

    if len(specs) < 2:
        raise SpecError("compare needs two networks or more", "for example: convcalc compare mine.yaml googlenet")
    counts = [count(graph) for graph in graphs(specs, overrides)]
    emit(compare_report(counts, depth, totals, is_all, precision), output)
