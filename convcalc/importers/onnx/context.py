"""What a rule may ask for and change: the values, layers and weights of one ONNX graph while it is imported."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from math import prod
from typing import Any, TypeVar

from convcalc.errors import UserError, printable
from convcalc.graph import Graph, Layer, Ref
from convcalc.importers.onnx.layer_names import Namer, module_of_call
from convcalc.importers.onnx.model import Model, Node, Unsupported
from convcalc.importers.onnx.order import ordered
from convcalc.importers.onnx.values import Inputs, Shape, Value, checked
from convcalc.kinds import KINDS, Kind
from convcalc.weight_sharing import same_weights

Memo = TypeVar("Memo")
Rule = Callable[["Context", Node, Inputs], "list[Value]"]
WRONG = (Unsupported, LookupError, TypeError, ValueError, ArithmeticError, AttributeError)
MOST_NUMBERS = 5_000_000  # that arithmetic on constants may read and make; real models stay far below
MOST_STEPS = 20_000  # nodes of all steps of all loops together


class Context(ABC):
    """One import. Every rule is given it; the importer drives it."""

    def __init__(self, model: Model, rules: Mapping[str, Rule]) -> None:
        self.model, self.rules = model, rules
        self.graph = Graph(printable(model.graph_name) or "model")
        self.values: dict[str, Value] = {}
        self.outputs = set(model.outputs)
        self.nodes = ordered(model)
        self.names = Namer()
        self.owners: dict[str, int] = {}  # learned tensor -> the layer that counts it
        # learned tensors, or parts of them -> the first layer with just these
        self.users: dict[tuple[Any, ...], int] = {}
        self.made: dict[tuple[str, ...], Ref] = {}  # learned tensors -> the layer that gives them
        self.readers: dict[str, list[Node]] = {}
        self.scopes: dict[str, str] = {}  # learned tensor -> the module that asked for it first
        self.symbols: dict[str, int] = {}
        self.numbers = MOST_NUMBERS
        self.steps = MOST_STEPS  # how many nodes of loops may still be walked
        self.worked: list[Value] = []  # constants whose layers are in the graph, in order
        self.known: Shape | None = None  # the shape of an output without a rule
        self.asking = Node()  # the node whose rule is at work
        self.skip: set[int] = set()  # nodes that an earlier one has taken in
        self.renamed: dict[int, str] = {}  # the output of a node that has taken another in
        self.batch = 1
        self._memos: dict[type, Any] = {}

    def memo(self, kind: type[Memo]) -> Memo:
        """What one rule remembers from node to node of this import: the only instance of a class of the rule's own."""
        if kind not in self._memos:
            self._memos[kind] = kind()
        found: Memo = self._memos[kind]
        return found

    @abstractmethod
    def fold(self, nodes: Sequence[Node]) -> None:
        """Compute the nodes that depend on constants alone."""

    @abstractmethod
    def node(self, node: Node) -> None:
        """Import one node: by its rule, or as an opaque layer."""

    def inner(self, shape: Shape, batch: int | None) -> Shape:
        """A shape as our graph has it: without the batch, and never without any axis."""
        sizes = list(shape)
        if batch is not None:
            rest = sizes[batch] // self.batch
            sizes[batch : batch + 1] = [rest] if rest != 1 else []
        return tuple(sizes) or (1,)

    def inner_axis(self, value: Value, axis: int) -> int:
        """An axis of a value's shape as our graph counts it. Raises Unsupported for the batch."""
        if value.batch is None or value.sizes[value.batch] != self.batch:
            return axis
        if axis == value.batch:
            raise Unsupported("work across the batch axis")
        return axis - (axis > value.batch)

    def layer(
        self,
        node: Node,
        kind: Kind | str,
        inputs: Sequence[Value | Ref],
        shape: Sequence[int],
        batch: int | None,
        weights: Sequence[Value | None] = (),
        /,
        **fields: Any,
    ) -> Value:
        """Add a layer whose output has an ONNX shape. Raises Unsupported where the layer's own shape is another."""
        kind = KINDS[kind](**fields) if isinstance(kind, str) else kind
        refs = [self.ref(value) if isinstance(value, Value) else value for value in inputs]
        origins = [name for value in weights if value is not None for name in value.source_weights]
        parts = [value.part for value in weights if value is not None and value.source_weights]
        shares = None if self._is_copy(node, origins) else self._shares(kind, refs, origins, parts)
        path = self.names.path(node, kind, origins)
        ref = self.graph.add(path, kind, refs, shares)
        self.users.setdefault((*origins, *parts), ref.layer)
        for name in origins:
            self.owners.setdefault(name, ref.layer)
        wanted = self.inner(checked(shape), batch)
        if self.graph.shape(ref) != wanted:
            raise Unsupported(f"output of shape {wanted} where {kind.name} gives {self.graph.shape(ref)}")
        return Value(tuple(shape), ref=ref, batch=batch)

    def _is_copy(self, node: Node, origins: list[str]) -> bool:
        """Whether a tensor is stored once only because another module's was equal when PyTorch wrote the file.

        PyTorch merges equal vectors, and what it has folded (`onnx::Conv_12`); it says which module asks. A module that
        is called twice asks twice by one name, with a number behind it, and so shares.
        """
        scope = module_of_call(node) if self.model.producer == "pytorch" else ""
        if not origins or not scope:
            return False
        first = self.scopes.setdefault(origins[0], scope)
        if re.fullmatch(rf"{re.escape(first)}(_\d+)?", scope):
            return False
        is_vector = all(prod(self.stored(name)) == max(self.stored(name), default=1) for name in origins)
        return is_vector or origins[0].startswith("onnx::")

    def learned(self, weight: Value) -> dict[str, int]:
        """The field that says how many learned values a layer's weights come from, where it is not one for each."""
        found = self.learned_values(weight)
        return {} if found is None or found == prod(weight.sizes) else {"learned": found}

    def learned_values(self, value: Value) -> int | None:
        """How many learned values that no layer has yet a constant is made from; None where that is not known."""
        fresh = [name for name in value.source_weights if name not in self.owners]
        if value.part or not fresh or any(name not in self.model.tensors for name in fresh):
            return None
        sizes = [prod(self.stored(name)) for name in fresh]
        # weights that an exporter has stored in several orders are still the same
        copies = [size for name, size in zip(fresh, sizes, strict=True) if name.startswith("onnx::")][1:]
        return sum(sizes) - sum(size for size in copies if size == prod(value.sizes))

    def stored(self, name: str) -> Shape:
        """The shape of a learned tensor of the file."""
        tensor = self.model.tensors.get(name)
        return tensor.shape if tensor is not None else ()

    def _shares(self, kind: Kind, refs: Sequence[Ref], origins: list[str], parts: Sequence[Any] = ()) -> int | None:
        """The earlier layer that has the same learned tensors, or parts of them, if its figures are the same."""
        if not origins or any(name not in self.owners for name in origins):
            return None
        user = self.users.get((*origins, *parts))
        if user is None and any(parts):
            return None
        layer = self.graph.all[self.owners[origins[0]] if user is None else user]
        shapes = tuple(self.graph.shape(ref) for ref in refs)
        same = same_weights(Layer(0, "", kind, (), shapes, kind.outputs(*shapes)), layer)
        return (layer.index if layer.shares is None else layer.shares) if same else None

    def ref(self, value: Value) -> Ref:
        """Where a value is in our graph; a learned constant becomes a layer there. Raises Unsupported."""
        value = self.worked_out(value)
        return self.parameter(value, value.sizes or (1,)) if value.ref is None else value.ref

    def worked_out(self, value: Value) -> Value:
        """A constant as the layers that make it, where there are products among them, each once."""
        if value.made is None or value.ref is not None:
            return value
        node, inputs, at = value.made
        start, readers = len(self.graph.all), self.readers
        try:
            sources = [source and self.worked_out(source) for source in inputs]
            self.readers = {}  # each node by itself: what is behind it has its own turn
            first = sources[0]
            if first is not None and all(source is None or source.is_constant for source in sources):
                sources[0] = Value(first.shape, ref=self.parameter(first, first.sizes or (1,)), dtype=first.dtype)
            found = self.rules[node.operator](self, node, sources)[at]
            value.ref, value.batch = found.ref, found.batch
            self.worked.append(value)
        except (UserError, *WRONG):
            self.undo(start, node)
            value.made = None
        finally:
            self.readers = readers
        return value

    def parameter(self, value: Value, shape: Shape) -> Ref:
        """A layer that gives a constant in a shape, counting each learned tensor once."""
        if not value.source_weights:
            kind = KINDS["constant"](shape=checked(shape))
            return self.graph.add(self.names.path(Node(), kind, ()), kind, ())
        names = value.source_weights
        made = [self._stored_layer(name, shape if len(names) == 1 else None) for name in names]
        if len(made) == 1 and self.graph.shape(made[0]) == shape:
            return made[0]
        kind = KINDS["gather"](shape=shape)  # picked from it, or worked out from several once and for all
        return self.graph.add(self.names.path(Node(), kind, names[:1]), kind, made)

    def _stored_layer(self, name: str, shape: Shape | None) -> Ref:
        """The layer that gives a learned tensor of the file, in a shape if it has as many elements."""
        stored = self.stored(name) or (1,)
        # as it is, or stored once for each input of the batch
        is_whole = shape is not None and prod(stored) in (prod(shape), prod(shape) * self.batch)
        whole = shape if shape is not None and is_whole else stored
        is_copy = self._is_copy(self.asking, [name])
        key = (name, *map(str, whole), module_of_call(self.asking) if is_copy else "")
        known = self.made.get(key)
        if known is None:
            node = Node()
            node.name = name
            kind = KINDS["parameter"](shape=whole)
            shares = None if is_copy else self._shares(kind, (), [name])
            known = self.made[key] = self.graph.add(self.names.path(node, kind, [name]), kind, (), shares)
            self.owners.setdefault(name, known.layer)
        return known

    def view(self, node: Node, value: Value, shape: Shape) -> Ref:
        """A value in another shape of our graph, with as many elements; reshapes in a row are one."""
        value = self.worked_out(value)
        if value.ref is None:
            return self.parameter(value, shape)
        ref = value.ref
        while self.graph.shape(ref) != shape and self.graph.all[ref.layer].kind.name in ("reshape", "flatten"):
            (ref,) = self.graph.all[ref.layer].inputs
        if self.graph.shape(ref) == shape:
            return ref
        kind = KINDS["flatten"]() if len(shape) == 1 else KINDS["reshape"](shape=shape)
        return self.graph.add(self.names.path(node, kind, ()), kind, (ref,))

    def only_reader(self, name: str, operators: tuple[str, ...]) -> Node | None:
        """The one node that reads an output, if it is one of `operators`."""
        readers = self.readers.get(name, [])
        if len(readers) == 1 and readers[0].operator in operators and name not in self.outputs:
            return readers[0] if readers[0].inputs.count(name) == 1 else None
        return None

    def undo(self, start: int, node: Node) -> None:
        """Take back the layers from `start` on, which a rule that failed has left behind, and what it took in."""
        del self.graph.all[start:]
        while self.worked and (self.worked[-1].ref or Ref(0)).layer >= start:
            self.worked.pop().ref = None
        if self.renamed.pop(id(node), None):
            self.skip.difference_update(id(reader) for reader in self.readers.get(node.outputs[0], ()))
        self.owners = {name: index for name, index in self.owners.items() if index < start}
        self.users = {key: index for key, index in self.users.items() if index < start}
        self.made = {key: ref for key, ref in self.made.items() if ref.layer < start}
