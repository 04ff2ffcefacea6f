"""Build the table that `list --folder blocks` prints: the blocks that each file of the catalogue offers."""

from __future__ import annotations

from fnmatch import fnmatchcase

from convcalc.catalogue import catalogue_paths
from convcalc.errors import SpecError, did_you_mean, quoted
from convcalc.kinds.fields import shown
from convcalc.language.document import Block
from convcalc.language.document_loader import load
from convcalc.language.sources import CatalogueFiles
from convcalc.report import Column, Report, Table

COLUMNS = (
    Column("name", "block", "name"),
    Column("include", "include", "name"),
    Column("inputs", "inputs", "text", optional=True),
    Column("arguments", "arguments", "text"),
)


def blocks_report(pattern: str = "*") -> Report:
    """A row for each block of the catalogue whose name, or file, fits a pattern. Raises SpecError if none does."""
    rows = []
    for file in catalogue_paths("blocks"):
        document = load(file, CatalogueFiles())
        for block in document.blocks.values():
            if block.home is document:
                rows.append([block.name, file, ", ".join(block.inputs) or "any", arguments(block)])
    kept = [row for row in rows if fnmatchcase(row[0], pattern) or fnmatchcase(row[1], pattern)]
    if not kept:
        names = sorted({word for row in rows for word in row[:2]})
        raise SpecError(f"no block {quoted(pattern)}", did_you_mean(pattern, names))
    notes = [
        "'include: FILE' makes the blocks of a file known; an argument without a value is required",
        "'convcalc show FILE' prints the text of its blocks",
    ]
    return Report("list", [Table(f"{len(kept)} block{'s'[: len(kept) != 1]}", COLUMNS, kept, None, notes)])


def arguments(block: Block) -> str:
    """The arguments of a block with their defaults, in one line.

    >>> arguments(load("inception").blocks["inception"])
    'c1, r3, c3, r5, c5, pool'
    >>> arguments(load("yolo").blocks["yolo_conv"])
    'filters, kernel=3, stride=1'
    """
    return ", ".join(
        name if node.value is None else f"{name}={shown(node.value)}".replace("'", "")
        for name, node in block.arguments.items()
    )
