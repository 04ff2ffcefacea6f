"""Build the tables and the chart of `sweep`: a row for each combination of a grid's values."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from convcalc.analysis.count import FIGURES
from convcalc.errors import SpecError, did_you_mean, quoted
from convcalc.formats import streams
from convcalc.report import Column, Table
from convcalc.tables.count import document_title
from convcalc.tables.measures import MEASURES

if TYPE_CHECKING:
    from convcalc.formats._chart import Chart
    from convcalc.language.document import Document
    from convcalc.sweep.grid import Grid
    from convcalc.sweep.sweep import Chunk

MOST_ROWS = 100_000
_HINT = "use csv, jsonl or parquet, fewer rows (--where, --pareto, --sample), or a chart (--plot)"


def figures_in(columns: str) -> list[str]:
    """The figures of a comma-separated list; `all` for every one. Raises SpecError."""
    names = list(FIGURES) if columns == "all" else [name.strip() for name in columns.split(",") if name.strip()]
    for name in names:
        if name not in FIGURES:
            raise SpecError(f"--columns: no figure {quoted(name)}", did_you_mean(name, FIGURES))
    return names


def words_in(text: str) -> set[str]:
    """The names in an expression or a list."""
    return set(re.findall(r"[A-Za-z_]\w*", text))


def check_rows(form: str, rows: int) -> None:
    """Refuse a format that would hold too many rows in memory. Raises SpecError."""
    if rows > MOST_ROWS and not streams(form):
        raise SpecError(f"{rows:,} rows are too many for -f {form}; {_HINT}")


def columns_for(grid: Grid, names: Sequence[str]) -> list[Column]:
    """A column for each axis and figure among `names`."""
    axes = {axis.name: axis for axis in grid.axes}
    columns = []
    for name in names:
        if name not in axes:
            columns.append(MEASURES[name].column)
        elif axes[name].kind == "input":
            columns.append(Column(name, name, "shape"))
        else:
            columns.append(Column(name, name, "text" if axes[name].changes_graph else "count"))
    return columns


def points_table(
    document: Document, grid: Grid, names: Sequence[str], chunks: Iterable[Chunk], form: str, notes: Sequence[str]
) -> Table:
    """A row a point. The rows are an iterator where the format streams, else a list. Raises SpecError for too many."""
    title = document_title(document)
    figures = [name for name in names if name not in {axis.name for axis in grid.axes}]
    columns = [*columns_for(grid, names), Column("invalid", "invalid because", "text")]
    facts = {"spec": {"name": title, "path": document.file.name}, "grid": _grid_facts(grid)}
    points = (row for chunk in chunks for row in _rows(chunk, names, figures))
    if streams(form):
        return Table(title, columns, points, facts=facts)  # type: ignore[arg-type]  # read once, in order
    rows: list[list[Any]] = []
    for row in points:
        rows.append(row)
        if len(rows) > MOST_ROWS:
            raise SpecError(f"more than {MOST_ROWS:,} rows are too many for -f {form}; {_HINT}")
    invalid = sum(bool(row[-1]) for row in rows)
    notes = [
        *notes,
        f"{len(rows):,} row{'s'[: len(rows) != 1]}" + (f", {invalid:,} of them invalid" if invalid else ""),
    ]
    if form != "json" and not invalid:
        columns, rows = columns[:-1], [row[:-1] for row in rows]
    return Table(title, columns, rows, None, notes, facts)


def _grid_facts(grid: Grid) -> dict[str, Any]:
    return {
        "axes": {axis.name: {"values": len(axis.values), "of": axis.kind} for axis in grid.axes},
        "architectures": grid.size,
    }


def _rows(chunk: Chunk, names: Sequence[str], figures: Sequence[str]) -> Iterator[list[Any]]:
    """The points as plain values and a reason; a point that is no network has None for its figures."""
    for index, row in enumerate(chunk.rows(names)):
        reason = chunk.reasons.get(index)
        if reason is None:
            yield [*row, ""]
        else:
            yield [*(None if name in figures else value for name, value in zip(names, row, strict=True)), reason]


def points_chart(chunks: Iterable[Chunk], plot: str, names: Sequence[str], heading: str) -> Chart:
    """The two columns that `plot` names as a chart of points. Raises SpecError."""
    from convcalc.formats._chart import MOST, Chart
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
        raise SpecError("there is no point to draw")
    return Chart(heading, wanted[0], wanted[1], points)
