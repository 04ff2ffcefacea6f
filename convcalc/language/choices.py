"""`choice:` in a list of layers: alternatives of which one is built, so that one spec is a space of networks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from convcalc.errors import UserError, did_you_mean, quoted
from convcalc.kinds.fields import shown
from convcalc.language.document import NAME, Document
from convcalc.language.layer_entry import Entry
from convcalc.language.variables import LocatedError
from convcalc.syntax.node import Node, describe

CHOICE_KEYS: dict[str, str] = {
    "name": "what --set NAME=ALTERNATIVE calls it; the same choice may stand in several places",
    "of": "the alternatives: name: [layers]; the first is built unless another is chosen",
}
_HINT = "choice: {name: head, of: {small: [layers...], large: [layers...]}}"


class Choice(NamedTuple):
    """A choice's name and the layers of each of its alternatives."""

    name: str
    alternatives: dict[str, list[Node]]
    node: Node

    def pick(self, chosen: object) -> str:
        """The alternative that `chosen` names, the first for None. Raises UserError."""
        if chosen is None:
            return next(iter(self.alternatives))
        if str(chosen) not in self.alternatives:
            hint = did_you_mean(str(chosen), self.alternatives)
            raise UserError(f"the choice '{self.name}' has no alternative {quoted(chosen)}", hint=hint)
        return str(chosen)


def read_choice(entry: Entry) -> Choice:
    """The choice that an entry of a list of layers is. Raises UserError."""
    for key, node in entry.fields.items():
        if key not in (*CHOICE_KEYS, "from", "when"):
            misfit = UserError(f"a choice has no field {quoted(key)}", hint=did_you_mean(key, CHOICE_KEYS))
            raise LocatedError(misfit, node.key_place)
    name, of = entry.fields.get("name"), entry.fields.get("of")
    if name is None or of is None:
        raise UserError("a choice needs 'name' and 'of'", hint=_HINT)
    if not isinstance(name.value, str) or not NAME.match(name.value):
        raise LocatedError(
            UserError(f"{shown(name.plain())} cannot name a choice", hint="write plain text"), name.place
        )
    if not isinstance(of.value, dict) or not of.value:
        what = f"'of' must be a mapping of names to layers, found {describe(of)}"
        raise LocatedError(UserError(what, hint=_HINT), of.place)
    layers = {key: node.value if isinstance(node.value, list) else [node] for key, node in of.items()}
    return Choice(name.value, layers, entry.node)


def choices(document: Document) -> dict[str, Choice]:
    """Every choice of a document and of the blocks it includes, by name; those that are wrong are left out."""
    found: dict[str, Choice] = {}
    for node in (document.node, *(block.layers for block in document.blocks.values())):
        for entry in _entries(node):
            try:
                choice = read_choice(entry)
            except UserError:
                continue
            known = found.setdefault(choice.name, choice)
            known.alternatives.update(
                {key: known.alternatives.get(key, choice.alternatives[key]) for key in choice.alternatives}
            )
    return found


def _entries(node: Node) -> Iterator[Entry]:
    """Every choice below a node."""
    if isinstance(node.value, list):
        for item in node.value:
            yield from _entries(item)
    for key, inner in node.items():
        if key == "choice" and isinstance(inner.value, dict) and len(node.value) == 1:
            yield Entry(key, inner.key or inner, inner.value)
        yield from _entries(inner)
