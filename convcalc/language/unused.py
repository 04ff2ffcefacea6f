"""Check names in layers that are not built: blocks that nothing uses, alternatives that are not chosen.

The values of such layers are unknown, so only the names of kinds, blocks and fields are checked.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from convcalc.errors import UnknownField, UserError, quoted
from convcalc.kinds import Kind, find, suggest
from convcalc.language.branches import lists_of_layers
from convcalc.language.choices import read_choice
from convcalc.language.document import COMMON_FIELDS, Document
from convcalc.language.layer_entry import Entry, parse_layer_entry
from convcalc.syntax.node import Node

_WORDS = ("repeat", "choice", "parallel")


def unknown_kind(tag: str, document: Document) -> UserError | None:
    """The error of a name that is neither a kind nor a block; None if it may be a block that could not be read."""
    if tag in document.bad_blocks or document.is_partial:
        return None
    return UserError(f"no layer kind or block {quoted(tag)}", hint=lambda: suggest(tag, [*document.blocks, *_WORDS]))


def check_names(items: Iterable[Node], document: Document) -> Iterator[tuple[UserError, Entry]]:
    """Check the names in a list of layers that is not built; yield each error with the entry it is in."""
    for item in items:
        entry = Entry("", item, {})
        try:
            entry = parse_layer_entry(item)
            inner = _lists_of_layers(entry)
        except UserError as error:
            yield error, entry
            continue
        for layers in inner:
            yield from check_names(layers, document)
        kind = find(entry.tag)
        if kind is not None and entry.tag not in document.blocks:
            yield from ((error, entry) for error in _unknown_fields(kind, entry))
        elif kind is None and entry.tag not in (*document.blocks, *_WORDS) and "${" not in entry.tag:
            unknown = unknown_kind(entry.tag, document)
            if unknown is not None:
                yield unknown, entry


def _lists_of_layers(entry: Entry) -> list[list[Node]]:
    """The lists of layers that an entry holds: of a repeat, a choice, a join. Raises UserError."""
    if entry.tag == "choice":
        return list(read_choice(entry).alternatives.values())
    kind = find(entry.tag)
    if entry.tag == "repeat":
        node = entry.fields.get("layers")
        return [node.value] if node is not None and isinstance(node.value, list) else []
    if entry.tag != "parallel" and (kind is None or not kind.has_branches):
        return []
    node = entry.bare or entry.fields.get("branches")
    return [] if node is None else lists_of_layers(node)


def _unknown_fields(kind: type[Kind], entry: Entry) -> list[UserError]:
    common = (*COMMON_FIELDS, *["branches"] * kind.has_branches, *["like"] * bool(kind.like_field))
    fields = {key: (0, False) for key in entry.fields if key not in kind.fields and key not in common}
    return [error for error in kind.__new__(kind).fill(fields) if isinstance(error, UnknownField)]
