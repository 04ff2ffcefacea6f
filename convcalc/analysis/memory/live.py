"""The bytes alive at each operator of a network: their peak, its floor, the arena of a planner, the flash for weights.

At an operator its inputs, its outputs and every tensor that is still read later are alive; inputs of the network from
the start to their last reader, its outputs to the end.
Source: Liberis and Lane, Neural networks on microcontrollers, arXiv:1910.05110.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property, lru_cache
from typing import NamedTuple

from convcalc.analysis.count import Count, Tallies, count
from convcalc.analysis.memory.arena import Buffer, plan
from convcalc.analysis.memory.precision import PRECISIONS, Precision
from convcalc.analysis.memory.profile import DEFAULT, Profile, profile
from convcalc.analysis.memory.program import Operator, Program, program_of
from convcalc.graph import Graph


class Moment(NamedTuple):
    """An operator with the tensors alive while it runs, and their bytes."""

    operator: Operator
    alive: tuple[int, ...]
    bytes: int


class Memory:
    """What the activations of a network need at a precision.

    >>> from convcalc.analysis.memory.precision import PRECISIONS
    >>> from convcalc.analysis.memory.profile import profile
    >>> from convcalc.loader import read
    >>> network = read("{input: 3x8x8, layers: [{conv: {filters: 4, kernel: 3}}, {conv: {filters: 2, kernel: 1}}]}")
    >>> needed = memory(network, profile("tflm"), PRECISIONS["int8"])
    >>> [moment.bytes for moment in needed.moments] == [3*8*8 + 4*6*6, 4*6*6 + 2*6*6]
    True
    >>> needed.peak, needed.floor, needed.arena, needed.flash
    (336, 336, 336, 140)
    """

    def __init__(self, program: Program, precision: Precision) -> None:
        self.program, self.precision = program, precision
        self.sizes = [precision.bytes_of(tensor.elements or 0) for tensor in program.tensors]
        self.lives = lifetimes(program)

    @cached_property
    def moments(self) -> list[Moment]:
        """Each operator in order; without operators, none."""
        starts: dict[int, list[int]] = {}
        for tensor, life in self.lives.items():
            starts.setdefault(life[0], []).append(tensor)
        found = []
        alive: list[int] = []
        for at, operator in enumerate(self.program.operators):
            alive = [tensor for tensor in alive if self.lives[tensor][1] >= at] + starts.get(at, [])
            found.append(Moment(operator, tuple(sorted(alive)), self.bytes_of(alive)))
        return found

    def bytes_of(self, tensors: Iterable[int]) -> int:
        """Return the bytes of some tensors, without those whose shape is not known (`unknown`)."""
        return sum(self.sizes[tensor] for tensor in tensors)

    @property
    def at_peak(self) -> Moment | None:
        """The first operator with the most bytes alive; None in a network without operators."""
        return max(self.moments, key=lambda moment: moment.bytes, default=None)

    @property
    def peak(self) -> int:
        """The most bytes alive at once: no plan needs less in this order."""
        at_peak = self.at_peak
        return self.bytes_of(self.program.inputs) if at_peak is None else at_peak.bytes

    @property
    def largest(self) -> Operator | None:
        """The operator with the most bytes of inputs and outputs of its own."""
        return max(self.program.operators, key=self.own_bytes, default=None)

    def own_bytes(self, operator: Operator) -> int:
        """Return the bytes of what an operator reads and writes."""
        return self.bytes_of({*operator.reads, *operator.writes})

    @property
    def floor(self) -> int:
        """The bytes of the largest operator: no order of the operators needs less."""
        largest = self.largest
        return self.bytes_of(self.program.inputs) if largest is None else self.own_bytes(largest)

    @cached_property
    def arena(self) -> int:
        """The bytes of the arena that TensorFlow Lite Micro's greedy planner lays out."""
        return plan([Buffer(self.sizes[tensor], *life) for tensor, life in sorted(self.lives.items())])[0]

    @cached_property
    def flash(self) -> int:
        """The bytes of weights and biases of the deployed network, and of scale and shift of norms that do not fold."""
        return -(-stored_bits(self.counted.tallies, self.precision) // 8)

    @cached_property
    def counted(self) -> Count:
        """The count of the network as its runtime has it."""
        return count(self.program.graph)

    def alive_at_peak(self) -> list[tuple[str, int]]:
        """Return the tensors alive at the peak with their bytes, the largest first."""
        alive = self.program.inputs if self.at_peak is None else self.at_peak.alive
        named = [(self.program.tensors[tensor].name, self.sizes[tensor]) for tensor in alive]
        return sorted(named, key=lambda pair: -pair[1])

    @property
    def unknown(self) -> list[str]:
        """The tensors whose shape is not known: every figure is a lower bound then."""
        return [tensor.name for tensor in self.program.tensors if tensor.elements is None]


def memory(graph: Graph, rules: Profile, precision: Precision) -> Memory:
    """What a network needs under the rules of a runtime."""
    return Memory(program_of(graph, rules), precision)


@lru_cache(maxsize=4)
def deployed_memory(graph: Graph, precision: Precision) -> Memory:
    """What a network needs in the default runtime; kept, because several figures and columns are taken from it."""
    return memory(graph, profile(DEFAULT), precision)


@lru_cache(maxsize=4)
def alive_elements(graph: Graph) -> Mapping[str, int]:
    """The most elements alive while a layer runs, by its path, and while those of a group do; "" is the network.

    A layer that is part of another in the deployed network has none.

    >>> from convcalc.loader import read
    >>> stem = "{repeat: {times: 1, name: stem, layers: [{conv: {filters: 4, kernel: 3}}]}}"
    >>> alive_elements(read(f"{{input: 3x8x8, layers: [{stem}]}}"))  # 3*8*8 read, 4*6*6 written
    {'': 336, 'stem': 336, 'stem/1': 336, 'stem/1/conv1': 336}
    """
    found: dict[str, int] = {}
    for moment in deployed_memory(graph, PRECISIONS["int8"]).moments:  # a byte an element
        parts = moment.operator.path.split("/")
        for length in range(len(parts) + 1):
            path = "/".join(parts[:length])
            found[path] = max(moment.bytes, found.get(path, 0))
    return found


def stored_bits(tallies: Tallies, precision: Precision) -> int:
    """The bits of weights and biases.

    >>> stored_bits({"weights": 100, "biases": 10}, PRECISIONS["int8"]) // 8
    140
    """
    weights = tallies.get("weights", 0) + tallies.get("other_params", 0)
    return weights * precision.weight_bits + tallies.get("biases", 0) * precision.bias_bits


def lifetimes(program: Program) -> dict[int, tuple[int, int]]:
    """From which operator to which each tensor is alive.

    >>> from convcalc.analysis.memory.profile import profile
    >>> from convcalc.loader import read
    >>> lifetimes(program_of(read("{input: 8, layers: [linear: 4, silu]}"), profile("tflm")))
    {0: (0, 0), 1: (0, 2), 2: (1, 2), 3: (2, 2)}
    """
    end = max(len(program.operators) - 1, 0)
    lives = dict.fromkeys(program.inputs, (0, 0))
    for at, operator in enumerate(program.operators):
        for tensor in operator.writes:
            lives.setdefault(tensor, (at, at))
        for tensor in (*operator.reads, *operator.writes):
            lives[tensor] = (lives[tensor][0], at)
    for tensor in (*program.outputs, *(program.inputs if program.profile.keeps_inputs else ())):
        lives[tensor] = (lives[tensor][0], end)
    return lives
