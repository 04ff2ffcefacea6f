"""The sizes that a layer itself sets, as short as the literature writes them: `3x3 s2 g32`."""

from __future__ import annotations

from typing import Any

from convcalc.graph import Layer
from convcalc.kinds.sizes import spread

LETTERS = "sdghrn"  # stride, dilation, groups, heads, factor, size of a normalized neighbourhood


def own_sizes(layer: Layer) -> str | None:
    """A layer's kernel, stride, dilation, groups and the like, without what is 1; None where it sets none.

    >>> from convcalc.kinds.conv import Conv
    >>> from convcalc.kinds.pool import MaxPool
    >>> grouped = Conv(filters=64, kernel=(1, 3), stride=2, groups=32)
    >>> own_sizes(Layer(1, "wide", grouped, (), ((64, 8, 8),), ((64, 4, 3),)))
    '1x3 s2 g32'
    >>> own_sizes(Layer(1, "pool", MaxPool(kernel=2), (), ((64, 8, 8),), ((64, 4, 4),)))
    '2x2 s2'
    """
    kind: Any = layer.kind
    words = []
    for name, field in kind.fields.items():
        letters = getattr(field, "letters", "") or field.letter
        value = getattr(kind, name)
        if name == "kernel":
            words.append("x".join(map(str, spread(value, len(layer.shapes[0]) - 1, name))))
        elif letters and letters in LETTERS:
            if value == "channels":
                value = layer.shapes[0][0]
            elif value is None:  # a pool's stride is its window, unless it has its own
                value = kind.kernel
            numbers = list(value) if isinstance(value, tuple) else [value]
            if any(number != 1 for number in numbers):
                words.append(letters + "x".join(map(str, numbers if len(set(numbers)) > 1 else numbers[:1])))
    return " ".join(words) or None
