"""Values of a table's cells as text: thousands or units, shares, ratios, bars."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from convcalc.amounts import human, in_units, three_digits
from convcalc.errors import printable
from convcalc.kinds.sizes import shape_text

# what a column of whole numbers holds -> the power of ten and the name of its unit
_UNITS = {"picoseconds": (-12, "ps"), "femtojoules": (-15, "fJ")}
BLOCKS = " ▏▎▍▌▋▊▉█"


def bar(share: float, width: int = 12) -> str:
    """A share as a bar of at most `width` characters.

    >>> bar(0.5, 4)
    '██'
    """
    eighths = round(max(0.0, min(1.0, share)) * width * 8)
    return BLOCKS[8] * (eighths // 8) + (BLOCKS[eighths % 8] if eighths % 8 else "")


def times(ratio: float) -> str:
    """How a figure stands to another, in words.

    >>> times(16_896 / 204_800), times(2.0), times(1.05), times(1.0), times(0.0)
    ('12.1x fewer', '2.00x more', '5.0% more', 'the same', 'none')
    """
    if ratio in (0, 1):
        return "the same" if ratio else "none"
    word = "fewer" if ratio < 1 else "more"
    if 0.9 < ratio < 1.1:
        share = 100 * abs(ratio - 1)
        return f"{share:.1f}% {word}" if share >= 0.1 else f"{share:.1g}% {word}"
    return f"{text(max(ratio, 1 / ratio), 'ratio')} {word}"


def equation(line: Mapping[str, Any]) -> str:
    """Formula, numbers and result in one line; what would only be said twice is said once.

    >>> equation({"formula": "C/g*K", "numbers": "256*32", "value": 8192})
    'C/g*K = 256*32 = 8,192'
    >>> equation({"formula": "K", "numbers": "32", "value": 32})
    'K = 32'
    """
    value = line["value"]
    result = f"{value:,}" if isinstance(value, int) else shape_text(value)
    return " = ".join(dict.fromkeys(part for part in (line["formula"], line["numbers"], result) if part))


def quantity(value: int, exponent: int, unit: str) -> str:
    """A whole number of small units with three digits and the unit that suits it.

    >>> quantity(1_234_567, -12, "ps"), quantity(999, -15, "fJ"), quantity(25_400_000_000, -12, "ps")
    ('1.23 \N{MICRO SIGN}s', '999 fJ', '25.4 ms')
    >>> quantity(999_999, -12, "ps")
    '1.00 \N{MICRO SIGN}s'
    """
    size = three_digits(value)
    steps = min((len(str(size)) - 1) // 3, -exponent // 3)
    letter = "fpn\N{MICRO SIGN}m"[(exponent + 15) // 3 + steps :][:1]
    return f"{in_units(size, 1000**steps) if steps else size} {letter}{unit[1:]}"


def text(value: Any, holds: str, exact: bool = True) -> str:
    """One cell as text on one line; "" for None.

    >>> text(204800, "count"), text(204800, "count", exact=False), text(0.5, "share"), text(12.12, "ratio")
    ('204,800', '205 k', '50.0%', '12.1x')
    """
    return printable(_text(value, holds, exact))


def _text(value: Any, holds: str, exact: bool) -> str:
    if value is None:
        return ""
    if isinstance(value, int) and holds in ("count", "exact"):
        return f"{value:,}" if exact or holds == "exact" else human(value)
    if holds == "change":
        return f"{value:+,}" if value else "0"
    if holds == "share":
        return f"{100 * value:.1f}%"
    if holds in _UNITS:
        return quantity(value, *_UNITS[holds])  # the exact number is in the other formats
    if holds == "decimal":
        return f"{value:,.1f}" if value >= 10 else f"{value:.3g}"
    if holds == "ratio":
        return f"{value:,.1f}x" if value >= 10 else f"{value:.2f}x"
    if holds == "times":
        return times(value)
    if holds == "bar":
        return bar(value)
    if holds == "shape":
        return shape_text(value)
    if holds == "equation":
        return equation(value)
    return str(value)
