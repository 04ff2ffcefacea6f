"""Build the table that `suggest` prints: the rewrites of a network that save weights or MACs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from convcalc.errors import Place
from convcalc.language.document import Document
from convcalc.report import Column, Report, Table
from convcalc.rewrites import Suggestion
from convcalc.tables.count import NOTES, document_title

ACCURACY = "the effect on accuracy is not known: the rewritten network computes something else and must be trained"
COLUMNS = (
    Column("number", "#"),
    Column("layer", "layer", "name"),
    Column("line", "line", "text", optional=True),
    Column("what", "rewrite", "text"),
    Column("weights", "weights +/-", "change"),
    Column("weights_share", "weights %", "share"),
    Column("macs", "MACs +/-", "change"),
    Column("macs_share", "MACs %", "share"),
    Column("depth", "depth +/-", "change"),
    Column("nonlinearities", "non-linear +/-", "change", optional=True),
    Column("receptive_field", "receptive field", "text", optional=True),
    Column("uses", "places", optional=True),
    Column("source", "source", "text", optional=True),
)


def suggest_report(
    document: Document, suggestions: Sequence[Suggestion], number: int, left_out: str, has_sources: bool
) -> Report:
    """The best of `number` suggestions, a row each; `left_out` is why included blocks are not rewritten."""
    rows = [_row(number, suggestion, document) for number, suggestion in enumerate(suggestions, 1)]
    columns: Sequence[Column] = COLUMNS
    if not has_sources:
        columns, rows = columns[:-1], [row[:-1] for row in rows]
    count = f"{len(rows)} of {number} suggestion{'s'[: number != 1]}"
    notes = [f"{count}, the largest saving of weights and MACs first", f"{ACCURACY}."]
    if left_out:
        notes.append(f"included blocks are not rewritten: {left_out}")
    table = Table(document_title(document), columns, rows, None, notes, {"accuracy": ACCURACY})
    return Report("suggest", [table], NOTES)


def _row(number: int, one: Suggestion, document: Document) -> tuple[Any, ...]:
    return (
        number, one.layer, _line(one.place, document), one.what, one.weights, one.weights_share,
        one.macs, one.macs_share, one.depth, one.nonlinearities, one.sees, one.uses, one.source,
    )  # fmt: skip


def _line(place: Place, document: Document) -> str:
    """The number of a line, after its file's name where that is another file."""
    is_own = place.source is document.node.source
    return str(place.line) if is_own else f"{place.source.name.replace(chr(92), '/').rpartition('/')[2]}:{place.line}"
