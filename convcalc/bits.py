"""How many bits a layer's weights and activations have."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from convcalc.errors import UserError, quoted
from convcalc.numerals import whole_number

LARGEST = 64
FLOAT = 32  # where nothing is said, and of biases and all other params
_TEXT = re.compile(r"([1-9][0-9]?)x([1-9][0-9]?)")
PATTERN = _TEXT.pattern
EXAMPLE = f"for example 8x8, or 4x8 for weights of 4 bits; each is 1 to {LARGEST}"


class Bits(NamedTuple):
    """The bits of one weight, and of one activation that the layer reads: arrays in a sweep; None: not given."""

    weights: Any = None
    activations: Any = None

    def over(self, other: Bits) -> Bits:
        """Return these bits, those that are not given from another.

        >>> Bits(weights=4).over(Bits(8, 8))
        Bits(weights=4, activations=8)
        """
        weights = other.weights if self.weights is None else self.weights
        return Bits(weights, other.activations if self.activations is None else self.activations)

    def __str__(self) -> str:
        return f"{self.weights}x{self.activations}"


def parse_bits(text: str) -> Bits:
    """Parse bits of weights x bits of activations. Raises UserError.

    >>> parse_bits("4x8")
    Bits(weights=4, activations=8)
    """
    match = _TEXT.fullmatch(text)
    found = Bits(*map(whole_number, match.groups())) if match else Bits(0, 0)
    if not 0 < max(found) <= LARGEST:
        raise UserError(f"bits of weights x activations were expected, found {quoted(text)}", "bits", EXAMPLE)
    return found
