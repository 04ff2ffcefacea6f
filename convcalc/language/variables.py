"""Values of a spec with `${...}` worked out, and the `vars:` of a file, each when first asked for."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from convcalc.errors import ChangesGraph, Place, Problem, UserError, did_you_mean, quoted
from convcalc.syntax.expression import WORDS
from convcalc.syntax.expression_parser import parse
from convcalc.syntax.node import Node

_TEMPLATE = re.compile(r"\$\{([^{}]*)\}")
Lookup = Callable[[str], Any]


class AlreadyReported(Exception):
    """What was asked for cannot be known, and the reason is among the problems already."""


def whole(value: Any) -> Any:
    """A computed decimal without a fraction is a whole number.

    >>> whole(Decimal("24.00")), whole(Decimal("0.5"))
    (24, Decimal('0.5'))
    """
    if hasattr(value, "dtype") and value.dtype == object:
        from convcalc.arrays import apply

        return apply(whole, (value,))
    return int(value) if isinstance(value, Decimal) and value == value.to_integral_value() else value


def work_out(node: Node, lookup: Lookup) -> Any:
    """The value of a node, lists and mappings included. Raises LocatedError at what cannot be worked out."""
    value = node.value
    if type(value) is str:
        return fill_in(node, lookup) if "${" in value else value
    if type(value) is list:
        return [work_out(item, lookup) for item in value]
    if type(value) is dict:
        return {key: work_out(item, lookup) for key, item in value.items()}
    return value


class LocatedError(UserError):
    """A UserError that knows its place."""

    def __init__(self, misfit: UserError, place: Place) -> None:
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
        raise LocatedError(UserError("'${' without '}'"), _inside(node, at, 2))

    def filled(match: re.Match[str]) -> str:
        value = whole(_evaluate(node, match[1], match.start(1), lookup))
        if hasattr(value, "dtype"):
            raise ChangesGraph
        return str(value)

    return _TEMPLATE.sub(filled, text)


def _evaluate(node: Node, text: str, start: int, lookup: Lookup) -> Any:
    try:
        return parse(text).evaluate(lookup)
    except LocatedError:
        raise
    except UserError as misfit:
        raise LocatedError(misfit, _inside(node, start + misfit.offset, misfit.width)) from None


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
        """The value of a variable.

        Raises UserError for an unknown name, AlreadyReported where the variable itself is wrong.
        """
        self.used.add(name)
        if name in self.known:
            found = self.known[name]
            if found is AlreadyReported:
                raise AlreadyReported
            return found
        if name not in self.nodes:
            raise unknown_name(name, self.names())
        node = self.nodes[name]
        if name in self.chain:
            circle = [*self.chain[self.chain.index(name) :], name]
            self.known.update(dict.fromkeys(circle, AlreadyReported))
            self.problems.append(node.problem(f"variables go round in a circle: {' -> '.join(circle)}"))
            raise AlreadyReported
        self.chain.append(name)
        try:
            found = work_out(node, self.value)
        except LocatedError as misfit:
            self.problems.append(Problem(misfit.message, misfit.place, (), misfit.hint))
            found = AlreadyReported
        except AlreadyReported:
            found = AlreadyReported
        finally:
            self.chain.pop()
        self.known[name] = found
        if found is AlreadyReported:
            raise AlreadyReported
        return found

    def all(self) -> dict[str, Any]:
        """Every variable with its value; those that are wrong have been reported and are left out."""
        found = {}
        for name in self.names():
            try:
                found[name] = self.value(name)
            except AlreadyReported:
                continue
        return found


def unknown_name(name: str, names: list[str]) -> UserError:
    """A name in an expression that means nothing here."""
    hint = did_you_mean(name, names) if len(names) > 1 else ""
    hint = hint or "name it in vars:"
    if name in WORDS:
        hint = f"'{name}' is a function: {name}(...)"
    return UserError(f"no variable {quoted(name)}", hint=hint, width=len(name))
