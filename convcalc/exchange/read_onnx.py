"""ONNX file -> Graph: constants folded, shape arithmetic done, each operator given to its rule.

A rule is a function in `onnx_rules`, found by the operator's name. An operator without one, or whose
rule does not fit, keeps its place as an opaque layer, and totals become lower bounds.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from math import prod
from pathlib import Path
from typing import Any

from convcalc.errors import Misfit, SpecError, printable, quoted
from convcalc.exchange import onnx_patterns
from convcalc.exchange.modules import Namer, group_modules, module_of_call
from convcalc.exchange.onnx_file import read_model
from convcalc.exchange.onnx_inputs import bind
from convcalc.exchange.onnx_model import Model, Node
from convcalc.exchange.onnx_notes import notes
from convcalc.exchange.onnx_opaque import keep_place
from convcalc.exchange.onnx_order import ordered
from convcalc.exchange.onnx_origins import Origins
from convcalc.exchange.onnx_rules import RULES
from convcalc.exchange.onnx_rules.bodies import MOST_STEPS
from convcalc.exchange.onnx_values import NoRule, Shape, Value, checked, constant
from convcalc.graph import Graph, Layer, Ref
from convcalc.kinds import KINDS, Kind
from convcalc.sharing import same_weights

Rule = Callable[["Walk", Node, "list[Value | None]"], "list[Value]"]
# Keras' layers that prepare an input: what they shift and scale by was measured
_MEASURED = re.compile(r"(^|/)((rescaling|normalization)(_\d+)*/|[^/]*_normalization(_\d+)*/([Ss]ub|truediv))")
_PRODUCTS = ("MatMul", "Gemm", "Einsum")
_WRONG = (NoRule, LookupError, TypeError, ValueError, ArithmeticError, AttributeError)
_KEEP_SHAPE = ("BatchNormalization", "LayerNormalization", "InstanceNormalization", "Softmax", "Tanh", "Sigmoid")
MOST_NUMBERS = 5_000_000  # that arithmetic on constants may read and make; real models stay far below
_WITH_BODIES = ("If", "Loop", "Scan")
# a window that does not fit its input is a mistake in the input's size, not a gap in our rules
_STRICT = ("Conv", "ConvTranspose", "MaxPool", "AveragePool", "LpPool")


def load(spec: str, inputs: Sequence[str] = (), batch: int = 1, strict: bool = False) -> Graph:
    """The graph of an ONNX file; `inputs` give sizes as --input does. Raises SpecError.

    Weights are not read, and need not be there. With `strict` an operator without a rule is an error.
    """
    model = read_model(Path(spec), spec)
    graph = graph_of(model, inputs, spec, strict)
    graph.batch = batch
    graph.name = printable(Path(spec).stem)
    graph.about["source"] = f"imported from {printable(Path(spec).name)}"
    graph.about["file"] = {
        "path": spec,
        "producer": printable(model.producer),
        "opset": model.opsets.get("", 0),
    }
    said = notes(model)
    if said:
        graph.about["note"] = "; ".join(said)
    return graph


def graph_of(model: Model, inputs: Sequence[str], spec: str, strict: bool) -> Graph:
    """The graph of a model that has been read; with `strict` an operator without a rule is an error."""
    walk = Walk(model, inputs)
    graph = walk.run()
    if walk.batch > 1 and (lost := _unknown(graph)):
        # the first axis may be something else after all, such as the steps of a sequence
        other = Walk(model, inputs, has_batch=False).run()
        graph = other if _unknown(other) < lost else graph
    if strict:
        _refuse_opaque(graph, spec)
    return graph


def _unchanged(node: Node, inputs: list[Value | None]) -> list[Value]:
    """Layers over constants alone, such as weights that are normalised before use, give a constant; else nothing."""
    if node.operator not in _KEEP_SHAPE or any(value is not None and value.ref is not None for value in inputs):
        return []
    origins = tuple(dict.fromkeys(name for value in inputs if value is not None for name in value.origins))
    first = inputs[0]
    return [] if first is None else [Value(first.sizes, origins=origins, element=first.element)]


def _remember(node: Node, inputs: list[Value | None], found: list[Value]) -> None:
    """Note how constants come from products with learned values: that is work each time the network runs."""
    given = [value for value in inputs if value is not None]
    if all(value.is_constant for value in given) and (
        any(value.made for value in given) or (node.operator in _PRODUCTS and any(value.origins for value in given))
    ):
        for at, value in enumerate(found):
            if all(value is not one for one in given):
                value.made = (node, inputs, at)


def _unknown(graph: Graph) -> int:
    return sum(not layer.kind.is_counted for layer in graph.layers)


def _refuse_opaque(graph: Graph, spec: str) -> None:
    found = [layer for layer in graph.layers if not layer.kind.is_counted and not getattr(layer.kind, "behind", False)]
    if found:
        names = sorted({str(getattr(layer.kind, "operator", layer.kind.name)) for layer in found})
        where = ", ".join(layer.path for layer in found[:4])
        raise SpecError(
            f"{quoted(spec)}: {len(found)} operator{'s have' if len(found) > 1 else ' has'} no rule: "
            f"{', '.join(names[:8])} ({where}{', ...' if len(found) > 4 else ''})",
            "without --strict they stay in the graph, and the totals are lower bounds",
        )


class Walk:
    """One pass over a model's nodes, in the order of computation."""

    def __init__(self, model: Model, inputs: Sequence[str], has_batch: bool = True) -> None:
        self.model = model
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
        self.prefixes: dict[tuple[int, Ref], int] = {}  # a row of outputs, one behind another -> its number
        self.concats: dict[int, Ref] = {}  # the number of such a row -> the layer that has it side by side already
        self.sequences: dict[str, list[Value]] = {}  # the parts that a name stands for
        self.symbols: dict[str, int] = {}
        self.numbers = MOST_NUMBERS
        self.steps = MOST_STEPS  # how many nodes of loops may still be walked
        self.worked: list[Value] = []  # constants whose layers are in the graph, in order
        self.known: Shape | None = None  # the shape of an output without a rule
        self.asking = Node()  # the node whose rule is at work
        self.bodies: set[int] = set()  # bodies of loops whose nodes are among the readers
        self.skip: set[int] = set()  # nodes that an earlier one has taken in
        self.renamed: dict[int, str] = {}  # the output of a node that has taken another in
        measured = {name for node in self.nodes if _MEASURED.search(node.name) for name in node.inputs}
        self.batch = bind(self, inputs, has_batch)
        origins = Origins(model, measured)
        for name, tensor in model.tensors.items():
            if name not in self.values:
                self.values[name] = constant(tensor, origins.of(name, tensor))

    def run(self) -> Graph:
        """Walk every node."""
        self.fold(self.nodes)
        self.nodes = onnx_patterns.fuse(self.nodes, self.values, self.outputs)
        for node in self.nodes:
            for name in node.inputs:
                self.readers.setdefault(name, []).append(node)
        for node in self.nodes:
            if node.has_bias and (add := self.only_reader(node.outputs[0], ("Add",))) and add.has_bias:
                node.has_bias = False  # it was written behind, and is no bias of zeros that was left out
        for node in self.nodes:
            if id(node) not in self.skip and not all(name in self.values for name in node.outputs if name):
                self.node(node)
        graph = self._kept()
        self.names.finish(graph)
        group_modules(graph)
        return graph

    def fold(self, nodes: Sequence[Node]) -> None:
        """Nodes that depend on constants alone, first, so that patterns can see their values."""
        for node in nodes:
            if node.operator in _WITH_BODIES:
                continue
            if node.operator in RULES and all(not name or name in self.values for name in node.inputs):
                inputs = [self.values[name] if name else None for name in node.inputs]
                if all(value is None or value.is_constant for value in inputs):
                    self._apply(node, inputs)

    def node(self, node: Node) -> None:
        """One node: its rule, or an opaque layer."""
        inputs = [self.values.get(name) if name else None for name in node.inputs]
        start = len(self.graph.all)
        if self._apply(node, inputs):
            return
        self._undo(start, node)
        if self.batch > 1 or not self._apply_whole(node, inputs):
            self._undo(start, node)
            keep_place(self, node, inputs)

    def _apply_whole(self, node: Node, inputs: list[Value | None]) -> bool:
        """A node's rule where the batch, of one, is an axis like the others; false where there is none, or no rule."""
        known = self.known
        found = [*inputs]
        for at, value in enumerate(inputs):
            if value is not None and value.ref is not None and value.batch is not None and value.shape is not None:
                try:
                    ref = self.view(node, value, value.shape or (1,))
                except Misfit:
                    return False
                found[at] = Value(value.shape, ref=ref, element=value.element)
        is_right = found != inputs and self._apply(node, found)
        self.known = known
        return is_right

    def _undo(self, start: int, node: Node) -> None:
        """Take back the layers from `start` on, which a rule that failed has left behind, and what it took in."""
        del self.graph.all[start:]
        while self.worked and (self.worked[-1].ref or Ref(0)).layer >= start:
            self.worked.pop().ref = None
        if self.renamed.pop(id(node), None):
            self.skip.difference_update(id(reader) for reader in self.readers.get(node.outputs[0], ()))
        self.owners = {name: index for name, index in self.owners.items() if index < start}
        self.users = {key: index for key, index in self.users.items() if index < start}
        self.made = {key: ref for key, ref in self.made.items() if ref.layer < start}
        self.concats = {key: ref for key, ref in self.concats.items() if ref.layer < start}

    def _apply(self, node: Node, inputs: list[Value | None]) -> bool:
        self.known = None
        rule = RULES.get(node.operator) if node.domain in ("", "com.microsoft", "onnx.contrib") else None
        if rule is None:
            return False
        try:
            self.asking = node
            found = _unchanged(node, inputs) or rule(self, node, inputs)
        except Misfit as misfit:
            if node.operator in _STRICT and misfit.field:
                where = f"node {quoted(node.name or (node.outputs or ['?'])[0])} ({node.operator})"
                hint = misfit.hint or "give another input size with --input"
                raise SpecError(f"{quoted(self.model.name)}, {where}: {misfit.message}", hint) from None
            if "more than" in misfit.message and "layers" in misfit.message:
                raise SpecError(f"{quoted(self.model.name)}: {misfit.message}") from None
            return False
        except _WRONG as error:
            self.known = getattr(error, "shape", None)
            return False
        self._charge(inputs, found)
        _remember(node, inputs, found)
        outputs = [self.renamed[id(node)]] if id(node) in self.renamed else node.outputs
        self.values.update((name, value) for name, value in zip(outputs, found, strict=False) if name)
        return True

    def _charge(self, *values: Sequence[Value | None]) -> None:
        """Keep count of what arithmetic on constants reads and makes. Raises SpecError for too much."""
        for value in (value for side in values for value in side if value is not None and value.ref is None):
            self.numbers -= len(value.data or ()) + len(value.origins) + len(value.part)
        if self.numbers < 0:
            raise SpecError(f"{quoted(self.model.name)} computes with more than {MOST_NUMBERS:,} constants")

    # -- what rules ask for ----------------------------------------------------------------------------------------

    def inner(self, shape: Shape, batch: int | None) -> Shape:
        """A shape as our graph has it: without the batch, and never without any axis."""
        sizes = list(shape)
        if batch is not None:
            rest = sizes[batch] // self.batch
            sizes[batch : batch + 1] = [rest] if rest != 1 else []
        return tuple(sizes) or (1,)

    def inner_axis(self, value: Value, axis: int) -> int:
        """An axis of a value's shape as our graph counts it. Raises NoRule for the batch."""
        if value.batch is None or value.sizes[value.batch] != self.batch:
            return axis
        if axis == value.batch:
            raise NoRule("it works across the batch")
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
        """Add a layer whose output has an ONNX shape. Raises NoRule where the layer's own shape is another."""
        kind = KINDS[kind](**fields) if isinstance(kind, str) else kind
        refs = [self.ref(value) if isinstance(value, Value) else value for value in inputs]
        origins = [name for value in weights if value is not None for name in value.origins]
        parts = [value.part for value in weights if value is not None and value.origins]
        shares = None if self._is_copy(node, origins) else self._shares(kind, refs, origins, parts)
        path = self.names.path(node, kind, origins)
        ref = self.graph.add(path, kind, refs, shares)
        self.users.setdefault((*origins, *parts), ref.layer)
        for name in origins:
            self.owners.setdefault(name, ref.layer)
        wanted = self.inner(checked(shape), batch)
        if self.graph.shape(ref) != wanted:
            raise NoRule(f"{kind.name} gives {self.graph.shape(ref)}, the model {wanted}")
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
        fresh = [name for name in value.origins if name not in self.owners]
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
        """Where a value is in our graph; a learned constant becomes a layer there. Raises NoRule."""
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
                sources[0] = Value(first.shape, ref=self.parameter(first, first.sizes or (1,)), element=first.element)
            found = RULES[node.operator](self, node, sources)[at]
            value.ref, value.batch = found.ref, found.batch
            self.worked.append(value)
        except (Misfit, *_WRONG):
            self._undo(start, node)
            value.made = None
        finally:
            self.readers = readers
        return value

    def parameter(self, value: Value, shape: Shape) -> Ref:
        """A layer that gives a constant in a shape, counting each learned tensor once."""
        if not value.origins:
            kind = KINDS["constant"](shape=checked(shape))
            return self.graph.add(self.names.path(Node(), kind, ()), kind, ())
        made = [self._stored_layer(name, shape if len(value.origins) == 1 else None) for name in value.origins]
        if len(made) == 1 and self.graph.shape(made[0]) == shape:
            return made[0]
        kind = KINDS["gather"](shape=shape)  # picked from it, or worked out from several once and for all
        return self.graph.add(self.names.path(Node(), kind, value.origins[:1]), kind, made)

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

    def _kept(self) -> Graph:
        """The layers that the outputs need. Raises SpecError where there are none."""
        waiting = [found.ref.layer for name in self.model.outputs if (found := self.values.get(name)) and found.ref]
        needed = {layer.index for layer in self.graph.all if layer.is_input}
        while waiting:
            index = waiting.pop()
            if index not in needed:
                needed.add(index)
                waiting.extend(ref.layer for ref in self.graph.all[index].inputs)
        kept = Graph(self.graph.name)
        moved: dict[int, int] = {}
        owners: dict[int, int] = {}  # whoever of several that share weights is kept first, counts them
        for layer in self.graph.all:
            if layer.index in needed:
                shares = None if layer.shares is None else owners.setdefault(layer.shares, len(kept.all))
                owners.setdefault(layer.index, len(kept.all))
                moved[layer.index] = len(kept.all)
                refs = [Ref(moved[ref.layer], ref.port) for ref in layer.inputs]
                kept.add(layer.path, layer.kind, refs, None if shares == len(kept.all) else shares)
        if not kept.layers or not kept.inputs:
            raise SpecError(f"{quoted(self.model.name)} computes nothing: its outputs are constants or inputs")
        return kept
