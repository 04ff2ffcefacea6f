"""What a name means in its scope: a layer in `from` and `share`, a variable in `${...}`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from convcalc.errors import Problem, UserError, did_you_mean, quoted
from convcalc.graph import Graph, Ref
from convcalc.kinds.fields import is_whole, shown
from convcalc.language.document import NAME, Document
from convcalc.language.layer_entry import Entry
from convcalc.language.variables import AlreadyReported, LocatedError, Variables, unknown_name, work_out
from convcalc.syntax.node import Node, describe

Refs = tuple[Ref, ...] | None  # None: not known, because of a mistake that has been reported


class Scope:
    """Where names mean something: the network, a block's body, one round of a repeat.

    `prefix` begins every path in it; `values` are a block's arguments, `home` the variables of the block's file;
    `taken` are the names its layers give themselves; `blocks` and `notes` tell how one got here.
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

    def inner(self, path: str, taken: frozenset[str], index: int) -> Scope:
        """One round of a repeat."""
        scope = self.inside(f"{path}/{index}/", taken)
        scope.index = index
        scope.notes = (f"in round {index} of '{path}'", *self.notes)
        return scope

    def inside(self, prefix: str, taken: frozenset[str]) -> Scope:
        """Own names, everything else from around it."""
        scope = Scope(prefix, self.home, taken)
        scope.values, scope.index, scope.outer, scope.blocks = self.values, self.index, self, self.blocks
        scope.notes = self.notes
        return scope


