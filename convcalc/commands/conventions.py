"""convcalc conventions: how other tools count."""

from __future__ import annotations

import click

from convcalc.commands._options import Output, emit, output_options
from convcalc.commands._sections import Sectioned


@click.command("conventions", cls=Sectioned)
@click.argument("tool", required=False, default="", metavar="[TOOL]")
@output_options
def command(tool: str, output: Output) -> None:
    """Show how other tools count: all conventions, or the rules of one.

    \b
    convcalc conventions
    convcalc conventions thop
    convcalc params resnet50.yaml --as thop
    """
    from convcalc.tables.conventions import conventions_report

    emit(conventions_report(tool), output)
