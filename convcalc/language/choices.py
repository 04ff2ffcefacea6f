"""`choice:` in a list of layers: alternatives of which one is built, so that one spec describes many networks."""

from __future__ import annotations

from collections.abc import Iterator

from convcalc.errors import LocatedError, UserError, quoted, suggested
from convcalc.kinds.fields import shown
from convcalc.language.document import NAME, Document
from convcalc.language.layer_entry import Entry
from convcalc.record import Record
from convcalc.syntax.node import Node, describe

CHOICE_KEYS: dict[str, str] = {
    "name": "its name, for --set NAME=ALTERNATIVE; several entries may have the same name and choose together",
    "of": "the alternatives, as name: [layers]; by default the first is built",
}
_HINT = "choice: {name: head, of: {small: [layers...], large: [layers...]}}"


class Choice(Record):
    """A choice's name and the layers of each of its alternatives."""

    name: str
    alternatives: dict[str, list[Node]]
    node: Node

    def pick(self, chosen: object) -> str:
        """Return the alternative that `chosen` names, the first for None. Raises UserError."""
        if chosen is None:
            return next(iter(self.alternatives))
        if str(chosen) not in self.alternatives:
            hint = suggested(str(chosen), self.alternatives)
            raise UserError(f"the choice '{self.name}' has no alternative {quoted(chosen)}", hint=hint)
        return str(chosen)


def read_choice(entry: Entry) -> Choice:
    """Read the entry of a choice. Raises UserError."""
    for key, node in entry.fields.items():
        if key not in (*CHOICE_KEYS, "from", "when"):
            hint = suggested(key, CHOICE_KEYS)
            raise LocatedError(f"a choice has no field {quoted(key)}", node.key_place, hint)
    name, alternatives = entry.fields.get("name"), entry.fields.get("of")
    if name is None or alternatives is None:
        raise UserError("a choice needs 'name' and 'of'", hint=_HINT)
    if not isinstance(name.value, str) or not NAME.match(name.value):
        raise LocatedError(f"{shown(name.plain())} cannot name a choice", name.place, "write plain text")
    if not isinstance(alternatives.value, dict) or not alternatives.value:
        message = f"'of' must be a mapping of names to layers, found {describe(alternatives)}"
        raise LocatedError(message, alternatives.place, _HINT)
    layers = {key: node.value if isinstance(node.value, list) else [node] for key, node in alternatives.items()}
    return Choice(name.value, layers, entry.node)


def choices(document: Document) -> dict[str, Choice]:
    """Collect the choices of a document and of the blocks it includes, by name; invalid ones are left out."""
    by_name: dict[str, Choice] = {}
    for node in (document.node, *(block.layers for block in document.blocks.values())):
        for entry in _choice_entries(node):
            try:
                choice = read_choice(entry)
            except UserError:
                continue
            known = by_name.setdefault(choice.name, choice)
            known.alternatives.update(
                {key: known.alternatives.get(key, choice.alternatives[key]) for key in choice.alternatives}
            )
    return by_name


def _choice_entries(node: Node) -> Iterator[Entry]:
    """Yield the entry of every choice below a node."""
    if isinstance(node.value, list):
        for item in node.value:
            yield from _choice_entries(item)
    for key, inner in node.items():
        if key == "choice" and isinstance(inner.value, dict) and len(node.value) == 1:
            yield Entry(key, inner.key or inner, inner.value)
        yield from _choice_entries(inner)
