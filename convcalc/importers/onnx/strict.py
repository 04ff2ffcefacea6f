"""What is an error with --strict: operators without a rule, and params that do not add up."""

from __future__ import annotations

from convcalc.analysis.uncounted import has_unknown_input, operators_without_rule
from convcalc.errors import SpecError, quoted
from convcalc.graph import Graph


def refuse_opaque(graph: Graph, spec: str) -> None:
    """Raise SpecError for operators without a rule; those that only have an input of unknown shape come with them."""
    layers = [layer for layer in graph.layers if not layer.kind.is_counted and not has_unknown_input(layer)]
    if layers:
        count = "1 operator has" if len(layers) == 1 else f"{len(layers):,} operators have"
        raise SpecError(
            f"{quoted(spec)}: {count} no rule: {operators_without_rule(layers)}",
            "without --strict they stay in the graph, and the totals are lower bounds",
        )


def refuse_difference(graph: Graph, spec: str) -> None:
    """Raise SpecError where the params of layers and those in no layer are not the model's."""
    if graph.balance is not None and graph.balance.difference:
        counted, stored = graph.balance.counted, graph.balance.stored
        raise SpecError(
            f"{quoted(spec)}: params do not add up: {counted:,} counted, {stored:,} stored",
            "without --strict the difference is a note",
        )
