"""TensorFlow Lite Micro with a .tflite file that was converted from PyTorch: padding that TensorFlow lacks is a PAD."""

from __future__ import annotations

from math import prod
from typing import Any

from convcalc.analysis.memory.profiles import tflm
from convcalc.graph import Layer
from convcalc.kinds.window import pairs, same_sides, split


def padded(layer: Layer) -> int:
    """The elements of a convolution's input with its padding, 0 where the padding is none, or that of "same".

    >>> from convcalc.kinds.conv import Conv
    >>> layer = Layer(1, "wide", Conv(filters=8, kernel=3, stride=2, padding=1), (), ((4, 16, 16),), ((8, 8, 8),))
    >>> padded(layer)  # 4*18*18: "same" would pad after the input alone
    1296
    """
    kind: Any = layer.kind
    if kind.name not in ("conv", "max_pool", "avg_pool") or isinstance(kind.padding, str):
        return 0
    channels, spatial = split(layer.shapes[0])
    sides = pairs(kind.padding, len(spatial))
    windows = kind.window(layer.shapes[0])
    same = tuple(same_sides(size, span, stride) for size, (span, stride, _) in zip(spatial, windows, strict=True))
    if sides == same or not any(before or after for before, after in sides):
        return 0
    return channels * prod(size + before + after for size, (before, after) in zip(spatial, sides, strict=True))


PROFILE = tflm.PROFILE._replace(
    name="tflm_pad",
    rules=tflm.PROFILE.rules.replace(" and padding inside", " inside")
    + "; padding that is not TensorFlow's 'same' is an operator before its layer, as in files converted from PyTorch",
    padded=padded,
)
