"""Document -> Graph: names resolved, blocks and repeats expanded, every layer checked and put into the graph.

One pass from top to bottom. A layer reads only what stands above it, so its inputs' shapes are known when it is built.
A layer that is wrong gives no output, and what reads it is checked as far as it can be: one mistake, one message.

entry.py takes an item of a list apart, scope.py knows what names mean, expand.py unfolds blocks and repeats.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from convcalc.errors import ChangesGraph, Place, Problem, SpecError, UserError, did_you_mean, quoted
from convcalc.graph import Graph, Provenance, Ref, cannot_share, same_weights
from convcalc.kinds import Kind, find, shape_text
from convcalc.kinds.fields import is_whole, shown
from convcalc.language.choices import read_choice
from convcalc.language.document import COMMON_FIELDS, Document
from convcalc.language.expander import Expander
from convcalc.language.explicit_names import explicit_names
from convcalc.language.input_shapes import read_inputs
from convcalc.language.layer_entry import Entry, take_apart
from convcalc.language.overrides import Overrides
from convcalc.language.scope import Names, Refs, Scope
from convcalc.language.unused import mistakes, unknown_kind
from convcalc.language.variables import AlreadyReported, LocatedError, Variables
from convcalc.syntax.yaml import Node, describe


def build(document: Document, overrides: Overrides = Overrides()) -> Graph:  # noqa: B008  (immutable)
    """The graph of a document. Raises SpecError with everything that is wrong with it."""
    return Builder(document, overrides).build()


class Builder:
    """One network being built. `problems` grows; whoever reads `paths` early sees None for what could not be built."""

    def __init__(self, document: Document, overrides: Overrides) -> None:
        self.document = document
        self.overrides = overrides.resolved(document)
        self.problems: list[Problem] = []
        self.reported: dict[Place, str] = {}
        self.graph = Graph(document.text("name") or document.file.name.removesuffix(".yaml").rpartition("/")[2])
        self.graph.batch = overrides.batch
        self.names = Names(self.graph, self.problems)
        self.paths = self.names.paths
        self.chosen: Mapping[str, Any] = {}  # by the name of a choice
        self.expander = Expander(self.graph, self.names, self.layers, self._report)

    # -- the network ---------------------------------------------------------------------------------------------

    def build(self) -> Graph:
        document = self.document
        if document.blocks and document.get("layers") is None and document.get("input") is None:
            what, hint = "the file brings blocks, and no network", "name it under include: in another spec"
            raise SpecError([*document.problems, document.node.problem(what, hint)])
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
        self.layers(items, Scope("", variables, explicit_names(items)), refs)
        used = frozenset(variables.used)
        about = variables.all()
        for name, block in document.blocks.items():
            if name not in self.expander.used and block.home is document:
                self._check(block.layers.value)
        self._raise()
        self._describe(variant, about, used)
        if self.overrides.deploy:
            from convcalc.deploy import deploy

            self.graph = deploy(self.graph)
        return self.graph

    def _raise(self) -> None:
        """Raise what is wrong, if anything is; where the file itself is wrong at a place, that alone is said."""
        if self.problems or self.document.problems:
            places = {str(problem.place) for problem in self.document.problems if problem.place}
            ours = [problem for problem in self.problems if str(problem.place) not in places]
            raise SpecError([*self.document.problems, *ours])

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
            return read_inputs(node, self.document.node, self.overrides.inputs, variables.value)
        except SpecError as error:
            self.problems.extend(error.problems)
        except AlreadyReported:
            pass
        self.paths.update(dict.fromkeys((name for name, _ in node.items()), None) if node is not None else {})
        return {}

    def _describe(self, variant: Mapping[str, Node], variables: Mapping[str, Any], used: frozenset[str]) -> None:
        document, overrides = self.document, self.overrides
        is_stock = not overrides.variables and not overrides.inputs
        expect = variant.get("expect") if overrides.variant else document.get("expect")
        self.graph.provenance = Provenance(
            source=document.text("source"),
            path=document.file.name,
            data=[file.data for file in document.sources],
            variant=overrides.variant,
            variables=variables,
            used=used,
            expect=expect if is_stock else None,
            budget=document.get("budget"),
        )

    def _check(self, items: Sequence[Node]) -> None:
        """Report what is wrong with layers that are not built."""
        for misfit, entry in mistakes(items, self.document):
            self._report(misfit, entry, None)

    # -- lists of layers -----------------------------------------------------------------------------------------

    def layers(self, items: list[Node], scope: Scope, current: Refs) -> Refs:
        """Build a list of layers, the first on `current`; what the last gives."""
        for item in items:
            if self.expander.is_over():
                break
            entry = self._entry(item, scope)
            if entry is None:
                current = None
                continue
            try:
                current = self._build(entry, scope, current)
            except AlreadyReported:
                current = self._lost(entry, scope)
            except UserError as misfit:
                self._report(misfit, entry, scope)
                current = self._lost(entry, scope)
        return current

    def _entry(self, item: Node, scope: Scope | None) -> Entry | None:
        try:
            return take_apart(item)
        except LocatedError as misfit:
            self._report(misfit, Entry("", item, {}), scope)
            return None

    def _lost(self, entry: Entry, scope: Scope) -> Refs:
        """A layer that could not be built: its name is known, its output is not."""
        name = entry.fields.get("name")
        if name is not None and isinstance(name.value, str):
            self.paths.setdefault(scope.prefix + name.value, None)
        return None

    def _build(self, entry: Entry, scope: Scope, current: Refs) -> Refs:
        self.expander.one_more()
        above = current
        try:
            current = self.names.sources(entry, scope, current)
        except LocatedError as misfit:
            self._report(misfit, entry, scope)
            current = None
        when = entry.fields.get("when")
        if when is not None and not self._holds(when, scope, current):
            if current is not None and len(current) > 1:
                current = above  # a join that is left out
            if "name" in entry.fields:
                self.paths[self.names.path(entry, scope, current)] = current
            return current
        if "${" in entry.tag:
            entry = entry._replace(tag=str(self.names.value(entry.node, scope, current)))
        if "via" in entry.fields and find(entry.tag) is None:
            what = UserError(
                f"'via' belongs to a layer, and '{entry.tag}' is not one", hint="give it to the layers inside"
            )
            raise LocatedError(what, entry.fields["via"].key_place)
        if entry.tag == "repeat":
            return self.expander.repeat(entry, scope, current)
        if entry.tag == "choice":
            return self._choice(entry, scope, current)
        block = self.document.blocks.get(entry.tag)
        if block is not None:
            return self.expander.block(block, entry, scope, current)
        kind = find(entry.tag)
        if kind is None:
            raise unknown_kind(entry.tag, self.document) or AlreadyReported
        return self._layer(kind, entry, scope, current)

    def _choice(self, entry: Entry, scope: Scope, current: Refs) -> Refs:
        """The alternative that is chosen; of the others the names are checked."""
        choice = read_choice(entry)
        if choice.name in scope.home.nodes:
            raise UserError(f"the choice '{choice.name}' has the name of a variable", "name", "choose another name")
        chosen = self.chosen.get(choice.name)
        if hasattr(chosen, "dtype"):
            raise ChangesGraph
        picked = choice.pick(chosen)
        self.names.homes[id(self.document)].used.add(choice.name)
        for name, items in choice.alternatives.items():
            if name != picked:
                self._check(items)
        return self.expander.choice(picked, choice.alternatives[picked], entry, scope, current)

    def _holds(self, node: Node, scope: Scope, current: Refs) -> bool:
        """Whether the condition of a layer's `when` holds."""
        value = self.names.value(node, scope, current)
        if hasattr(value, "dtype"):
            raise ChangesGraph
        if isinstance(value, bool) or is_whole(value):
            return bool(value)
        misfit = UserError(f"'when' must be a condition, found {shown(value)}", hint="for example ${stride > 1}")
        raise LocatedError(misfit, node.place)

    # -- one layer -----------------------------------------------------------------------------------------------

    def _layer(self, kind: type[Kind], entry: Entry, scope: Scope, current: Refs) -> Refs:
        path, shares = self._path(entry, scope, current)
        fields = {key: node for key, node in entry.fields.items() if key not in COMMON_FIELDS}
        branches = fields.pop("branches", None) if kind.has_branches else None
        if entry.bare is not None and kind.has_branches:
            branches = entry.bare
        elif entry.bare is not None:
            fields = {self._bare_field(kind, entry.bare): entry.bare}
        layer = kind.__new__(kind)
        is_known = self._fill(layer, fields, entry, scope, current, shares)
        if branches is not None:
            current = self._branches(branches, kind, scope, current)
        if kind.inputs == (0, 0) and "from" not in entry.fields:
            current = ()
        if not is_known or current is None or not path:
            self.paths.setdefault(path, None)
            return None
        try:
            ref = self.graph.add(path, layer, current, shares, entry.place)
        except UserError as misfit:
            self.paths[path] = None
            self._report(misfit, entry, scope, self._arrived(path, current))
            return None
        if shares is not None and not same_weights(self.graph.all[ref.layer], self.graph.all[shares]):
            self.problems.append(cannot_share(self.graph.all[ref.layer], self.graph.all[shares]))
        if "via" in entry.fields:
            self.graph.all[ref.layer].via = self._via(entry, scope, current)
        refs = tuple(Ref(ref.layer, port) for port in range(len(self.graph.all[ref.layer].outputs)))
        self.paths[path] = refs
        return refs

    def _via(self, entry: Entry, scope: Scope, current: Refs) -> str:
        """How code calls a layer: 'module' or 'function'."""
        node = entry.fields["via"]
        value = self.names.value(node, scope, current)
        if value in ("module", "function"):
            return str(value)
        raise LocatedError(UserError(f"'via' must be module or function, found {shown(value)}"), node.place)

    def _path(self, entry: Entry, scope: Scope, current: Refs) -> tuple[str, int | None]:
        """The path of a layer and whose weights it shares; "" after a mistake, so that its fields are still checked."""
        try:
            path = self.names.path(entry, scope, current)
            return path, self.names.shared(entry, scope, path)
        except LocatedError as misfit:
            self._report(misfit, entry, scope)
            return "", None

    def _arrived(self, path: str, refs: tuple[Ref, ...]) -> tuple[str, ...]:
        """Notes on where a layer's inputs come from."""
        notes = []
        for ref in refs[:4]:
            layer = self.graph.all[ref.layer]
            where = "" if layer.place is None else f" (line {layer.place.line})"
            notes.append(f"'{path}' gets {shape_text(layer.outputs[ref.port])} from '{layer.path}'{where}")
        return tuple(notes)

    def _bare_field(self, kind: type[Kind], node: Node) -> str:
        """The field that a value stands for that was given bare."""
        for key, field in kind.fields.items():
            if field.bare:
                return key
        first = next(iter(kind.fields), "")
        hint = f"write '{kind.name}: {{{first}: ...}}'" if first else f"write '{kind.name}' alone"
        raise LocatedError(UserError(f"{kind.name} takes named fields, found {describe(node)}", hint=hint), node.place)

    def _fill(
        self, layer: Kind, fields: dict[str, Node], entry: Entry, scope: Scope, current: Refs, shares: int | None
    ) -> bool:
        """Work out and check the fields; False when one is wrong (and has been reported)."""
        if shares is not None and not fields and type(self.graph.all[shares].kind) is type(layer):
            layer.__dict__.update(self.graph.all[shares].kind.__dict__)
            return True
        values, is_known = {}, True
        for key, node in fields.items():
            try:
                values[key] = (self.names.value(node, scope, current), node.is_quoted)
            except AlreadyReported:
                is_known = False
            except LocatedError as misfit:
                self._report(misfit, entry, scope)
                is_known = False
        wrong = layer.fill(values)
        for found in wrong:
            if found.field or is_known:  # a missing field may be one that could not be worked out
                self._report(found, entry, scope)
        return is_known and not wrong

    def _branches(self, node: Node, kind: type[Kind], scope: Scope, current: Refs) -> Refs:
        """What the branches of a join give, one behind the other."""
        if not isinstance(node.value, list) or not all(isinstance(item.value, list) for item in node.value):
            wrong = node
            if isinstance(node.value, list):
                wrong = next(item for item in node.value if not isinstance(item.value, list))
            hint = "write - [layers...] for each branch, [] for the skip"
            misfit = UserError(f"{kind.name} takes a list of branches, each a list of layers", hint=hint)
            raise LocatedError(misfit, wrong.place)
        ends = [self.layers(branch.value, scope, current) for branch in node.value]
        found: list[Ref] = []
        for end in ends:
            if end is None:
                return None
            found.extend(end)
        return tuple(found)

    # -- problems ------------------------------------------------------------------------------------------------

    def _report(self, misfit: UserError, entry: Entry, scope: Scope | None, notes: tuple[str, ...] = ()) -> None:
        """Note what is wrong; where a line is used many times, its first use with a mistake is enough."""
        place = entry.place_of(misfit)
        use = scope.prefix if scope else ""
        if self.reported.setdefault(place, use) != use:
            return
        problem = Problem(misfit.message, place, (*notes, *(scope.notes if scope else ())), misfit.hint)
        if problem not in self.problems[-20:]:
            self.problems.append(problem)
