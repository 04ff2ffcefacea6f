"""Build the tables that `explain` prints: each figure of a layer as formula, numbers and result."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from convcalc.analysis.by_rule import rule_of
from convcalc.analysis.count import FLOP, Count, Row, shared_with, unfold
from convcalc.analysis.explain import Line, Part, explain_layer, explain_sum, find, legend, rows_of
from convcalc.kinds import Shape, shape_text
from convcalc.report import Column, Report, Table
from convcalc.tables.count import CONVENTIONS, NOTES, conditions, lower_bound, spec_facts, title
from convcalc.tables.receptive import MEANING as FIELDS
from convcalc.tables.receptive import growth_tables

COLUMNS = (Column("figure", "figure", "text"), Column("how", "formula = numbers = result", "equation"))
TREE_COLUMNS = (Column("name", "name", "tree"), *COLUMNS)


def explain_report(counted: Count, layer: str = "", sees: bool = False) -> Report:
    """A table for each layer, block or repeat that `layer` names; for "" all layers. Raises SpecError for none.

    With `sees`, how the receptive field of each grew.
    """
    if sees:
        parts = find(counted, layer)[-1:] if not layer else find(counted, layer)
        facts = {"spec": spec_facts(counted.graph), "batch": counted.graph.batch}
        return Report("explain", growth_tables(counted.graph, parts), (conditions(counted), f"{FIELDS}."), facts)
    return _explained([_part_table(part, counted) for part in find(counted, layer)], counted)


def _explained(tables: Sequence[Table], counted: Count) -> Report:
    facts = {"conventions": CONVENTIONS, "spec": spec_facts(counted.graph), "batch": counted.graph.batch}
    bound = (lower_bound(counted),) if counted.uncounted else ()
    return Report("explain", tables, (conditions(counted), *bound, *NOTES, f"{FLOP}."), facts)


def tree_report(counted: Count, depth: int = 1) -> Report:
    """The network, its blocks and its layers down to `depth`: weights and MACs of each, those of a layer as formulas.

    Layers without weights and MACs have no row.
    """
    whole = Row("", "network", (), counted.tallies, 0, 0, "", None, len(counted.rows))
    rows: list[list[Any]] = []
    letters: list[str] = []
    for row in [whole, *unfold(counted, depth)]:
        lines = _cost_lines(row, counted.graph.batch)
        rows += [[row.path, *line] for line in line_rows(lines)]
        if row.layer is not None and lines:
            letters += legend(row.layer.kind, lines).split(", ")
    notes = [f"letters: {', '.join(filter(None, dict.fromkeys(letters)))}"] if any(letters) else []
    notes.append(
        "layers without weights or MACs are left out; the name of a layer shows all its figures, '*' those of all"
    )
    notes.append(f"--depth {depth + 1} looks further into blocks")
    table = Table(title(counted.graph), TREE_COLUMNS, rows, None, notes)
    return _explained([table], counted)


def _cost_lines(row: Row, batch: int) -> list[Line]:
    """Weights and MACs of a row, those left out that are 0."""
    figures = {heading: row.figure(figure) for heading, figure in (("weights", "weights"), ("MACs", "macs"))}
    if row.layer is not None:
        return [line for line in explain_layer(row.layer, batch) if figures.get(line.name)]
    text = f"sum over {row.layers:,} layer{'s'[: row.layers != 1]}"
    return [Line(heading, text, "", value) for heading, value in figures.items() if value]


def _part_table(part: Part, counted: Count) -> Table:
    graph, layer, rows = counted.graph, part.layer, rows_of(part, counted)
    facts = {"layer": part.path, "kind": part.label}
    if layer is None:
        heading = f"{part.path or graph.name}: {part.label}, the sum over its parts"
        return Table(heading, COLUMNS, line_rows(explain_sum(rows, f"{part.path}/")), None, (), facts)
    lines = explain_layer(layer, graph.batch)
    letters = legend(layer.kind, lines)
    notes = [f"letters: {letters}"] if letters else []
    notes += [f"counted by {rule}"] if (rule := rule_of(layer)) else []
    if layer.shares is not None:
        notes.append(f"it shares the weights of {graph.all[layer.shares].path} and counts none of its own")
    elif layer.shared:
        notes += [f"shared with {text}, counted there" for text in shared_with(layer, graph)]
    sums = explain_sum(rows, f"{part.path.rpartition('/')[0]}/")
    lines += [line._replace(name=f"{line.name} with branches") for line in sums]
    heading = f"{part.path}: {part.label}, {_shapes(layer.shapes)} -> {_shapes(layer.outputs)}"
    return Table(heading, COLUMNS, line_rows(lines), None, notes, facts)


def line_rows(lines: Sequence[Line]) -> list[list[Any]]:
    """Explained figures as rows under COLUMNS."""
    return [[line.name, {"formula": line.formula, "numbers": line.numbers, "value": line.value}] for line in lines]


def _shapes(shapes: Sequence[Shape]) -> str:
    return " and ".join(map(shape_text, shapes)) or "nothing"
