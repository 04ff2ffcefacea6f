"""What sweep, solve and space share: columns, rows, progress, charts, and where the work is done."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from convcalc.language.document import Document
    from convcalc.report import Column, Table
    from convcalc.sweep.grid import Grid
    from convcalc.sweep.sweep import Chunk, Sweep

MOST_ROWS = 100_000


def need_numpy(command: str) -> None:
    """Raises SpecError where numpy is not installed."""
    from importlib.util import find_spec

    from convcalc.errors import SpecError

    if find_spec("numpy") is None:
        raise SpecError(f"convcalc {command} needs numpy", "pip install 'convcalc[sweep]'")


def figures_in(columns: str) -> list[str]:
    """The figures of a comma-separated list; `all` for every one. Raises SpecError."""
    from convcalc.analysis.count import FIGURES
    from convcalc.errors import SpecError, did_you_mean, quoted

    names = list(FIGURES) if columns == "all" else [name.strip() for name in columns.split(",") if name.strip()]
    for name in names:
        if name not in FIGURES:
            raise SpecError(f"--columns: no figure {quoted(name)}", did_you_mean(name, FIGURES))
    return names


def words_in(text: str) -> set[str]:
    return set(re.findall(r"[A-Za-z_]\w*", text))


def title(document: Document) -> str:
    """What a document calls its network, else its file's name."""
    return document.text("name") or document.file.name.removesuffix(".yaml").rpartition("/")[2]


def check_room(form: str, points: int, is_every: bool) -> None:
    """Refuse a format that would keep too many rows in memory. Raises SpecError."""
    from convcalc.errors import SpecError
    from convcalc.formats import streams

    if is_every and points > MOST_ROWS and not streams(form):
        raise SpecError(f"{points:,} rows are too many for -f {form}; {_NARROW}")


_NARROW = "csv, jsonl and parquet stream them, --where, --pareto and --sample choose among them, --plot draws them"


def columns_for(grid: Grid, names: Sequence[str]) -> list[Column]:
    """A column for each axis, figure and word among `names`."""
    from convcalc.report import Column
    from convcalc.tables.count import MEASURES

    axes = {axis.name: axis for axis in grid.axes}
    found = []
    for name in names:
        if name not in axes:
            found.append(MEASURES[name].column)
        elif axes[name].kind == "input":
            found.append(Column(name, name, "shape"))
        else:
            found.append(Column(name, name, "text" if axes[name].changes_graph else "count"))
    return found


def points_table(
    document: Document, grid: Grid, names: Sequence[str], chunks: Iterable[Chunk], form: str, notes: Sequence[str]
) -> Table:
    """Chunks as a table: rows as they come for a format that streams, all of them for any other."""
    from convcalc.errors import SpecError
    from convcalc.formats import streams
    from convcalc.report import Column, Table

    figures = [name for name in names if name not in {axis.name for axis in grid.axes}]
    columns = [*columns_for(grid, names), Column("invalid", "no network, because", "text")]
    facts = {"spec": {"name": title(document), "path": document.file.name}, "grid": _grid_facts(grid)}
    rows = (row for chunk in chunks for row in _rows(chunk, names, figures))
    if streams(form):
        return Table(title(document), columns, rows, facts=facts)  # type: ignore[arg-type]  # read once, in order
    kept: list[Any] = []
    for row in rows:
        kept.append(row)
        if len(kept) > MOST_ROWS:
            raise SpecError(f"more than {MOST_ROWS:,} rows are too many for -f {form}; {_NARROW}")
    invalid = sum(bool(row[-1]) for row in kept)
    notes = [
        *notes,
        f"{len(kept):,} row{'s'[: len(kept) != 1]}" + (f", {invalid:,} of them no network" if invalid else ""),
    ]
    if form != "json" and not invalid:
        columns, kept = columns[:-1], [row[:-1] for row in kept]
    return Table(title(document), columns, kept, None, notes, facts)


def _grid_facts(grid: Grid) -> dict[str, Any]:
    return {
        "axes": {axis.name: {"values": len(axis.values), "of": axis.kind} for axis in grid.axes},
        "architectures": grid.size,
    }


def _rows(chunk: Chunk, names: Sequence[str], figures: Sequence[str]) -> Iterator[list[Any]]:
    """The points as plain values and a reason; what is no network has no figures."""
    none = [None if name in figures else ... for name in names]
    for position, row in enumerate(chunk.rows(names)):
        reason = chunk.reasons.get(position)
        if reason is None:
            yield [*row, ""]
        else:
            yield [*(value if keep is ... else None for value, keep in zip(row, none, strict=True)), reason]


def progress(chunks: Iterable[Chunk], count: int) -> Iterator[Chunk]:
    """The chunks, with a bar on stderr where that is a terminal and somebody may look at it."""
    shows = sys.stderr.isatty() and not os.environ.get("CI") and count > 4
    if not shows:
        yield from chunks
        return
    with click.progressbar(length=count, file=sys.stderr, label="sweep") as shown:
        for chunk in chunks:
            yield chunk
            shown.update(1)


@contextmanager
def chunks_of(sweep: Sweep, workers: int | None, scheduler: str) -> Iterator[Iterable[Chunk]]:
    """The chunks of a sweep in order, worked out here or on a Dask cluster."""
    if workers is None and not scheduler:
        yield sweep.chunks()
        return
    from convcalc.sweep.cluster import cluster, spread

    with cluster(workers, scheduler) as client:
        yield spread(sweep, client)


def draw_chart(
    chunks: Iterable[Chunk], plot: str, names: Sequence[str], path: Path | None, heading: str, form: str
) -> None:
    """Draw two columns of the points: on the terminal, and as SVG where a path is given. Raises SpecError."""
    from convcalc.errors import SpecError, did_you_mean, quoted
    from convcalc.formats._chart import MOST, Chart, draw, svg
    from convcalc.sweep.select import comparable

    wanted = [word.strip() for word in plot.split(",")]
    if len(wanted) != 2:
        raise SpecError(f"--plot: two columns were expected, found {quoted(plot)}", "for example --plot params,macs")
    for name in wanted:
        if name not in names:
            raise SpecError(f"--plot: no column {quoted(name)}", did_you_mean(name, names))
    points: list[tuple[float, float]] = []
    try:
        for chunk in chunks:
            valid = chunk.keep(chunk.valid())
            across, up = (comparable(valid.columns[name]).astype(float).tolist() for name in wanted)
            points.extend(zip(across, up, strict=True))
            if len(points) > MOST:
                raise SpecError(f"more than {MOST:,} points are too many for a chart", "use --where or --sample")
    except (TypeError, ValueError):
        raise SpecError("--plot: a column of words cannot be drawn") from None
    if not points:
        raise SpecError("no point to draw")
    chart = Chart(heading, wanted[0], wanted[1], points)
    if path is not None:
        try:
            path.write_text(svg(chart), encoding="utf-8")
        except OSError as error:
            raise SpecError(f"'{path}' cannot be written: {error.strerror}") from None
    if form == "table":
        click.echo(draw(chart, *_room()))


def _room() -> tuple[int, int]:
    from shutil import get_terminal_size

    size = get_terminal_size()
    return min(size.columns, 120), max(8, min(24, size.lines - 8))
