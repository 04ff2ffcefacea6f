"""What a training step needs: bytes of weights, gradients, optimizer state and saved activations, and its FLOPs."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from typing import NamedTuple

from convcalc.analysis.count import Count, Row, layer_products
from convcalc.analysis.memory.precision import Precision
from convcalc.analysis.training.gradients import backward_macs, gradients
from convcalc.analysis.training.saved import INDEX_BITS, STATISTIC_BITS, Case, Kept, kept_by
from convcalc.analysis.training.storages import Storage, storages
from convcalc.graph import Layer, Ref
from convcalc.kinds import total
from convcalc.kinds.sizes import MACS

# tensors of the size of the trainable params that an optimizer keeps; counters of steps are not counted
OPTIMIZERS = {"sgd": 0, "momentum": 1, "adam": 2, "adamw": 2}


class Work(NamedTuple):
    """One layer of a step: what it keeps, the bytes that no earlier layer keeps, FLOPs forward and backward."""

    row: Row
    kept: Kept | None
    saved: int
    forward: int
    backward: int


class Training:
    """A training step of a network with an optimizer, at a precision; `checkpoint` is the depth of checkpointed blocks.

    >>> from convcalc.analysis.count import count
    >>> from convcalc.analysis.memory.precision import PRECISIONS
    >>> from convcalc.loader import read
    >>> network = read("{input: 3x8x8, layers: [{conv: {filters: 4, kernel: 3, bias: false}}, relu]}")
    >>> step = Training(count(network), PRECISIONS["float32"], "adam")
    >>> step.saved == 4*(3*8*8 + 4*6*6), step.state == 2*4*(3*3*3*4), step.backward == step.forward
    (True, True, True)
    """

    def __init__(self, counted: Count, precision: Precision, optimizer: str, checkpoint: int | None = None) -> None:
        self.counted, self.precision, self.optimizer, self.checkpoint = counted, precision, optimizer, checkpoint
        self.graph = counted.graph
        self.needed = gradients(self.graph)
        self.storages = storages(self.graph)

    @cached_property
    def work(self) -> list[Work]:
        """Every layer in order."""
        seen: set[Ref] = set()
        found = []
        for row in self.counted.rows:
            assert row.layer is not None
            forward, backward = self._flops(row.layer)
            found.append(Work(row, self._kept(row.layer), self._saved(row.layer, seen), forward, backward))
        return found

    def _kept(self, layer: Layer) -> Kept | None:
        return kept_by(Case(layer, self.graph.batch, self.needed[layer.index]))

    def _saved(self, layer: Layer, seen: set[Ref]) -> int:
        """The bytes that a layer keeps, without the storages in `seen`, to which they are added."""
        kept = self._kept(layer) or Kept()
        refs = [layer.inputs[at] for at in kept.inputs] + [Ref(layer.index)] * kept.output
        own = sum(self._own_bytes(one.elements, one.sort) for one in kept.own)
        return own + self._bytes_of((self.storages[ref] for ref in refs), seen)

    def _bytes_of(self, tensors: Iterable[Storage], seen: set[Ref]) -> int:
        found = 0
        for storage in tensors:
            if storage.owner not in seen and not storage.is_stored:
                seen.add(storage.owner)
                found += self.precision.bytes_of(storage.elements or 0)
        return found

    def _own_bytes(self, elements: int, sort: str) -> int:
        bits = {"index": INDEX_BITS, "statistic": max(STATISTIC_BITS, self.precision.bits)}
        return elements * bits.get(sort, self.precision.bits) // 8

    def _flops(self, layer: Layer) -> tuple[int, int]:
        """FLOPs forward and backward: 2 for each multiply-accumulate; element-wise work is not counted."""
        named = layer_products(layer, self.graph.batch)
        products = {name: [total([product]) for product in named[name]] for name in MACS if name in named}
        forward = sum(map(sum, products.values()))
        return 2 * forward, 2 * backward_macs(layer, self.needed[layer.index], products)

    # -- figures ---------------------------------------------------------------------------------------------------

    @property
    def weights(self) -> int:
        return self.precision.bytes_of(self.counted.figure("params"))

    @property
    def buffers(self) -> int:
        return self.precision.bytes_of(self.counted.figure("buffers"))

    @property
    def gradients(self) -> int:
        """The bytes of the gradients of all trainable params."""
        return self.weights

    @property
    def state(self) -> int:
        """The bytes that the optimizer keeps."""
        return OPTIMIZERS[self.optimizer] * self.weights

    @cached_property
    def saved(self) -> int:
        """The bytes kept for the backward pass; with checkpoints those inputs, and the most that one block keeps."""
        return self._checkpointed if self.checkpoint else sum(one.saved for one in self.work)

    @property
    def upper(self) -> int:
        """All of them at once, which never is: gradients are made while what was saved is freed."""
        return self.weights + self.buffers + self.gradients + self.state + self.saved

    @property
    def forward(self) -> int:
        return sum(one.forward for one in self.work)

    @property
    def backward(self) -> int:
        return sum(one.backward for one in self.work)

    @property
    def again(self) -> int:
        """The FLOPs that checkpointed blocks compute a second time."""
        inside = {index for start, stop in self.blocks for index in range(start, stop)}
        return sum(one.forward for one in self.work if one.row.layer and one.row.layer.index in inside)

    @property
    def step(self) -> int:
        return self.forward + self.again + self.backward

    @property
    def unknown(self) -> list[Layer]:
        """The layers of which it is not known what they keep or compute."""
        return [
            one.row.layer
            for one in self.work
            if one.row.layer is not None and (one.kept is None or not one.row.layer.kind.is_counted)
        ]

    # -- checkpoints -----------------------------------------------------------------------------------------------

    @property
    def blocks(self) -> list[tuple[int, int]]:
        """The checkpointed blocks: from which layer to which."""
        if not self.checkpoint:
            return []
        groups = [group for group in self.graph.groups if group.path.count("/") == self.checkpoint - 1]
        return [(group.start, group.stop) for group in groups]

    @property
    def _checkpointed(self) -> int:
        """What stays after the forward pass, and the most that one block adds when it is computed again.

        What a block computes again is in new memory, also where a later block kept it as its input.
        """
        inside = {index: block for block in self.blocks for index in range(*block)}
        seen: set[Ref] = set()
        stays = 0
        for layer in self.graph.layers:
            block = inside.get(layer.index)
            if block is None:
                stays += self._saved(layer, seen)
            else:
                outer = [self.storages[ref] for ref in layer.inputs if ref.layer < block[0]]
                stays += self._bytes_of(outer, seen)
        most = 0
        for start, stop in self.blocks:
            known = {ref for ref in seen if not start <= ref.layer < stop}
            most = max(most, sum(self._saved(layer, known) for layer in self.graph.all[start:stop]))
        return stays + most
