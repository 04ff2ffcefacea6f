"""What sweep, solve and space share: the check for numpy, a cluster, and how a chart is written."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click

from convcalc.commands._options import WholeNumber
from convcalc.commands._sections import grouped

if TYPE_CHECKING:
    from convcalc.formats._chart import Chart
    from convcalc.sweep.sweep import Chunk, Sweep


class Selection(NamedTuple):
    """Which figures of which points are shown: the columns, a condition, the objectives of a Pareto frontier."""

    columns: str
    where: str
    pareto: str


class ChartOf(NamedTuple):
    """Two columns to draw, "" for a table instead, and a file to write the chart into."""

    plot: str
    svg: Path | None


class Sample(NamedTuple):
    """How many points of a grid are counted (None: all), and how they are chosen."""

    points: int | None
    method: str
    seed: int


class Cluster(NamedTuple):
    """Where the work is done: by so many local processes, by a running Dask cluster, or here."""

    workers: int | None
    scheduler: str


selection_options = grouped(
    "selection",
    Selection,
    {
        "columns": click.option(
            "--columns", default="params,macs", show_default=True, metavar="A,B,...", help="The figures to show."
        ),
        "where": click.option(
            "--where", default="", metavar="CONDITION", help="Only rows that meet it: 'macs < 300M and width >= 0.5'."
        ),
        "pareto": click.option(
            "--pareto",
            default="",
            metavar="A,B,...",
            help="Only rows that no other row beats in all of these figures; -A: larger is better.",
        ),
    },
    section="Points",
)
chart_options = grouped(
    "chart",
    ChartOf,
    {
        "plot": click.option(
            "--plot", default="", metavar="X,Y", help="Draw two columns as a chart instead of the table."
        ),
        "svg": click.option(
            "--svg", type=click.Path(dir_okay=False, path_type=Path), help="Also write the chart of --plot as SVG."
        ),
    },
    section="Chart",
)
sample_options = grouped(
    "sample",
    lambda sample, sampling, seed: Sample(sample, sampling, seed),
    {
        "sample": click.option("--sample", type=WholeNumber(1, 10**7), metavar="N", help="Count only N combinations."),
        "sampling": click.option(
            "--sampling",
            type=click.Choice(["latin", "random"]),
            default="latin",
            help="How --sample chooses combinations.",
        ),
        "seed": click.option(
            "--seed", type=WholeNumber(), metavar="N", default=0, show_default=True, help="The seed of --sample."
        ),
    },
    section="Points",
)
cluster_options = grouped(
    "cluster",
    Cluster,
    {
        "workers": click.option(
            "--workers", type=WholeNumber(1, 1024), metavar="N", help="Share the work between N local processes."
        ),
        "scheduler": click.option(
            "--scheduler",
            default="",
            metavar="ADDRESS",
            help="Share the work between the workers of a running Dask cluster.",
        ),
    },
    section="Workers",
)


def need_numpy(command: str) -> None:
    """Raises SpecError where numpy is not installed."""
    from importlib.util import find_spec

    from convcalc.errors import SpecError

    if find_spec("numpy") is None:
        raise SpecError(f"convcalc {command} needs numpy", "pip install 'convcalc[sweep]'")


@contextmanager
def chunks_of(sweep: Sweep, where: Cluster) -> Iterator[Iterable[Chunk]]:
    """The chunks of a sweep in order, computed here or on a Dask cluster."""
    if where.workers is None and not where.scheduler:
        yield sweep.chunks()
        return
    from convcalc.sweep.cluster import cluster, spread

    with cluster(where.workers, where.scheduler) as client:
        yield spread(sweep, client)


def write_chart(chart: Chart, path: Path | None, form: str) -> None:
    """Write a chart as SVG where a path is given, and draw it on the terminal. Raises SpecError."""
    from convcalc.commands._options import write_text
    from convcalc.formats._chart import draw, svg

    if path is not None:
        write_text(svg(chart), path)
    if form == "table":
        click.echo(draw(chart, *_terminal_size()))


def _terminal_size() -> tuple[int, int]:
    from shutil import get_terminal_size

    size = get_terminal_size()
    return min(size.columns, 120), max(8, min(24, size.lines - 8))