class Names:
    """The paths given out so far, with the outputs they stand for, and the variables of each file."""

    def __init__(self, graph: Graph, problems: list[Problem]) -> None:
        self.graph = graph
        self.problems = problems
        self.paths: dict[str, Refs] = {}
        self.homes: dict[int, Variables] = {}

    def home(self, document: Document) -> Variables:
        """The variables of a file that was included: their own values, nothing given from outside."""
        found = self.homes.get(id(document))
        if found is None:
            found = self.homes[id(document)] = Variables(
                document.variables, dict.fromkeys(document.bad_variables, AlreadyReported), self.problems
            )
        return found

    # -- variables -----------------------------------------------------------------------------------------------

    def value(self, node: Node, scope: Scope, current: Refs) -> Any:
        """A node's value with `${...}` worked out, for a layer that is given `current`."""
        return work_out(node, self.lookup(scope, current)) if type(node.value) in (str, list, dict) else node.value

    def lookup(self, scope: Scope, current: Refs) -> Callable[[str], Any]:
        """What `${name}` is: an argument, `index` in a repeat, a variable of the file, the `channels` that arrive."""

        def lookup(name: str) -> Any:
            if name in scope.values:
                return scope.values[name]
            if name == "index" and scope.index is not None:
                return scope.index
            return self.outside(name, scope.home, current, scope.values)

        return lookup

    def outside(self, name: str, home: Variables, current: Refs, others: Mapping[str, Any]) -> Any:
        """A name that is no argument."""
        if name in home:
            return home.value(name)
        if name == "channels":
            if not current:
                raise AlreadyReported
            return self.graph.shape(current[0])[0]
        raise unknown_name(name, [*others, *home.names(), "channels"])

    # -- layers --------------------------------------------------------------------------------------------------

    def path(self, entry: Entry, scope: Scope, current: Refs) -> str:
        """The path of a new layer: its own name, or its kind's with the next free number."""
        node = entry.fields.get("name")
        if node is None:
            joint = "_" if entry.tag[-1:].isdigit() else ""
            while True:
                number = scope.counters[entry.tag] = scope.counters.get(entry.tag, 0) + 1
                name = f"{entry.tag}{joint}{number}"
                if name not in scope.taken:
                    return scope.prefix + name
        name = self._word(node, scope, current)
        if not isinstance(name, str) or not NAME.match(name):
            what, hint = f"{shown(name)} cannot name a layer", "use letters, digits, _ . and -"
            raise LocatedError(UserError(what, hint=hint), node.place)
        if name == "input":
            raise LocatedError(
                UserError("'input' names what the network is given", hint="choose another name"), node.place
            )
        path = scope.prefix + name
        if path in self.paths:
            hint = "names are unique in their block" if scope.blocks else "choose another name"
            raise LocatedError(UserError(f"the name {quoted(name)} is used twice", hint=hint), node.place)
        return path

    def _word(self, node: Node, scope: Scope, current: Refs) -> Any:
        name = self.value(node, scope, current)
        return str(name) if is_whole(name) else name

    def sources(self, entry: Entry, scope: Scope, current: Refs) -> Refs:
        """What a layer reads: the outputs that `from` names, else `current`."""
        node = entry.fields.get("from")
        if node is None:
            return current
        found: list[Ref] = []
        is_known = True
        for item in node.value if isinstance(node.value, list) else [node]:
            refs = self.find(item, scope, current)
            if refs is None:
                is_known = False
                continue
            if len(refs) > 1 and item.value != "input":
                hint = f"say which: {item.value}.0 to {item.value}.{len(refs) - 1}"
                raise LocatedError(UserError(f"{quoted(item.value)} has {len(refs)} outputs", hint=hint), item.place)
            found.extend(refs)
        return tuple(found) if is_known else None

    def find(self, node: Node, scope: Scope, current: Refs = None) -> Refs:
        """The outputs of the layer that a node names, looked for in this scope and in those around it."""
        name = self._word(node, scope, current)
        if not isinstance(name, str):
            raise LocatedError(UserError(f"the name of a layer was expected, found {describe(node)}"), node.place)
        path = self._nearest(name, scope)
        if path is not None:
            return self.paths[path]
        base, _, port = name.rpartition(".")
        path = self._nearest(base, scope) if port.isdecimal() else None
        if path is None:
            raise LocatedError(self._no_layer(name, scope), node.place)
        return self._output(path, int(port), node)

    def _nearest(self, name: str, scope: Scope) -> str | None:
        """The path of a name in this scope, or in the nearest around it that has it."""
        around: Scope | None = scope
        while around is not None:
            if around.prefix + name in self.paths:
                return around.prefix + name
            around = around.outer
        return None

    def _output(self, path: str, port: int, node: Node) -> Refs:
        refs = self.paths[path]
        if refs is None:
            return None
        if port < len(refs):
            return (refs[port],)
        what = f"{quoted(path)} has {len(refs)} output{'s' * (len(refs) != 1)}"
        raise LocatedError(UserError(what, hint="they count from 0"), node.place)

    def _no_layer(self, name: str, scope: Scope) -> UserError:
        if name in scope.taken:
            hint = "a layer reads what is above it: a network has no cycles"
            return UserError(f"{quoted(name)} stands below", hint=hint)
        near = [path.removeprefix(scope.prefix) for path in self.paths if path.startswith(scope.prefix)]
        hint = did_you_mean(name, [path for path in near if "/" not in path])
        return UserError(f"no layer {quoted(name)} above", hint=hint)

    # -- shared weights ------------------------------------------------------------------------------------------

    def shared(self, entry: Entry, scope: Scope, path: str) -> int | None:
        """The index of the layer whose weights a new one uses, by its own `share` or its block's."""
        node = entry.fields.get("share")
        if node is not None:
            refs = self.find(node, scope)
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

    def shared_block(self, entry: Entry, scope: Scope, path: str) -> str | None:
        """The prefix of the paths of the block whose weights a new one uses."""
        node = entry.fields.get("share")
        if node is None:
            return None if scope.share is None else f"{scope.share}{path.removeprefix(scope.prefix)}/"
        name = self._word(node, scope, None)
        found = self._nearest(name, scope) if isinstance(name, str) else None
        if found is None:
            self.find(node, scope)
        return f"{found}/"


def explicit_names(items: list[Node]) -> frozenset[str]:
    """Every `name:` among the layers and their branches.

    >>> from convcalc.syntax.yaml import read
    >>> sorted(explicit_names(read("- conv: {name: a}\\n- add: [[{relu: {name: b}}], []]").value))
    ['a', 'b']
    """
    found: set[str] = set()
    _collect_names(items, found)
    return frozenset(found)


def _collect_names(items: list[Node], found: set[str]) -> None:
    for item in items:
        if not isinstance(item.value, dict):
            continue
        for key, inner in item.value.items():
            value = inner.value
            if isinstance(value, dict):
                name = value.get("name")
                if name is not None and isinstance(name.value, (str, int)):
                    found.add(str(name.value))
                value = value["branches"].value if "branches" in value else None
            if isinstance(value, list) and key != "repeat":
                for branch in value:
                    if isinstance(branch.value, list):
                        _collect_names(branch.value, found)
