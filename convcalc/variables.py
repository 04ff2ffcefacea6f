"""Values of a spec with `${...}` worked out, and the `vars:` of a file, each when first asked for."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from convcalc.errors import Misfit, Place, Problem, Structural, did_you_mean, quoted
from convcalc.expression import WORDS, parse
from convcalc.spec import Node

_TEMPLATE = re.compile(r"\$\{([^{}]*)\}")
Lookup = Callable[[str], Any]


class Reported(Exception):
    """What was asked for cannot be known, and the reason is among the problems already."""


def whole(value: Any) -> Any:
    """A computed decimal without a fraction is a whole number.

    >>> whole(Decimal("24.00")), whole(Decimal("0.5"))
    (24, Decimal('0.5'))
    """
    if hasattr(value, "dtype") and value.dtype == object:
        from convcalc.points import apply

        return apply(whole, (value,))
    return int(value) if isinstance(value, Decimal) and value == value.to_integral_value() else value


def work_out(node: Node, lookup: Lookup) -> Any:
    """The value of a node, lists and mappings included. Raises PlacedMisfit at what cannot be worked out."""
    value = node.value
    if type(value) is str:
        return fill_in(node, lookup) if "${" in value else value
    if type(value) is list:
        return [work_out(item, lookup) for item in value]
    if type(value) is dict:
        return {key: work_out(item, lookup) for key, item in value.items()}
    return value


class PlacedMisfit(Misfit):
    """A Misfit that knows its place."""

    def __init__(self, misfit: Misfit, place: Place) -> None:
        super().__init__(misfit.message, misfit.field, misfit.hint)
        self.place = place


def fill_in(node: Node, lookup: Lookup) -> Any:
    """A text with `${...}` in it: the expression's value where it is all of it, else text with the values put in."""
    text: str = node.value
    only = _TEMPLATE.fullmatch(text)
    if only:
        return whole(_evaluate(node, only[1], only.start(1), lookup))
    rest = _TEMPLATE.sub("", text)
    if "${" in rest:
        at = text.rindex("${")
        raise PlacedMisfit(Misfit("'${' without '}'"), _inside(node, at, 2))

    def filled(match: re.Match[str]) -> str:
        value = whole(_evaluate(node, match[1], match.start(1), lookup))
        if hasattr(value, "dtype"):
            raise Structural
        return str(value)

    return _TEMPLATE.sub(filled, text)


def _evaluate(node: Node, text: str, start: int, lookup: Lookup) -> Any:
    try:
        return parse(text).evaluate(lookup)
    except PlacedMisfit:
        raise
    except Misfit as misfit:
        raise PlacedMisfit(misfit, _inside(node, start + misfit.offset, misfit.width)) from None


def _inside(node: Node, offset: int, width: int = 1) -> Place:
    """The place of a character inside a node's text; the node's own where the file shows the text otherwise."""
    start = node.column + (1 if node.is_quoted else 0)
    if not node.source.line(node.line).startswith(node.value, start - 1):
        return node.place
    column = start + offset
    return Place(node.source, node.line, column, column + max(1, width))


class Variables:
    """The variables of one file. `given` (from the command line or a sweep) win over what the file says."""

    def __init__(self, nodes: Mapping[str, Node], given: Mapping[str, Any], problems: list[Problem]) -> None:
        self.nodes = nodes
        self.known: dict[str, Any] = dict(given)
        self.problems = problems
        self.chain: list[str] = []
        self.used: set[str] = set()

    def __contains__(self, name: str) -> bool:
        return name in self.known or name in self.nodes

    def names(self) -> list[str]:
        return list({**self.nodes, **self.known})

    def value(self, name: str) -> Any:
        """The value of a variable. Raises Misfit for an unknown name, Reported where the variable itself is wrong."""
        self.used.add(name)
        if name in self.known:
            found = self.known[name]
            if found is Reported:
                raise Reported
            return found
        if name not in self.nodes:
            raise unknown_name(name, self.names())
        node = self.nodes[name]
        if name in self.chain:
            circle = [*self.chain[self.chain.index(name) :], name]
            self.known.update(dict.fromkeys(circle, Reported))
            self.problems.append(node.problem(f"variables go round in a circle: {' -> '.join(circle)}"))
            raise Reported
        self.chain.append(name)
        try:
            found = work_out(node, self.value)
        except PlacedMisfit as misfit:
            self.problems.append(Problem(misfit.message, misfit.place, (), misfit.hint))
            found = Reported
        except Reported:
            found = Reported
        finally:
            self.chain.pop()
        self.known[name] = found
        if found is Reported:
            raise Reported
        return found

    def all(self) -> dict[str, Any]:
        """Every variable with its value; those that are wrong have been reported and are left out."""
        found = {}
        for name in self.names():
            try:
                found[name] = self.value(name)
            except Reported:
                continue
        return found


def unknown_name(name: str, names: list[str]) -> Misfit:
    """A name in an expression that means nothing here."""
    hint = did_you_mean(name, names) if len(names) > 1 else ""
    hint = hint or "name it in vars:"
    if name in WORDS:
        hint = f"'{name}' is a function: {name}(...)"
    return Misfit(f"no variable {quoted(name)}", hint=hint, width=len(name))
