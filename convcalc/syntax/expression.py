"""`${...}`: whole numbers, exact decimals, `+ - * // %`, comparisons, six functions. No eval, no attributes, no power.

    expression := or
    or         := and ("or" and)*          and     := not ("and" not)*
    not        := "not" not | comparison   comparison := sum (("==" | "!=" | "<" | "<=" | ">" | ">=") sum)?
    sum        := product (("+" | "-") product)*
    product    := unary (("*" | "//" | "%") unary)*
    unary      := "-" unary | atom
    atom       := number | name | function "(" expression ("," expression)* ")" | "(" expression ")"

A comparison is 1 or 0. Decimals are exact; an operation whose exact result has more than 200 digits is refused.
"""

from __future__ import annotations

import operator
import re
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

from convcalc.errors import UserError, did_you_mean, quoted

MOST_LONG = 200
MOST_DEEP = 32
LARGEST = 2**62

_TOKEN = re.compile(
    r"\s*(?:(?P<number>\d+(?:\.\d*)?|\.\d+)|(?P<name>[A-Za-z_][A-Za-z_0-9]*)|(?P<sign>//|==|!=|<=|>=|[-+*%(),<>]))"
)
_EXACT = Context(prec=200, Emax=MAX_EMAX, Emin=MIN_EMIN, traps=[Inexact])

Value = Any  # int, Decimal, str; an int64 array in a sweep


class Token(NamedTuple):
    kind: str
    text: str
    offset: int


class Expression(NamedTuple):
    """One node of a parsed expression: what it does, its operands, and where it stands in the text."""

    apply: Callable[..., Value] | None
    operands: tuple[Any, ...]
    offset: int

    def evaluate(self, lookup: Callable[[str], Value]) -> Value:
        """The value, names found through `lookup`. Raises UserError with the offset of what is wrong.

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

            return apply(self._once, values, _SIGNS.get(self.apply, ""))
        return self._once(*values)

    def _once(self, *values: Value) -> Value:
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
        """The variables it reads.

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
    """Nearest whole number, halves to even."""
    return _whole(value, ROUND_HALF_EVEN)


