"""The bytes of numbers: how many bits an activation, a weight and a bias have at a precision."""

from __future__ import annotations

from typing import NamedTuple


class Precision(NamedTuple):
    """The bits of one number of each sort. Integer runtimes add biases to sums of products, which are wider."""

    name: str
    bits: int
    weight_bits: int
    bias_bits: int

    def bytes_of(self, elements: int) -> int:
        """Return the bytes of a tensor of activations, the last one filled up.

        >>> PRECISIONS["int8"].bytes_of(100), PRECISIONS["float16"].bytes_of(100), PRECISIONS["int4"].bytes_of(3)
        (100, 200, 2)
        """
        return -(-elements * self.bits // 8)


def _named(*precisions: Precision) -> dict[str, Precision]:
    return {precision.name: precision for precision in precisions}


# Biases of int8 and int16: https://ai.google.dev/edge/litert/models/quantization_spec and, for int16 activations with
# int8 weights, its section on 16x8
PRECISIONS: dict[str, Precision] = _named(
    Precision("int8", 8, 8, 32),
    Precision("int16x8", 16, 8, 64),
    Precision("int16", 16, 16, 32),
    Precision("int4", 4, 4, 32),
    Precision("float8", 8, 8, 8),
    Precision("float16", 16, 16, 16),
    Precision("bfloat16", 16, 16, 16),
    Precision("float32", 32, 32, 32),
    Precision("float64", 64, 64, 64),
)

# the same by the short names of the field as well
_SHORT = {"fp64": "float64", "fp32": "float32", "bf16": "bfloat16", "fp16": "float16", "fp8": "float8"}
NAMES = {**{short: PRECISIONS[name] for short, name in _SHORT.items()}, **PRECISIONS}
