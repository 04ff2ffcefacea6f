"""One item of a list of layers, taken apart: `relu`, `linear: 10`, `conv: {filters: 8, kernel: 3}`."""

from __future__ import annotations

from typing import NamedTuple

from convcalc.errors import Place, UnknownField, UserError
from convcalc.language.variables import LocatedError
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

    def place_of(self, misfit: UserError) -> Place:
        """Where a mistake stands: at the misspelt key, at the field's value, else at the layer."""
        if isinstance(misfit, LocatedError):
            return misfit.place
        if misfit.field in self.fields:
            node = self.fields[misfit.field]
            return node.key_place if isinstance(misfit, UnknownField) else node.place
        return self.bare.place if self.bare is not None and misfit.field else self.place


def take_apart(item: Node) -> Entry:
    """The Entry of an item. Raises LocatedError where it is none.

    >>> from convcalc.syntax.yaml import read
    >>> entry = take_apart(read("conv: {filters: 8}"))
    >>> entry.tag, list(entry.fields)
    ('conv', ['filters'])
    """
    value = item.value
    if isinstance(value, str):
        return Entry(value, item, {})
    if not isinstance(value, dict) or not value:
        what = "nothing after '-'" if value is None else f"a layer was expected, found {describe(item)}"
        raise LocatedError(UserError(what, hint="write a kind's name, or 'kind: {fields}'"), item.place)
    if len(value) > 1:
        keys = list(value)
        hint = f"indent the fields under '{keys[0]}:'" if value[keys[0]].value is None else "begin each layer with '- '"
        what = f"a layer is one 'kind: fields', found {len(keys)} keys"
        raise LocatedError(UserError(what, hint=hint), value[keys[1]].key_place)
    tag, inner = next(iter(value.items()))
    node = inner.key or item
    if isinstance(inner.value, dict):
        return Entry(tag, node, inner.value)
    return Entry(tag, node, {}, None if inner.value is None else inner)
