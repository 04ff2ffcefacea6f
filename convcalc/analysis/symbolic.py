"""Whole numbers that remember how they came about: letters, and the numbers put in.

A kind's own shape rule runs on them, so an explanation is the rule and not a copy of it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

SUM, PRODUCT, ATOM = 1, 2, 3


class Traced(int):
    """An int with its formula in letters and in numbers; `+ - * //` give another, everything else a plain int.

    >>> h, r = Traced.named("H", 28), Traced.named("R", 5)
    >>> size = (h + 4 - r) // 1 + 1
    >>> int(size), size.letters, size.numbers
    (28, '(H + 4 - R)//1 + 1', '(28 + 4 - 5)//1 + 1')
    """

    letters: str
    numbers: str
    binds: int

    @classmethod
    def named(cls, letter: str, value: int) -> Traced:
        """A size with a name."""
        return cls._make(value, letter, f"{int(value):,}", ATOM)

    @classmethod
    def _make(cls, value: int, letters: str, numbers: str, binds: int) -> Traced:
        made = cls(value)
        made.letters, made.numbers, made.binds = letters, numbers, binds
        return made

    @property
    def is_named(self) -> bool:
        """True for a size as it was given, not computed."""
        return self.binds == ATOM and not self.letters[:1].isdigit()

    def __add__(self, other: Any) -> Any:
        return _join(self, other, "+", int.__add__)

    def __radd__(self, other: Any) -> Any:
        return _join(other, self, "+", int.__add__)

    def __sub__(self, other: Any) -> Any:
        return _join(self, other, "-", int.__sub__)

    def __rsub__(self, other: Any) -> Any:
        return _join(other, self, "-", int.__sub__)

    def __mul__(self, other: Any) -> Any:
        return _join(self, other, "*", int.__mul__)

    def __rmul__(self, other: Any) -> Any:
        return _join(other, self, "*", int.__mul__)

    def __floordiv__(self, other: Any) -> Any:
        return _join(self, other, "//", int.__floordiv__)

    def __rfloordiv__(self, other: Any) -> Any:
        return _join(other, self, "//", int.__floordiv__)


def _join(left: Any, right: Any, sign: str, work: Callable[[int, int], int]) -> Any:
    if not isinstance(left, int) or not isinstance(right, int):
        return NotImplemented
    if sign == "*" and (left is False or right is False):  # a condition as a factor
        return 0
    value = work(int(left), int(right))
    ours, theirs = _traced(left), _traced(right)
    if sign == "+" and not isinstance(left, Traced) and left == 0:  # what sum() begins with
        return theirs
    if sign in "+-" and not isinstance(right, Traced) and right == 0:
        return ours
    if sign == "*" and 1 in (one for one in (left, right) if not isinstance(one, Traced)):
        return ours if isinstance(left, Traced) else theirs
    binds = SUM if sign in "+-" else PRODUCT
    # a - (b + c) and a * (b // c) keep their brackets, a + b + c and a*b//c need none
    tight = binds + (sign != "+")
    gap = " " if binds == SUM else ""
    letters, numbers = (
        f"{_bracket(mine, ours.binds < binds)}{gap}{sign}{gap}{_bracket(its, theirs.binds < tight)}"
        for mine, its in ((ours.letters, theirs.letters), (ours.numbers, theirs.numbers))
    )
    return Traced._make(value, letters, numbers, binds)


def _traced(value: int) -> Traced:
    return value if isinstance(value, Traced) else Traced.named(f"{int(value):,}", value)


def _bracket(text: str, is_needed: bool) -> str:
    return f"({text})" if is_needed else text
