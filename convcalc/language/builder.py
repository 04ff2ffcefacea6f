"""Document -> Graph: names resolved, blocks and repeats expanded, every layer checked and put into the graph.

One pass from top to bottom. A layer reads only layers above it, so its inputs' shapes are known when it is built.
An invalid layer has no outputs, and the layers that read it are checked as far as possible: one mistake, one message.

layer_entry.py parses an item of a list, scope.py resolves names, expander.py expands blocks and repeats,
layer_builder.py builds one layer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from convcalc.errors import ChangesGraph, LocatedError, Place, Problem, SpecError, UserError, did_you_mean, quoted
from convcalc.graph import Graph, Provenance, Ref
from convcalc.kinds import find
from convcalc.language.choices import read_choice
from convcalc.language.document import Document
from convcalc.language.expander import Expander
from convcalc.language.idle import idle_parts
from convcalc.language.input_shapes import read_inputs
from convcalc.language.layer_builder import LayerBuilder
from convcalc.language.layer_entry import Entry, parse_layer_entry
from convcalc.language.overrides import Overrides
from convcalc.language.scope import Names, Refs, Scope, Use, explicit_names
from convcalc.language.unused import check_names, unknown_kind
from convcalc.language.variables import AlreadyReported, Variables
from convcalc.syntax.node import Node

MOST_NESTED = 64
_OF_LAYERS = {"via": 0, "bits": 0}.keys()  # fields that blocks, repeats and choices lack
MOST_PROBLEMS = 1_000  # after so many errors no more are looked for


def build(document: Document, overrides: Overrides = Overrides()) -> Graph:  # noqa: B008  (immutable)
    """Build the graph of a document. Raises SpecError with every error in it."""
    return Builder(document, overrides).build()


class Builder:
    """One network being built. `problems` holds the errors so far; `paths` has None for what could not be built."""

    def __init__(self, document: Document, overrides: Overrides) -> None:
        self.document = document
        self.overrides = overrides.resolved(document)
        self.problems: list[Problem] = []
        self.reported: dict[Place, tuple[str, int | None]] = {}
        self.graph = Graph(document.text("name") or document.file.name.removesuffix(".yaml").rpartition("/")[2])
        self.graph.batch = overrides.batch
        self.names = Names(self.graph, self.problems)
        self.paths = self.names.paths
        self.checked: dict[int, Sequence[Node]] = {}  # by id: lists of layers that are not built
        self.depth = 0  # of the lists of layers that are being built
        self.chosen: Mapping[str, Any] = {}  # by the name of a choice
        self.notes: list[str] = []
        self.omitted: set[str] = set()  # the paths of layers that `when` left out
        self.expander = Expander(self.names, self.build_layers, self._report)
        self.layer_builder = LayerBuilder(self.names, self.build_layers, self._report)

    # -- the network ---------------------------------------------------------------------------------------------

    def build(self) -> Graph:
        document = self.document
        if document.blocks and document.get("layers") is None and document.get("input") is None:
            message, hint = "the file defines blocks, but no network", "name it under include: in another spec"
            raise SpecError([*document.problems, document.node.problem(message, hint)])
        variant = self._variant()
        nodes = {**document.variables, **{key: node for key, node in variant.items() if key in document.variables}}
        self.chosen = {**{key: node.plain() for key, node in variant.items()}, **self.overrides.variables}
        bad = dict.fromkeys(document.bad_variables, AlreadyReported)
        variables = Variables(nodes, {**bad, **self.overrides.variables}, self.problems)
        self.names.homes[id(document)] = variables
        layers = document.get("layers")
        items = layers.value if layers is not None and isinstance(layers.value, list) else []
        given = {name: self.graph.add_input(name, shape) for name, shape in self._inputs(variant, variables).items()}
        refs: Refs = tuple(given.values()) or None
        self.paths.update({name: (ref,) for name, ref in given.items()})
        self.paths["input"] = refs
        if layers is None:
            hint = "list the layers under it, in order"
            self.problems.append(Problem("the spec has no 'layers:'", document.node.place, (), hint))
        top = Scope("", variables, explicit_names(items))
        self._state_outputs(self.build_layers(items, top, refs), top)
        self.layer_builder.set_bits(document, self.overrides.bits, top)
        used = frozenset(variables.used)
        about = variables.all()
        for name, block in document.blocks.items():
            if name not in self.expander.used and block.home is document:
                self._check(block.layers.value)
        self._raise()
        self._describe(variant, about, used)
        if self.overrides.strict and self.graph.provenance.unused:
            raise SpecError(list(self.graph.provenance.unused))
        if self.overrides.deploy:
            from convcalc.deploy import deploy

            self.graph = deploy(self.graph)
        return self.graph

    def _raise(self) -> None:
        """Raise SpecError if there are errors; one in the file itself hides others at its location."""
        if self.problems or self.document.problems:
            places = {str(problem.place) for problem in self.document.problems if problem.place}
            others = [problem for problem in self.problems if str(problem.place) not in places]
            raise SpecError([*self.document.problems, *others])

    def _variant(self) -> Mapping[str, Node]:
        name = self.overrides.variant
        if not name:
            return {}
        if name not in self.document.variants:
            hint = did_you_mean(name, self.document.variants) or "the spec has no variants:"
            self.problems.append(Problem(f"{self.document.file.name} has no variant {quoted(name)}", hint=hint))
        return self.document.variants.get(name, {})

    def _inputs(self, variant: Mapping[str, Node], variables: Variables) -> dict[str, tuple[int, ...]]:
        node = variant.get("input") or self.document.get("input")
        try:
            inputs = read_inputs(node, self.document.node, self.overrides.inputs, variables.value)
            self.notes.extend(inputs.notes)
            return inputs.shapes
        except SpecError as error:
            self.problems.extend(error.problems)
        except AlreadyReported:
            pass
        self.paths.update(dict.fromkeys((name for name, _ in node.items()), None) if node is not None else {})
        return {}

    def _state_outputs(self, last: Refs, top: Scope) -> None:
        """Note which layers are the network's outputs: those of `outputs:` that are built, else the last one."""
        node = self.document.get("outputs")
        refs = last or ()
        if node is not None:
            items = node.value if isinstance(node.value, list) else [node]
            use = Use(Entry("outputs", node, {}), top, last)
            found: list[Ref] = []
            for item in items:
                if isinstance(item.value, str) and item.value in self.omitted:
                    continue
                try:
                    found.extend(self.names.find(item, use) or ())
                except UserError as error:
                    self._report(error, use)
            refs = tuple(found)
        layers = dict.fromkeys(ref.layer for ref in refs)
        self.graph.stated_outputs = tuple(index for index in layers if not self.graph.all[index].is_input) or None

    def _describe(self, variant: Mapping[str, Node], variables: Mapping[str, Any], used: frozenset[str]) -> None:
        document, overrides = self.document, self.overrides
        is_stock = not overrides.variables and not overrides.inputs
        expect = variant.get("expect") if overrides.variant else document.get("expect")
        self.graph.provenance = Provenance(
            source=document.text("source"),
            note="; ".join(self.notes),
            path=document.file.name,
            data=[file.data for file in document.sources],
            variant=overrides.variant,
            variables=variables,
            used=used,
            expect=expect if is_stock else None,
            budget=document.get("budget"),
            unused=idle_parts(document, self.graph, {*used}, self.expander.used),
        )

    def _check(self, items: Sequence[Node]) -> None:
        """Record errors in layers that are not built, once however often they are left out."""
        if id(items) in self.checked:
            return
        self.checked[id(items)] = items
        for error, entry in check_names(items, self.document):
            self._report_in(None, error, entry)
            if len(self.problems) > MOST_PROBLEMS:
                break

    # -- lists of layers -----------------------------------------------------------------------------------------

    def build_layers(self, items: list[Node], scope: Scope, inputs: Refs) -> Refs:
        """Build a list of layers, the first on `inputs`, and return the outputs of the last.

        Raises UserError where lists nest too deep, which no stack of Python's decides.
        """
        if self.depth >= MOST_NESTED:
            raise UserError(f"lists of layers are nested deeper than {MOST_NESTED}, those of the blocks included")
        self.depth += 1
        try:
            return self._build_list(items, scope, inputs)
        finally:
            self.depth -= 1

    def _build_list(self, items: list[Node], scope: Scope, inputs: Refs) -> Refs:
        for item in items:
            if self.expander.is_over() or len(self.problems) > MOST_PROBLEMS:
                break
            try:
                use = Use(parse_layer_entry(item), scope, inputs)
            except LocatedError as error:
                self._report_in(scope, error, Entry("", item, {}))
                inputs = None
                continue
            try:
                inputs = self._build(use)
            except AlreadyReported:
                inputs = self._lost(use)
            except UserError as error:
                self._report(error, use)
                inputs = self._lost(use)
        return inputs

    def _lost(self, use: Use) -> Refs:
        """Keep the name of a layer that could not be built; its outputs are unknown."""
        name = use.entry.fields.get("name")
        if name is not None and isinstance(name.value, str):
            self.paths.setdefault(use.scope.prefix + name.value, None)
        return None

    def _build(self, use: Use) -> Refs:
        self.expander.count_one()
        entry, scope, above = use
        try:
            inputs = self.names.inputs_of(use)
        except LocatedError as error:
            self._report(error, use)
            inputs = None
        if inputs is not above:
            use = Use(entry, scope, inputs)
        when = entry.fields.get("when")
        if when is not None and not self.names.holds(when, use):
            if inputs is not None and len(inputs) > 1:
                use = Use(entry, scope, above)  # a join that is left out
            if "name" in entry.fields:
                path = self.names.new_path(use)
                self.omitted.add(path)
                self.paths[path] = use.inputs
            return use.inputs
        if "${" in entry.tag:
            entry = entry._replace(tag=str(self.names.value(entry.node, use)))
            use = Use(entry, scope, inputs)
        if entry.fields and not _OF_LAYERS.isdisjoint(entry.fields) and find(entry.tag) is None:
            key = next(key for key in _OF_LAYERS if key in entry.fields)
            message = f"'{key}' belongs to a layer, and '{entry.tag}' is not one"
            hint = "give it to the layers inside"
            raise LocatedError(message, entry.fields[key].key_place, hint)
        if entry.tag == "repeat":
            return self.expander.expand_repeat(use)
        if entry.tag == "parallel":
            return self.layer_builder.build_parallel(use)
        if entry.tag == "choice":
            return self._choice(use)
        block = self.document.blocks.get(entry.tag)
        if block is not None:
            return self.expander.expand_block(block, use)
        kind = find(entry.tag)
        if kind is None:
            raise unknown_kind(entry.tag, self.document) or AlreadyReported
        return self.layer_builder.build_layer(kind, use)

    def _choice(self, use: Use) -> Refs:
        """Build the chosen alternative of a choice; check the names in the others."""
        choice = read_choice(use.entry)
        if choice.name in use.scope.home.nodes:
            raise UserError(f"the choice '{choice.name}' has the name of a variable", "name", "choose another name")
        chosen = self.chosen.get(choice.name)
        if hasattr(chosen, "dtype"):
            raise ChangesGraph
        picked = choice.pick(chosen)
        self.names.homes[id(self.document)].used.add(choice.name)
        for name, items in choice.alternatives.items():
            if name != picked:
                self._check(items)
        return self.expander.expand_choice(picked, choice.alternatives[picked], use)

    # -- problems ------------------------------------------------------------------------------------------------

    def _report(self, error: UserError, use: Use, notes: tuple[str, ...] = ()) -> None:
        self._report_in(use.scope, error, use.entry, notes)

    def _report_in(self, scope: Scope | None, error: UserError, entry: Entry, notes: tuple[str, ...] = ()) -> None:
        """Record an error; of a line that is used many times, only in its first use with an error."""
        place = entry.place_of(error)
        use = (scope.prefix, scope.index) if scope else ("", None)
        if self.reported.setdefault(place, use) != use:
            return
        problem = Problem(error.message, place, (*notes, *(scope.notes if scope else ())), error.given_hint)
        if problem not in self.problems[-20:]:
            self.problems.append(problem)
