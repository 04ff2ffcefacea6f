"""Build the tables that `memory` prints: the bytes alive at each operator, what is alive at the peak, the figures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from convcalc.analysis.memory.arena import ALIGNMENT
from convcalc.analysis.memory.live import Memory
from convcalc.analysis.memory.order import BestOrder
from convcalc.analysis.uncounted import uncounted_layers, why_uncounted
from convcalc.errors import SpecError
from convcalc.formats._chart import Chart
from convcalc.graph import Graph
from convcalc.kinds import shape_text
from convcalc.report import Column, Report, Table
from convcalc.tables.count import network_facts, title, without_bits

MOMENTS = (
    Column("step", "#"),
    Column("name", "name", "name"),
    Column("operator", "operator", "text"),
    Column("output", "output", "shape", optional=True),
    Column("read_bytes", "read", optional=True),
    Column("written_bytes", "written", optional=True),
    Column("live_bytes", "alive"),
    Column("peak_share", "of peak", "share"),
)
ALIVE = (
    Column("tensor", "alive at the peak", "name"),
    Column("output", "shape", "shape"),
    Column("bytes", "bytes"),
    Column("from", "from #"),
    Column("to", "to #"),
)
FIGURES = (Column("figure", "figure", "text"), Column("bytes", "bytes"), Column("meaning", "meaning", "text"))
ARENA = f"TensorFlow Lite Micro's greedy plan, {ALIGNMENT}-byte alignment; its own structures come on top"


def memory_report(graph: Graph, needed: Memory, is_searched: bool = False, best: BestOrder | None = None) -> Report:
    """The tables of a network's memory; `best` is what the search for an order found, None if it met its bound."""
    name = title(graph)
    figures = figure_rows(needed)
    facts: dict[str, Any] = {
        **network_facts(graph),
        "profile": needed.program.profile.name,
        "precision": needed.precision.name,
        "status": "lower_bound" if memory_bounds(needed) else "complete",
        **{f"{figure}_bytes": size for figure, size, _ in figures},
        "peak_layer": needed.at_peak.operator.path if needed.at_peak else None,
        "order_is_best": needed.floor == needed.peak or None,
    }
    if is_searched:
        facts["best_order_peak_bytes"] = best and best.peak
        facts["best_order"] = best and [number + 1 for number in best.order]
    lines = _conditions(graph, needed, _order_line(needed, is_searched, best))
    tables = [
        Table(name, MOMENTS, _moment_rows(needed)),
        Table(f"{name}: alive at the peak", ALIVE, _alive_rows(needed)),
        Table(f"{name}: memory", FIGURES, figures, None, lines, facts),
    ]
    return Report("memory", tables, (), {"conventions": {"rules": needed.program.profile.rules, "arena": ARENA}})


def figure_rows(needed: Memory) -> list[tuple[str, int, str]]:
    """Peak, floor, arena and flash, each with what it means."""
    return [
        ("peak", needed.peak, f"the most bytes alive at once, {_at(needed.at_peak and needed.at_peak.operator)}"),
        ("floor", needed.floor, f"inputs and outputs of the largest operator, {_at(needed.largest)}"),
        ("arena", needed.arena, ARENA),
        ("flash", needed.flash, "weights and biases, apart from the activations"),
    ]


def _at(operator: Any) -> str:
    return "before any operator" if operator is None else f"at {operator.path} ({operator.name})"


def _shape(needed: Memory, tensor: int) -> Any:
    return needed.program.tensors[tensor].shape or None


def _bytes(needed: Memory, tensors: Sequence[int]) -> int | None:
    """The bytes of tensors; None where a shape is not known."""
    is_known = all(needed.program.tensors[tensor].elements is not None for tensor in tensors)
    return needed.bytes_of(tensors) if is_known else None


def _moment_rows(needed: Memory) -> list[list[Any]]:
    rows = []
    for step, (operator, _, size) in enumerate(needed.moments, 1):
        sizes = (_bytes(needed, operator.reads), _bytes(needed, operator.writes), size)
        share = size / needed.peak if needed.peak else 0.0
        rows.append([step, operator.path, operator.name, _shape(needed, operator.writes[0]), *sizes, share])
    return rows


def _alive_rows(needed: Memory) -> list[list[Any]]:
    moment = needed.at_peak
    rows = []
    for tensor in moment.alive if moment else needed.program.inputs:
        first, last = needed.lives[tensor]
        name = needed.program.tensors[tensor].name
        rows.append([name, _shape(needed, tensor), _bytes(needed, [tensor]), first + 1, last + 1])
    return sorted(rows, key=lambda row: -(row[2] or 0))


def memory_bounds(needed: Memory) -> list[str]:
    """Why the figures are lower bounds; empty where they are complete."""
    reasons = [f"the runtime {needed.program.profile.name} may need more"] * needed.program.profile.is_lower_bound
    unknown = needed.unknown
    if unknown:
        more = f" and {len(unknown) - 1:,} more" if len(unknown) > 1 else ""
        reasons.append(f"the shape of {unknown[0]}{more} is not known")
    if layers := uncounted_layers(needed.program.graph):
        reasons.append(why_uncounted(layers))
    return reasons


def _order_line(needed: Memory, is_searched: bool, best: BestOrder | None) -> str:
    """What is known about other orders of the operators."""
    if needed.peak == needed.floor:
        return "peak = floor: no other order of the operators needs less"
    if not is_searched:
        return "peak > floor: whether another order of the operators needs less, --best-order searches"
    if best is None:
        return "peak > floor: whether another order of the operators needs less is not known: the search met its bound"
    if best.peak == needed.peak:
        return "peak > floor, but no other order of the operators needs less: all were searched"
    return f"the best order of the operators has a peak of {best.peak:,}: {_moved(needed, best.order)}"


def _moved(needed: Memory, order: Sequence[int]) -> str:
    """The first operator that the best order has at another position."""
    at = next(at for at, number in enumerate(order) if at != number)
    now, then = (needed.program.operators[number].path for number in (at, order[at]))
    return f"it first differs at #{at + 1}, {then} before {now}"


def memory_chart(graph: Graph, needed: Memory) -> Chart:
    """The bytes alive over the operators, with lines at peak, floor and arena. Raises SpecError without operators."""
    if not needed.moments:
        raise SpecError("there is nothing to draw: the network has no operators")
    points = [(step, moment.bytes) for step, moment in enumerate(needed.moments, 1)]
    levels = [("arena", needed.arena), ("peak", needed.peak), ("floor", needed.floor)]
    up = f"bytes alive at {needed.precision.name}"
    return Chart(f"{title(graph)}: memory", "operator", up, points, levels, is_steps=True)


def _conditions(graph: Graph, needed: Memory, order: str) -> list[str]:
    inputs = ", ".join(shape_text(shape) for shape in graph.inputs.values())
    precision = needed.precision
    bits = f"{precision.name}: {precision.bits} bits an element"
    return [
        f"input {inputs}, batch {graph.batch}; {bits}, {precision.weight_bits} a weight, {precision.bias_bits} a bias",
        *without_bits(graph),
        needed.program.profile.rules,
        order,
        *(f"lower bounds (>=): {reason}" for reason in memory_bounds(needed)),
    ]
