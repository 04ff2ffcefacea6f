"""Text -> number: the only place that converts what someone wrote, up to a stated number of digits.

Python refuses or takes minutes for texts of thousands of digits, and `1e999999999` is a short text. So whoever reads a
number, in a spec, an option, a name or a version, reads it here.
"""

from __future__ import annotations

import re
from decimal import Context, Decimal

from convcalc.errors import UserError, quoted

MOST_DIGITS = 30
EXACT = Context(prec=200)  # products of what is read here, exactly
_WHOLE = re.compile(r"[-+]?[0-9]+")
_NUMBER = r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE]([-+]?[0-9]+))?"  # compiled when the first one is read


def whole_number(text: str) -> int:
    """Convert digits, with a sign at most. Raises UserError for anything else, and for more than MOST_DIGITS.

    >>> whole_number("-12"), whole_number("007")
    (-12, 7)
    >>> whole_number("9" * 5000)
    Traceback (most recent call last):
    convcalc.errors.UserError: the number has 5,000 digits
    """
    if not _WHOLE.fullmatch(text):
        raise UserError(f"a whole number was expected, found {quoted(text)}")
    _refuse_long(text)
    return int(text)


def exact_number(text: str) -> Decimal:
    """Convert a decimal number, `1e6` too, exactly. Raises UserError for anything else, and for too large an exponent.

    >>> exact_number("0.10"), exact_number("1e3")
    (Decimal('0.10'), Decimal('1E+3'))
    >>> exact_number("1e99999999999999999999")
    Traceback (most recent call last):
    convcalc.errors.UserError: the number '1e99999999999999999999' is too large, too small or too long
    """
    match = re.fullmatch(_NUMBER, text)
    if not match:
        raise UserError(f"a number was expected, found {quoted(text)}")
    _refuse_long(text)
    exponent = match[1] or "0"
    if len(exponent) < 5:
        value = Decimal(text)
        if not value or abs(value.adjusted()) <= MOST_DIGITS:
            return value
    raise UserError(f"the number {quoted(text)} is too large, too small or too long")


def without_separators(text: str) -> str:
    """Remove the separators of thousands.

    >>> without_separators("25_000,000")
    '25000000'
    """
    return text.replace("_", "").replace(",", "")


def _refuse_long(text: str) -> None:
    digits = sum(map(str.isdigit, text)) if len(text) > MOST_DIGITS else 0
    if digits > MOST_DIGITS:
        raise UserError(f"the number has {digits:,} digits", hint=f"at most {MOST_DIGITS} are allowed")
