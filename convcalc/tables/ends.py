"""Where a network ends: its outputs, and what its spec defines and nothing uses."""

from __future__ import annotations

from typing import Any

from convcalc.graph import Graph
from convcalc.kinds import shape_text

_MOST_NAMED = 4
_MOST_OUTPUTS = 8


def end_lines(graph: Graph) -> list[str]:
    """Return the lines under a table: what nothing uses, each with its location, and several outputs."""
    texts = _unused(graph)
    more = len(texts) - _MOST_NAMED
    lines = [*texts[:_MOST_NAMED], *[f"and {more:,} more that nothing uses"] * (more > 0)]
    outputs = graph.outputs
    if len(outputs) > 1:
        named = ", ".join(f"{layer.path} {shape_text(layer.output)}" for layer in outputs[:_MOST_OUTPUTS])
        lines.append(f"outputs: {named}")
    return lines


def end_facts(graph: Graph) -> dict[str, Any]:
    """Return what a machine should know of them."""
    outputs = {layer.path: [list(shape) or None for shape in layer.outputs] for layer in graph.outputs}
    return {"unused": _unused(graph), "outputs": outputs}


def _unused(graph: Graph) -> list[str]:
    return [f"{problem.place}: {problem.message}" for problem in graph.provenance.unused]
