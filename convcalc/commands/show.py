"""convcalc show: the text of a catalogue spec."""

from __future__ import annotations

from pathlib import Path

import click

from convcalc.commands._options import SPEC, write_text
from convcalc.commands._sections import Sectioned


@click.command("show", cls=Sectioned)
@click.argument("name", type=SPEC)
@click.option(
    "-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="Write to a file instead of stdout."
)
@click.option("--inline", is_flag=True, help="Write included blocks into the spec.")
def command(name: str, output: Path | None, inline: bool) -> None:
    """Print a spec of the catalogue, or one variant of it, as a start for your own.

    The spec includes blocks by name, so it works in any folder.

    \b
    convcalc show mobilenet_v2 > mine.yaml
    convcalc show resnet18 > mine.yaml
    convcalc show resnet18 --inline   # its blocks too, to change them
    """
    from convcalc.catalogue import catalogue_paths, network_and_variant
    from convcalc.errors import SpecError, UserError, did_you_mean, quoted
    from convcalc.language.document_loader import load, parse
    from convcalc.language.edit import extract_variant, inline_includes
    from convcalc.language.sources import CatalogueFiles

    known = catalogue_paths()
    base, variant = network_and_variant(name)
    if base not in known:
        raise SpecError(
            f"no catalogue network {quoted(name)}", did_you_mean(name, known) or "'convcalc list' shows all"
        )
    document = load(base, CatalogueFiles())
    try:
        if variant:
            document = parse(document.file._replace(data=extract_variant(document, variant).encode()))
        if inline:
            document = inline_includes(document)
    except UserError as misfit:
        raise SpecError(misfit.message, misfit.hint) from None
    write_text(document.node.source.text, output)
