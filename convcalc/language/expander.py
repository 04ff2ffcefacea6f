"""Blocks and repeats become the layers they stand for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from convcalc.errors import ChangesGraph, Place, UserError, did_you_mean, quoted
from convcalc.graph import MOST_LAYERS, Graph, Group
from convcalc.kinds.fields import is_whole, shown
from convcalc.language.document import COMMON_FIELDS, REPEAT_KEYS, Block
from convcalc.language.layer_entry import Entry
from convcalc.language.scope import Names, Refs, Scope, explicit_names
from convcalc.language.variables import AlreadyReported, LocatedError, Variables, work_out
from convcalc.syntax.node import Node, describe

MOST_BLOCKS_DEEP = 32


class Expander:
    """Puts the layers of blocks and repeats into a graph; `build` is called for each list of layers."""

    def __init__(
        self,
        graph: Graph,
        names: Names,
        build: Callable[[list[Node], Scope, Refs], Refs],
        report: Callable[[UserError, Entry, Scope], None],
    ) -> None:
        self.graph, self.names, self.build, self.report = graph, names, build, report
        self.expanded = 0
        self.used: set[str] = set()

    def one_more(self) -> None:
        """Count what is expanded, layers or not, so that nothing grows without bound. Raises UserError."""
        self.expanded += 1
        if self.expanded > MOST_LAYERS:
            raise UserError(f"the network expands to more than {MOST_LAYERS:,} layers", hint="use fewer repeats")

    def is_over(self) -> bool:
        return self.expanded > MOST_LAYERS

    # -- blocks --------------------------------------------------------------------------------------------------

    def block(self, block: Block, entry: Entry, scope: Scope, current: Refs) -> Refs:
        """The layers of one use of a block; what its last layer gives."""
        self.used.add(block.name)
        if block.name in scope.blocks:
            raise UserError(f"blocks go round in a circle: {' -> '.join([*scope.blocks, block.name])}")
        if len(scope.blocks) >= MOST_BLOCKS_DEEP:
            raise UserError(f"blocks are nested deeper than {MOST_BLOCKS_DEEP}")
        if current is not None and len(current) != len(block.inputs):
            what = f"the block '{block.name}' takes {len(block.inputs)} input{'s' * (len(block.inputs) > 1)}"
            raise UserError(f"{what} ({', '.join(block.inputs)}), found {len(current)}", "from", "name them in from:")
        path = self.names.path(entry, scope, current)
        home = self.names.home(block.home)
        inside = Scope(f"{path}/", home, explicit_names(block.layers.value))
        inside.values = self._arguments(block, entry, scope, current, home)
        inside.blocks = (*scope.blocks, block.name)
        inside.notes = (f"in block '{block.name}', used at {entry.place}", *scope.notes)
        inside.share = self.names.shared_block(entry, scope, path)
        self.names.paths[f"{path}/input"] = current
        for number, name in enumerate(block.inputs):
            self.names.paths[f"{path}/{name}"] = None if current is None else (current[number],)
        start = len(self.graph.all)
        refs = self.build(block.layers.value, inside, current)
        return self._close(path, block.name, start, refs, entry.place)

    def _close(self, path: str, label: str, start: int, refs: Refs, place: Place) -> Refs:
        self.names.paths[path] = refs
        if refs:
            self.graph.groups.append(Group(path, label, start, len(self.graph.all), self.graph.shape(refs[0]), place))
        return refs

    def _arguments(self, block: Block, entry: Entry, scope: Scope, current: Refs, home: Variables) -> dict[str, Any]:
        """The values of a block's arguments, given or default. Raises AlreadyReported when one is wrong."""
        values, is_known = self._given(block, entry, scope, current)

        def lookup(name: str) -> Any:
            return values[name] if name in values else self.names.outside(name, home, current, values)

        for key, node in block.arguments.items():
            if key in values:
                continue
            if node.value is None:
                hint = f"give {key}: a value"
                self.report(UserError(f"the block '{block.name}' needs '{key}'", "", hint), entry, scope)
                is_known = False
            else:
                values[key] = work_out(node, lookup)
        if not is_known:
            raise AlreadyReported
        return values

    def _given(self, block: Block, entry: Entry, scope: Scope, current: Refs) -> tuple[dict[str, Any], bool]:
        """The arguments that the use of a block gives, and whether all of them can be known."""
        fields = {key: node for key, node in entry.fields.items() if key not in COMMON_FIELDS}
        if entry.bare is not None:
            if not block.arguments:
                raise LocatedError(UserError(f"the block '{block.name}' takes no arguments"), entry.bare.place)
            fields = {next(iter(block.arguments)): entry.bare}
        values: dict[str, Any] = {}
        is_known = True
        for key, node in fields.items():
            if key in block.arguments:
                values[key] = self.names.value(node, scope, current)
                continue
            hint = did_you_mean(key, [*block.arguments, *COMMON_FIELDS])
            misfit = UserError(f"the block '{block.name}' has no argument {quoted(key)}", hint=hint)
            self.report(LocatedError(misfit, node.key_place), entry, scope)
            is_known = False
        return values, is_known

    def choice(self, picked: str, items: list[Node], entry: Entry, scope: Scope, current: Refs) -> Refs:
        """The layers of a choice's alternative; what they give is what the choice gives."""
        path = self.names.path(entry, scope, current)
        inside = scope.inside(f"{path}/", explicit_names(items))
        start = len(self.graph.all)
        self.names.paths[path] = None
        return self._close(path, picked, start, self.build(items, inside, current), entry.place)

    # -- repeats -------------------------------------------------------------------------------------------------

    def repeat(self, entry: Entry, scope: Scope, current: Refs) -> Refs:
        """The layers of a repeat, `times` times one behind the other."""
        times, items = self._times(entry, scope, current)
        path = self.names.path(entry, scope, current)
        start = len(self.graph.all)
        share = self.names.shared_block(entry, scope, path)
        taken = explicit_names(items)
        for number in range(1, times + 1):
            self.one_more()
            begin = len(self.graph.all)
            inner = scope.inner(path, taken, number)
            inner.share = None if share is None else f"{share}{number}/"
            current = self.build(items, inner, current)
            if current is None:
                break
            self._close(f"{path}/{number}", "", begin, current, entry.place)
        return self._close(path, "repeat", start, current, entry.place)

    def _times(self, entry: Entry, scope: Scope, current: Refs) -> tuple[int, list[Node]]:
        """How often a repeat runs, and its layers."""
        known = (*REPEAT_KEYS, *COMMON_FIELDS)
        for key, field in entry.fields.items():
            if key not in known:
                misfit = UserError(f"repeat has no field {quoted(key)}", hint=did_you_mean(key, known))
                raise LocatedError(misfit, field.key_place)
        hint = "repeat: {times: 3, layers: [...]}"
        node, layers = entry.fields.get("times"), entry.fields.get("layers")
        if node is None or layers is None:
            raise UserError("repeat needs 'times' and 'layers'", hint=hint)
        if not isinstance(layers.value, list):
            what = f"'layers' of a repeat must be a list, found {describe(layers)}"
            raise LocatedError(UserError(what, hint=hint), layers.place)
        times = self.names.value(node, scope, current)
        if hasattr(times, "dtype"):
            raise ChangesGraph
        if not is_whole(times) or not 0 <= times <= MOST_LAYERS:
            what = f"'times' must be a whole number from 0 to {MOST_LAYERS:,}, found {shown(times)}"
            raise LocatedError(UserError(what), node.place)
        return times, layers.value
