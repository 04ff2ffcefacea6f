"""Counts as people write and read them: 5M, 4.1G, 25_000_000. Decimal units only; `amount` rounds nothing."""

from __future__ import annotations

import re
from collections.abc import Mapping

from convcalc.errors import UserError, quoted
from convcalc.numerals import EXACT, exact_number, without_separators

NUMBER = r"(?:[0-9]{1,3}(?:,[0-9]{3})+|[0-9]+(?:_[0-9]+)*)"
UNITS = {"k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12, "P": 10**15}
_AMOUNT = re.compile(rf"({NUMBER}(?:\.[0-9]+)?) ?([kMGTP]?)")
_INSIDE = re.compile(r"(?<![\w.])([0-9]+(?:\.[0-9]+)?)([kMGTP])(?!\w)")


def amount(text: str) -> int:
    """A count with or without a unit. Raises UserError.

    >>> amount("5M"), amount("4.1G"), amount("25_000_000")
    (5000000, 4100000000, 25000000)
    """
    match = _AMOUNT.fullmatch(text.strip())
    value = EXACT.multiply(exact_number(without_separators(match[1])), UNITS.get(match[2], 1)) if match else None
    if value is None or value != int(value):
        hint = "units are k, M, G, T and P" if text[-1:] in "mgtpK" else "for example 5M or 25_000_000"
        raise UserError(f"a whole number was expected, found {quoted(text)}", hint=hint)
    return int(value)


def human(value: int) -> str:
    """Three digits and a unit; whole numbers up to 99,999 as they are. Decimal units only: k, M, G.

    >>> human(16_896), human(160_563_200), human(4_089_184_256), human(999_999), human(-2_500_000)
    ('16,896', '161 M', '4.09 G', '1.00 M', '-2.50 M')
    """
    if abs(value) < 100_000:
        return f"{value:,}"
    size = three_digits(abs(value))
    letter, unit = next((letter, unit) for letter, unit in reversed(UNITS.items()) if size >= unit)
    return f"{'-' if value < 0 else ''}{in_units(size, unit)} {letter}"


def three_digits(size: int) -> int:
    """A whole number rounded to three digits, in whole numbers: a count may be larger than any float.

    >>> three_digits(999_999), three_digits(4_089_184_256), three_digits(12)
    (1000000, 4090000000, 12)
    """
    cut: int = 10 ** max(0, len(str(size)) - 3)
    return (size + cut // 2) // cut * cut


def in_units(size: int, unit: int) -> str:
    """A number of three digits in units of a power of ten, with as many decimals as make three digits.

    >>> in_units(1_230_000, 10**6), in_units(161_000_000, 10**6)
    ('1.23', '161')
    """
    whole, rest = divmod(size, unit)
    decimals = str(rest).zfill(len(str(unit)) - 1)[: max(0, 3 - len(str(whole)))]
    return f"{whole:,}{'.' if decimals else ''}{decimals}"


def pattern(units: Mapping[str, int]) -> str:
    """What a whole amount with one of these decimal units looks like: as many decimals as the unit has zeros.

    >>> bool(re.fullmatch(pattern(UNITS), "1.5k")), bool(re.fullmatch(pattern(UNITS), "1.0005k"))
    (True, False)
    """
    zeros = {unit: len(str(factor)) - 1 for unit, factor in units.items()}
    decimals = {unit: rf"[0-9]{{1,{many}}}0*" if many else "0+" for unit, many in zeros.items()}
    return "|".join(rf"{NUMBER}(?:\.{decimals[unit]})? ?{unit}" for unit in units)


def without_units(expression: str) -> str:
    """An expression with its amounts as plain numbers.

    >>> without_units("params < 5M and macs <= 1.5G")
    'params < 5000000 and macs <= 1500000000'
    """
    return _INSIDE.sub(lambda match: str(amount(match[0])), expression)
