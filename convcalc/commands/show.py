"""convcalc show: the text of a catalogue spec."""

from __future__ import annotations

from pathlib import Path

import click

from convcalc.commands._options import SPEC, write_text


@click.command("show")
@click.argument("name", type=SPEC)
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="Write to a file, not stdout.")
@click.option("--inline", is_flag=True, help="Write the blocks that it includes into it.")
def command(name: str, output: Path | None, inline: bool) -> None:
    """The text of a catalogue spec, to start from.

    It includes blocks by name, so it works wherever it is put.

    \b
    convcalc show mobilenet_v1 > mine.yaml
    convcalc show mobilenet_v1 --inline   # its blocks too, to change them
    """
    from convcalc.document import load
    from convcalc.errors import SpecError, did_you_mean, quoted
    from convcalc.files import catalogue_files
    from convcalc.layout import inlined

    known = catalogue_files()
    if name not in known:
        raise SpecError(f"no catalogue network {quoted(name)}", did_you_mean(name, known) or "convcalc list has all")
    write_text(inlined(load(name)).node.source.text if inline else known[name].read_text("utf-8"), output)
