"""`expect:` in a spec: its published totals against ours, exact or to the digits that were published."""

from __future__ import annotations

import re
from decimal import ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal
from typing import NamedTuple

from convcalc.amounts import NUMBER, UNITS
from convcalc.analysis.count import FIGURES, Count
from convcalc.errors import Problem, SpecError, UserError, quoted, suggested
from convcalc.kinds import shape_text
from convcalc.language.input_shapes import shape_of
from convcalc.numerals import exact_number, without_separators
from convcalc.syntax.node import Node, describe

DEPTHS = ("depth", "nonlinearities")
# a published figure, to the digits that were published
ROUNDED = rf"({NUMBER}(?:\.[0-9]+)?) ?([kMGTP]?)"
KEYS = (*FIGURES, *DEPTHS, "output")


class Expectation(NamedTuple):
    """One published figure: as the spec states it, ours, whether they agree, and the Node that states it."""

    key: str
    stated: str
    actual: str
    ok: bool
    node: Node


def compare(counted: Count) -> list[Expectation]:
    """Every figure that the spec expects of the network as it is counted; none where it was changed by an option.

    Raises SpecError for what `expect:` cannot hold.

    >>> from convcalc.analysis.count import count
    >>> from convcalc.loader import read
    >>> text = "input: 256x28x28\\nlayers: [{conv: {filters: 16, kernel: 1}}]\\nexpect: {weights: 4.1k}"
    >>> [(one.key, one.actual, one.ok) for one in compare(count(read(text)))]
    [('weights', '4,096', True)]
    """
    node = counted.graph.provenance.expect
    if node is None:
        return []
    found, problems = [], []
    for key, value in node.items():
        if key not in KEYS:
            hint = suggested(key, KEYS)
            problems.append(Problem(f"expect has no figure {quoted(key)}", value.key_place, (), hint))
            continue
        try:
            found.append(_compare(key, value, counted))
        except (ValueError, UserError):
            wanted = "a shape" if key == "output" else "a whole number, or a rounded one such as 4.2M"
            problems.append(value.problem(f"'{key}' must be {wanted}, found {describe(value)}"))
    if problems:
        raise SpecError(problems)
    return found


def _compare(key: str, node: Node, counted: Count) -> Expectation:
    if key == "output":
        stated, actual = shape_of(node), counted.graph.outputs[-1].output
        return Expectation(key, shape_text(stated), shape_text(actual), stated == actual, node)
    ours = getattr(counted, key) if key in DEPTHS else counted.figure(key)
    if isinstance(node.value, int) and not isinstance(node.value, bool):
        return Expectation(key, f"{node.value:,}", f"{ours:,}", node.value == ours, node)
    if not isinstance(node.value, str):
        raise ValueError
    return Expectation(key, node.value, f"{ours:,}", rounds_to(ours, node.value), node)


def rounds_to(value: int, text: str) -> bool:
    """Whether `value` is `text` when rounded to as many digits; a half may go either way.

    Raises ValueError where `text` is no amount, and UserError for one of too many digits.

    >>> rounds_to(4_231_976, "4.2M"), rounds_to(568_740_352, "569M"), rounds_to(568_740_352, "568M")
    (True, True, False)
    """
    match = re.fullmatch(ROUNDED, text.strip())
    if match is None:
        raise ValueError(text)
    stated, unit = exact_number(without_separators(match[1])), match[2]
    exact = Decimal(value) / UNITS.get(unit, 1)
    place = Decimal(1).scaleb(int(stated.as_tuple().exponent))
    return stated in (exact.quantize(place, ROUND_HALF_UP), exact.quantize(place, ROUND_HALF_EVEN))
