"""convcalc list: what the catalogue holds, and what it costs."""

from __future__ import annotations

from pathlib import Path

import click

from convcalc.commands._options import Output, emit, output_options, write_text
from convcalc.commands._progress import progress
from convcalc.commands._sections import Sectioned


@click.command("list", cls=Sectioned)
@click.argument("pattern", default="*", metavar="[PATTERN]")
@click.option(
    "--folder",
    type=click.Choice(["networks", "lessons", "blocks", "all"]),
    default="all",
    show_default=True,
    help="A part of the catalogue; all are networks and lessons.",
)
@click.option(
    "--where", default="", metavar="CONDITION", help="Only networks that meet it: 'params < 5M and macs < 600M'."
)
@click.option("--sort", default="", metavar="COLUMN", help="Sort by a column, largest first; -COLUMN: smallest first.")
@click.option(
    "--svg", type=click.Path(dir_okay=False, path_type=Path), help="Also write a chart of MACs and params to a file."
)
@output_options
def command(pattern: str, folder: str, where: str, sort: str, svg: Path | None, output: Output) -> None:
    """List the networks of the catalogue and what they cost.

    PATTERN is a name with * and ?. The other commands take NAME@VARIANT too, and resnet18 for resnet@18.

    \b
    convcalc list
    convcalc list 'mobilenet*' --sort macs
    convcalc list --where 'params < 5M and macs < 600M' -f csv
    convcalc list --folder blocks
    convcalc list --folder networks --svg catalogue.svg
    """
    from convcalc.tables.catalogue import catalogue_map, catalogue_report, networks

    if folder == "blocks":
        from convcalc.errors import SpecError
        from convcalc.tables.blocks import blocks_report

        if where or sort or svg:
            raise SpecError("--where, --sort and --svg are for networks", "a block has no figures of its own")
        emit(blocks_report(pattern), output)
        return
    with progress("list"):
        rows = networks(pattern, folder, where, sort)
    if svg:
        write_text(catalogue_map(rows), svg)
    emit(catalogue_report(rows), output)
