"""Expand blocks, repeats and choices into layers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from convcalc.errors import LocatedError, Place, UserError, quoted, suggested
from convcalc.graph import MOST_LAYERS, Group
from convcalc.language.document import COMMON_FIELDS, REPEAT_KEYS, Block
from convcalc.language.loops import rounds
from convcalc.language.scope import Names, Refs, Scope, Use
from convcalc.language.variables import AlreadyReported, evaluate
from convcalc.syntax.node import Node, describe

if TYPE_CHECKING:
    from convcalc.language.scope import Build, Report

MOST_BLOCKS_DEEP = 32
MOST_ARGUMENTS = 1_000_000  # of all uses of blocks together


class Expander:
    """Puts the layers of blocks and repeats into a graph; `build` is called for each list of layers.

    `report` records an error that is not raised.
    """

    def __init__(self, names: Names, build: Build, report: Report) -> None:
        self.names, self.build, self.report = names, build, report
        self.graph = names.graph
        self.arguments = 0
        self.used: set[str] = set()

    def count_one(self) -> None:
        """Count one expanded entry. Raises UserError."""
        self.names.count_one()

    def is_over(self) -> bool:
        return self.names.expanded > MOST_LAYERS or self.arguments > MOST_ARGUMENTS

    # -- blocks --------------------------------------------------------------------------------------------------

    def expand_block(self, block: Block, use: Use) -> Refs:
        """Build one use of a block and return the outputs of its last layer."""
        entry, scope, inputs = use
        self.used.add(block.name)
        if block.name in scope.blocks:
            raise UserError(f"circular reference: {' -> '.join([*scope.blocks, block.name])}")
        if len(scope.blocks) >= MOST_BLOCKS_DEEP:
            raise UserError(f"blocks are nested deeper than {MOST_BLOCKS_DEEP}")
        if inputs is not None and block.inputs and len(inputs) != len(block.inputs):
            message = f"the block '{block.name}' takes {len(block.inputs)} input{'s' * (len(block.inputs) > 1)}"
            raise UserError(f"{message} ({', '.join(block.inputs)}), found {len(inputs)}", "from", "name them in from:")
        path = self.names.new_path(use)
        home = self.names.home(block.home)
        inner = Scope(f"{path}/", home, self.names.taken(block.layers.value))
        self.names.paths[path] = None  # known by name from here on, whatever becomes of its arguments
        self.names.paths[f"{path}/input"] = inputs
        for number, name in enumerate(block.inputs):
            self.names.paths[f"{path}/{name}"] = None if inputs is None else (inputs[number],)
        inner.values = self._arguments(block, use, inner)
        inner.blocks = (*scope.blocks, block.name)
        inner.notes = (f"in block '{block.name}', used at {entry.place}", *scope.notes)
        inner.share = self.names.shared_block(use, path)
        start = len(self.graph.all)
        refs = self.build(block.layers.value, inner, inputs)
        if block.outputs:
            refs = self.names.outputs_of(block.outputs, use._replace(scope=inner))
        return self._end_group(path, block.name, start, refs, entry.place)

    def _end_group(self, path: str, label: str, start: int, refs: Refs, place: Place) -> Refs:
        """Name what the layers from `start` on were expanded from; `refs` are its outputs."""
        self.names.paths[path] = refs
        if refs:
            self.graph.groups.append(Group(path, label, start, len(self.graph.all), self.graph.shape(refs[0]), place))
        return refs

    def _arguments(self, block: Block, use: Use, inner: Scope) -> dict[str, Any]:
        """Evaluate a block's arguments, given or default. Raises AlreadyReported where one is invalid.

        A default sees the arguments before it and the sizes of the block's inputs.
        """
        self.arguments += len(block.arguments)
        if self.arguments > MOST_ARGUMENTS:
            raise UserError(f"the blocks take more than {MOST_ARGUMENTS:,} arguments in all their uses")
        values, is_known = self._given_arguments(block, use)
        inner.values = values
        lookup = self.names.lookup(use._replace(scope=inner))
        for key, node in block.arguments.items():
            if key in values:
                continue
            if node.value is None:
                hint = f"give {key}: a value"
                self.report(UserError(f"the block '{block.name}' needs '{key}'", "", hint), use)
                is_known = False
            else:
                values[key] = evaluate(node, lookup)
        if not is_known:
            raise AlreadyReported
        return values

    def _given_arguments(self, block: Block, use: Use) -> tuple[dict[str, Any], bool]:
        """Evaluate the arguments that a use of a block gives; False where one does not exist."""
        entry = use.entry
        fields = {key: node for key, node in entry.fields.items() if key not in COMMON_FIELDS}
        if entry.bare is not None:
            if not block.arguments:
                raise LocatedError(f"the block '{block.name}' takes no arguments", entry.bare.place)
            fields = {next(iter(block.arguments)): entry.bare}
        values: dict[str, Any] = {} if block.inputs else {"inputs": len(use.inputs or ())}
        is_known = True
        for key, node in fields.items():
            if key in block.arguments:
                values[key] = self.names.field_value(key, node, use)
                continue
            hint = suggested(key, [*block.arguments, *COMMON_FIELDS])
            message = f"the block '{block.name}' has no argument {quoted(key)}"
            self.report(LocatedError(message, node.key_place, hint), use)
            is_known = False
        return values, is_known

    def expand_choice(self, picked: str, items: list[Node], use: Use) -> Refs:
        """Build the layers of a choice's alternative and return their outputs."""
        path = self.names.new_path(use)
        inner = use.scope.inner(f"{path}/", self.names.taken(items))
        start = len(self.graph.all)
        self.names.paths[path] = None
        return self._end_group(path, picked, start, self.build(items, inner, use.inputs), use.entry.place)

    # -- repeats -------------------------------------------------------------------------------------------------

    def expand_repeat(self, use: Use) -> Refs:
        """Build the layers of a repeat for each round in sequence and return the outputs of the last."""
        entry, scope, refs = use
        every, items = self._rounds(use)
        path = self.names.new_path(use)
        start = len(self.graph.all)
        share = self.names.shared_block(use, path)
        taken = self.names.taken(items)
        for number, values in enumerate(every, 1):
            self.count_one()
            begin = len(self.graph.all)
            inner = scope.round(path, taken, number, values)
            inner.share = None if share is None else f"{share}{number}/"
            refs = self.build(items, inner, refs)
            if refs is None:
                break
            self._end_group(f"{path}/{number}", "", begin, refs, entry.place)
        return self._end_group(path, "repeat", start, refs, entry.place)

    def _rounds(self, use: Use) -> tuple[Sequence[Mapping[str, Any]], list[Node]]:
        """The rounds of a repeat, and its layers."""
        entry = use.entry
        known = (*REPEAT_KEYS, *COMMON_FIELDS)
        for key, field in entry.fields.items():
            if key not in known:
                raise LocatedError(f"repeat has no field {quoted(key)}", field.key_place, suggested(key, known))
        hint = "repeat: {times: 3, layers: [...]}"
        layers = entry.fields.get("layers")
        if layers is None or not {"times", "over"} & {*entry.fields}:
            raise UserError("repeat needs 'layers', and 'times' or 'over'", hint=hint)
        if not isinstance(layers.value, list):
            raise LocatedError(f"'layers' of a repeat must be a list, found {describe(layers)}", layers.place, hint)
        return rounds(entry.fields, self.names, use), layers.value
