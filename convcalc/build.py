"""Document -> Graph: blocks and repeats expanded, names resolved, every layer checked and put into the graph.

One pass from top to bottom. A layer reads only what stands above it, so its inputs' shapes are known when it is built.
A layer that is wrong gives no output, and what reads it is checked as far as it can be: one mistake, one message.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from convcalc.document import COMMON_FIELDS, NAME, REPEAT_KEYS, Block, Document
from convcalc.errors import Misfit, Place, Problem, SpecError, Structural, did_you_mean, quoted
from convcalc.graph import MOST_LAYERS, Graph, Group, Layer, Ref
from convcalc.kinds import Kind, find, shape_text, suggest, tallied, total
from convcalc.kinds.base import STORED
from convcalc.kinds.fields import is_whole, shown
from convcalc.names import explicit_names
from convcalc.shapes import read_inputs
from convcalc.spec import Node, describe
from convcalc.variables import PlacedMisfit, Reported, Variables, unknown_name, work_out

MOST_BLOCKS_DEEP = 32
Refs = tuple[Ref, ...] | None  # None: not known, because of a mistake that has been reported


class Settings(NamedTuple):
    """What a command line changes about a spec: variables, a variant, the input, the batch."""

    variables: Mapping[str, Any] = {}
    variant: str = ""
    inputs: Sequence[Any] = ()  # texts as of --input, or pairs of a name ("" for the only one) and a shape
    batch: int = 1


class Scope:
    """Where names mean something: the network, a block's body, one round of a repeat."""

    __slots__ = ("block", "counters", "home", "index", "inputs", "notes", "outer", "prefix", "share", "taken", "values")

    def __init__(self, prefix: str, home: Variables, inputs: Refs, taken: frozenset[str]) -> None:
        self.prefix = prefix
        self.home = home
        self.inputs = inputs
        self.taken = taken
        self.values: Mapping[str, Any] = {}
        self.index: int | None = None
        self.outer: Scope | None = None
        self.block: tuple[str, ...] = ()
        self.notes: tuple[str, ...] = ()
        self.share: str | None = None
        self.counters: dict[str, int] = {}

    def inner(self, prefix: str, inputs: Refs, taken: frozenset[str], index: int) -> Scope:
        """One round of a repeat: own names, everything else from around it."""
        scope = Scope(prefix, self.home, inputs, taken)
        scope.values, scope.index, scope.outer, scope.block = self.values, index, self, self.block
        scope.notes = self.notes
        return scope


class Entry(NamedTuple):
    """One item of a list of layers, taken apart: the kind's or block's name, its fields, a bare value, branches."""

    tag: str
    node: Node
    fields: dict[str, Node]
    bare: Node | None = None

    @property
    def place(self) -> Place:
        return self.node.place


def build(document: Document, settings: Settings = Settings()) -> Graph:  # noqa: B008  (immutable)
    """The graph of a document. Raises SpecError with everything that is wrong with it."""
    return Builder(document, settings).build()


