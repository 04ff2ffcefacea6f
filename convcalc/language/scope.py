"""Resolve names in a scope: a layer in `from` and `share`, a variable in `${...}`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

from convcalc.errors import ChangesGraph, LocatedError, Problem, UserError, did_you_mean, quoted
from convcalc.graph import MOST_LAYERS, Graph, Ref
from convcalc.kinds import find
from convcalc.kinds.fields import is_whole, shown
from convcalc.kinds.sizes import Shape, is_known
from convcalc.language.document import NAME, Document
from convcalc.language.layer_entry import Entry
from convcalc.language.layer_sizes import WORDS, check_word, size_of
from convcalc.language.variables import AlreadyReported, Variables, evaluate, unknown_name, whole
from convcalc.numerals import whole_number
from convcalc.syntax.node import Node, describe

Refs = tuple[Ref, ...] | None  # None: unknown, because of an error that has been recorded


class Scope:
    """Where names are valid: the network, a block's body, one round of a repeat.

    `prefix` begins every path in it; `values` are a block's arguments, `home` the variables of the block's file;
    `taken` are the names that its layers set explicitly; `blocks` and `notes` list the uses that lead to it.
    """

    __slots__ = ("blocks", "counters", "home", "index", "notes", "outer", "prefix", "share", "taken", "values")

    def __init__(self, prefix: str, home: Variables, taken: frozenset[str]) -> None:
        self.prefix = prefix
        self.home = home
        self.taken = taken
        self.values: Mapping[str, Any] = {}
        self.index: int | None = None
        self.outer: Scope | None = None
        self.blocks: tuple[str, ...] = ()
        self.notes: tuple[str, ...] = ()
        self.share: str | None = None  # the prefix of the block whose weights this one uses
        self.counters: dict[str, int] = {}

    def beside(self, index: int, values: Mapping[str, Any]) -> Scope:
        """The scope of one of several branches side by side: its layers are named as those of the join."""
        scope = self.inner(self.prefix, self.taken)
        scope.outer, scope.counters, scope.share, scope.index = self.outer, self.counters, self.share, index
        scope.values = {**self.values, **values} if values else self.values
        scope.notes = (f"in branch {index} of its loop", *self.notes)
        return scope

    def round(self, path: str, taken: frozenset[str], index: int, values: Mapping[str, Any]) -> Scope:
        """The scope of one round of a repeat."""
        scope = self.inner(f"{path}/{index}/", taken)
        scope.index = index
        if values:
            scope.values = {**self.values, **values}
        scope.notes = (f"in round {index} of '{path}'", *self.notes)
        return scope

    def inner(self, prefix: str, taken: frozenset[str]) -> Scope:
        """A scope with names of its own that sees everything of this one."""
        scope = Scope(prefix, self.home, taken)
        scope.values, scope.index, scope.outer, scope.blocks = self.values, self.index, self, self.blocks
        scope.notes = self.notes
        return scope


class Use(NamedTuple):
    """One use of a kind, block, repeat or choice: the entry in the list of layers, its scope, the outputs it reads."""

    entry: Entry
    scope: Scope
    inputs: Refs


if TYPE_CHECKING:
    from typing import Protocol

    class Build(Protocol):
        """Builds a list of layers, the first on `inputs`, and returns the outputs of the last."""

        def __call__(self, items: list[Node], scope: Scope, inputs: Refs) -> Refs: ...

    class Report(Protocol):
        """Records an error in a use, with notes."""

        def __call__(self, error: UserError, use: Use, notes: tuple[str, ...] = ()) -> None: ...


class Names:
    """The paths of the layers built so far, with the outputs of each, and the variables of each file."""

    def __init__(self, graph: Graph, problems: list[Problem]) -> None:
        self.graph = graph
        self.problems = problems
        self.paths: dict[str, Refs] = {}
        self.expanded = 0
        self.homes: dict[int, Variables] = {}
        self.explicit: dict[int, tuple[list[Node], frozenset[str]]] = {}  # by the id of a list of layers, kept with it

    def count_one(self) -> None:
        """Count one expanded entry, so that nothing grows without bound. Raises UserError."""
        self.expanded += 1
        if self.expanded > MOST_LAYERS:
            raise UserError(f"the network expands to more than {MOST_LAYERS:,} layers", hint="use fewer repeats")

    def taken(self, items: list[Node]) -> frozenset[str]:
        """The names that a list of layers sets, collected once: a block's list may be used 100,000 times."""
        found = self.explicit.get(id(items))
        if found is None:
            found = self.explicit[id(items)] = (items, explicit_names(items))
        return found[1]

    def home(self, document: Document) -> Variables:
        """The variables of an included file, which nothing overrides."""
        variables = self.homes.get(id(document))
        if variables is None:
            variables = self.homes[id(document)] = Variables(
                document.variables, dict.fromkeys(document.bad_variables, AlreadyReported), self.problems
            )
        return variables

    # -- variables -----------------------------------------------------------------------------------------------

    def value(self, node: Node, use: Use) -> Any:
        """Evaluate a node in the scope and with the inputs of a use."""
        return evaluate(node, self.lookup(use)) if type(node.value) in (str, list, dict) else node.value

    def field_value(self, key: str, node: Node, use: Use) -> Any:
        """Evaluate a field; one without a value takes the argument or variable of its name: `conv: {filters}`."""
        if node.value is not None:
            return self.value(node, use)
        try:
            return whole(self.lookup(use)(key))
        except UserError as error:
            hint = f"give it a value, or name {key} among the arguments or in vars:"
            raise LocatedError(f"'{key}' has no value, and {error.message}", node.key_place, hint) from None

    def holds(self, node: Node, use: Use) -> bool:
        """Whether a condition holds."""
        value = self.value(node, use)
        if hasattr(value, "dtype"):
            raise ChangesGraph
        if isinstance(value, bool) or is_whole(value):
            return bool(value)
        hint = "for example ${stride > 1}"
        raise LocatedError(f"'when' must be a condition, found {shown(value)}", node.place, hint)

    def lookup(self, use: Use) -> Callable[[str], Any]:
        """What `${name}` is: an argument, `index` in a repeat, a variable of the file, the size of an axis."""
        _, scope, inputs = use

        def lookup(name: str) -> Any:
            if name in scope.values:
                return scope.values[name]
            if name == "index" and scope.index is not None:
                return scope.index
            if name in scope.home:
                return scope.home.value(name)
            layer, dot, word = name.rpartition(".")
            if dot or word in WORDS:
                check_word(word)
                return self._size(word, self._refs(layer, scope) if dot else inputs, layer)
            raise unknown_name(name, lambda: [*scope.values, *scope.home.names(), "channels"])

        return lookup

    def _size(self, word: str, refs: Refs, name: str) -> Any:
        """A size of what a layer reads, or of the layer `name`."""
        if refs is None:
            raise AlreadyReported
        if not refs:
            raise UserError(f"the layer reads nothing, so there is no {word} here", hint=f"write NAME.{word}")
        if name and len(refs) > 1:
            hint = f"say which: {name}.0.{word} to {name}.{len(refs) - 1}.{word}"
            raise UserError(f"{quoted(name)} has {len(refs)} outputs", hint=hint, width=len(name))
        shape = self.graph.shape(refs[0])
        if not is_known(shape):
            above, which = self.graph.all[refs[0].layer].path, "channels" if word == "channels" else "size"
            verb = "are" if which == "channels" else "is"
            hint = "give the opaque layer its 'shape'"
            raise UserError(f"the {which} of {quoted(above)} {verb} not known", hint=hint)
        return size_of(word, shape)

    def shape_of(self, node: Node, use: Use) -> Shape:
        """The shape of the layer that a node names. Raises LocatedError."""
        refs = self.find(node, use)
        if refs is None:
            raise AlreadyReported
        if len(refs) != 1:
            raise self._several(str(node.value), len(refs), node)
        shape = self.graph.shape(refs[0])
        if not is_known(shape):
            hint = "give the opaque layer its 'shape'"
            raise LocatedError(f"the size of {quoted(node.value)} is not known", node.place, hint)
        return shape

    # -- layers --------------------------------------------------------------------------------------------------

    def new_path(self, use: Use) -> str:
        """The path of a new layer: its own name, or its kind's with the next free number."""
        entry, scope, _ = use
        node = entry.fields.get("name")
        if node is None:
            joint = "_" if entry.tag[-1:].isdigit() else ""
            while True:
                number = scope.counters[entry.tag] = scope.counters.get(entry.tag, 0) + 1
                name = f"{entry.tag}{joint}{number}"
                if name not in scope.taken:
                    return scope.prefix + name
        name = self._word(node, use)
        if not isinstance(name, str) or not NAME.match(name):
            raise LocatedError(f"{shown(name)} cannot name a layer", node.place, "use letters, digits, _ . and -")
        if name == "input":
            raise LocatedError("'input' is the name of the network's own input", node.place, "choose another name")
        path = scope.prefix + name
        if path in self.paths:
            hint = "names are unique in their block" if scope.blocks else "choose another name"
            if scope.index is not None and "${" not in str(node.value):
                hint = f"in a loop side by side write {name}${{index}}, or use a block"
            raise LocatedError(f"the name {quoted(name)} is used twice", node.place, hint)
        return path

    def _word(self, node: Node, use: Use) -> Any:
        name = self.value(node, use)
        return str(name) if is_whole(name) else name

    def inputs_of(self, use: Use) -> Refs:
        """What a layer reads: the outputs that `from` names, else those of the layer above."""
        node = use.entry.fields.get("from")
        if node is None:
            return use.inputs
        inputs: list[Ref] = []
        is_known = True
        for item in node.value if isinstance(node.value, list) else [node]:
            refs = self.find(item, use)
            if refs is None:
                is_known = False
                continue
            if len(refs) > 1 and item.value != "input" and _takes_one(use.entry.tag):
                raise self._several(str(item.value), len(refs), item)
            inputs.extend(refs)
        return tuple(inputs) if is_known else None

    def outputs_of(self, nodes: Sequence[Node], use: Use) -> Refs:
        """The outputs of the layers that nodes name, in their order. Raises LocatedError."""
        found = [self.find(node, use) for node in nodes]
        return None if None in found else tuple(ref for refs in found for ref in refs or ())

    def _several(self, name: str, count: int, node: Node) -> LocatedError:
        hint = f"say which: {name}.0 to {name}.{count - 1}"
        return LocatedError(f"{quoted(name)} has {count} outputs", node.place, hint)

    def find(self, node: Node, use: Use) -> Refs:
        """Find the outputs of the layer that a node names, in the scope of a use and those around it."""
        name = self._word(node, use)
        if not isinstance(name, str):
            raise LocatedError(f"the name of a layer was expected, found {describe(node)}", node.place)
        try:
            return self._refs(name, use.scope)
        except UserError as error:
            raise LocatedError(error.message, node.place, error.given_hint) from None

    def _refs(self, name: str, scope: Scope) -> Refs:
        """The outputs of a layer, or one of them, by name. Raises UserError."""
        path = self._nearest(name, scope)
        if path is not None:
            return self.paths[path]
        base, _, port = name.rpartition(".")
        path = self._nearest(base, scope) if port.isdecimal() and port.isascii() else None
        if path is None:
            if self._is_lost(name, scope):
                return None
            raise self._no_layer(name, scope)
        return self._output(path, whole_number(port))

    def _is_lost(self, name: str, scope: Scope) -> bool:
        """Whether a name is of a layer in a block that could not be built."""
        while "/" in name:
            name = name.rpartition("/")[0]
            path = self._nearest(name, scope)
            if path is not None:
                return self.paths[path] is None
        return False

    def _nearest(self, name: str, scope: Scope) -> str | None:
        """The path of a name in this scope, or in the nearest around it that has it."""
        around: Scope | None = scope
        while around is not None:
            if around.prefix + name in self.paths:
                return around.prefix + name
            around = around.outer
        return None

    def _output(self, path: str, port: int) -> Refs:
        refs = self.paths[path]
        if refs is None:
            return None
        if port < len(refs):
            return (refs[port],)
        message = f"{quoted(path)} has {len(refs)} output{'s' * (len(refs) != 1)}"
        raise UserError(message, hint="they count from 0")

    def _no_layer(self, name: str, scope: Scope) -> UserError:
        if name in scope.taken:
            hint = "a layer reads only what is above it"
            return UserError(f"layer {quoted(name)} is defined later", hint=hint, width=len(name))
        above = len(self.paths)

        def nearest_above() -> str:
            paths = (path for path in islice(self.paths, above) if path.startswith(scope.prefix))
            known = (path.removeprefix(scope.prefix) for path in paths)
            return did_you_mean(name, [path for path in known if "/" not in path])

        return UserError(f"no layer {quoted(name)} above", hint=nearest_above, width=len(name))

    # -- shared weights ------------------------------------------------------------------------------------------

    def shared_layer(self, use: Use, path: str) -> int | None:
        """The index of the layer whose weights a new one uses, by its own `share` or its block's."""
        entry, scope, _ = use
        node = entry.fields.get("share")
        if node is not None and isinstance(node.value, dict):
            return None  # some of its elements, which `shared_elements` reads
        if node is not None and self._is_own(node, use, path):
            return None
        if node is not None:
            refs = self.find(node, use)
        elif scope.share is not None:
            refs = self.paths.get(scope.share + path.removeprefix(scope.prefix)) or ()
        else:
            return None
        if refs is None:
            raise AlreadyReported
        if not refs:
            return None
        layer = self.graph.all[refs[0].layer]
        if node is None and layer.kind.name != entry.tag:
            return None
        return layer.index if layer.shares is None else layer.shares

    def _is_own(self, node: Node, use: Use, path: str) -> bool:
        """Whether a layer shares with itself, as the first of a loop whose rounds all share its weights."""
        return bool(use.scope.prefix + str(self._word(node, use)) == path)

    def shared_block(self, use: Use, path: str) -> str | None:
        """The prefix of the paths of the block whose weights a new one uses."""
        scope = use.scope
        node = use.entry.fields.get("share")
        if node is None:
            return None if scope.share is None else f"{scope.share}{path.removeprefix(scope.prefix)}/"
        if isinstance(node.value, dict):
            raise LocatedError("a block shares all of its weights", node.place, "name the other block")
        if self._is_own(node, use, path):
            return None
        name = self._word(node, use)
        shared = self._nearest(name, scope) if isinstance(name, str) else None
        if shared is None:
            self.find(node, use)
        return f"{shared}/"


