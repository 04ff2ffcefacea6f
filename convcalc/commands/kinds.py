"""convcalc kinds: what a layer can be, printed from the code."""

from __future__ import annotations

import click

from convcalc.commands._options import Output, emit, output_options
from convcalc.commands._sections import Sectioned


def _complete(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    from convcalc.kinds import KINDS

    return [name for name in sorted(KINDS) if name.startswith(incomplete)]


@click.command("kinds", cls=Sectioned)
@click.argument("kind", default="", metavar="[KIND]", shell_complete=_complete)
@output_options
def command(kind: str, output: Output) -> None:
    """Show the kinds of layers, with fields and formulas.

    Without KIND, list all kinds by family; with it, show its fields, their values and a worked example.

    KIND may also be the name that PyTorch, Keras or ONNX gives it.

    \b
    convcalc kinds
    convcalc kinds conv
    convcalc kinds nn.MaxPool2d
    """
    from convcalc.tables.kinds import kinds_report

    emit(kinds_report(kind), output)