class Builder:
    def __init__(self, document: Document, settings: Settings) -> None:
        self.document = document
        self.settings = settings
        self.problems: list[Problem] = []
        self.graph = Graph(document.text("name") or document.file.name.removesuffix(".yaml").rpartition("/")[2])
        self.graph.batch = settings.batch
        self.paths: dict[str, Refs] = {}
        self.homes: dict[int, Variables] = {}
        self.expanded = 0
        self.arriving: Refs = None
        self.used_blocks: set[str] = set()

    # -- the network ---------------------------------------------------------------------------------------------

    def build(self) -> Graph:
        document = self.document
        variant = self._variant()
        nodes = {**document.variables, **{key: node for key, node in variant.items() if key in document.variables}}
        variables = Variables(nodes, self.settings.variables, self.problems)
        self.homes[id(document)] = variables
        layers = document.get("layers")
        items = layers.value if layers is not None and isinstance(layers.value, list) else []
        given = {name: self.graph.add_input(name, shape) for name, shape in self._inputs(variant, variables).items()}
        refs: Refs = tuple(given.values()) or None
        scope = Scope("", variables, refs, explicit_names(items))
        self.paths.update({name: (ref,) for name, ref in given.items()})
        self.paths["input"] = refs
        if layers is None:
            hint = "this file only brings blocks" if document.blocks else "list the layers under it, in order"
            self.problems.append(Problem("the spec has no 'layers:'", document.node.place, (), hint))
        self.layers(items, scope, refs)
        used = frozenset(variables.used)
        about = variables.all()
        self._check_unused()
        if self.problems:
            raise SpecError(self.problems)
        self._describe(variant, about)
        self.graph.about["used"] = used
        return self.graph

    def _variant(self) -> Mapping[str, Node]:
        name = self.settings.variant
        if not name:
            return {}
        if name not in self.document.variants:
            hint = did_you_mean(name, self.document.variants) or "the spec has no variants:"
            self.problems.append(Problem(f"{self.document.file.name} has no variant {quoted(name)}", hint=hint))
        return self.document.variants.get(name, {})

    def _inputs(self, variant: Mapping[str, Node], variables: Variables) -> dict[str, tuple[int, ...]]:
        node = variant.get("input") or self.document.get("input")
        try:
            return read_inputs(node, self.document.node, self.settings.inputs, variables.value)
        except SpecError as error:
            self.problems.extend(error.problems)
        except PlacedMisfit as misfit:
            self.problems.append(Problem(misfit.message, misfit.place, (), misfit.hint))
        except Reported:
            pass
        return {}

    def _describe(self, variant: Mapping[str, Node], variables: dict[str, Any]) -> None:
        is_stock = not self.settings.variables and not self.settings.inputs
        expect = variant.get("expect") if self.settings.variant else self.document.get("expect")
        self.graph.about = {
            "document": self.document,
            "source": self.document.text("source"),
            "variables": variables,
            "variant": self.settings.variant,
            "expect": expect if is_stock else None,
            "budget": self.document.get("budget"),
        }

    def _check_unused(self) -> None:
        """Names and fields inside blocks that nothing uses; their values cannot be known."""
        for name, block in self.document.blocks.items():
            if name not in self.used_blocks and block.home is self.document:
                self._check_names(block.layers, block)

    def _check_names(self, items: Node, block: Block) -> None:
        for item in items.value if isinstance(items.value, list) else ():
            entry = self._take_apart(item)
            if entry is None or "${" in entry.tag or entry.tag in block.home.blocks:
                continue
            kind = find(entry.tag)
            if entry.tag == "repeat":
                self._check_names(entry.fields.get("layers") or item, block)
            elif kind is None:
                self._unknown_kind(entry, block.home)
            else:
                layer = kind.__new__(kind)
                common = (*COMMON_FIELDS, "branches") if kind.has_branches else COMMON_FIELDS
                fields = {key: (0, False) for key in entry.fields if key not in kind.fields and key not in common}
                unknown = [misfit for misfit in layer.fill(fields) if misfit.field.startswith("?")]
                for misfit in unknown:
                    self._report(misfit, entry, None)

    # -- lists of layers -----------------------------------------------------------------------------------------

    def layers(self, items: list[Node], scope: Scope, current: Refs) -> Refs:
        """Build a list of layers, the first on `current`; what the last gives."""
        for item in items:
            if self.expanded > MOST_LAYERS:
                break
            entry = self._take_apart(item, scope)
            if entry is None:
                current = None
                continue
            try:
                current = self._build(entry, scope, current)
            except Reported:
                current = self._lost(entry, scope)
            except Misfit as misfit:
                self._report(misfit, entry, scope)
                current = self._lost(entry, scope)
        return current

    def _lost(self, entry: Entry, scope: Scope) -> Refs:
        """A layer that could not be built: its name is known, its output is not."""
        name = entry.fields.get("name")
        if name is not None and isinstance(name.value, str):
            self.paths.setdefault(scope.prefix + name.value, None)
        return None

    def _take_apart(self, item: Node, scope: Scope | None = None) -> Entry | None:
        value = item.value
        if isinstance(value, str):
            return Entry(self._tag(item, scope), item, {})
        if isinstance(value, dict) and len(value) == 1:
            key, inner = next(iter(value.items()))
            node = inner.key or item
            tag = self._tag(node, scope) if "${" in key else key
            if isinstance(inner.value, dict):
                return Entry(tag, node, inner.value)
            return Entry(tag, node, {}, None if inner.value is None else inner)
        if isinstance(value, dict) and value:
            keys = list(value)
            hint = (
                f"indent the fields under '{keys[0]}:'"
                if value[keys[0]].value is None
                else "begin each layer with '- '"
            )
            second = value[keys[1]].key_place
            self.problems.append(Problem(f"a layer is one 'kind: fields', found {len(keys)} keys", second, (), hint))
        else:
            hint = "write a kind's name, or 'kind: {fields}'"
            self.problems.append(item.problem(f"a layer was expected, found {describe(item)}", hint))
        return None

    def _tag(self, node: Node, scope: Scope | None) -> str:
        if scope is None or "${" not in node.value:
            return str(node.value)
        try:
            return str(work_out(node, self._lookup(scope)))
        except PlacedMisfit as misfit:
            self._report(misfit, Entry("", node, {}), scope)
        except Reported:
            pass
        return ""

    def _build(self, entry: Entry, scope: Scope, current: Refs) -> Refs:
        if not entry.tag:
            raise Reported
        self.expanded += 1
        if self.expanded > MOST_LAYERS:
            raise Misfit(f"the network expands to more than {MOST_LAYERS:,} layers", hint="use fewer repeats")
        current = self._from(entry, scope, current)
        self.arriving = current
        when = entry.fields.get("when")
        if when is not None and not self._condition(when, scope):
            if "name" in entry.fields:
                self.paths[self._path(entry, scope)] = current
            return current
        if entry.tag == "repeat":
            return self._repeat(entry, scope, current)
        block = self.document.blocks.get(entry.tag)
        if block is not None:
            return self._block(block, entry, scope, current)
        kind = find(entry.tag)
        if kind is None:
            self._unknown_kind(entry, self.document, scope)
            raise Reported
        return self._layer(kind, entry, scope, current)

    def _condition(self, node: Node, scope: Scope) -> bool:
        value = work_out(node, self._lookup(scope))
        if hasattr(value, "dtype"):
            raise Structural
        if isinstance(value, bool) or is_whole(value):
            return bool(value)
        raise PlacedMisfit(
            Misfit(f"'when' must be a condition, found {shown(value)}", hint="for example ${stride > 1}"), node.place
        )

    def _unknown_kind(self, entry: Entry, document: Document, scope: Scope | None = None) -> None:
        blocks = [*document.blocks, "repeat"]
        self._report(
            Misfit(f"no layer kind or block {quoted(entry.tag)}", "", suggest(entry.tag, blocks)), entry, scope
        )

    # -- one layer -----------------------------------------------------------------------------------------------

    def _layer(self, kind: type[Kind], entry: Entry, scope: Scope, current: Refs) -> Refs:
        path = self._path(entry, scope)
        shares = self._shared(entry, scope, path)
        fields = {key: node for key, node in entry.fields.items() if key not in COMMON_FIELDS}
        branches = fields.pop("branches", None) if kind.has_branches else None
        if entry.bare is not None and kind.has_branches:
            branches = entry.bare
        elif entry.bare is not None:
            fields = {self._bare_field(kind, entry.bare): entry.bare}
        layer = kind.__new__(kind)
        is_known = self._fill(layer, fields, entry, scope, shares)
        if branches is not None:
            current = self._branches(branches, kind, scope, current)
        if kind.inputs == (0, 0) and "from" not in entry.fields:
            current = ()
        if not is_known or current is None:
            self.paths[path] = None
            return None
        try:
            ref = self.graph.add(path, layer, current, shares, entry.place)
        except Misfit as misfit:
            self.paths[path] = None
            self._report(misfit, entry, scope, (*self._arrived(path, current), *scope.notes))
            return None
        self._check_shared(ref, entry)
        built = self.graph.all[ref.layer]
        refs = tuple(Ref(ref.layer, port) for port in range(len(built.outputs)))
        self.paths[path] = refs
        return refs

    def _arrived(self, path: str, refs: tuple[Ref, ...]) -> tuple[str, ...]:
        notes = []
        for ref in refs[:4]:
            layer = self.graph.all[ref.layer]
            where = "" if layer.place is None else f" (line {layer.place.line})"
            notes.append(f"'{path}' gets {shape_text(layer.outputs[ref.port])} from '{layer.path}'{where}")
        return tuple(notes)

    def _bare_field(self, kind: type[Kind], node: Node) -> str:
        for key, field in kind.fields.items():
            if field.bare:
                return key
        hint = (
            f"write '{kind.name}: {{{next(iter(kind.fields))}: ...}}'" if kind.fields else f"write '{kind.name}' alone"
        )
        raise PlacedMisfit(Misfit(f"{kind.name} takes named fields, found {describe(node)}", hint=hint), node.place)

    def _fill(self, layer: Kind, fields: dict[str, Node], entry: Entry, scope: Scope, shares: int | None) -> bool:
        """Work out and check the fields; False when one is wrong (and has been reported)."""
        if shares is not None and not fields and type(self.graph.all[shares].kind) is type(layer):
            layer.__dict__.update(self.graph.all[shares].kind.__dict__)
            return True
        lookup = self._lookup(scope)
        values, is_known = {}, True
        for key, node in fields.items():
            value = node.value
            if type(value) in _COMPUTED:
                try:
                    value = work_out(node, lookup)
                except PlacedMisfit as misfit:
                    self._report(misfit, entry, scope)
                    is_known = False
                    continue
                except Reported:
                    is_known = False
                    continue
            values[key] = (value, node.is_quoted)
        wrong = layer.fill(values)
        for found in wrong:
            if found.field or is_known:  # a missing field may be one that could not be worked out
                self._report(found, entry, scope)
        return is_known and not wrong

    def _branches(self, node: Node, kind: type[Kind], scope: Scope, current: Refs) -> Refs:
        if not isinstance(node.value, list) or not all(isinstance(item.value, list) for item in node.value):
            hint = "write - [layers...] for each branch, [] for the skip"
            raise PlacedMisfit(
                Misfit(f"{kind.name} takes a list of branches, each a list of layers", hint=hint), node.place
            )
        ends = [self.layers(branch.value, scope, current) for branch in node.value]
        found: list[Ref] = []
        for end in ends:
            if end is None:
                return None
            found.extend(end)
        return tuple(found)

    # -- blocks and repeats --------------------------------------------------------------------------------------

    def _block(self, block: Block, entry: Entry, scope: Scope, current: Refs) -> Refs:
        self.used_blocks.add(block.name)
        if block.name in scope.block:
            raise Misfit(f"blocks go round in a circle: {' -> '.join([*scope.block, block.name])}")
        if len(scope.block) >= MOST_BLOCKS_DEEP:
            raise Misfit(f"blocks are nested deeper than {MOST_BLOCKS_DEEP}")
        if current is not None and len(current) != len(block.inputs):
            what = f"the block '{block.name}' takes {len(block.inputs)} input{'s' * (len(block.inputs) > 1)}"
            raise Misfit(f"{what} ({', '.join(block.inputs)}), found {len(current)}", "from", "name them in from:")
        path = self._path(entry, scope)
        home = self._home(block.home)
        inside = Scope(f"{path}/", home, current, explicit_names(block.layers.value))
        inside.values = self._arguments(block, entry, scope, home)
        inside.block = (*scope.block, block.name)
        inside.notes = (f"in block '{block.name}', used at {entry.place}", *scope.notes)
        inside.share = self._shared_block(entry, scope, path)
        self.paths[f"{path}/input"] = current
        for number, name in enumerate(block.inputs):
            self.paths[f"{path}/{name}"] = None if current is None else (current[number],)
        start = len(self.graph.all)
        refs = self.layers(block.layers.value, inside, current)
        return self._close(path, block.name, start, refs, entry.place)

    def _close(self, path: str, label: str, start: int, refs: Refs, place: Place) -> Refs:
        self.paths[path] = refs
        if refs:
            self.graph.groups.append(Group(path, label, start, len(self.graph.all), self.graph.shape(refs[0]), place))
        return refs

    def _home(self, document: Document) -> Variables:
        found = self.homes.get(id(document))
        if found is None:
            found = self.homes[id(document)] = Variables(document.variables, {}, self.problems)
        return found

    def _arguments(self, block: Block, entry: Entry, scope: Scope, home: Variables) -> dict[str, Any]:
        fields = {key: node for key, node in entry.fields.items() if key not in COMMON_FIELDS}
        if entry.bare is not None:
            if not block.arguments:
                raise PlacedMisfit(Misfit(f"the block '{block.name}' takes no arguments"), entry.bare.place)
            fields = {next(iter(block.arguments)): entry.bare}
        values: dict[str, Any] = {}
        is_known = True
        for key, node in fields.items():
            if key not in block.arguments:
                hint = did_you_mean(key, [*block.arguments, *COMMON_FIELDS])
                self._report(
                    PlacedMisfit(
                        Misfit(f"the block '{block.name}' has no argument {quoted(key)}", hint=hint), node.key_place
                    ),
                    entry,
                    scope,
                )
                is_known = False
                continue
            values[key] = work_out(node, self._lookup(scope))

        def lookup(name: str) -> Any:
            return values[name] if name in values else self._outside(name, home)

        for key, node in block.arguments.items():
            if key in values:
                continue
            if node.value is None:
                self._report(
                    Misfit(f"the block '{block.name}' needs '{key}'", "", f"give {key}: a value"), entry, scope
                )
                is_known = False
            else:
                values[key] = work_out(node, lookup)
        if not is_known:
            raise Reported
        return values

    def _repeat(self, entry: Entry, scope: Scope, current: Refs) -> Refs:
        known = (*REPEAT_KEYS, *COMMON_FIELDS)
        for key, node in entry.fields.items():
            if key not in known:
                raise PlacedMisfit(
                    Misfit(f"repeat has no field {quoted(key)}", hint=did_you_mean(key, known)), node.key_place
                )
        times_node, layers = entry.fields.get("times"), entry.fields.get("layers")
        if times_node is None or layers is None or not isinstance(layers.value, list):
            raise Misfit("repeat needs 'times' and 'layers', a list", hint="repeat: {times: 3, layers: [...]}")
        times = work_out(times_node, self._lookup(scope))
        if hasattr(times, "dtype"):
            raise Structural
        if not is_whole(times) or not 0 <= times <= MOST_LAYERS:
            what = f"'times' must be a whole number from 0 to {MOST_LAYERS:,}, found {shown(times)}"
            raise PlacedMisfit(Misfit(what), times_node.place)
        path = self._path(entry, scope)
        start = len(self.graph.all)
        share = self._shared_block(entry, scope, path)
        taken = explicit_names(layers.value)
        for number in range(1, times + 1):
            self.expanded += 1
            if self.expanded > MOST_LAYERS:
                raise Misfit(f"the network expands to more than {MOST_LAYERS:,} layers", hint="use fewer repeats")
            begin = len(self.graph.all)
            inner = scope.inner(f"{path}/{number}/", current, taken, number)
            inner.share = None if share is None else f"{share}{number}/"
            current = self.layers(layers.value, inner, current)
            if current is None and self.problems:
                break
            self._close(f"{path}/{number}", "", begin, current, entry.place)
        return self._close(path, "repeat", start, current, entry.place)

    # -- names ---------------------------------------------------------------------------------------------------

    def _lookup(self, scope: Scope) -> Callable[[str], Any]:
        def lookup(name: str) -> Any:
            if name in scope.values:
                return scope.values[name]
            if name == "index" and scope.index is not None:
                return scope.index
            if name == "channels" and name not in scope.home:
                if self.arriving is None:
                    raise Reported
                return self.graph.shape(self.arriving[0])[0]
            return self._outside(name, scope.home, [*scope.values])

        return lookup

    def _outside(self, name: str, home: Variables, others: list[str] | None = None) -> Any:
        if name in home:
            return home.value(name)
        raise unknown_name(name, [*(others or ()), *home.names(), "channels"])

    def _path(self, entry: Entry, scope: Scope) -> str:
        """The path of a layer: its own name, or its kind's with the next free number."""
        node = entry.fields.get("name")
        if node is None:
            joint = "_" if entry.tag[-1:].isdigit() else ""
            while True:
                number = scope.counters[entry.tag] = scope.counters.get(entry.tag, 0) + 1
                name = f"{entry.tag}{joint}{number}"
                if name not in scope.taken:
                    return scope.prefix + name
        name = work_out(node, self._lookup(scope))
        name = str(name) if is_whole(name) else name
        if not isinstance(name, str) or not NAME.match(name) or name == "input":
            what = (
                "'input' names what the network is given" if name == "input" else f"{shown(name)} cannot name a layer"
            )
            raise PlacedMisfit(Misfit(what, hint="use letters, digits, _ . and -"), node.place)
        path = scope.prefix + name
        if path in self.paths:
            raise PlacedMisfit(
                Misfit(f"the name {quoted(name)} is used twice", hint="names are unique in their block"), node.place
            )
        return path

    def _from(self, entry: Entry, scope: Scope, current: Refs) -> Refs:
        node = entry.fields.get("from")
        if node is None:
            return current
        found: list[Ref] = []
        is_known = True
        for item in node.value if isinstance(node.value, list) else [node]:
            refs = self._find(item, scope)
            if refs is None:
                is_known = False
                continue
            if len(refs) > 1 and not (isinstance(item.value, str) and item.value == "input"):
                what = f"{quoted(item.value)} has {len(refs)} outputs"
                raise PlacedMisfit(
                    Misfit(what, hint=f"say which: {item.value}.0 to {item.value}.{len(refs) - 1}"), item.place
                )
            found.extend(refs)
        return tuple(found) if is_known else None

    def _find(self, node: Node, scope: Scope) -> Refs:
        name = work_out(node, self._lookup(scope))
        name = str(name) if is_whole(name) else name
        if not isinstance(name, str):
            raise PlacedMisfit(Misfit(f"'from' takes the name of a layer, found {describe(node)}"), node.place)
        around: Scope | None = scope
        while around is not None:
            path = around.prefix + name
            if path in self.paths:
                return self.paths[path]
            base, _, port = path.rpartition(".")
            if port.isdecimal() and base in self.paths:
                refs = self.paths[base]
                if refs is None:
                    return None
                if int(port) < len(refs):
                    return (refs[int(port)],)
                raise PlacedMisfit(
                    Misfit(f"{quoted(base)} has {len(refs)} outputs", hint="they count from 0"), node.place
                )
            around = around.outer
        raise PlacedMisfit(self._no_layer(name, scope), node.place)

    def _no_layer(self, name: str, scope: Scope) -> Misfit:
        if name in scope.taken:
            return Misfit(
                f"{quoted(name)} stands below", hint="a layer reads what is above it: a network has no cycles"
            )
        near = [path.removeprefix(scope.prefix) for path in self.paths if path.startswith(scope.prefix)]
        return Misfit(
            f"no layer {quoted(name)} above", hint=did_you_mean(name, [path for path in near if "/" not in path])
        )

    # -- shared weights ------------------------------------------------------------------------------------------

    def _shared(self, entry: Entry, scope: Scope, path: str) -> int | None:
        """The index of the layer whose weights this one uses, by its own `share` or its block's."""
        node = entry.fields.get("share")
        if node is not None:
            refs = self._find(node, scope)
            if refs is None:
                raise Reported
            index = refs[0].layer
        elif scope.share is not None and self.paths.get(scope.share + path.removeprefix(scope.prefix)):
            index = (self.paths[scope.share + path.removeprefix(scope.prefix)] or ())[0].layer
            if self.graph.all[index].kind.name != entry.tag:
                return None
        else:
            return None
        shares = self.graph.all[index].shares
        return index if shares is None else shares

    def _shared_block(self, entry: Entry, scope: Scope, path: str) -> str | None:
        """The prefix of the paths of the block whose weights this one uses."""
        node = entry.fields.get("share")
        if node is None:
            return None if scope.share is None else f"{scope.share}{path.removeprefix(scope.prefix)}/"
        self._find(node, scope)
        return f"{scope.prefix}{node.value}/"

    def _check_shared(self, ref: Ref, entry: Entry) -> None:
        layer = self.graph.all[ref.layer]
        if layer.shares is None:
            return
        other = self.graph.all[layer.shares]
        ours, theirs = (stored(one) for one in (layer, other))
        if not same_weights(layer, other):
            what = f"'{layer.path}' shares the weights of '{other.path}', which has others"
            notes = (f"'{layer.path}': {ours}", f"'{other.path}': {theirs}")
            self.problems.append(Problem(what, entry.place, notes, "fields and input channels must be the same"))

    # -- problems ------------------------------------------------------------------------------------------------

    def _report(self, misfit: Misfit, entry: Entry, scope: Scope | None, notes: tuple[str, ...] | None = None) -> None:
        if isinstance(misfit, PlacedMisfit):
            place = misfit.place
        elif misfit.field.startswith("?") and misfit.field[1:] in entry.fields:
            place = entry.fields[misfit.field[1:]].key_place
        elif misfit.field in entry.fields:
            place = entry.fields[misfit.field].place
        elif entry.bare is not None and misfit.field:
            place = entry.bare.place
        else:
            place = entry.place
        if any(problem.place == place and problem.message == misfit.message for problem in self.problems[-50:]):
            return
        notes = notes if notes is not None else scope.notes if scope else ()
        self.problems.append(Problem(misfit.message, place, notes, misfit.hint))


_COMPUTED = (str, list, dict)


def stored(layer: Layer) -> str:
    """What a layer stores, as text."""
    found = _stored(layer)
    return ", ".join(f"{name} {size:,}" for name, size in found.items()) or "no weights"


def _stored(layer: Layer) -> dict[str, int]:
    tallies = tallied(layer.kind, layer.shapes, layer.output)
    return {name: total(products) for name, products in tallies.items() if name in STORED}


def same_weights(one: Layer, other: Layer) -> bool:
    """Whether two layers can be one in what they store: the same sizes; in kinds that differ (an embedding and the
    linear layer that turns it round) the same size in all."""
    ours, theirs = _stored(one), _stored(other)
    if one.kind.name == other.kind.name:
        return ours == theirs
    return bool(ours) and sum(ours.values()) == sum(theirs.values())
