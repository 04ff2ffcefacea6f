"""convcalc explain: every figure as formula, numbers and result."""

from __future__ import annotations

import click

from convcalc.commands._options import SPEC, Output, WholeNumber, emit, output_options, spec_options, strict_option
from convcalc.commands._sections import Sectioned
from convcalc.language.overrides import Overrides


def _complete(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    from convcalc.errors import SpecError
    from convcalc.loader import graph

    try:
        built = graph(ctx.params.get("spec") or "")
    except SpecError:
        return []
    names = [*(group.path for group in built.groups), *(layer.path for layer in built.layers)]
    return [name for name in names if name.startswith(incomplete)]


@click.command("explain", cls=Sectioned)
@click.argument("spec", type=SPEC)
@click.argument("layer", default="", shell_complete=_complete)
@click.option("--depth", type=WholeNumber(1, 100), help="How many levels of blocks are explained [1 in a table].")
@click.option("--sees", is_flag=True, help="How the receptive field grew, layer by layer, in place of costs.")
@spec_options
@strict_option
@output_options
def command(spec: str, layer: str, depth: int | None, sees: bool, overrides: Overrides, output: Output) -> None:
    """Explain the cost of a layer with formulas.

    Each figure is shown as a formula, as the formula with numbers, and as the result.

    LAYER is a name as `params` shows it, the end of one, or a pattern in quotes. A join, a block, a repeat and the
    whole network are sums over their parts. Without LAYER, the weights and MACs of the network are explained as a tree
    of its blocks and layers, to --depth; formats other than the table have every layer, and last the network.

    \b
    convcalc explain googlenet
    convcalc explain mine.yaml wide
    convcalc explain googlenet inception_3a
    convcalc explain googlenet '*/reduce_5x5'
    convcalc explain resnet18 stage2 --sees
    """
    from convcalc.analysis.count import count
    from convcalc.errors import SpecError
    from convcalc.loader import graph
    from convcalc.tables.explain import explain_report, tree_report

    if depth is not None and (layer or sees):
        raise SpecError("--depth is for the costs of the whole network", "leave it out, or LAYER and --sees")
    counted = count(graph(spec, overrides))
    if depth is not None:
        emit(tree_report(counted, depth), output)
        return
    report = explain_report(counted, layer, sees)
    has_tree = not layer and not sees and len(counted.rows) > 1
    if has_tree and (counted.figure("weights") or counted.figure("macs")):
        report = report._replace(folded=tree_report(counted).tables)
    emit(report, output)
