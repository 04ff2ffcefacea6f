"""Counts as people write them: 5M, 4.1G, 25_000_000. Decimal units only, and nothing is rounded."""

from __future__ import annotations

import re
from decimal import Decimal

from convcalc.errors import Misfit, quoted

UNITS = {"k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12, "P": 10**15}
_AMOUNT = re.compile(r"(\d[\d_,]*(?:\.\d+)?) ?([kMGTP]?)")
_INSIDE = re.compile(r"(?<![\w.])(\d+(?:\.\d+)?)([kMGTP])(?!\w)")


def amount(text: str) -> int:
    """A count with or without a unit. Raises Misfit.

    >>> amount("5M"), amount("4.1G"), amount("25_000_000")
    (5000000, 4100000000, 25000000)
    """
    match = _AMOUNT.fullmatch(text.strip())
    value = Decimal(re.sub("[_,]", "", match[1])) * UNITS.get(match[2], 1) if match else None
    if value is None or value != int(value):
        hint = "units are k, M, G, T and P" if text[-1:] in "mgtpK" else "for example 5M or 25_000_000"
        raise Misfit(f"a whole number was expected, found {quoted(text)}", hint=hint)
    return int(value)


def without_units(expression: str) -> str:
    """An expression with its amounts as plain numbers.

    >>> without_units("params < 5M and macs <= 1.5G")
    'params < 5000000 and macs <= 1500000000'
    """
    return _INSIDE.sub(lambda match: str(amount(match[0])), expression)
