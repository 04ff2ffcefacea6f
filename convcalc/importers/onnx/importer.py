"""ONNX file -> Graph: constants folded, shape arithmetic done, each operator given to its rule.

A rule is a function in `onnx_rules`, found by the operator's name. An operator without one, or whose
rule does not fit, keeps its place as an opaque layer, and totals become lower bounds.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from convcalc.errors import SpecError, UserError, printable, quoted
from convcalc.graph import Graph, Ref
from convcalc.importers.onnx import fusions
from convcalc.importers.onnx.context import MOST_NUMBERS, WRONG, Context
from convcalc.importers.onnx.file import read_model
from convcalc.importers.onnx.inputs import bind
from convcalc.importers.onnx.layer_names import group_modules
from convcalc.importers.onnx.learned import Origins
from convcalc.importers.onnx.model import Model, Node
from convcalc.importers.onnx.notes import notes
from convcalc.importers.onnx.opaque import keep_place
from convcalc.importers.onnx.operators import RULES
from convcalc.importers.onnx.values import Value, constant

# Keras' layers that prepare an input: what they shift and scale by was measured
_MEASURED = re.compile(r"(^|/)((rescaling|normalization)(_\d+)*/|[^/]*_normalization(_\d+)*/([Ss]ub|truediv))")
_PRODUCTS = ("MatMul", "Gemm", "Einsum")
_KEEP_SHAPE = ("BatchNormalization", "LayerNormalization", "InstanceNormalization", "Softmax", "Tanh", "Sigmoid")
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
    first = Importer(model, inputs)
    graph = first.run()
    if first.batch > 1 and (lost := _unknown(graph)):
        # the first axis may be something else after all, such as the steps of a sequence
        other = Importer(model, inputs, has_batch=False).run()
        graph = other if _unknown(other) < lost else graph
    if strict:
        _refuse_opaque(graph, spec)
    return graph


def _unchanged(node: Node, inputs: list[Value | None]) -> list[Value]:
    """Layers over constants alone, such as weights that are normalised before use, give a constant; else nothing."""
    if node.operator not in _KEEP_SHAPE or any(value is not None and value.ref is not None for value in inputs):
        return []
    origins = tuple(dict.fromkeys(name for value in inputs if value is not None for name in value.source_weights))
    first = inputs[0] if inputs else None
    return [] if first is None else [Value(first.sizes, source_weights=origins, dtype=first.dtype)]


def _remember(node: Node, inputs: list[Value | None], found: list[Value]) -> None:
    """Note how constants come from products with learned values: that is work each time the network runs."""
    given = [value for value in inputs if value is not None]
    if all(value.is_constant for value in given) and (
        any(value.made for value in given)
        or (node.operator in _PRODUCTS and any(value.source_weights for value in given))
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


class Importer(Context):
    """One pass over a model's nodes, in the order of computation."""

    def __init__(self, model: Model, inputs: Sequence[str], has_batch: bool = True) -> None:
        super().__init__(model, RULES)
        measured = {name for node in self.nodes if _MEASURED.search(node.name) for name in node.inputs}
        self.batch = bind(self, inputs, has_batch)
        origins = Origins(model, measured)
        for name, tensor in model.tensors.items():
            if name not in self.values:
                self.values[name] = constant(tensor, origins.of(name, tensor))

    def run(self) -> Graph:
        """Walk every node."""
        self.fold(self.nodes)
        self.nodes = fusions.fuse(self.nodes, self.values, self.outputs)
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
        self.undo(start, node)
        if self.batch > 1 or not self._apply_whole(node, inputs):
            self.undo(start, node)
            keep_place(self, node, inputs)

    def _apply_whole(self, node: Node, inputs: list[Value | None]) -> bool:
        """A node's rule where the batch, of one, is an axis like the others; false where there is none, or no rule."""
        known = self.known
        found = [*inputs]
        for at, value in enumerate(inputs):
            if value is not None and value.ref is not None and value.batch is not None and value.shape is not None:
                try:
                    ref = self.view(node, value, value.shape or (1,))
                except UserError:
                    return False
                found[at] = Value(value.shape, ref=ref, dtype=value.dtype)
        is_right = found != inputs and self._apply(node, found)
        self.known = known
        return is_right

    def _apply(self, node: Node, inputs: list[Value | None]) -> bool:
        self.known = None
        rule = RULES.get(node.operator) if node.domain in ("", "com.microsoft", "onnx.contrib") else None
        if rule is None:
            return False
        try:
            self.asking = node
            found = _unchanged(node, inputs) or rule(self, node, inputs)
        except UserError as misfit:
            if node.operator in _STRICT and misfit.field:
                where = f"node {quoted(node.name or (node.outputs or ['?'])[0])} ({node.operator})"
                hint = misfit.hint or "give another input size with --input"
                raise SpecError(f"{quoted(self.model.name)}, {where}: {misfit.message}", hint) from None
            if "more than" in misfit.message and "layers" in misfit.message:
                raise SpecError(f"{quoted(self.model.name)}: {misfit.message}") from None
            return False
        except WRONG as error:
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
            self.numbers -= len(value.data or ()) + len(value.source_weights) + len(value.part)
        if self.numbers < 0:
            raise SpecError(f"{quoted(self.model.name)} computes with more than {MOST_NUMBERS:,} constants")

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
