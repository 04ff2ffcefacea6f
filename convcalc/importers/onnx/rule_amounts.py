"""What a user's rule computes: an expression, and the products that it is a sum of, for the formulas of `explain`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from math import prod
from typing import Any, NamedTuple

from convcalc.errors import quoted
from convcalc.importers.onnx.model import Unsupported
from convcalc.language.variables import whole
from convcalc.syntax.expression import Expression
from convcalc.syntax.expression_parser import parse

Names = dict[str, Any]
Factor = tuple[str, Expression]
_NO_SUM = re.compile(r"[-<>=!]|\b(?:and|or|not)\b")
_NO_PRODUCT = re.compile(r"//|%")


class Amount(NamedTuple):
    """An expression, and the products that it is a sum of, each of factors with their text."""

    text: str
    expression: Expression
    products: tuple[tuple[Factor, ...], ...]

    def number(self, names: Names) -> int:
        """Its value, a whole number of at least 0. Raises Unsupported."""
        value = whole(self.expression.evaluate(lambda name: _known(name, names)))
        if not isinstance(value, int) or value < 0:
            raise Unsupported(f"{self.text} is {value}, not a whole number of at least 0")
        return value

    def shown(self, names: Names, without: frozenset[str]) -> list[tuple[tuple[str, int], ...]]:
        """Its products of named numbers, without the factors that are the batch."""
        number = self.number(names)
        found = []
        for factors in self.products:
            sizes: dict[str, int] = {}
            for text, expression in factors:
                value = whole(expression.evaluate(lambda name: _known(name, names)))
                if text not in without:
                    key = text if text != "N" else "n"  # N is the batch in our formulas
                    while key in sizes:
                        key, value = f"{key}*{text}", value * sizes.pop(key)
                    sizes[key] = value
            found.append(tuple(sizes.items()) or (("1", 1),))
        values = [size for product in found for _, size in product]
        is_exact = all(isinstance(size, int) and size >= 0 for size in values)
        if is_exact and sum(prod(size for _, size in product) for product in found) == number:
            return found
        return [((self.text, number),)]


def _known(name: str, names: Names) -> Any:
    if name not in names:
        raise Unsupported(f"{quoted(name)} is a size of an input that the node does not have")
    return names[name]


def products_of(text: str) -> tuple[tuple[Factor, ...], ...]:
    """Return an expression as a sum of products, as far as it is written as one.

    >>> [[factor for factor, _ in product] for product in products_of("2*C*(H - 1) + K")]
    [['2', 'C', '(H - 1)'], ['K']]
    >>> [[factor for factor, _ in product] for product in products_of("C*H//2 + max(C - 1, 1)*K")]
    [['C*H//2'], ['max(C - 1, 1)', 'K']]
    """
    if _NO_SUM.search(_outside(text)):
        return (((text.strip(), parse(text)),),)
    terms = [[term] if _NO_PRODUCT.search(_outside(term)) else _split(term, "*") for term in _split(text, "+")]
    return tuple(tuple((factor.strip(), parse(factor)) for factor in factors) for factors in terms)


def _outside(text: str) -> str:
    """Return a text without what is in parentheses."""
    return "".join(character for character, depth in _depths(text) if not depth)


def _split(text: str, sign: str) -> list[str]:
    """Return the parts of a text between the signs that are in no parentheses."""
    parts = [""]
    for character, depth in _depths(text):
        if character == sign and not depth:
            parts.append("")
        else:
            parts[-1] += character
    return parts


def _depths(text: str) -> Iterator[tuple[str, int]]:
    """Yield every character, and how many parentheses are around it."""
    depth = 0
    for character in text:
        depth += character == "("
        yield character, depth
        depth -= character == ")"
