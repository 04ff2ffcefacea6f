"""Build the table that `solve` prints: the values of a spec's variables within limits, or nearest to a figure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from convcalc.formats._numbers import text
from convcalc.report import Column, Report, Table
from convcalc.sweep.solve import Limit, beyond
from convcalc.tables.count import NOTES, document_title
from convcalc.tables.sweep import columns_for

if TYPE_CHECKING:
    from convcalc.sweep.sweep import Chunk, Sweep


def extreme_report(sweep: Sweep, points: Chunk, limits: Sequence[Limit], is_largest: bool) -> Report:
    """The largest (or smallest) values within limits; of one variable with what its next value would cost."""
    names = [*_variables(sweep), *sweep.figures]
    rows = list(points.rows(names))
    return _report(sweep, columns_for(sweep.grid, names), rows, _notes(sweep, points, limits, is_largest))


def nearest_report(sweep: Sweep, points: Chunk, figure: str, target: int) -> Report:
    """The values whose figure is nearest to `target`, with how far off it is."""
    names = [*_variables(sweep), *sweep.figures]
    columns = [*columns_for(sweep.grid, names), Column("difference", f"{figure} difference")]
    rows = [[*row, row[names.index(figure)] - target] for row in points.rows(names)]
    return _report(sweep, columns, rows, [f"nearest to {figure} = {target:,}, of {sweep.grid.size:,} architectures"])


def _variables(sweep: Sweep) -> list[str]:
    return [axis.name for axis in sweep.grid.axes]


def _report(sweep: Sweep, columns: list[Column], rows: list[list[object]], notes: list[str]) -> Report:
    return Report("solve", [Table(document_title(sweep.document), columns, rows, None, notes)], NOTES)


def _notes(sweep: Sweep, points: Chunk, limits: Sequence[Limit], is_largest: bool) -> list[str]:
    word = "largest" if is_largest else "smallest"
    notes = [f"the {word} of {sweep.grid.size:,} with {' and '.join(map(str, limits))}"]
    if len(sweep.grid.axes) > 1:
        return [f"{notes[0]}: none of the variables can be {word.replace('est', 'er')} with the others unchanged"]
    (axis,) = sweep.grid.axes
    following = beyond(sweep, points, is_largest)
    if following is None:
        return [*notes, f"the values of {axis.name} end there: {word.replace('est', 'er')} values may fit too"]
    (value,) = following.columns[axis.name].tolist()
    shown = text(value, "shape" if axis.kind == "input" else "")
    if following.reasons:
        return [*notes, f"{axis.name}={shown} is invalid: {following.reasons[0]}"]
    figures = dict.fromkeys(limit.figure for limit in limits)
    costs = ", ".join(f"{figure} {following.columns[figure].tolist()[0]:,}" for figure in figures)
    return [*notes, f"{axis.name}={shown} would have {costs}"]
