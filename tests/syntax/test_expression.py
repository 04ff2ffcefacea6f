"""Expressions: whole numbers and exact decimals."""

import pytest

from convcalc.syntax.expression_parser import parse


def value_of(expression):
    return parse(expression).evaluate({}.__getitem__)


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("7 + 2 * 3", 13),
        ("(7 + 2) * 3 - 1", 26),
        ("7 // 2", 3),
        ("-7 // 2 + 10", 6),
        ("7 % 4", 3),
        ("3 * 0.1 * 10", 3),
        ("floor(2.7)", 2),
        ("ceil(2.1)", 3),
        ("round(2.5) + round(3.5)", 6),
        ("min(5, 3, 4)", 3),
        ("max(5, 3)", 5),
        ("make_divisible(33, 8)", 32),
        ("make_divisible(10, 8)", 16),
        ("make_divisible(3)", 8),
        ("1 + (2 > 1)", 2),
        ("(2 == 2 and not 1 > 2) + 1", 2),
        ("(1 >= 2 or 3 != 3) + 1", 1),
    ],
)
def test_an_expression(expression, value):
    assert value_of(expression) == value


def test_decimals_are_exact():
    assert value_of("0.1 + 0.2 == 0.3") == 1
