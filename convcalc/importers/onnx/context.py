"""What a rule may ask for and change: the values, layers and weights of one ONNX graph while it is imported."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple, TypeVar

from convcalc.errors import TooLarge, UserError, printable
from convcalc.graph import Graph, Ref
from convcalc.importers.onnx.layer_check import require_params_of_weights
from convcalc.importers.onnx.layer_names import Namer, call_of
from convcalc.importers.onnx.model import Model, Node, Subgraph, Unsupported
from convcalc.importers.onnx.values import Inputs, Shape, Value, checked
from convcalc.importers.onnx.weights import WeightTracker
from convcalc.kinds import KINDS, Kind, shape_text

Memo = TypeVar("Memo")
Rule = Callable[["Context", Node, Inputs], "list[Value]"]
MOST_STEPS = 20_000  # nodes in all steps of all loops together
# of operators that have rules
DOMAINS = ("", "com.microsoft", "com.microsoft.nchwc", "onnx.contrib", "ai.onnx.ml", "convcalc")


class Fusion(NamedTuple):
    """Nodes that the layer of an earlier node replaces: the output that the layer has now, and their ids."""

    output: str
    nodes: tuple[int, ...]


class Context(ABC):
    """One import. Every rule is given it; the importer drives it."""

    def __init__(self, model: Model, rules: Mapping[str, Rule]) -> None:
        self.model, self.rules = model, rules
        self.graph = Graph(printable(model.graph_name) or "model")
        self.names = Namer()
        self.weights = WeightTracker(model, self.graph, self.names)
        self.values: dict[str, Value] = {}
        self.outputs = set(model.outputs)
        self.readers: dict[str, list[Node]] = {}
        self.free_sizes: dict[str, int] = {}  # the sizes that --input gives to names
        self.batch = 1
        self.current = Node()  # the node whose rule is at work
        self.steps_left = MOST_STEPS
        self.fusions: dict[int, Fusion] = {}  # by the id of the earlier node
        self.fused: set[int] = set()  # ids of all nodes that a fusion replaces
        self._memos: dict[type, Any] = {}

    @abstractmethod
    def fold(self, nodes: Sequence[Node]) -> None:
        """Compute the nodes that depend on constants alone."""

    @abstractmethod
    def import_nodes(self, nodes: Sequence[Node]) -> None:
        """Import nodes in their order, each by its rule or as an opaque layer."""

    def memo(self, kind: type[Memo]) -> Memo:
        """Return what one rule remembers from node to node: the only instance in this import of a class of its own."""
        memo: Memo = self._memos.setdefault(kind, kind())
        return memo

    def rule_of(self, node: Node) -> Rule | None:
        """Return the rule for a node's operator; None where it has none."""
        return self.rules.get(node.operator) if node.domain in DOMAINS else None

    def inner(self, shape: Shape, batch: int | None) -> Shape:
        """Return a shape as our graph has it: without the batch, and never without any axis."""
        sizes = list(shape)
        if batch is not None:
            rest = sizes[batch] // self.batch
            sizes[batch : batch + 1] = [rest] if rest != 1 else []
        return tuple(sizes) or (1,)

    def inner_axis(self, value: Value, axis: int) -> int:
        """Return an axis of a value's shape as our graph counts it. Raises Unsupported for the batch."""
        if value.batch is None or value.sizes[value.batch] != self.batch:
            return axis
        if axis == value.batch:
            raise Unsupported("an operation across the batch")
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
        require_params_of_weights(node, kind, [self.graph.shape(ref) for ref in refs], weights)
        ref = self.weights.add_layer(node, kind, refs, weights)
        self.graph.all[ref.layer].via = self._via(node, refs)
        expected, actual = self.inner(checked(shape), batch), self.graph.shape(ref)
        if actual != expected:
            raise Unsupported(f"its output is {shape_text(expected)}, that of {kind.name} {shape_text(actual)}")
        return Value(tuple(shape), ref=ref, batch=batch)

    def _via(self, node: Node, inputs: Sequence[Ref]) -> str:
        """Return how code calls a layer, where it is known; an operator on several values (`x + y`) is no function."""
        if self.model.calls is None:
            return ""
        call = self.model.calls.get(call_of(node), "function")
        return call if call != "operator" else "function" if len(inputs) == 1 else ""

    def ref(self, value: Value) -> Ref:
        """Return where a value is in our graph; a learned constant becomes a layer there. Raises Unsupported."""
        value = self.materialize(value)
        return self.parameter(value, value.sizes or (1,)) if value.ref is None else value.ref

    def parameter(self, value: Value, shape: Shape) -> Ref:
        """Return the output of a layer that gives a constant in a shape, counting each learned tensor once."""
        return self.weights.parameter(value, shape, self.current, self.batch)

    def materialize(self, value: Value) -> Value:
        """Add the layers that compute a constant, once, where it comes from products; return the value."""
        if value.made is None or value.ref is not None:
            return value
        # a stack of its own: chains of constants may be longer than Python's stack is deep
        pending = [(value, len(self.graph.all), _lazy_sources(value))]
        while pending:
            result, start, sources = pending[-1]
            source = next(sources, None)
            if source is not None:
                pending.append((source, len(self.graph.all), _lazy_sources(source)))
            else:
                pending.pop()
                self._materialize(result, start)
        return value

    def _materialize(self, value: Value, start: int) -> None:
        """Add the layer that computes a constant, its sources having theirs since layer number `start`."""
        if value.made is None or value.ref is not None:  # another path led here first
            return
        node, inputs, position = value.made
        sources, readers = list(inputs), self.readers
        self.readers = {}  # no fusion: the nodes after it are imported by themselves
        try:
            with self.attempt(node, start):
                first = sources[0]
                if first is not None and all(source is None or source.is_constant for source in sources):
                    ref = self.parameter(first, first.sizes or (1,))
                    sources[0] = Value(first.shape, ref=ref, dtype=first.dtype)
                output = self.rules[node.operator](self, node, sources)[position]
                value.ref, value.batch = output.ref, output.batch
                self.weights.materialized.append(value)
        except Unsupported:
            value.made = None
        finally:
            self.readers = readers

    def view(self, node: Node, value: Value, shape: Shape) -> Ref:
        """Return a value in another shape of our graph with as many elements; successive reshapes become one."""
        value = self.materialize(value)
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
        """Return the one node that reads an output, if it is one of `operators`."""
        readers = self.readers.get(name, [])
        if len(readers) == 1 and readers[0].operator in operators and name not in self.outputs:
            return readers[0] if readers[0].inputs.count(name) == 1 else None
        return None

    def fuse(self, node: Node, *nodes: Node) -> None:
        """Let the layer of a node do the work of the `nodes` after it: the last one's output becomes the layer's."""
        self.fusions[id(node)] = Fusion(nodes[-1].outputs[0], tuple(map(id, nodes)))
        self.fused.update(map(id, nodes))

    def unfuse(self, nodes: Iterable[Node]) -> None:
        """Undo the fusions of some nodes."""
        for node in nodes:
            if fusion := self.fusions.pop(id(node), None):
                self.fused.difference_update(fusion.nodes)

    def forget(self, subgraph: Subgraph) -> None:
        """Forget the values of a subgraph: those of one step are not those of the next."""
        for name in (*subgraph.inputs, *(name for inner in subgraph.nodes for name in inner.outputs)):
            self.values.pop(name, None)

    @contextmanager
    def attempt(self, node: Node, start: int | None = None) -> Iterator[None]:
        """Take back the layers that the rule of a node adds, from number `start` on, if it raises Unsupported.

        A UserError, of a layer that does not fit, becomes Unsupported.
        """
        start = len(self.graph.all) if start is None else start
        try:
            yield
        except (Unsupported, UserError) as error:
            del self.graph.all[start:]
            self.weights.take_back(start)
            self.unfuse([node])
            for subgraph in node.subgraphs():
                self.forget(subgraph)
            if isinstance(error, (Unsupported, TooLarge)):
                raise
            raise Unsupported(error.message) from None


def _lazy_sources(value: Value) -> Iterator[Value]:
    """Return the inputs of a constant's node that have layers to be added first."""
    inputs = value.made[1] if value.made is not None and value.ref is None else ()
    return (source for source in inputs if source is not None and source.made is not None and source.ref is None)
