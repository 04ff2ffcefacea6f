"""convcalc suggest: the rewrites of a network that would save weights or work."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from convcalc.commands._options import SPEC, Output, emit, output_options, spec_options, write_text
from convcalc.commands._points import title
from convcalc.language.overrides import Overrides

if TYPE_CHECKING:
    from convcalc.errors import Place
    from convcalc.language.document import Document

ACCURACY = "what a rewrite does to accuracy is not known here: the network computes something else, train it to know"


@click.command("suggest")
@click.argument("spec", type=SPEC)
@click.option("--top", type=click.IntRange(1), default=20, show_default=True, metavar="N", help="How many to show.")
@click.option(
    "--apply", "chosen", type=click.IntRange(1), metavar="N", help="Write the spec with suggestion N applied."
)
@spec_options
@output_options
def command(
    spec: str,
    top: int,
    chosen: int | None,
    output: Output,
    overrides: Overrides,
) -> None:
    """Rewrites that would save weights or MACs: each is tried in the spec, rebuilt and counted.

    Sorted by the share of all weights plus the share of all MACs that is saved. Says nothing about accuracy.

    \b
    convcalc suggest vgg16
    convcalc suggest net.yaml --apply 1 -o smaller.yaml
    convcalc compare net.yaml smaller.yaml
    """
    from convcalc.errors import SpecError
    from convcalc.language.sources import Files
    from convcalc.loader import open_document
    from convcalc.report import Column, Report, Table
    from convcalc.rewrites import left_out, suggest
    from convcalc.tables.count import NOTES

    document, overrides = open_document(spec, overrides)
    files = Files(overrides.root)
    found = suggest(document, overrides.resolved(document), files)
    if chosen is not None:
        if chosen > len(found):
            raise SpecError(f"--apply {chosen}: there are {len(found)} suggestions", "convcalc suggest lists them")
        write_text(found[chosen - 1].text, output.path)
        return
    columns = [
        Column("number", "#"),
        Column("layer", "layer", "name"),
        Column("line", "line", "text", optional=True),
        Column("what", "rewrite", "text"),
        Column("weights", "weights"),
        Column("weights_share", "weights %", "share"),
        Column("macs", "MACs"),
        Column("macs_share", "MACs %", "share"),
        Column("depth", "depth"),
        Column("nonlinearities", "non-linear", optional=True),
        Column("receptive_field", "sees", "text", optional=True),
        Column("uses", "uses", optional=True),
        Column("source", "source", "text", optional=True),
    ]
    rows: list[tuple[Any, ...]] = [
        (
            number, one.layer, _line(one.place, document), one.what, one.weights, one.weights_share,
            one.macs, one.macs_share, one.depth, one.nonlinearities, one.sees, one.uses, one.source,
        )
        for number, one in enumerate(found[:top], 1)
    ]  # fmt: skip
    if output.form in ("table", "markdown", "latex"):
        columns, rows = columns[:-1], [row[:-1] for row in rows]
    notes = [f"{len(rows)} of {len(found)} suggestions, the largest saving of weights and MACs first", f"{ACCURACY}."]
    why = left_out(document, files)
    if why:
        notes.append(f"included blocks are left as they are: {why}")
    table = Table(title(document), columns, rows, None, notes, {"accuracy": ACCURACY})
    emit(Report("suggest", [table], NOTES), output)


def _line(place: Place, document: Document) -> str:
    """The number of a line, behind its file's name where that is another file."""
    own = place.source is document.node.source
    return str(place.line) if own else f"{place.source.name.replace(chr(92), '/').rpartition('/')[2]}:{place.line}"
