"""convcalc list: what the catalogue holds, and what it costs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from convcalc.commands._options import Output, emit, output_options, write_text

if TYPE_CHECKING:
    from convcalc.report import Column

FIGURES = ("params", "macs", "depth")


@click.command("list")
@click.argument("pattern", default="*", metavar="[PATTERN]")
@click.option(
    "--folder",
    type=click.Choice(["networks", "lessons", "all"]),
    default="all",
    show_default=True,
    help="Which part of the catalogue.",
)
@click.option(
    "--where", default="", metavar="CONDITION", help="Only what fits, for example 'params < 5M and macs < 600M'."
)
@click.option(
    "--sort", default="", metavar="COLUMN", help="Sort by a column, the largest first; -COLUMN: the smallest."
)
@click.option(
    "--svg", type=click.Path(dir_okay=False, path_type=Path), help="Draw MACs against params into a file too."
)
@output_options
def command(pattern: str, folder: str, where: str, sort: str, svg: Path | None, output: Output) -> None:
    """The networks of the catalogue and what they cost.

    PATTERN is a name with * and ?. The other commands take NAME@VARIANT too, and resnet18 for resnet@18.

    \b
    convcalc list
    convcalc list 'mobilenet*' --sort macs
    convcalc list --where 'params < 5M and macs < 600M' -f csv
    convcalc list --folder networks --svg catalogue.svg
    """
    from convcalc.report import Column, Report, Table
    from convcalc.tables.count import CONVENTIONS, NOTES

    columns = [
        Column("name", "name", "name"),
        Column("params", "params"),
        Column("macs", "MACs"),
        Column("depth", "depth", optional=True),
        Column("input", "input", "text"),
        Column("source", "source", "text", optional=True),
    ]
    found = [row for name in specs(pattern, folder) for row in _rows(name) if _fits(row[0], pattern)]
    found = _sorted(_where(found, where, columns), sort, columns)
    table = Table(
        f"{len(found)} networks",
        columns,
        found,
        None,
        ["convcalc params NAME counts one, convcalc show NAME prints it"],
    )
    if svg:
        write_text(_map(found), svg)
    emit(Report("list", [table], NOTES, {"conventions": CONVENTIONS}), output)


def _map(rows: list[list[Any]]) -> str:
    """The networks that have both, MACs against params; variants belong together."""
    from convcalc.errors import SpecError
    from convcalc.formats import _map

    families: dict[str, list[tuple[int, int]]] = {}
    for name, params, macs, *_ in rows:
        if params and macs:
            families.setdefault(name.partition("@")[0], []).append((macs, params))
    if not families:
        raise SpecError("--svg: no network to draw")
    return _map.svg("MACs and params of the catalogue", families)


def specs(pattern: str, folder: str) -> list[str]:
    """The names of the catalogue that fit; blocks have no input and are left out."""
    from convcalc.language.sources import catalogue_files

    folders = ("networks", "lessons") if folder == "all" else (folder,)
    return [
        name
        for name, path in catalogue_files().items()
        if path.parent.name in folders and _fits(name, pattern.partition("@")[0])
    ]


def _fits(name: str, pattern: str) -> bool:
    """Whether a name, or the network whose variant it is, fits a pattern."""
    from fnmatch import fnmatchcase

    return fnmatchcase(name, pattern) or fnmatchcase(name.partition("@")[0], pattern)


def _rows(name: str) -> list[list[Any]]:
    """A row for a spec and for each of its variants; none for the spec where a variant is what it is without one."""
    from convcalc.analysis.count import count
    from convcalc.kinds import shape_text
    from convcalc.language.builder import build
    from convcalc.language.document import load
    from convcalc.language.overrides import Overrides

    document = load(name)
    rows = []
    is_named = any(set(given) <= {"expect"} for given in document.variants.values())
    for variant in (*(() if is_named else ("",)), *document.variants):
        graph = build(document, Overrides(variant=variant))
        counted = count(graph)
        inputs = " and ".join(map(shape_text, graph.inputs.values()))
        figures = [counted.figure("params"), counted.figure("macs"), counted.depth]
        rows.append(
            [f"{name}@{variant}" if variant else name, *figures, inputs, " ".join(graph.about["source"].split())]
        )
    return rows


def _where(rows: list[list[Any]], where: str, columns: list[Column]) -> list[list[Any]]:
    from convcalc.amounts import without_units
    from convcalc.errors import SpecError, UserError, did_you_mean, quoted
    from convcalc.syntax.expression import parse

    if not where:
        return rows
    keys = [column.key for column in columns]

    def holds(row: list[Any]) -> bool:
        def lookup(name: str) -> Any:
            if name not in FIGURES:
                raise UserError(f"no figure {quoted(name)}", hint=did_you_mean(name, FIGURES))
            return row[keys.index(name)]

        return bool(condition.evaluate(lookup))

    try:
        condition = parse(without_units(where))
        return [row for row in rows if holds(row)]
    except UserError as misfit:
        raise SpecError(f"--where: {misfit.message}", misfit.hint) from None


def _sorted(rows: list[list[Any]], sort: str, columns: list[Column]) -> list[list[Any]]:
    from convcalc.errors import SpecError, did_you_mean, quoted

    if not sort:
        return rows
    keys = [column.key for column in columns]
    if sort.removeprefix("-") not in keys:
        raise SpecError(f"no column {quoted(sort)}", did_you_mean(sort, keys))
    at = keys.index(sort.removeprefix("-"))
    is_text = columns[at].holds in ("name", "text")
    found = sorted(rows, key=lambda row: row[at], reverse=not is_text)
    return found[::-1] if sort.startswith("-") else found
