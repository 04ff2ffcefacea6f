"""The tree and the value of `${...}`: whole numbers, exact decimals, `+ - * // %`, comparisons, six functions.

There is no eval, no attribute and no power. A comparison gives 1 or 0. Decimals are exact: an operation whose exact
result has more than 200 digits is refused.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from decimal import (
    MAX_EMAX,
    MIN_EMIN,
    ROUND_CEILING,
    ROUND_FLOOR,
    ROUND_HALF_EVEN,
    Context,
    Decimal,
    DecimalException,
    Inexact,
)
from typing import Any, NamedTuple

from convcalc.errors import UserError, quoted

LARGEST = 2**62

_EXACT = Context(prec=200, Emax=MAX_EMAX, Emin=MIN_EMIN, traps=[Inexact])

Value = Any  # int, Decimal, str; an int64 array in a sweep


class Expression(NamedTuple):
    """One node of a parsed expression: its function (None for a number or a name), operands, and offset in the text."""

    apply: Callable[..., Value] | None
    operands: tuple[Any, ...]
    offset: int

    def evaluate(self, lookup: Callable[[str], Value]) -> Value:
        """Evaluate with the values that `lookup` gives for names. Raises UserError with the offset of the error.

        >>> from convcalc.syntax.expression_parser import parse
        >>> parse("make_divisible(32 * width, 8)").evaluate({"width": Decimal("0.35")}.__getitem__)
        16
        """
        if self.apply is None:
            value = self.operands[0]
            return lookup(value) if isinstance(value, str) else value
        values: list[Any] = [operand.evaluate(lookup) for operand in self.operands]
        for value, operand in zip(values, self.operands, strict=True):
            if isinstance(value, (str, list, bool)) or value is None:
                raise UserError(f"{quoted(value)} is not a number", offset=operand.offset)
        if any(hasattr(value, "dtype") for value in values):
            from convcalc.arrays import apply

            return apply(self._apply, values, _SIGN_OF.get(self.apply, ""))
        return self._apply(*values)

    def _apply(self, *values: Value) -> Value:
        """Apply the function to one value of each operand. Raises UserError."""
        assert self.apply is not None
        try:
            result = self.apply(*values)
        except ZeroDivisionError:
            raise UserError("division by zero", offset=self.offset) from None
        except (DecimalException, ArithmeticError):
            raise UserError("the exact result has too many digits", offset=self.offset) from None
        except TypeError:
            raise UserError("wrong number of arguments", offset=self.offset) from None
        if isinstance(result, (int, Decimal)) and not -LARGEST <= result <= LARGEST:
            raise UserError("the result is larger than 2^62", offset=self.offset)
        return result

    def names(self) -> set[str]:
        """The names of the variables in it.

        >>> from convcalc.syntax.expression_parser import parse
        >>> sorted(parse("2 * a + max(b, 1)").names())
        ['a', 'b']
        """
        if self.apply is None:
            return {self.operands[0]} if isinstance(self.operands[0], str) else set()
        return set().union(*(operand.names() for operand in self.operands))


def _whole(value: Value, rounding: str) -> int:
    return value if isinstance(value, int) else int(value.to_integral_value(rounding))


def _floor(value: Value) -> int:
    return _whole(value, ROUND_FLOOR)


def _ceil(value: Value) -> int:
    return _whole(value, ROUND_CEILING)


def _round(value: Value) -> int:
    """Round to the nearest whole number, halves to even."""
    return _whole(value, ROUND_HALF_EVEN)


def _make_divisible(value: Value, divisor: Value = 8, least: Value = None) -> int:
    """Round to the nearest multiple of `divisor`, at least `least` (default: the divisor) and 90 % of `value`.

    This is the rule of MobileNet's released code.

    >>> _make_divisible(Decimal("11.2")), _make_divisible(4)
    (16, 8)
    """
    least = divisor if least is None else least
    nearest = max(least, _floor(_exact("+", value, Decimal(divisor) * Decimal("0.5"))) // divisor * divisor)
    return int(nearest + divisor if 10 * nearest < 9 * value else nearest)


def _exact(sign: str, left: Value, right: Value) -> Value:
    """Compute exactly, on decimals too; `//` and `%` round as in Python: toward minus infinity."""
    if not (isinstance(left, Decimal) or isinstance(right, Decimal)):
        return _WHOLE[sign](left, right)
    left, right = Decimal(left), Decimal(right)
    if sign in "+-*":
        return {"+": _EXACT.add, "-": _EXACT.subtract, "*": _EXACT.multiply}[sign](left, right)
    if not right:
        raise ZeroDivisionError
    quotient = _EXACT.divide_int(left, right)
    if _EXACT.multiply(quotient, right) != left and (left < 0) != (right < 0):
        quotient -= 1
    return int(quotient) if sign == "//" else _EXACT.subtract(left, _EXACT.multiply(quotient, right))


_WHOLE: dict[str, Callable[[Value, Value], Value]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "//": operator.floordiv,
    "%": operator.mod,
}
COMPARISONS: dict[str, Callable[[Value, Value], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def _arithmetic(sign: str) -> Callable[[Value, Value], Value]:
    return lambda left, right: _exact(sign, left, right)


def _comparison(compare: Callable[[Value, Value], bool]) -> Callable[[Value, Value], int]:
    return lambda left, right: int(compare(left, right))


BINARY: dict[str, Callable[[Value, Value], Value]] = {
    **{sign: _arithmetic(sign) for sign in _WHOLE},
    **{sign: _comparison(compare) for sign, compare in COMPARISONS.items()},
    "and": lambda left, right: int(bool(left) and bool(right)),
    "or": lambda left, right: int(bool(left) or bool(right)),
}
_SIGN_OF = {function: sign for sign, function in BINARY.items()}
FUNCTIONS: dict[str, Callable[..., Value]] = {
    "min": lambda first, *others: min(first, *others) if others else first,
    "max": lambda first, *others: max(first, *others) if others else first,
    "floor": _floor,
    "ceil": _ceil,
    "round": _round,
    "make_divisible": _make_divisible,
}
WORDS = frozenset({"and", "or", "not", *FUNCTIONS})
