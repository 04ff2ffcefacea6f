"""Check one layer's fields and put it into the graph."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from convcalc.errors import LocatedError, SpecError, UserError, quoted, suggested
from convcalc.graph import Layer, Ref, cannot_share, same_weights
from convcalc.kinds import Kind, shape_text
from convcalc.kinds.fields import shown
from convcalc.kinds.sizes import is_known
from convcalc.language.branches import build_branches
from convcalc.language.document import COMMON_FIELDS
from convcalc.language.layer_entry import Entry
from convcalc.language.scope import Names, Refs, Use
from convcalc.language.shared_elements import shared_elements
from convcalc.language.variables import AlreadyReported
from convcalc.syntax.node import Node, describe

if TYPE_CHECKING:
    from collections.abc import Sequence

    from convcalc.language.document import Document
    from convcalc.language.scope import Build, Report, Scope

PARALLEL_KEYS = ("branches", "name", "from", "when")


class LayerBuilder:
    """Builds layers; `build` is called for each branch of a join, `report` for each error that is not raised."""

    def __init__(self, names: Names, build: Build, report: Report) -> None:
        self.names, self.build, self.report = names, build, report
        self.graph = names.graph
        self.has_bits = False  # whether a layer has `bits:` of its own

    def build_layer(self, kind: type[Kind], use: Use) -> Refs:
        """Add a layer to the graph and return its outputs; None where it is invalid and an error was recorded."""
        entry = use.entry
        path, shares = self._path(use)
        fields, branches = self._fields(kind, use)
        layer = kind.__new__(kind)
        is_known = self._fill(layer, fields, use, shares)
        inputs, varies = use.inputs, False
        if branches is not None:
            inputs, varies = build_branches(branches, kind.name, use, self.names, self.build)
        if kind.inputs == (0, 0) and "from" not in entry.fields:
            inputs = ()
        if not is_known or inputs is None or not path:
            self.names.paths.setdefault(path, None)
            return None
        if varies and len(inputs) == 1:
            self.names.paths[path] = inputs  # a join of one branch
            return inputs
        try:
            ref = self.graph.add(path, layer, inputs, shares, entry.place)
        except UserError as error:
            self.names.paths[path] = None
            self.report(error, use, self._input_notes(path, inputs))
            return None
        added = self.graph.all[ref.layer]
        if shares is not None and not same_weights(added, self.graph.all[shares]):
            self.names.problems.append(cannot_share(added, self.graph.all[shares]))
        self._share_some(added, use)
        if "via" in entry.fields:
            added.via = self._via(use)
        if "bits" in entry.fields:
            self._set_own_bits(added, use)
        refs = tuple(Ref(ref.layer, port) for port in range(len(added.outputs)))
        self.names.paths[path] = refs
        return refs

    def set_bits(self, document: Document, texts: Sequence[str], top: Scope) -> None:
        """Give every layer its bits, where the spec, a layer of it or the texts of `--bits` say any."""
        node = document.get("bits")
        if node is None and not texts and not self.has_bits:
            return
        from convcalc.language.bits import read_rules, set_bits

        use = Use(Entry("bits", node or document.node, {}), top, ())
        try:
            rules = read_rules(node, lambda part: self.names.value(part, use)) if node is not None else []
            if not self.names.problems and not document.problems:
                set_bits(self.graph, rules, texts)
        except AlreadyReported:
            return
        except SpecError as error:
            self.names.problems.extend(error.problems)
        except UserError as error:
            self.report(error, use)

    def build_parallel(self, use: Use) -> Refs:
        """Build branches side by side and return the outputs of all of them."""
        entry = use.entry
        for key, field in entry.fields.items():
            if key not in PARALLEL_KEYS:
                hint = suggested(key, PARALLEL_KEYS)
                raise LocatedError(f"parallel has no field {quoted(key)}", field.key_place, hint)
        branches = entry.bare or entry.fields.get("branches")
        if branches is None:
            raise UserError("parallel needs branches", hint="parallel: [[layers...], [layers...]]")
        path = self.names.new_path(use)
        self.names.paths[path] = None
        self.names.paths[path], _ = build_branches(branches, "parallel", use, self.names, self.build)
        return self.names.paths[path]

    def _share_some(self, layer: Layer, use: Use) -> None:
        """Note the elements of a layer that others count."""
        try:
            layer.shared = shared_elements(layer, self.names, use)
        except AlreadyReported:
            return
        except (LocatedError, UserError) as error:
            self.report(error, use)

    def _set_own_bits(self, layer: Layer, use: Use) -> None:
        """Give a layer the bits of its own field."""
        from convcalc.language.bits import read_bits

        self.has_bits = True
        try:
            layer.bits = read_bits(use.entry.fields["bits"], lambda node: self.names.value(node, use))
        except AlreadyReported:
            return
        except UserError as error:
            self.report(error, use)

    def _path(self, use: Use) -> tuple[str, int | None]:
        """The path of a layer and the index of the layer whose weights it shares.

        The path is "" where it is invalid, so that the fields are still checked.
        """
        try:
            path = self.names.new_path(use)
            return path, self.names.shared_layer(use, path)
        except LocatedError as error:
            self.report(error, use)
            return "", None

    def _fields(self, kind: type[Kind], use: Use) -> tuple[dict[str, Node], Node | None]:
        """The fields of the kind alone, and the branches of a join."""
        entry = use.entry
        fields = {key: node for key, node in entry.fields.items() if key not in COMMON_FIELDS}
        branches = fields.pop("branches", None) if kind.has_branches else None
        if entry.bare is not None and kind.has_branches:
            branches = entry.bare
        elif entry.bare is not None:
            fields = {self._bare_field(kind, entry.bare): entry.bare}
        return fields, branches

    def _bare_field(self, kind: type[Kind], node: Node) -> str:
        """The name of the field that a bare value sets."""
        for key, field in kind.fields.items():
            if field.bare:
                return key
        first = next(iter(kind.fields), "")
        hint = f"write '{kind.name}: {{{first}: ...}}'" if first else f"write '{kind.name}' alone"
        raise LocatedError(f"{kind.name} takes named fields, found {describe(node)}", node.place, hint)

    def _fill(self, layer: Kind, fields: dict[str, Node], use: Use, shares: int | None) -> bool:
        """Evaluate and check the fields; False where one is invalid and has been reported."""
        if shares is not None and not fields and type(self.graph.all[shares].kind) is type(layer):
            layer.__dict__.update(self.graph.all[shares].kind.__dict__)
            return True
        values, is_known = {}, True
        like = fields.pop("like", None) if layer.like_field else None
        for key, node in fields.items():
            try:
                values[key] = (self._value(layer, key, node, use), node.is_quoted)
            except AlreadyReported:
                is_known = False
            except LocatedError as error:
                self.report(error, use)
                is_known = False
        if like is not None and is_known:
            is_known = self._fill_like(layer, like, values, use)
        errors = layer.fill(values)
        for field_error in errors:
            if field_error.field or is_known:  # a missing field may be the one that could not be evaluated
                self.report(field_error, use)
        return is_known and not errors

    def _value(self, layer: Kind, key: str, node: Node, use: Use) -> Any:
        return self.names.field_value(key, node, use) if key in layer.fields else self.names.value(node, use)

    def _fill_like(self, layer: Kind, node: Node, values: dict[str, tuple[Any, bool]], use: Use) -> bool:
        """Set the field that gives the output the size of another layer; False where an error was reported."""
        key = layer.like_field
        try:
            if key in values:
                raise UserError(f"{layer.name} takes either '{key}' or 'like'", key, "leave one of them out")
            theirs = self.names.shape_of(node, use)
            if use.inputs is None:
                return False
            ours = self.graph.shape(use.inputs[0]) if use.inputs else theirs
            if not is_known(ours):
                raise UserError("the size of its input is not known", "like", "give the opaque layer its 'shape'")
            values[key] = (layer.like(ours, theirs, {name: value for name, (value, _) in values.items()}), False)
        except AlreadyReported:
            return False
        except UserError as error:
            self.report(error, use)
            return False
        return True

    def _via(self, use: Use) -> str:
        """How code calls a layer: 'module' or 'function'."""
        node = use.entry.fields["via"]
        value = self.names.value(node, use)
        if value in ("module", "function"):
            return str(value)
        raise LocatedError(f"'via' must be module or function, found {shown(value)}", node.place)

    def _input_notes(self, path: str, refs: tuple[Ref, ...]) -> tuple[str, ...]:
        """Notes that say which layers a layer's inputs come from."""
        notes = []
        for ref in refs[:4]:
            layer = self.graph.all[ref.layer]
            where = "" if layer.place is None else f" (line {layer.place.line})"
            notes.append(f"'{path}' gets {shape_text(layer.outputs[ref.port])} from '{layer.path}'{where}")
        return tuple(notes)
