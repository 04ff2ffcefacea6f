"""convcalc space: the networks that a spec with choices holds."""

from __future__ import annotations

import click

from convcalc.commands._options import SPEC, Output, emit, output_options, spec_options
from convcalc.commands._progress import progress
from convcalc.commands._sections import Sectioned
from convcalc.language.overrides import Overrides


@click.command("space", cls=Sectioned)
@click.argument("spec", type=SPEC)
@spec_options
@output_options
def command(spec: str, overrides: Overrides, output: Output) -> None:
    """Count the networks that the choices of a spec describe, and show how params and MACs are distributed over them.

    The networks are not listed one by one, so there may be very many. --set fixes a choice.

    \b
    convcalc space search.yaml
    convcalc space search.yaml --set head=pool
    """
    from convcalc.loader import open_document
    from convcalc.sweep.space import space
    from convcalc.tables.space import space_report

    document, overrides = open_document(spec, overrides)
    with progress("space"):
        found = space(document, overrides.resolved(document))
    emit(space_report(document, found), output)
