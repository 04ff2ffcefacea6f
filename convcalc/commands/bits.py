"""convcalc bits: bit operations and bytes of a network whose weights and activations have few bits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from convcalc.commands._options import SPEC, Output, emit, output_options, spec_options, strict_option
from convcalc.commands._sections import Sectioned
from convcalc.language.overrides import Overrides

if TYPE_CHECKING:
    from convcalc.analysis.bits import Rule


class BitsOf(click.ParamType):  # type: ignore[type-arg]  # generic only in newer releases
    """Bits, for the network or for some of its layers."""

    name = "bits"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        from convcalc.analysis.bits import parse_option
        from convcalc.errors import UserError

        try:
            return parse_option(str(value))
        except UserError as error:
            self.fail(f"{error.message}; {error.given_hint}" if error.given_hint else error.message, param, ctx)


@click.command("bits", cls=Sectioned)
@click.argument("spec", type=SPEC)
@click.option(
    "--bits",
    "stated",
    type=BitsOf(),
    multiple=True,
    metavar="[PATTERN=]WxA",
    help="Bits of weights x activations: 4x4, of layers 'stem*=8x8', of a kind kind:linear=8x8; later ones win.",
)
@spec_options
@strict_option
@output_options
def command(spec: str, stated: tuple[Rule, ...], overrides: Overrides, output: Output) -> None:
    """Show bit operations and bytes at few bits.

    The bits are those of the spec's `bits:`, then of --bits.

    \b
    convcalc bits resnet18 --bits 8x8
    convcalc bits resnet18 --bits 4x4 --bits 'stem*=8x8' --bits classifier=8x8
    """
    from convcalc.analysis.count import count
    from convcalc.loader import graph
    from convcalc.tables.bits import bits_report

    emit(bits_report(count(graph(spec, overrides)), stated), output)
