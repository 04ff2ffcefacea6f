"""The order of operators with the least peak: a bounded search.

Source: Liberis and Lane, Neural networks on microcontrollers, arXiv:1910.05110, whose search over sets of finished
operators this is, the least peak first.
"""

from __future__ import annotations

from heapq import heappop, heappush
from typing import NamedTuple

from convcalc.analysis.memory.live import Memory

MOST_STATES = 20_000


class BestOrder(NamedTuple):
    """The least peak of all orders, and an order that has it, as numbers of operators."""

    peak: int
    order: tuple[int, ...]


def best_order(needed: Memory, most_states: int = MOST_STATES) -> BestOrder | None:
    """Search for the order with the least peak; None if that is not known after `most_states` sets of operators.

    The given order is the best where its peak is the floor, and no search is needed.

    >>> from convcalc.analysis.memory.live import memory
    >>> from convcalc.analysis.memory.precision import PRECISIONS
    >>> from convcalc.analysis.memory.profile import profile
    >>> from convcalc.loader import graph
    >>> needed = memory(graph("unet"), profile("tflm"), PRECISIONS["int8"])
    >>> needed.peak, needed.floor, best_order(needed).peak
    (41840640, 41441536, 41441536)
    """
    given = tuple(range(len(needed.program.operators)))
    if needed.peak == needed.floor:
        return BestOrder(needed.peak, given)
    return _Search(needed).run(most_states, given)


class _Search:
    """Sets of finished operators as bits of an integer."""

    def __init__(self, needed: Memory) -> None:
        self.needed = needed
        program = needed.program
        self.count = len(program.operators)
        writer = {tensor: at for at, operator in enumerate(program.operators) for tensor in operator.writes}
        self.needs = [
            sum({1 << writer[tensor] for tensor in operator.reads if tensor in writer})
            for operator in program.operators
        ]
        kept = {*program.outputs, *(program.inputs if program.profile.keeps_inputs else ())}
        self.readers: dict[int, int] = {}
        for at, operator in enumerate(program.operators):
            for tensor in operator.reads:
                self.readers[tensor] = self.readers.get(tensor, 0) | 1 << at
        self.kept = kept

    def run(self, most_states: int, given: tuple[int, ...]) -> BestOrder | None:
        program = self.needed.program
        start = frozenset(program.inputs)
        seen: set[int] = set()
        queue: list[tuple[int, int, int, frozenset[int], tuple[int, ...]]] = [(0, 0, 0, start, ())]
        everything = (1 << self.count) - 1
        while queue:
            peak, _, done, alive, order = heappop(queue)
            if done in seen:
                continue
            seen.add(done)
            if done == everything:
                return BestOrder(peak, order)
            if len(seen) > most_states:
                return None
            for at, most, left in self._next(done, alive, peak):
                if done | 1 << at not in seen and most < self.needed.peak:
                    heappush(queue, (most, -len(order), done | 1 << at, left, (*order, at)))
        return BestOrder(self.needed.peak, given)  # no other order has less

    def _next(self, done: int, alive: frozenset[int], peak: int) -> list[tuple[int, int, frozenset[int]]]:
        """The operators that can run: each with the peak so far and what is alive after it.

        One alone where it costs nothing to run it at once: it fits under the peak and leaves no more alive.
        """
        found = []
        size = self.needed.bytes_of(alive)
        for at, operator in enumerate(self.needed.program.operators):
            if done >> at & 1 or self.needs[at] & ~done:
                continue
            during = alive.union(operator.writes)
            bytes_during = self.needed.bytes_of(during)
            after = done | 1 << at
            left = frozenset(tensor for tensor in during if tensor in self.kept or self.readers.get(tensor, 0) & ~after)
            step = (at, max(peak, bytes_during), left)
            if bytes_during <= peak and self.needed.bytes_of(left) <= size:
                return [step]
            found.append(step)
        return found