def explicit_names(items: list[Node]) -> frozenset[str]:
    """Collect every `name:` among layers and their branches, so that automatic names avoid them.

    >>> from convcalc.syntax.yaml import read
    >>> sorted(explicit_names(read("- conv: {name: a}\\n- add: [[{relu: {name: b}}], []]").value))
    ['a', 'b']
    """
    names: set[str] = set()
    _collect_names(items, names)
    return frozenset(names)


def _collect_names(items: list[Node], names: set[str]) -> None:
    for item in items:
        if not isinstance(item.value, dict):
            continue
        for key, inner in item.value.items():
            value = inner.value
            if isinstance(value, dict):
                name = value.get("name")
                if name is not None and isinstance(name.value, (str, int)):
                    names.add(str(name.value))
                value = value["branches"].value if "branches" in value else None
            if isinstance(value, list) and key != "repeat":
                for branch in value:
                    parts = (
                        [branch.value.get(part) for part in ("layers", "else")]
                        if isinstance(branch.value, dict)
                        else [branch]
                    )
                    for part in parts:
                        if part is not None and isinstance(part.value, list):
                            _collect_names(part.value, names)


def _takes_one(tag: str) -> bool:
    """Whether a name is of a kind that reads one layer."""
    kind = find(tag)
    return kind is not None and kind.inputs[1] == 1
