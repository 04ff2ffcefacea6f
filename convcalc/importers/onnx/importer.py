"""ONNX file -> Graph: constants folded, shape arithmetic done, each operator given to its rule.

A rule is a function in `operators`, found by the operator's name. An operator without one, or of a form that its rule
does not cover, keeps its place as an opaque layer, and totals become lower bounds.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from math import prod
from operator import attrgetter
from pathlib import Path
from typing import NamedTuple

from convcalc.errors import SpecError, TooLarge, UserError, printable, quoted
from convcalc.graph import Graph, Provenance, Ref, joined_notes
from convcalc.importers.onnx import fusions
from convcalc.importers.onnx.balance import balance
from convcalc.importers.onnx.context import Context, Rule
from convcalc.importers.onnx.elements import Ledger, Part
from convcalc.importers.onnx.file import read_model
from convcalc.importers.onnx.inputs import BatchGuess, bind
from convcalc.importers.onnx.layer_names import group_modules
from convcalc.importers.onnx.learned import Origins
from convcalc.importers.onnx.model import Model, Node, Unsupported
from convcalc.importers.onnx.notes import notes
from convcalc.importers.onnx.opaque import keep_place
from convcalc.importers.onnx.operators import RULES
from convcalc.importers.onnx.order import ordered, reads_outside
from convcalc.importers.onnx.own_rules import OwnRule, own_rules
from convcalc.importers.onnx.reads import RecordedInputs, require_all_read
from convcalc.importers.onnx.rule_file import read_rules
from convcalc.importers.onnx.sources import remember_source, with_sources_counted
from convcalc.importers.onnx.strict import refuse_difference, refuse_opaque
from convcalc.importers.onnx.unneeded import tell_unneeded
from convcalc.importers.onnx.values import Value, constant, sources_of
from convcalc.importers.onnx.weights import account
from convcalc.language.input_shapes import Given

MOST_CONSTANTS = 5_000_000  # numbers that arithmetic on constants may read and make; real models need far fewer
# Keras' layers that prepare an input: what they shift and scale by was measured
_MEASURED = re.compile(r"(^|/)((rescaling|normalization)(_\d+)*/|[^/]*_normalization(_\d+)*/([Ss]ub|truediv))")
_opaque = attrgetter("opaque_layers")  # what to have least of
_KEEP_SHAPE = ("BatchNormalization", "LayerNormalization", "InstanceNormalization", "Softmax")
_WITH_SUBGRAPHS = ("If", "Loop", "Scan")
# a window that does not fit its input is a mistake in the input's size, not a gap in our rules
_WINDOWS = ("Conv", "ConvTranspose", "MaxPool", "AveragePool", "LpPool")


def load(
    spec: str, inputs: Sequence[str] = (), batch: int = 1, strict: bool = False, rules: Sequence[str] = ()
) -> Graph:
    """The graph of an ONNX file; `inputs` give sizes as --input does, `rules` are files. Raises SpecError.

    Weights are not read, and need not be there. With `strict` an operator without a rule is an error.
    """
    own = read_rules(rules)
    model = read_model(Path(spec), spec)
    graph = graph_of(model, inputs, spec, strict, own)
    graph.batch = batch
    graph.name = printable(Path(spec).stem)
    graph.provenance = Provenance(
        f"imported from {printable(Path(spec).name)}",
        joined_notes(graph.provenance.note, *notes(model)),
        path=spec,
        producer=printable(model.producer),
        opset=model.opsets.get("", 0),
    )
    return graph


class Imported(NamedTuple):
    """The graph of a model, and which axis was guessed to be the batch, if one was."""

    graph: Graph
    guess: BatchGuess | None

    @property
    def opaque_layers(self) -> int:
        """How many layers cannot be counted."""
        return sum(not layer.kind.is_counted for layer in self.graph.layers)


def graph_of(
    model: Model, inputs: Sequence[str | Given], spec: str, strict: bool, rules: Sequence[OwnRule] = ()
) -> Graph:
    """The graph of a model that has been read; with `strict` an operator without a rule is an error."""
    return import_model(model, inputs, spec, strict, rules).graph


def import_model(
    model: Model, inputs: Sequence[str | Given], spec: str, strict: bool, rules: Sequence[OwnRule] = ()
) -> Imported:
    """The graph of a model that has been read, and the guess that it depends on; `strict` as for `graph_of`."""
    own = own_rules(model, rules)
    try:
        imported = min(_attempts(model, inputs, own), key=_opaque)  # the first of several
    except TooLarge as error:
        raise SpecError(f"{quoted(model.name)}: {error.message}") from None
    tell_unneeded(imported.graph, model, lambda whole: min(_attempts(whole, inputs, own), key=_opaque).graph)
    if strict:
        refuse_opaque(imported.graph, spec)
        refuse_difference(imported.graph, spec)
    return imported


def _attempts(model: Model, inputs: Sequence[str | Given], own: Mapping[str, Rule]) -> Iterator[Imported]:
    """Yield the graph with the first axis as the batch; where that leaves opaque layers, with the second, with none."""
    for axis in (0, 1, None):
        importer = Importer(model, inputs, axis, own)
        imported = Imported(importer.run(), importer.batch_guess)
        imported.graph.provenance = Provenance(note=imported.guess.note if imported.guess else "")
        yield imported
        if imported.guess is None or not imported.opaque_layers:
            return


class Importer(Context):
    """One pass over a model's nodes, in the order of computation."""

    def __init__(
        self, model: Model, inputs: Sequence[str | Given], guess: int | None = 0, own: Mapping[str, Rule] | None = None
    ) -> None:
        self.own = own or {}
        super().__init__(model, {**RULES, **self.own})
        self.nodes = ordered(model)
        self.constants_left = MOST_CONSTANTS
        measured = {name for node in self.nodes if _MEASURED.search(node.name) for name in node.inputs}
        self.batch_guess = bind(self, self.nodes, inputs, guess)
        origins = Origins(model, measured, self.nodes)
        self.all_nodes, self.learned = [*model.nodes, *self.nodes], set[Part]()
        for name, tensor in model.tensors.items():
            if name not in self.values:
                parts = tuple(Part(source, prod(model.tensors[source].shape)) for source in origins.of(name, tensor))
                self.values[name] = constant(tensor, parts, model.views.get(name))
                self.learned.update(self.values[name].source_weights)

    def run(self) -> Graph:
        """Import every node and return the layers that the outputs need."""
        self._find_biases()
        self.fold(self.nodes)
        self.nodes = fusions.fuse(self.nodes, self.values, self.outputs)
        self._find_readers()
        self.import_nodes(self.nodes)
        graph = self._needed_layers()
        self.names.finish(graph)
        group_modules(graph)
        return graph

    def _find_readers(self) -> None:
        """Note which nodes read each value."""
        for node in self.nodes:
            for name in reads_outside(node):
                self.readers.setdefault(name, []).append(node)

    def _find_biases(self) -> None:
        """Tell the nodes whose bias is in the Add after them from those whose bias of zeros was left out."""
        self._find_readers()
        for node in self.nodes:
            if node.has_bias and (add := self.only_reader(node.outputs[0], ("Add",))) and add.has_bias:
                node.has_bias = False
        self.readers = {}  # nothing is fused while constants are folded

    def fold(self, nodes: Sequence[Node]) -> None:
        """Compute the nodes that depend on constants alone, before the others, whose fusions look at their values."""
        for node in nodes:
            if node.operator in (*_WITH_SUBGRAPHS, *self.own) or self.rule_of(node) is None:
                continue
            if all(not name or name in self.values for name in node.inputs):
                inputs = [self.values[name] if name else None for name in node.inputs]
                if all(value is None or value.is_constant for value in inputs):
                    with suppress(Unsupported):
                        self._apply(node, inputs)

    def import_nodes(self, nodes: Sequence[Node]) -> None:
        """Import nodes in their order, except those fused into an earlier one and those that `fold` has computed."""
        for node in nodes:
            if id(node) not in self.fused and not all(name in self.values for name in node.outputs if name):
                self._import(node)

    def _import(self, node: Node) -> None:
        """Add the layers of one node: by its rule, or as opaque layers."""
        inputs = [self.values.get(name) if name else None for name in node.inputs]
        error: Unsupported | None = None
        if self.rule_of(node) is not None:
            try:
                return self._apply(node, inputs)
            except Unsupported as reason:
                error = reason
            if self.batch == 1 and any(map(_has_batch_axis, inputs)):
                with suppress(Unsupported):
                    return self._apply_without_batch(node, inputs)
        return keep_place(self, node, inputs, error)

    def _apply_without_batch(self, node: Node, inputs: list[Value | None]) -> None:
        """Apply a node's rule with the batch, of one, as an axis like the others. Raises Unsupported."""
        with self.attempt(node):
            whole: list[Value | None] = [*inputs]
            for index, value in enumerate(inputs):
                if value is not None and _has_batch_axis(value):
                    ref = self.view(node, value, value.sizes or (1,))
                    whole[index] = Value(value.shape, ref=ref, dtype=value.dtype)
            self._apply(node, whole)

    def _apply(self, node: Node, inputs: list[Value | None]) -> None:
        """Apply the rule of a node and keep its outputs. Raises Unsupported, having taken back what it added."""
        with self.attempt(node):
            self.current = node
            inputs = with_sources_counted(self, node, inputs)
            outputs = _unchanged(node, inputs) or self._outputs(node, inputs)
        self._charge(inputs, outputs)
        remember_source(node, inputs, outputs)
        names = [self.fusions[id(node)].output] if id(node) in self.fusions else node.outputs
        self.values.update((name, value) for name, value in zip(names, outputs, strict=False) if name)
        if missing := [name for name in names[len(outputs) :] if name in self.readers or name in self.outputs]:
            keep_place(self, node, inputs, Unsupported("an output that is not computed"), missing)

    def _outputs(self, node: Node, inputs: list[Value | None]) -> list[Value]:
        """Return what a node's rule gives. Raises SpecError for a window that does not fit."""
        recorded = RecordedInputs(inputs)
        node.were_read.clear()
        try:
            outputs = self.rules[node.operator](self, node, recorded)
        except UserError as error:
            if node.operator not in _WINDOWS or not error.field:
                raise
            where = f"node {quoted(node.name or (node.outputs or ['?'])[0])} ({node.operator})"
            hint = error.hint or "give another input size with --input"
            raise SpecError(f"{quoted(self.model.name)}, {where}: {error.message}", hint) from None
        require_all_read(node, recorded)
        return outputs

    def _charge(self, *values: Sequence[Value | None]) -> None:
        """Count what arithmetic on constants reads and makes. Raises SpecError for too much."""
        for value in (value for side in values for value in side if value is not None and value.ref is None):
            self.constants_left -= len(value.data or ()) + len(value.source_weights)
        if self.constants_left < 0:
            raise SpecError(f"{quoted(self.model.name)} computes with more than {MOST_CONSTANTS:,} constants")

    def _needed_layers(self) -> Graph:
        """Return the layers that the outputs need. Raises SpecError where there are none."""
        pending = [ref.layer for name in self.model.outputs if (ref := self._output_ref(name))]
        needed = {layer.index for layer in self.graph.all if layer.is_input}
        while pending:
            index = pending.pop()
            if index not in needed:
                needed.add(index)
                pending.extend(ref.layer for ref in self.graph.all[index].inputs)
        kept = Graph(self.graph.name)
        new_index: dict[int, int] = {}
        for layer in self.graph.all:
            if layer.index in needed:
                new_index[layer.index] = len(kept.all)
                refs = [Ref(new_index[ref.layer], ref.port) for ref in layer.inputs]
                kept.add(layer.path, layer.kind, refs)
                kept.all[-1].via = layer.via
        if not kept.layers or not kept.inputs:
            raise SpecError(f"{quoted(self.model.name)} computes nothing: its outputs are constants or inputs")
        ledger = account(kept, self.weights.uses, new_index)
        aliases = {name: view.name for name, view in self.model.views.items()}
        read = {aliases.get(name, name) for node in self.all_nodes for name in reads_outside(node)}
        kept.balance = balance(kept, ledger, self._stored_sizes(ledger), read | self.model.read_in_vain)
        return kept

    def _output_ref(self, name: str) -> Ref | None:
        """Return where an output of the model is; None for a constant that no learned value is in."""
        value = self.values.get(name)
        if value is None or (value.ref is None and not value.source_weights):
            return None
        with suppress(Unsupported):
            return self.ref(value)
        return None

    def _stored_sizes(self, ledger: Ledger) -> dict[str, int]:
        """Return the learned tensors that the model has, by name, and how many elements each has."""
        if self.model.sizes:
            return dict(self.model.sizes)
        sizes = {part.name: part.size for part in self.learned}
        for name, claims in ledger.claims.items():
            if claims:  # none of an empty tensor
                sizes[name] = claims[0].part.size  # of packed weights: how many they unpack to
        return sizes


def _has_batch_axis(value: Value | None) -> bool:
    return value is not None and value.ref is not None and value.batch is not None and value.shape is not None


def _unchanged(node: Node, inputs: list[Value | None]) -> list[Value]:
    """Return the constant that a layer over constants alone gives, such as weights normalized before use, if any."""
    if node.operator not in _KEEP_SHAPE or any(value is not None and value.ref is not None for value in inputs):
        return []
    first = inputs[0]
    return [] if first is None else [Value(first.sizes, source_weights=sources_of(inputs), dtype=first.dtype)]
