"""convcalc sweep: what a network costs at every combination of its variables."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from convcalc.commands._options import SPEC, Output, emit, output_options, spec_options
from convcalc.commands._progress import tracked
from convcalc.commands._sections import Sectioned
from convcalc.commands._sweep import (
    ChartOf,
    Cluster,
    Sample,
    Selection,
    chart_options,
    chunks_of,
    cluster_options,
    need_numpy,
    sample_options,
    selection_options,
    write_chart,
)
from convcalc.language.overrides import Overrides

if TYPE_CHECKING:
    from convcalc.language.document import Document
    from convcalc.sweep.grid import Grid


@click.command("sweep", cls=Sectioned)
@click.argument("spec", type=SPEC)
@spec_options
@selection_options
@chart_options
@sample_options
@cluster_options
@output_options
def command(
    spec: str,
    overrides: Overrides,
    selection: Selection,
    chart: ChartOf,
    sample: Sample,
    cluster: Cluster,
    output: Output,
) -> None:
    """Show what a network costs at every combination of its variables.

    Values are lists (4,8,16), ranges with their end (4:64:4), or doublings (4:64:log2). An invalid
    combination is a row with the reason.

    \b
    convcalc sweep googlenet --set reduce=4:64:4 --set input=128,160,192,224
    convcalc sweep mobilenet_v1 --set width=0.25:1:0.05 --where "macs < 300M" -f csv
    convcalc sweep mobilenet_v1 --set width=0.25:1:0.25 --set input=128:224:32 --plot params,macs
    """
    need_numpy("sweep")
    from convcalc.analysis.count import FIGURES
    from convcalc.formats._colors import is_terminal
    from convcalc.loader import open_document
    from convcalc.report import Report
    from convcalc.sweep.grid import sample as points_of
    from convcalc.sweep.select import Condition, Frontier
    from convcalc.sweep.sweep import Sweep
    from convcalc.tables.count import NOTES, document_title
    from convcalc.tables.sweep import check_rows, figures_in, points_chart, points_table, words_in

    where, pareto, plot = selection.where, selection.pareto, chart.plot
    document, overrides = open_document(spec, overrides)
    grid = _grid(document, overrides, sample)
    overrides = overrides._replace(sets=(), variant="" if "," in overrides.variant else overrides.variant)
    axes = [axis.name for axis in grid.axes]
    shown = figures_in(selection.columns)
    used = {*shown, *words_in(where), *words_in(pareto), *words_in(plot)}
    figures = [name for name in FIGURES if name in used]
    condition = Condition(where, [*axes, *FIGURES]) if where else None
    frontier = Frontier(pareto, [*axes, *figures]) if pareto else None
    points = None if sample.points is None else points_of(grid, sample.points, sample.seed, sample.method)
    sweep = Sweep(document, overrides, grid, figures, points)
    if not (where or pareto or plot):
        check_rows(output.form, len(sweep))
    sweep.check()
    with chunks_of(sweep, cluster) as chunks:
        # a format that streams writes between two chunks, over the bar where both are on one terminal
        kept = chunks if output.form != "table" and is_terminal() else tracked(chunks, "sweep", sweep.count())
        for choice in (condition, frontier):
            if choice is not None:
                kept = choice.of(kept)
        if plot:
            write_chart(points_chart(kept, plot, [*axes, *figures], document_title(document)), chart.svg, output.form)
            return
        notes = [f"{len(sweep):,} of {grid.size:,} architectures, seed {sample.seed}"] if sample.points else []
        table = points_table(document, grid, [*axes, *shown], kept, output.form, notes)
        emit(Report("sweep", [table], NOTES), output)


_EXAMPLES = "for example --set NAME=4:64:4 or --set input=128,160,192,224"


def _grid(document: Document, overrides: Overrides, sample: Sample) -> Grid:
    """The grid that the values of --set and --variant span. Raises SpecError where nothing varies, or too much."""
    from convcalc.errors import SpecError
    from convcalc.sweep.grid import check_size, read_axes

    grid = read_axes(overrides.sets, overrides.variant, document)
    if not grid.axes:
        sizes = ",".join(overrides.inputs)
        hint = f"inputs of several sizes are '--set input={sizes}'" if sizes else _EXAMPLES
        raise SpecError("nothing varies", hint)
    if sample.points is None:
        check_size(grid, "use larger steps, or --sample N")
    return grid