def _make_divisible(value: Value, divisor: Value = 8, least: Value = None) -> int:
    """The multiple of `divisor` nearest to `value`, at least `least` (the divisor), never under 90 % of `value`.

    The rule of MobileNet's released code.

    >>> _make_divisible(Decimal("11.2")), _make_divisible(4)
    (16, 8)
    """
    least = divisor if least is None else least
    nearest = max(least, _floor(_exact("+", value, Decimal(divisor) * Decimal("0.5"))) // divisor * divisor)
    return int(nearest + divisor if 10 * nearest < 9 * value else nearest)


def _exact(sign: str, left: Value, right: Value) -> Value:
    """Python's floor division and modulo for whole numbers, the same rules for decimals, exactly."""
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
_COMPARE: dict[str, Callable[[Value, Value], bool]] = {
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


_BINARY: dict[str, Callable[[Value, Value], Value]] = {
    **{sign: _arithmetic(sign) for sign in _WHOLE},
    **{sign: _comparison(compare) for sign, compare in _COMPARE.items()},
    "and": lambda left, right: int(bool(left) and bool(right)),
    "or": lambda left, right: int(bool(left) or bool(right)),
}
_SIGNS = {function: sign for sign, function in _BINARY.items()}
FUNCTIONS: dict[str, Callable[..., Value]] = {
    "min": lambda first, *others: min(first, *others) if others else first,
    "max": lambda first, *others: max(first, *others) if others else first,
    "floor": _floor,
    "ceil": _ceil,
    "round": _round,
    "make_divisible": _make_divisible,
}
_LEVELS: tuple[tuple[str, ...], ...] = (("or",), ("and",), tuple(_COMPARE), ("+", "-"), ("*", "//", "%"))
_COMPARISONS = 2
WORDS = frozenset({"and", "or", "not", *FUNCTIONS})

_parsed: dict[str, Expression] = {}


def parse(text: str) -> Expression:
    """Parse the text between `${` and `}`. Raises UserError with the offset of the first thing that does not fit.

    >>> parse("3 // 2 + 1").evaluate(lambda name: 0)
    2
    """
    found = _parsed.get(text)
    if found is None:
        if len(_parsed) > 10_000:
            _parsed.clear()
        found = _parsed[text] = _Parser(text).parse()
    return found


def names_in(value: Any) -> set[str]:
    """The names in every `${...}` of a spec's plain value; a text that is no expression has none.

    >>> sorted(names_in({"vars": {"a": "${b * 2}"}, "layers": ["x${c}"]}))
    ['b', 'c']
    """
    if isinstance(value, (dict, list)):
        return set().union(*map(names_in, value.values() if isinstance(value, dict) else value))
    found: set[str] = set()
    for text in re.findall(r"\$\{([^{}]*)\}", value) if isinstance(value, str) else ():
        try:
            found |= parse(text).names()
        except UserError:
            continue
    return found


class _Parser:
    """Precedence climbing over the levels of the grammar above."""

    def __init__(self, text: str) -> None:
        if len(text) > MOST_LONG:
            raise UserError(
                f"an expression of {len(text)} characters", hint=f"at most {MOST_LONG}; name parts of it in vars:"
            )
        self.text = text
        self.tokens = self._split()
        self.at = 0
        self.deep = 0

    def _split(self) -> list[Token]:
        tokens, at = [], 0
        text = self.text.rstrip()
        while at < len(text):
            match = _TOKEN.match(text, at)
            if not match or not text.isascii():
                bad = len(text[at:]) - len(text[at:].lstrip()) + at
                raise UserError(
                    f"{quoted(text[bad])} is not part of an expression", offset=bad, hint=_advice(text[bad:])
                )
            kind = str(match.lastgroup)
            tokens.append(Token(kind, match[kind], match.start(kind)))
            at = match.end()
        tokens.append(Token("end", "", len(text)))
        return tokens

    def parse(self) -> Expression:
        tree = self._level(0)
        if self.tokens[self.at].kind != "end":
            raise self._unexpected()
        return tree

    def _unexpected(self) -> UserError:
        token = self.tokens[self.at]
        what = quoted(token.text) if token.text else "the end"
        hint = _advice(self.text[token.offset :])
        if self.text[max(0, token.offset - 1) : token.offset + 1] == "**":
            hint = "there is no power: write a*a"
        return UserError(f"a number or a name was expected, found {what}", offset=token.offset, hint=hint)

    def _accept(self, *texts: str) -> Token | None:
        token = self.tokens[self.at]
        if token.kind != "number" and token.text in texts:
            self.at += 1
            return token
        return None

    def _level(self, level: int) -> Expression:
        self.deep += 1
        if self.deep > MOST_DEEP * len(_LEVELS):
            raise UserError(f"nested deeper than {MOST_DEEP} levels", offset=self.tokens[self.at].offset)
        if level == len(_LEVELS):
            tree = self._unary()
        elif level == _COMPARISONS and (token := self._accept("not")):
            tree = Expression(lambda value: int(not value), (self._level(level),), token.offset)
        else:
            tree = self._level(level + 1)
            while token := self._accept(*_LEVELS[level]):
                tree = Expression(_BINARY[token.text], (tree, self._level(level + 1)), token.offset)
                if level == _COMPARISONS:
                    break
        self.deep -= 1
        return tree

    def _unary(self) -> Expression:
        if token := self._accept("-"):
            return Expression(operator.neg, (self._level(len(_LEVELS)),), token.offset)
        return self._atom()

    def _atom(self) -> Expression:
        token = self.tokens[self.at]
        if token.kind == "number":
            self.at += 1
            return Expression(None, (Decimal(token.text) if "." in token.text else int(token.text),), token.offset)
        if token.kind == "name" and token.text not in ("and", "or", "not"):
            self.at += 1
            if self._accept("("):
                return self._call(token)
            return Expression(None, (token.text,), token.offset)
        if self._accept("("):
            tree = self._level(0)
            self._close()
            return tree
        raise self._unexpected()

    def _call(self, token: Token) -> Expression:
        function = FUNCTIONS.get(token.text)
        if function is None:
            hint = did_you_mean(token.text, FUNCTIONS)
            raise UserError(f"no function {quoted(token.text)}", offset=token.offset, width=len(token.text), hint=hint)
        arguments = [self._level(0)]
        while self._accept(","):
            arguments.append(self._level(0))
        self._close()
        return Expression(function, tuple(arguments), token.offset)

    def _close(self) -> None:
        if not self._accept(")"):
            raise self._unexpected()


def _advice(rest: str) -> str:
    if rest.startswith("/"):
        return "divide with // (rounds down), or multiply by a decimal"
    if rest.startswith(("'", '"')):
        return "an expression holds numbers and names, no text"
    if rest.startswith("."):
        return "an expression has no attributes"
    if rest.startswith("="):
        return "compare with =="
    return ""
