"""The bytes that a network moves, operator by operator, under a stated convention, and the FLOPs that it computes.

Sources: weights, inputs and outputs of each operator are the compulsory traffic of Williams, Waterman and Patterson,
Roofline, Communications of the ACM 52(4), 2009, for one operator after the other.
"""

from __future__ import annotations

from math import prod
from typing import NamedTuple

from convcalc.analysis.count import figure
from convcalc.analysis.memory.live import Memory, memory, stored_bits
from convcalc.analysis.memory.precision import Precision
from convcalc.analysis.memory.profile import DEFAULT, Profile, profile
from convcalc.analysis.memory.program import Program
from convcalc.graph import Graph, Layer
from convcalc.kinds import Shape, tallied, total
from convcalc.kinds.sizes import STORED, is_known
from convcalc.record import Record

_AS_WRITTEN = Profile(
    "as_written",
    "every layer as written, reshapes free",
    folds_norms=False,
    views=profile(DEFAULT).views,
)


class Traffic(Record):
    """A convention: what is moved. `is_whole`: only what enters and leaves the network, and the weights."""

    name: str
    rules: str
    is_deployed: bool = True
    reads_inputs: bool = True
    is_whole: bool = False

    @property
    def profile(self) -> Profile:
        """The rules by which layers become operators."""
        return profile(DEFAULT) if self.is_deployed else _AS_WRITTEN


TRAFFIC = {
    traffic.name: traffic
    for traffic in (
        Traffic("operators", "each operator as deployed reads its weights and inputs and writes its outputs"),
        Traffic("layers", "each layer as written reads its weights and inputs and writes its outputs", False),
        Traffic("outputs", "each layer as written reads its weights and writes its outputs, inputs free", False, False),
        Traffic(
            "network",
            "each operator as deployed reads its weights; else only the network's inputs are read, its outputs written",
            is_whole=True,
        ),
    )
}


class Work(NamedTuple):
    """What one layer of the deployed network computes and moves, with the activations that are part of it.

    Weights are read for each use, also where an earlier layer stores them.
    """

    path: str
    kind: str
    output: Shape
    macs: int
    flops: int
    weight_bytes: int
    read_bytes: int
    written_bytes: int

    @property
    def bytes(self) -> int:
        """All the bytes that are moved."""
        return self.weight_bytes + self.read_bytes + self.written_bytes


def works(graph: Graph, traffic: Traffic, precision: Precision) -> list[Work]:
    """What each layer computes and moves at a precision, in order.

    >>> from convcalc.analysis.memory.precision import PRECISIONS
    >>> from convcalc.loader import read
    >>> network = read("{input: 3x8x8, layers: [{conv: {filters: 4, kernel: 3}}, relu]}")
    >>> (work,) = works(network, TRAFFIC["operators"], PRECISIONS["float32"])
    >>> work.weight_bytes == 4 * (3*3*3*4 + 4), work.read_bytes == 4 * 3*8*8, work.written_bytes == 4 * 4*6*6
    (True, True, True)
    >>> work.macs == 3*3*3*4*6*6, work.flops == 2 * work.macs + 4*6*6 + 4*6*6  # bias, relu
    (True, True)
    """
    needed = memory(graph, traffic.profile, precision)
    program, rows = needed.program, {row.path: row for row in needed.counted.rows}
    moved = _moved(needed, traffic)
    found: dict[str, Work] = {}
    owners: dict[int, str] = {}
    for layer in program.graph.all:
        if layer.is_input or layer.index in program.stored:
            continue
        path = layer.path
        if path not in moved:  # part of the operator before, or another view of its result
            path = next((owners[ref.layer] for ref in layer.inputs if ref.layer in owners), path)
        owners[layer.index] = path
        tallies = rows[layer.path].tallies
        work = found.get(path, Work(path, layer.kind.name, layer.output, 0, 0, 0, *moved.get(path, (0, 0))))
        found[path] = work._replace(
            macs=work.macs + figure("macs", tallies),
            flops=work.flops + figure("flops", tallies),
            weight_bytes=work.weight_bytes + weight_bytes(layer, program, precision),
        )
    return [*found.values()]


def _moved(needed: Memory, traffic: Traffic) -> dict[str, tuple[int, int]]:
    """The bytes of activations that the operators of each layer read and write, by the layer's path."""
    entering, leaving = {*needed.program.inputs}, {*needed.program.outputs}
    moved: dict[str, tuple[int, int]] = {}
    for operator in needed.program.operators:
        reads, writes = {*operator.reads}, {*operator.writes}
        if traffic.is_whole:
            reads &= entering
            writes &= leaving
            entering -= reads
        read, written = moved.get(operator.path, (0, 0))
        read += needed.bytes_of(reads) * traffic.reads_inputs
        moved[operator.path] = (read, written + needed.bytes_of(writes))
    return moved


def weight_bytes(layer: Layer, program: Program, precision: Precision) -> int:
    """The bytes of weights that a layer reads: its own, another's that it shares, and constants among its inputs.

    An embedding reads the rows that it looks up, for each position of the batch.
    """
    products = tallied(layer.kind, layer.shapes, layer.output)
    bits = stored_bits({str(name): total(terms) for name, terms in products.items() if name in STORED}, precision)
    if layer.kind.name == "embedding":
        bits = min(bits, program.graph.batch * prod(layer.output) * precision.weight_bits)
    for ref in layer.inputs:
        shape = program.graph.all[ref.layer].outputs[ref.port]
        if ref.layer in program.stored and is_known(shape):
            bits += prod(shape) * precision.weight_bits
    return -(-bits // 8)
