"""Which learned tensor of an ONNX file belongs to which layer of our graph, so that each element is counted once."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from math import prod
from typing import NamedTuple

from convcalc.graph import Graph, Layer, Ref, Shared, learned, same_weights, stored
from convcalc.importers.onnx.elements import Ledger, Part, distinct
from convcalc.importers.onnx.layer_names import Namer, module_of_call
from convcalc.importers.onnx.model import Model, Node
from convcalc.importers.onnx.values import Shape, Value, checked
from convcalc.kinds import KINDS, Kind

Parts = tuple[Part, ...]


class Use(NamedTuple):
    """The learned elements that a layer was given, for each of its weights in their order.

    `fixed` counts the elements of its other weights that are known not to be learned, `absent` those that count but are
    in no stored tensor, such as a bias of zeros that the exporter has left out.
    """

    layer: int
    weights: tuple[Parts, ...]
    fixed: int = 0
    absent: int = 0


class WeightTracker:
    """The learned tensors of one import, and the layers that use them.

    Each table grows with the graph, its last entries belonging to the last layers, which `take_back` relies on.
    """

    def __init__(self, model: Model, graph: Graph, names: Namer) -> None:
        self.model, self.graph, self.names = model, graph, names
        self.uses: list[Use] = []
        # a learned tensor and a shape -> the layer that outputs it
        self.parameter_layers: dict[tuple[str, ...], Ref] = {}
        self.modules: dict[str, list[str]] = {}  # learned tensor -> the modules that have one, the first use first
        self.materialized: list[Value] = []  # constants that layers of the graph compute

    def stored_shape(self, name: str) -> Shape:
        """Return the shape in which the file stores a learned tensor; () where it does not."""
        tensor = self.model.tensors.get(name)
        return tensor.shape if tensor is not None else ()

    def use(self, layer: int, weights: Iterable[Parts], fixed: int = 0, absent: int = 0) -> None:
        """Note the learned elements that a layer was given."""
        given = tuple(parts for parts in weights if parts)
        if given or absent:
            self.uses.append(Use(layer, given, fixed, absent))

    def add_layer(self, node: Node, kind: Kind, inputs: Sequence[Ref], weights: Sequence[Value | None]) -> Ref:
        """Add a layer with these weights to the graph."""
        given = [value for value in weights if value is not None]
        learned = self._own(node, [value.source_weights for value in given])
        names = [part.name for parts in learned for part in parts]
        ref = self.graph.add(self.names.path(node, kind, names), kind, inputs)
        others = [value for value in given if not value.source_weights]
        fixed = sum(prod(value.sizes) for value in others if self._is_made_up(value))
        absent = sum(prod(value.sizes) for value in others) - fixed
        if node.has_bias and len(given) == 1:
            absent += stored(self.graph.all[ref.layer]).get("biases", 0)
        self.use(ref.layer, learned, fixed if any(learned) else 0, absent + (0 if any(learned) else fixed))
        return ref

    def parameter(self, value: Value, shape: Shape, node: Node, batch: int) -> Ref:
        """Return the output of a layer that gives a constant in a shape, for `node`."""
        if not value.source_weights:
            constant = KINDS["constant"](shape=checked(shape))
            return self.graph.add(self.names.path(Node(), constant, ()), constant, ())
        tensors = {part.name: part.size for part in value.source_weights}
        wanted = shape if len(tensors) == 1 else None
        refs = [self._stored_tensor(Part(*tensor), wanted, node, batch) for tensor in tensors.items()]
        if len(refs) == 1 and self.graph.shape(refs[0]) == shape:
            return refs[0]
        gather = KINDS["gather"](shape=shape)  # a part of it, or computed from several before the network runs
        return self.graph.add(self.names.path(Node(), gather, list(tensors)[:1]), gather, refs)

    def take_back(self, start: int) -> None:
        """Forget the layers from number `start` on, which were removed from the graph."""
        while self.uses and self.uses[-1].layer >= start:
            self.uses.pop()
        while self.parameter_layers and next(reversed(self.parameter_layers.values())).layer >= start:
            self.parameter_layers.popitem()
        while self.materialized and (self.materialized[-1].ref or Ref(0)).layer >= start:
            self.materialized.pop().ref = None

    def _stored_tensor(self, part: Part, shape: Shape | None, node: Node, batch: int) -> Ref:
        """Return the layer that gives a learned tensor of the file, in a shape if it has as many elements."""
        sizes = self.stored_shape(part.name) or (part.size,)
        # as it is, or stored once for each input of the batch
        fits = shape is not None and prod(sizes) in (prod(shape), prod(shape) * batch)
        whole = shape if shape is not None and fits else sizes
        ((own,),) = self._own(node, [(part,)])
        key = (own.name, *map(str, whole))
        known = next((ref for (name, *_), ref in self.parameter_layers.items() if name == own.name), None)
        if key not in self.parameter_layers and known is not None and prod(self.graph.shape(known)) == prod(whole):
            reshape = KINDS["reshape"](shape=whole)
            self.parameter_layers[key] = self.graph.add(self.names.path(node, reshape, ()), reshape, (known,))
        elif key not in self.parameter_layers:
            source = Node()
            source.name = part.name
            kind = KINDS["parameter"](shape=whole)
            ref = self.graph.add(self.names.path(source, kind, [part.name]), kind, ())
            self.parameter_layers[key] = ref
            self.use(ref.layer, [(own,)])
        return self.parameter_layers[key]

    def _own(self, node: Node, weights: list[Parts]) -> list[Parts]:
        """Return the learned elements of a node's weights, under names of their own where they belong to a module
        whose tensors were equal to another's when PyTorch wrote the file, and are stored once for that reason only.

        PyTorch merges equal vectors, and what it has folded (`onnx::Conv_12`); it says which module uses them. A module
        that is called twice appears under one name, with a number after it, and so shares its weights.
        """
        module = module_of_call(node) if self.model.producer == "pytorch" else ""
        parts = [part for own in weights for part in own]
        if not parts or not module or self.model.sizes:  # of a module each parameter has its name
            return weights
        known = self.modules.setdefault(parts[0].name, [])
        owner = next((name for name in known if re.fullmatch(rf"{re.escape(name)}(_\d+)?", module)), module)
        if owner not in known:
            known.append(owner)
        shapes = [self.stored_shape(part.name) for part in parts]
        can_be_merged = all(prod(shape) == max(shape, default=1) for shape in shapes)
        if owner == known[0] or not (can_be_merged or parts[0].name.startswith("onnx::")):
            return weights
        return [tuple(part._replace(name=f"{part.name} of {owner}") for part in own) for own in weights]

    def _is_made_up(self, value: Value) -> bool:
        """Return whether a weight is known not to be learned: a shift of zeros, a scale of ones, a buffer."""
        return bool(self.model.parameters) or (value.data is not None and len(set(value.data)) == 1)


def account(graph: Graph, uses: Sequence[Use], new_index: Mapping[int, int]) -> Ledger:
    """Let each learned element be counted by the first layer that uses it; the others share it."""
    ledger = Ledger()
    first_users: dict[tuple[Parts, ...], int] = {}
    for use in uses:
        if use.layer in new_index:
            layer = graph.all[new_index[use.layer]]
            earlier = graph.all[first_users.setdefault(use.weights, layer.index)]
            if use.weights and earlier is not layer and same_weights(layer, earlier):
                layer.shares = earlier.index
            else:
                layer.shared = _shared(layer, use, ledger)
                _share_all(layer, graph)
    return ledger


def _share_all(layer: Layer, graph: Graph) -> None:
    """Let a layer share the weights of another, where that one counts all that it stores, and stores no more."""
    owners = {item.layer for item in layer.shared}
    owner = next(iter(owners), None)
    is_all = sum(item.elements for item in layer.shared) == sum(learned(layer).values())
    if len(owners) == 1 and owner is not None and is_all and same_weights(layer, graph.all[owner]):
        layer.shares, layer.shared = owner, ()


def _shared(layer: Layer, use: Use, ledger: Ledger) -> tuple[Shared, ...]:
    """Return what a layer does not count: elements that an earlier layer counts, and those that are not learned."""
    room = learned(layer)
    shared: dict[tuple[str, int | None], int] = {}
    for parts in use.weights:
        size = distinct(parts)
        others = ledger.claim(parts, layer.index)[1]
        if not any(room.values()):
            continue
        tally = next((name for name, left in room.items() if left >= size), max(room, key=lambda name: room[name]))
        for owner, elements in others.items():
            taken = min(elements, room[tally])
            size, room[tally] = size - taken, room[tally] - taken
            key = tally, None if owner == layer.index else owner  # a layer may be given the same elements twice
            shared[key] = shared.get(key, 0) + taken
        room[tally] -= min(size, room[tally])
    for tally, left in room.items():
        if 0 < left <= use.fixed:
            shared[tally, None], room[tally] = left, 0
            break
    ledger.not_stored += min(sum(room.values()), use.absent)
    return tuple(Shared(tally, elements, owner) for (tally, owner), elements in shared.items())
