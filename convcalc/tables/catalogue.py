"""Build the table and the drawing that `list` prints: the networks of the catalogue, and what they cost."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import Any

from convcalc.amounts import without_units
from convcalc.analysis.catalogue import Network, networks_of
from convcalc.catalogue import catalogue_files
from convcalc.errors import SpecError, UserError, did_you_mean, quoted
from convcalc.report import Column, Report, Table
from convcalc.syntax.expression_parser import parse
from convcalc.tables.count import CONVENTIONS, NOTES

FIGURES = ("params", "macs", "depth")
COLUMNS = (
    Column("name", "name", "name"),
    Column("params", "params"),
    Column("macs", "MACs"),
    Column("depth", "depth", optional=True),
    Column("input", "input", "text"),
    Column("source", "source", "text", optional=True),
)


def networks(pattern: str = "*", folder: str = "all", where: str = "", sort: str = "") -> list[Network]:
    """The networks of the catalogue whose name fits and whose figures meet `where`, sorted. Raises SpecError."""
    names = catalogue_names(pattern, folder)
    rows = [row for row in networks_of(names) if _fits(row.name, pattern)]
    if not rows:
        raise SpecError(f"no network {quoted(pattern)}", did_you_mean(pattern, catalogue_names("*", folder)))
    return _sorted(_where(rows, where), sort)


def catalogue_names(pattern: str, folder: str) -> list[str]:
    """The names in a folder of the catalogue, or in `all` but the blocks, that fit a pattern."""
    folders = ("networks", "lessons") if folder == "all" else (folder,)
    return [
        name
        for name, path in catalogue_files().items()
        if path.parent.name in folders and _fits(name, pattern.partition("@")[0])
    ]


def catalogue_report(rows: Sequence[Network]) -> Report:
    """A row a network."""
    notes = ["'convcalc params NAME' shows the layers of a network, 'convcalc show NAME' its spec"]
    table = Table(f"{len(rows)} network{'s'[: len(rows) != 1]}", COLUMNS, rows, None, notes)
    return Report("list", [table], NOTES, {"conventions": CONVENTIONS})


def catalogue_map(rows: Sequence[Network]) -> str:
    """MACs against params as SVG; the variants of a network are connected. Raises SpecError for no network."""
    from convcalc.formats import _map

    families: dict[str, list[tuple[int, int]]] = {}
    for row in rows:
        if row.params and row.macs:
            families.setdefault(row.name.partition("@")[0], []).append((row.macs, row.params))
    if not families:
        raise SpecError("--svg: no network to draw")
    return _map.svg("MACs and params of the catalogue", families)


def _fits(name: str, pattern: str) -> bool:
    """Whether a name, or the network whose variant it is, fits a pattern."""
    return fnmatchcase(name, pattern) or fnmatchcase(name.partition("@")[0], pattern)


def _where(rows: list[Network], where: str) -> list[Network]:
    if not where:
        return rows

    def holds(row: Network) -> bool:
        def lookup(name: str) -> Any:
            if name not in FIGURES:
                raise UserError(f"no figure {quoted(name)}", hint=did_you_mean(name, FIGURES))
            return getattr(row, name)

        return bool(condition.evaluate(lookup))

    try:
        condition = parse(without_units(where))
        return [row for row in rows if holds(row)]
    except UserError as error:
        raise SpecError(f"--where: {error.message}", error.hint) from None


def _sorted(rows: list[Network], sort: str) -> list[Network]:
    """Sorted by a column: counts from the largest, text from a to z; `-COLUMN` the other way round."""
    if not sort:
        return rows
    key = sort.removeprefix("-")
    if key not in Network._fields:
        raise SpecError(f"no column {quoted(sort)}", did_you_mean(sort, Network._fields))
    is_text = next(column for column in COLUMNS if column.key == key).holds in ("name", "text")
    ordered = sorted(rows, key=lambda row: getattr(row, key), reverse=not is_text)
    return ordered[::-1] if sort.startswith("-") else ordered
