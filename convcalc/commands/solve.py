"""convcalc solve: which values of a spec's variables fit a budget."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from convcalc.commands._options import SPEC, Output, emit, output_options, spec_options
from convcalc.commands._progress import tracked
from convcalc.commands._sections import Sectioned
from convcalc.commands._sweep import need_numpy
from convcalc.language.overrides import Overrides

LIMITED = ("params", "weights", "macs", "flops")


def limit_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """--max-params, --min-params and the same for the other figures."""
    for figure in reversed(LIMITED):
        for word, says in (("min", "least"), ("max", "most")):
            help_text = f"At {says} so many {'MACs' if figure == 'macs' else figure.replace('flops', 'FLOPs')}."
            function = click.option(f"--{word}-{figure}", metavar="AMOUNT", help=help_text)(function)
    return function


@click.command("solve", cls=Sectioned)
@click.argument("spec", type=SPEC)
@click.option(
    "--vary",
    multiple=True,
    required=True,
    metavar="VAR[=VALUES]",
    help="A variable to choose: width, or width=0.25:1:0.05.",
)
@limit_options
@click.option(
    "--near",
    default="",
    metavar="FIGURE=AMOUNT",
    help="Find the nearest to macs=300M, or to another network's: macs=SPEC.",
)
@click.option(
    "--smallest/--largest",
    default=None,
    help="Find the largest or smallest values [largest; with only --min limits, smallest].",
)
@spec_options
@output_options
def command(
    spec: str,
    vary: tuple[str, ...],
    near: str,
    smallest: bool | None,
    overrides: Overrides,
    output: Output,
    **limited: str | None,
) -> None:
    """Find the values of a spec's variables that fit a budget.

    Every value is counted, so the answer is exact. For several variables, the combinations are shown in which none can
    be enlarged without making another smaller.

    \b
    convcalc solve mobilenet_v1 --vary width --max-macs 300M
    convcalc solve mobilenet_v1 --vary width=0.25:1:0.05 --vary input=128:224:32 --max-macs 300M
    convcalc solve net.yaml --vary width=1:64 --near macs=resnet50
    """
    need_numpy("solve")
    from convcalc.errors import SpecError
    from convcalc.loader import open_document
    from convcalc.sweep import solve
    from convcalc.sweep.grid import Grid, check_size
    from convcalc.sweep.sweep import Sweep
    from convcalc.tables.solve import extreme_report, nearest_report

    document, overrides = open_document(spec, overrides)
    grid = Grid(tuple(solve.vary(text, document) for text in vary))
    names = [axis.name for axis in grid.axes]
    if len(set(names)) < len(names):
        raise SpecError("--vary names a variable twice", "list its values: a,b,c")
    check_size(grid)
    limits = [solve.limit(key.partition("_")[2], text, key.startswith("max")) for key, text in limited.items() if text]
    if not limits and not near:
        raise SpecError("no limit", "for example --max-macs 300M, or --near macs=300M")
    overrides = overrides.resolved(document)
    figure, target = _target(near, overrides.batch) if near else ("", 0)
    figures = dict.fromkeys(["params", "macs", *(limit.figure for limit in limits), *([figure] if near else [])])
    sweep = Sweep(document, overrides, grid, list(figures))
    sweep.check()
    fits = solve.fitting(tracked(sweep.chunks(), "solve", sweep.count()), limits)
    if near:
        report = nearest_report(sweep, solve.nearest(fits, figure, target), figure, target)
    else:
        is_largest = any(limit.is_most for limit in limits) if smallest is None else not smallest
        report = extreme_report(sweep, solve.extreme(fits, names, is_largest), limits, is_largest)
    emit(report, output)


def _target(near: str, batch: int) -> tuple[str, int]:
    """The figure and the number of --near; a number may be that of another network. Raises SpecError."""
    from convcalc.amounts import amount
    from convcalc.analysis.count import count
    from convcalc.errors import SpecError, UserError
    from convcalc.loader import graph
    from convcalc.sweep.solve import target_of

    figure, value = target_of(near)
    try:
        return figure, amount(value)
    except UserError as misfit:
        if value[:1].isdigit():
            raise SpecError(f"--near: {misfit.message}", misfit.hint) from None
    return figure, count(graph(value, Overrides(batch=batch))).figure(figure)
