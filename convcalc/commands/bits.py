"""convcalc bits: bit operations and bytes of a network whose weights and activations have few bits."""

from __future__ import annotations

import click

from convcalc.commands._options import SPEC, Output, emit, output_options, spec_options, strict_option
from convcalc.commands._sections import Sectioned
from convcalc.language.overrides import Overrides


@click.command("bits", cls=Sectioned)
@click.argument("spec", type=SPEC)
@spec_options
@strict_option
@output_options
def command(spec: str, overrides: Overrides, output: Output) -> None:
    """Show bit operations and bytes at few bits.

    The bits are those of the spec's `bits:`, then of --bits: 4x4, of layers 'stem*=8x8', of a kind kind:linear=8x8.

    \b
    convcalc bits resnet18 --bits 8x8
    convcalc bits resnet18 --bits 4x4 --bits 'stem*=8x8' --bits classifier=8x8
    """
    from convcalc.analysis.count import count
    from convcalc.loader import graph
    from convcalc.tables.bits import bits_report

    emit(bits_report(count(graph(spec, overrides))), output)
