"""Evaluate `${...}` in the values of a spec, and the `vars:` of a file, each when it is first needed."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from typing import Any

from convcalc.errors import ChangesGraph, LocatedError, Place, Problem, UserError, did_you_mean, nearest, quoted
from convcalc.language.layer_sizes import NAMES
from convcalc.language.layer_sizes import WORDS as SIZES
from convcalc.syntax.expression import WORDS
from convcalc.syntax.expression_parser import names_in, parse
from convcalc.syntax.node import Node

MOST_NAMED = 100  # variables that name each other
_TEMPLATE = re.compile(r"\$\{([^{}]*)\}")
Lookup = Callable[[str], Any]


class AlreadyReported(Exception):
    """The value is invalid and its error has been recorded; skip it."""


def whole(value: Any) -> Any:
    """Turn a decimal without a fraction into a whole number; anything else stays as it is.

    >>> whole(Decimal("24.00")), whole(Decimal("0.5"))
    (24, Decimal('0.5'))
    """
    if hasattr(value, "dtype") and value.dtype == object:
        from convcalc.arrays import apply

        return apply(whole, (value,))
    return int(value) if isinstance(value, Decimal) and value == value.to_integral_value() else value


def evaluate(node: Node, lookup: Lookup) -> Any:
    """Evaluate `${...}` in a node, lists and mappings included. Raises LocatedError at what is invalid."""
    value = node.value
    if type(value) is str:
        return evaluate_text(node, lookup) if "${" in value else value
    if type(value) is list:
        return [evaluate(item, lookup) for item in value]
    if type(value) is dict:
        return {key: evaluate(item, lookup) for key, item in value.items()}
    return value


def evaluate_text(node: Node, lookup: Lookup) -> Any:
    """Evaluate a text with `${...}`: to the expression's value if it is the whole text, else to a text."""
    text: str = node.value
    expression = _TEMPLATE.fullmatch(text)
    if expression:
        return whole(_evaluate_expression(node, expression[1], expression.start(1), lookup))
    if "${" in _TEMPLATE.sub("", text):
        raise LocatedError("'${' without '}'", place_inside(node, text.rindex("${"), 2))

    def replace(match: re.Match[str]) -> str:
        value = whole(_evaluate_expression(node, match[1], match.start(1), lookup))
        if hasattr(value, "dtype"):
            raise ChangesGraph
        return str(value)

    return _TEMPLATE.sub(replace, text)


def _evaluate_expression(node: Node, text: str, start: int, lookup: Lookup) -> Any:
    try:
        return parse(text).evaluate(lookup)
    except LocatedError:
        raise
    except UserError as error:
        place = place_inside(node, start + error.offset, error.width)
        raise LocatedError(error.message, place, error.given_hint) from None


def place_inside(node: Node, offset: int, width: int = 1) -> Place:
    """Locate characters of a node's text; the whole node where the file spells the text differently (escapes)."""
    start = node.column + (1 if node.is_quoted else 0)
    if not node.source.line(node.line).startswith(node.value, start - 1):
        return node.place
    column = start + offset
    return Place(node.source, node.line, column, column + max(1, width))


class Variables:
    """The variables of one file. `given` (from the command line or a sweep) override what the file says."""

    def __init__(self, nodes: Mapping[str, Node], given: Mapping[str, Any], problems: list[Problem]) -> None:
        self.nodes = nodes
        self.known: dict[str, Any] = dict(given)
        self.problems = problems
        self.depths: dict[str, int] = {}
        self.used: set[str] = set()

    def __contains__(self, name: str) -> bool:
        return name in self.known or name in self.nodes

    def names(self) -> list[str]:
        return list({**self.nodes, **self.known})

    def value(self, name: str) -> Any:
        """Evaluate a variable. Raises UserError for an unknown name, AlreadyReported for an invalid variable."""
        self.used.add(name)
        if name not in self.known:
            if name not in self.nodes:
                raise unknown_name(name, self.names)
            self._evaluate(name)
        value = self.known[name]
        if value is AlreadyReported:
            raise AlreadyReported
        return value

    def _evaluate(self, name: str) -> None:
        """Evaluate a variable after those that it names: on a stack of its own, as chains of names may be long."""
        chain = {name: self._named_by(name)}
        while chain:
            name = next(reversed(chain))
            other = next(chain[name], None)
            if other is None:
                chain.popitem()
                if name not in self.known:
                    self.known[name] = self._own_value(name)
            elif other in chain:
                names = list(chain)
                circle = [*names[names.index(other) :], other]
                self.known.update(dict.fromkeys(circle, AlreadyReported))
                message = f"circular reference: {_shortened(circle)}"
                self.problems.append(self.nodes[other].problem(message))
            elif other not in self.known and other in self.nodes:
                chain[other] = self._named_by(other)

    def _named_by(self, name: str) -> Iterator[str]:
        names = sorted(names_in(self.nodes[name].plain()))
        self.depths[name] = 0
        for other in names:
            yield other
            self.depths[name] = max(self.depths[name], 1 + self.depths.get(other, 0))

    def _own_value(self, name: str) -> Any:
        """Evaluate a variable whose names are evaluated; AlreadyReported where it is invalid."""
        node = self.nodes[name]
        if self.depths[name] > MOST_NAMED + 1:  # it names, in the end, one that has been reported
            return AlreadyReported
        if self.depths[name] > MOST_NAMED:
            hint = "use ${index} in a repeat, or fewer steps"
            self.problems.append(node.problem(f"variables name each other more than {MOST_NAMED} deep", hint))
            return AlreadyReported
        try:
            return evaluate(node, self.value)
        except LocatedError as error:
            self.problems.append(error.problem())
        except AlreadyReported:
            pass
        return AlreadyReported

    def all(self) -> dict[str, Any]:
        """Evaluate every variable; invalid ones are recorded and left out."""
        values = {}
        for name in self.names():
            try:
                values[name] = self.value(name)
            except AlreadyReported:
                continue
        return values


def _shortened(circle: list[str]) -> str:
    return " -> ".join([*circle[:10], "...", circle[-1]] if len(circle) > 12 else circle)


def unknown_name(name: str, names: Callable[[], list[str]]) -> UserError:
    """The error of a name in an expression that no variable has; `names` gives those that there are."""

    def hint() -> str:
        if name in WORDS:
            return f"'{name}' is a function: {name}(...)"
        if name.rpartition(".")[2] in SIZES:
            return "the sizes of a layer are known only in the layers that read it"
        known = names()
        if near := nearest(name, [*known, *NAMES]):
            return f"did you mean '{near}'?"
        return (did_you_mean(name, known) if len(known) > 1 else "") or "name it in vars:"

    return UserError(f"no variable {quoted(name)}", hint=hint, width=len(name))
