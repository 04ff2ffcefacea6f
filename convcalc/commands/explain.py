"""convcalc explain: every figure as formula, numbers and result."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from convcalc.commands._options import SPEC, Output, emit, output_options, spec_options, strict_option
from convcalc.language.overrides import Overrides
from convcalc.report import Column

if TYPE_CHECKING:
    from convcalc.analysis.count import Count
    from convcalc.analysis.explain import Line, Part
    from convcalc.report import Table


COLUMNS = (Column("figure", "figure", "text"), Column("how", "formula = numbers = result", "equation"))


def _complete(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    from convcalc.errors import SpecError
    from convcalc.loader import graph

    try:
        built = graph(ctx.params.get("spec") or "")
    except SpecError:
        return []
    names = [*(group.path for group in built.groups), *(layer.path for layer in built.layers)]
    return [name for name in names if name.startswith(incomplete)]


@click.command("explain")
@click.argument("spec", type=SPEC)
@click.argument("layer", default="", shell_complete=_complete)
@spec_options
@strict_option
@output_options
def command(spec: str, layer: str, output: Output, overrides: Overrides) -> None:
    """Why a layer costs what it costs, with formulas.

    Each figure is a formula, the same with numbers, and the result.

    LAYER is a name as `params` shows it, its end, or a pattern in quotes. A join, a block, a repeat and the whole
    network are sums over their parts. Without LAYER: every layer, then the network.

    \b
    convcalc explain mine.yaml wide
    convcalc explain googlenet inception_3a
    convcalc explain googlenet '*/reduce_5x5'
    """
    from convcalc.analysis.count import FLOP, count
    from convcalc.analysis.explain import find
    from convcalc.loader import graph
    from convcalc.report import Report
    from convcalc.tables.count import CONVENTIONS, NOTES, conditions, lower_bound, spec_facts

    counted = count(graph(spec, overrides))
    tables = [part_table(part, counted) for part in find(counted, layer)]
    facts = {"conventions": CONVENTIONS, "spec": spec_facts(counted.graph), "batch": counted.graph.batch}
    bound = (lower_bound(counted),) if counted.uncounted else ()
    notes = (conditions(counted), *bound, *NOTES, f"{FLOP}.")
    emit(Report("explain", tables, notes, facts), output)


def part_table(part: Part, counted: Count) -> Table:
    """What is asked for, a row a figure."""
    from convcalc.analysis.explain import explain_layer, explain_sum, legend, rows_of
    from convcalc.report import Table

    graph, layer, rows = counted.graph, part.layer, rows_of(part, counted)
    facts = {"layer": part.path, "kind": part.label}
    if layer is None:
        title = f"{part.path or graph.name}: {part.label}, the sum over its parts"
        return Table(title, COLUMNS, line_rows(explain_sum(rows, f"{part.path}/")), None, (), facts)
    lines = explain_layer(layer, graph.batch)
    letters = legend(layer.kind, lines)
    notes = [f"letters: {letters}"] if letters else []
    if layer.shares is not None:
        notes.append(f"its weights are those of {graph.all[layer.shares].path}, counted there")
    sums = explain_sum(rows, f"{part.path.rpartition('/')[0]}/")
    lines += [line._replace(name=f"{line.name} with branches") for line in sums]
    title = f"{part.path}: {part.label}, {_shapes(layer.shapes)} -> {_shapes(layer.outputs)}"
    return Table(title, COLUMNS, line_rows(lines), None, notes, facts)


def line_rows(lines: list[Line]) -> list[list[Any]]:
    """Explained figures as rows under COLUMNS."""
    return [[line.name, {"formula": line.formula, "numbers": line.numbers, "value": line.value}] for line in lines]


def _shapes(shapes: tuple[Any, ...]) -> str:
    from convcalc.kinds import shape_text

    return " and ".join(map(shape_text, shapes)) or "nothing"
