"""convcalc solve: which values of a spec's variables fit a budget."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from convcalc.commands._options import SPEC, Output, emit, output_options, spec_options
from convcalc.commands._points import columns_for, need_numpy, progress, title
from convcalc.language.overrides import Overrides

LIMITED = ("params", "weights", "macs", "flops")


def limit_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """--max-params, --min-params and the same for the other figures."""
    for figure in reversed(LIMITED):
        for word, says in (("min", "least"), ("max", "most")):
            help_text = f"At {says} so many {'MACs' if figure == 'macs' else figure.replace('flops', 'FLOPs')}."
            function = click.option(f"--{word}-{figure}", metavar="AMOUNT", help=help_text)(function)
    return function


@click.command("solve")
@click.argument("spec", type=SPEC)
@click.option(
    "--vary", multiple=True, required=True, metavar="VAR[=VALUES]", help="What to choose: width, width=0.25:1:0.05."
)
@limit_options
@click.option("--near", default="", metavar="FIGURE=AMOUNT", help="Nearest to macs=300M, or macs=SPEC: another's.")
@click.option("--smallest/--largest", default=None, help="Which end [largest; smallest with --min limits alone].")
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
    """Which values of a spec's variables fit a budget.

    Every value is counted, so the answer is exact. Of several variables: the combinations that cannot be enlarged in
    one without making another smaller.

    \b
    convcalc solve mobilenet_v1 --vary width --max-macs 300M
    convcalc solve mobilenet_v1 --vary width=0.25:1:0.05 --vary input=128:224:32 --max-macs 300M
    convcalc solve net.yaml --vary width=1:64 --near macs=resnet50
    """
    need_numpy("solve")
    from convcalc.errors import SpecError
    from convcalc.loader import open_document
    from convcalc.report import Column, Report, Table
    from convcalc.sweep import solve
    from convcalc.sweep.grid import Grid, check_size
    from convcalc.sweep.sweep import Sweep
    from convcalc.tables.count import NOTES

    document, overrides = open_document(spec, overrides)
    grid = Grid(tuple(solve.vary(text, document) for text in vary))
    names = [axis.name for axis in grid.axes]
    if len(set(names)) < len(names):
        raise SpecError("--vary names a variable twice", "list its values: a,b,c")
    check_size(grid)
    limits = [solve.limit(key.partition("_")[2], text, key.startswith("max")) for key, text in limited.items() if text]
    if not limits and not near:
        raise SpecError("no limit", "for example --max-macs 300M, or --near macs=300M")
    base = overrides.resolved(document)
    figure, target = _target(near, overrides.batch) if near else ("", 0)
    figures = list(dict.fromkeys(["params", "macs", *(one.figure for one in limits), *([figure] if near else [])]))
    sweep = Sweep(document, base, grid, figures)
    sweep.check()
    fits = solve.fitting(progress(sweep.chunks(), sweep.count()), limits)
    is_largest = any(one.is_most for one in limits) or not limits if smallest is None else not smallest
    if near:
        found = solve.nearest(fits, figure, target)
        notes = [f"nearest to {figure} = {target:,}, of {grid.size:,} architectures"]
    else:
        found = solve.extreme(fits, names, is_largest)
        notes = _notes(sweep, found, limits, is_largest)
    columns = columns_for(grid, [*names, *figures])
    rows = list(found.rows([*names, *figures]))
    if near:
        columns.append(Column("difference", f"{figure} difference"))
        at = [*names, *figures].index(figure)
        rows = [[*row, row[at] - target] for row in rows]
    table = Table(title(document), columns, rows, None, notes)
    emit(Report("solve", [table], NOTES), output)


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


def _notes(sweep: Any, found: Any, limits: Any, is_largest: bool) -> list[str]:
    """What was asked, and for one variable what the next value would have cost."""
    from convcalc.formats._text import text
    from convcalc.sweep.solve import beyond

    word = "largest" if is_largest else "smallest"
    notes = [f"the {word} of {sweep.grid.size:,} with {' and '.join(map(str, limits))}"]
    if len(sweep.grid.axes) > 1:
        return [f"{notes[0]}: none can be made {word.replace('est', 'er')} in one variable alone"]
    (axis,) = sweep.grid.axes
    further = beyond(sweep, found, is_largest)
    if further is None:
        return [*notes, f"{axis.name} ends there: {word.replace('est', 'er')} values may fit too"]
    (value,) = further.columns[axis.name].tolist()
    shown = text(value, "shape" if axis.kind == "input" else "")
    if further.reasons:
        return [*notes, f"{axis.name}={shown} is no network: {further.reasons[0]}"]
    costs = ", ".join(
        f"{figure} {further.columns[figure].tolist()[0]:,}" for figure in dict.fromkeys(one.figure for one in limits)
    )
    return [*notes, f"{axis.name}={shown} would have {costs}"]
