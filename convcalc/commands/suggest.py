"""convcalc suggest: the rewrites of a network that would save weights or work."""

from __future__ import annotations

import click

from convcalc.commands._options import SPEC, Output, WholeNumber, emit, output_options, spec_options, write_text
from convcalc.commands._sections import Sectioned
from convcalc.language.overrides import Overrides


@click.command("suggest", cls=Sectioned)
@click.argument("spec", type=SPEC)
@click.option(
    "--top", type=WholeNumber(1), default=20, show_default=True, metavar="N", help="The most suggestions to show."
)
@click.option("--apply", "chosen", type=WholeNumber(1), metavar="N", help="Write the spec with suggestion N applied.")
@spec_options
@output_options
def command(spec: str, top: int, chosen: int | None, overrides: Overrides, output: Output) -> None:
    """Suggest rewrites that save weights or MACs; each is applied to the spec, rebuilt and counted.

    They are sorted by the share of all weights plus the share of all MACs that they save. Their effect on accuracy is
    not known.

    \b
    convcalc suggest vgg16
    convcalc suggest net.yaml --apply 1 -o smaller.yaml
    convcalc compare net.yaml smaller.yaml
    """
    from convcalc.errors import SpecError
    from convcalc.language.sources import Files
    from convcalc.loader import open_document
    from convcalc.rewrites import candidates, left_out
    from convcalc.tables.suggest import suggest_report

    document, overrides = open_document(spec, overrides)
    files = Files(overrides.root)
    found = candidates(document, overrides.resolved(document), files)
    if chosen is not None:
        if chosen > len(found):
            raise SpecError(f"--apply {chosen}: there are {len(found)} suggestions", "convcalc suggest lists them")
        write_text(found[chosen - 1].suggestion().text, output.path)
        return
    has_sources = output.form not in ("table", "markdown", "latex")
    suggestions = [candidate.suggestion() for candidate in found[:top]]
    emit(suggest_report(document, suggestions, len(found), left_out(document, files), has_sources), output)
