"""convcalc sweep: what a network costs at every combination of its variables."""

from __future__ import annotations

from pathlib import Path

import click

from convcalc.commands._options import SPEC, Output, emit, output_options, spec_options
from convcalc.commands._points import (
    check_room,
    chunks_of,
    draw_chart,
    figures_in,
    need_numpy,
    points_table,
    progress,
    title,
    words_in,
)
from convcalc.language.overrides import Overrides


@click.command("sweep")
@click.argument("spec", type=SPEC)
@spec_options
@click.option("--columns", default="params,macs", show_default=True, metavar="A,B,...", help="The figures to give.")
@click.option("--where", default="", metavar="CONDITION", help="Only what fits: 'macs < 300M and width >= 0.5'.")
@click.option("--pareto", default="", metavar="A,B,...", help="Only what nothing beats in all of these; -A: larger.")
@click.option("--plot", default="", metavar="X,Y", help="Draw two columns as a chart in place of the table.")
@click.option("--svg", type=click.Path(dir_okay=False, path_type=Path), help="Write the chart of --plot as SVG too.")
@click.option("--sample", type=click.IntRange(1, 10**7), metavar="N", help="N points of the grid in place of all.")
@click.option("--sampling", type=click.Choice(["latin", "random"]), default="latin", help="How --sample chooses.")
@click.option("--seed", type=int, default=0, show_default=True, help="Another seed, another sample.")
@click.option("--workers", type=click.IntRange(1, 1024), metavar="N", help="Share the work among N local processes.")
@click.option("--scheduler", default="", metavar="ADDRESS", help="Share it among a running Dask cluster's workers.")
@output_options
def command(
    spec: str,
    overrides: Overrides,
    columns: str,
    where: str,
    pareto: str,
    plot: str,
    svg: Path | None,
    sample: int | None,
    sampling: str,
    seed: int,
    workers: int | None,
    scheduler: str,
    output: Output,
) -> None:
    """What a network costs at every combination of its variables.

    Values are lists (4,8,16), ranges with their end (4:64:4), or doublings (4:64:log2). A combination that is no
    network is a row with its reason.

    \b
    convcalc sweep googlenet --set reduce=4:64:4 --set input=128,160,192,224
    convcalc sweep mobilenet_v1 --set width=0.25:1:0.05 --where "macs < 300M" -f csv
    convcalc sweep mobilenet_v1 --set width=0.25:1:0.25 --set input=128:224:32 --plot params,macs
    """
    need_numpy("sweep")
    from convcalc.analysis.count import FIGURES
    from convcalc.errors import SpecError
    from convcalc.loader import open_document
    from convcalc.report import Report
    from convcalc.sweep.grid import check_size, read_axes
    from convcalc.sweep.grid import sample as draw
    from convcalc.sweep.select import Condition, Frontier
    from convcalc.sweep.sweep import Sweep
    from convcalc.tables.count import NOTES

    document, overrides = open_document(spec, overrides)
    grid = read_axes(overrides.sets, overrides.variant, document)
    if not grid.axes:
        raise SpecError("nothing varies", "for example --set NAME=4:64:4 or --set input=128,160,192,224")
    base = overrides._replace(sets=(), variant="" if "," in overrides.variant else overrides.variant)
    if sample is None:
        check_size(grid, "use larger steps, or --sample N")
    axes = [axis.name for axis in grid.axes]
    shown = figures_in(columns)
    figures = [name for name in FIGURES if name in {*shown, *words_in(where), *words_in(pareto), *words_in(plot)}]
    condition = Condition(where, [*axes, *FIGURES]) if where else None
    frontier = Frontier(pareto, [*axes, *figures]) if pareto else None
    sweep = Sweep(document, base, grid, figures, None if sample is None else draw(grid, sample, seed, sampling))
    check_room(output.form, len(sweep), not (where or pareto or plot))
    sweep.check()
    with chunks_of(sweep, workers, scheduler) as chunks:
        kept = progress(chunks, sweep.count())
        if condition is not None:
            kept = condition.of(kept)
        if frontier is not None:
            kept = frontier.of(kept)
        if plot:
            draw_chart(kept, plot, [*axes, *figures], svg, title(document), output.form)
            return
        notes = [f"{len(sweep):,} of {grid.size:,} architectures, seed {seed}"] if sample else []
        table = points_table(document, grid, [*axes, *shown], kept, output.form, notes)
        emit(Report("sweep", [table], NOTES), output)
