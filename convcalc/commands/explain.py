"""convcalc explain: every figure as formula, numbers and result."""

from __future__ import annotations

import click

from convcalc.commands._options import SPEC, Output, emit, output_options, spec_options, strict_option
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


@click.command("explain")
@click.argument("spec", type=SPEC)
@click.argument("layer", default="", shell_complete=_complete)
@click.option("--sees", is_flag=True, help="How the receptive field grew, layer by layer, in place of costs.")
@spec_options
@strict_option
@output_options
def command(spec: str, layer: str, sees: bool, overrides: Overrides, output: Output) -> None:
    """Explain the cost of a layer with formulas.

    Each figure is shown as a formula, as the formula with numbers, and as the result.

    LAYER is a name as `params` shows it, the end of one, or a pattern in quotes. A join, a block, a repeat and the
    whole network are sums over their parts. Without LAYER, every layer and then the network are explained.

    \b
    convcalc explain mine.yaml wide
    convcalc explain googlenet inception_3a
    convcalc explain googlenet '*/reduce_5x5'
    convcalc explain resnet18 stage2 --sees
    """
    from convcalc.analysis.count import count
    from convcalc.loader import graph
    from convcalc.tables.explain import explain_report

    emit(explain_report(count(graph(spec, overrides)), layer, sees), output)
