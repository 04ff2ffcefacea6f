"""Which learned tensor of an ONNX file belongs to which layer of our graph, so that each is counted once."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from math import prod
from typing import Any

from convcalc.graph import Graph, Layer, Ref, same_weights
from convcalc.importers.onnx.layer_names import Namer, module_of_call
from convcalc.importers.onnx.model import Model, Node
from convcalc.importers.onnx.values import Shape, Value, checked
from convcalc.kinds import KINDS, Kind


class WeightTracker:
    """The learned tensors of one import, and the layers that use them.

    Each table grows with the graph, its last entries belonging to the last layers, which `take_back` relies on.
    """

    def __init__(self, model: Model, graph: Graph, names: Namer) -> None:
        self.model, self.graph, self.names = model, graph, names
        self.counted_by: dict[str, int] = {}  # learned tensor -> the layer that counts it
        # learned tensors, or parts of them -> the first layer with exactly these
        self.first_users: dict[tuple[Any, ...], int] = {}
        # a learned tensor, a shape and, for copies, a module -> the layer that outputs it
        self.parameter_layers: dict[tuple[str, ...], Ref] = {}
        self.first_modules: dict[str, str] = {}  # learned tensor -> the first module that uses it
        self.materialized: list[Value] = []  # constants that layers of the graph compute

    def stored_shape(self, name: str) -> Shape:
        """Return the shape in which the file stores a learned tensor; () where it does not."""
        tensor = self.model.tensors.get(name)
        return tensor.shape if tensor is not None else ()

    def uncounted(self, names: Iterable[str]) -> list[str]:
        """Return those of some learned tensors that no layer counts yet, sorted."""
        return sorted(name for name in names if name not in self.counted_by)

    def count(self, names: Iterable[str], layer: int) -> None:
        """Let a layer count those of some learned tensors that no earlier layer counts."""
        for name in names:
            self.counted_by.setdefault(name, layer)

    def learned_values(self, value: Value) -> int | None:
        """Return how many learned values, counted by no layer yet, a constant is made from; None if not known."""
        fresh = [name for name in value.source_weights if name not in self.counted_by]
        if value.part or not fresh or any(name not in self.model.tensors for name in fresh):
            return None
        sizes = [prod(self.stored_shape(name)) for name in fresh]
        # weights that an exporter has stored in several orders are still the same
        copies = [size for name, size in zip(fresh, sizes, strict=True) if name.startswith("onnx::")][1:]
        return sum(sizes) - sum(size for size in copies if size == prod(value.sizes))

    def learned_field(self, weight: Value) -> dict[str, int]:
        """Return the field `learned` of a layer whose weights are made from more or fewer learned values than they
        have elements; nothing where there is one for each element."""
        learned = self.learned_values(weight)
        return {} if learned is None or learned == prod(weight.sizes) else {"learned": learned}

    def add_layer(self, node: Node, kind: Kind, inputs: Sequence[Ref], weights: Sequence[Value | None]) -> Ref:
        """Add a layer with these weights to the graph; one that has the weights of an earlier layer shares them."""
        given = [value for value in weights if value is not None and value.source_weights]
        tensors = [name for value in given for name in value.source_weights]
        parts = [value.part for value in given]
        shares = None if self._is_copy(node, tensors) else self._shared_layer(kind, inputs, tensors, parts)
        ref = self.graph.add(self.names.path(node, kind, tensors), kind, inputs, shares)
        self.first_users.setdefault((*tensors, *parts), ref.layer)
        self.count(tensors, ref.layer)
        return ref

    def parameter(self, value: Value, shape: Shape, node: Node, batch: int) -> Ref:
        """Return the output of a layer that gives a constant in a shape, for `node`."""
        if not value.source_weights:
            constant = KINDS["constant"](shape=checked(shape))
            return self.graph.add(self.names.path(Node(), constant, ()), constant, ())
        wanted = shape if len(value.source_weights) == 1 else None
        refs = [self._stored_tensor(name, wanted, node, batch) for name in value.source_weights]
        if len(refs) == 1 and self.graph.shape(refs[0]) == shape:
            return refs[0]
        gather = KINDS["gather"](shape=shape)  # a part of it, or computed from several before the network runs
        return self.graph.add(self.names.path(Node(), gather, value.source_weights[:1]), gather, refs)

    def take_back(self, start: int) -> None:
        """Forget the layers from number `start` on, which were removed from the graph."""
        for table in (self.counted_by, self.first_users):
            while table and next(reversed(table.values())) >= start:
                table.popitem()
        while self.parameter_layers and next(reversed(self.parameter_layers.values())).layer >= start:
            self.parameter_layers.popitem()
        while self.materialized and (self.materialized[-1].ref or Ref(0)).layer >= start:
            self.materialized.pop().ref = None

    def _stored_tensor(self, name: str, shape: Shape | None, node: Node, batch: int) -> Ref:
        """Return the layer that gives a learned tensor of the file, in a shape if it has as many elements."""
        stored = self.stored_shape(name) or (1,)
        # as it is, or stored once for each input of the batch
        fits = shape is not None and prod(stored) in (prod(shape), prod(shape) * batch)
        whole = shape if shape is not None and fits else stored
        is_copy = self._is_copy(node, [name])
        key = (name, *map(str, whole), module_of_call(node) if is_copy else "")
        if key not in self.parameter_layers:
            source = Node()
            source.name = name
            kind = KINDS["parameter"](shape=whole)
            shares = None if is_copy else self._shared_layer(kind, (), [name])
            ref = self.graph.add(self.names.path(source, kind, [name]), kind, (), shares)
            self.parameter_layers[key] = ref
            self.count([name], ref.layer)
        return self.parameter_layers[key]

    def _is_copy(self, node: Node, tensors: list[str]) -> bool:
        """Return whether a tensor is stored once only because another module's was equal when PyTorch wrote the file.

        PyTorch merges equal vectors, and what it has folded (`onnx::Conv_12`); it says which module uses them. A module
        that is called twice appears under one name, with a number after it, and so shares its weights.
        """
        module = module_of_call(node) if self.model.producer == "pytorch" else ""
        if not tensors or not module:
            return False
        first = self.first_modules.setdefault(tensors[0], module)
        if re.fullmatch(rf"{re.escape(first)}(_\d+)?", module):
            return False
        shapes = [self.stored_shape(name) for name in tensors]
        return all(prod(shape) == max(shape, default=1) for shape in shapes) or tensors[0].startswith("onnx::")

    def _shared_layer(
        self, kind: Kind, inputs: Sequence[Ref], tensors: list[str], parts: Sequence[Any] = ()
    ) -> int | None:
        """Return the earlier layer with the same learned tensors, or parts of them, if it stores as much."""
        if not tensors or any(name not in self.counted_by for name in tensors):
            return None
        user = self.first_users.get((*tensors, *parts))
        if user is None and any(parts):
            return None
        earlier = self.graph.all[self.counted_by[tensors[0]] if user is None else user]
        shapes = tuple(self.graph.shape(ref) for ref in inputs)
        if not same_weights(Layer(0, "", kind, (), shapes, kind.outputs(*shapes)), earlier):
            return None
        return earlier.index if earlier.shares is None else earlier.shares
