"""One item of a list of layers -> Entry: `relu`, `linear: 10`, `conv: {filters: 8, kernel: 3}`."""

from __future__ import annotations

from typing import NamedTuple

from convcalc.errors import LocatedError, Place, UnknownField, UserError
from convcalc.syntax.node import Node, describe


class Entry(NamedTuple):
    """The kind's or block's name, the node to point at, the fields, and a value given bare (`linear: 10`)."""

    tag: str
    node: Node
    fields: dict[str, Node]
    bare: Node | None = None

    @property
    def place(self) -> Place:
        return self.node.place

    def place_of(self, error: UserError) -> Place:
        """Locate an error: at the unknown key, at the field's value, else at the layer."""
        if isinstance(error, LocatedError):
            return error.place
        if error.field in self.fields:
            node = self.fields[error.field]
            return node.key_place if isinstance(error, UnknownField) else node.place
        return self.bare.place if self.bare is not None and error.field else self.place


def parse_layer_entry(item: Node) -> Entry:
    """Read an item of a list of layers. Raises LocatedError where it is not a layer.

    >>> from convcalc.syntax.yaml import read
    >>> entry = parse_layer_entry(read("conv: {filters: 8}"))
    >>> entry.tag, list(entry.fields)
    ('conv', ['filters'])
    """
    value = item.value
    if isinstance(value, str):
        return Entry(value, item, {})
    if not isinstance(value, dict) or not value:
        message = "nothing after '-'" if value is None else f"a layer was expected, found {describe(item)}"
        raise LocatedError(message, item.place, "write a kind's name, or 'kind: {fields}'")
    if len(value) > 1:
        keys = list(value)
        hint = f"indent the fields under '{keys[0]}:'" if value[keys[0]].value is None else "begin each layer with '- '"
        raise LocatedError(f"a layer is one 'kind: fields', found {len(keys)} keys", value[keys[1]].key_place, hint)
    tag, inner = next(iter(value.items()))
    node = inner.key or item
    if isinstance(inner.value, dict):
        return Entry(tag, node, inner.value)
    return Entry(tag, node, {}, None if inner.value is None else inner)
