"""Build the tables that `roofline` prints: what each layer computes and moves, and its least time on devices."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from math import log10
from typing import Any

from convcalc.analysis.count import FLOP
from convcalc.analysis.roofline.bound import Roof, intensity
from convcalc.analysis.roofline.energy import RULES, energy
from convcalc.analysis.roofline.traffic import Traffic, Work
from convcalc.analysis.uncounted import uncounted_layers, why_uncounted
from convcalc.errors import SpecError
from convcalc.formats._chart import Chart
from convcalc.graph import Graph
from convcalc.kinds import shape_text
from convcalc.report import Column, Report, Table
from convcalc.tables.count import network_facts, title, without_bits

LAYERS = (
    Column("name", "name", "name"),
    Column("kind", "kind", "text", optional=True),
    Column("output", "output", "shape", optional=True),
    Column("flops", "FLOPs"),
    Column("weight_bytes", "weight bytes", optional=True),
    Column("activation_bytes", "activation bytes", optional=True),
    Column("bytes", "bytes"),
    Column("intensity", "FLOPs per byte", "decimal"),
)
DEVICES = (
    Column("device", "device", "name"),
    Column("precision", "type", "text"),
    Column("peak", "peak FLOPs/s", "count"),
    Column("bandwidth", "bytes/s", "count"),
    Column("ridge", "ridge", "decimal"),
    Column("memory_bound_layers", "memory-bound layers"),
    Column("memory_bound_share", "of the time", "share", optional=True),
    Column("least_ps", "at least", "picoseconds"),
)
ENERGY = (Column("arithmetic_fj", "arithmetic", "femtojoules"), Column("traffic_fj", "traffic", "femtojoules"))
MEANING = (
    "at least: for each layer the longer of FLOPs / peak and bytes / bandwidth, one layer after the other; a bound "
    "under this convention of bytes, no latency: a program may take far longer",
    "ridge: the FLOPs per byte from which on a layer is bound by compute",
)


def roofline_report(graph: Graph, roofs: Sequence[Roof], traffic: Traffic, has_energy: bool = False) -> Report:
    """The tables of a network on devices: its layers on those that are few, and a row for each device."""
    name = title(graph)
    tables = []
    if len(roofs) == 1:
        tables.append(_layer_table(name, roofs[0]))
    columns = [*DEVICES, *(ENERGY if has_energy else ())]
    rows = [[*_device_row(one), *(energy(one.works, one.precision) if has_energy else ())] for one in roofs]
    uncounted = uncounted_layers(graph)
    facts = {
        **network_facts(graph),
        "traffic": traffic.name,
        "status": "lower_bound" if uncounted else "complete",
        "sources": {one.device.name: one.device.sources for one in roofs},
    }
    inputs = ", ".join(shape_text(shape) for shape in graph.inputs.values())
    lines = [f"input {inputs}, batch {graph.batch}; bytes: {traffic.rules}"]
    lines += without_bits(graph)
    lines += [traffic.profile.rules] if traffic.is_deployed else []
    lines += [f"energy: {RULES}"] if has_energy else []
    lines += [f"FLOPs and bytes are lower bounds (>=): {why_uncounted(uncounted)}"] if uncounted else []
    tables.append(Table(f"{name}: least time", columns, rows, None, lines, facts, is_answer=True))
    conventions = {"bytes": traffic.rules, "flops": FLOP, "time": MEANING[0]}
    return Report("roofline", tables, (*(f"{line}." for line in MEANING), f"{FLOP}."), {"conventions": conventions})


def _layer_table(name: str, one: Roof) -> Table:
    columns = [*LAYERS, Column("bound", "bound by", "text"), Column("least_ps", "at least", "picoseconds")]
    rows: list[list[Any]] = []
    for work, least in zip(one.works, one.least, strict=True):
        rows.append([*_work_row(work), least.bound if work.bytes else None, least.time])
    total = Work("total", "", (), *(sum(row) for row in zip(*(work[3:] for work in one.works), strict=True)))
    last = [*_work_row(total), None, one.time] if one.works else None
    return Table(f"{name} on {one.device.name}, {one.precision.name}", columns, rows, last)


def _work_row(work: Work) -> list[Any]:
    per_byte = intensity(work)
    activations = work.read_bytes + work.written_bytes
    figures = (work.flops, work.weight_bytes, activations, work.bytes)
    return [work.path, work.kind, work.output or None, *figures, None if per_byte is None else float(per_byte)]


def _device_row(one: Roof) -> list[Any]:
    bound = sum(least.bound == "memory" for least in one.least)
    share = one.memory_time / one.time if one.time else 0.0
    rates = (one.peak, one.device.bandwidth, float(one.ridge))
    return [one.device.name, one.precision.name, *rates, bound, share, one.time]


def roofline_chart(graph: Graph, roofs: Sequence[Roof]) -> Chart:
    """The FLOPs per second that each layer can reach over its FLOPs per byte, both in powers of ten, under the roof.

    Raises SpecError where there are several devices, or nothing to draw.
    """
    if len(roofs) != 1:
        raise SpecError("a chart shows one device", "name it with --device")
    (one,) = roofs
    points = []
    for value in filter(None, map(intensity, one.works)):
        points.append((log10(value), log10(min(Fraction(one.peak), value * one.device.bandwidth))))
    if not points:
        raise SpecError("there is nothing to draw: no layer computes anything")
    ridge = log10(one.ridge)
    left, right = min([ridge, *(x for x, _ in points)]), max([ridge, *(x for x, _ in points)])
    top = log10(one.peak)
    line = [(left, top - (ridge - left)), (ridge, top), (max(right, ridge + 0.5), top)]
    heading = f"{title(graph)} on {one.device.name}, {one.precision.name}"
    return Chart(heading, "FLOPs per byte", "FLOPs per second at most", points, line=line, is_log=True)
