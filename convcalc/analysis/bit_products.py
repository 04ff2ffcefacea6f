"""What bits make of a layer's products: bit operations, and the bits of its weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from convcalc.bits import Bits
from convcalc.kinds.sizes import Product, total

_BY_A_WEIGHT = ("conv_macs", "linear_macs")


def bit_products(products: Mapping[str, Sequence[Product]], bits: Bits) -> dict[str, list[Product]]:
    """The products of `bops` and `weight_bits` from those of a layer's other tallies.

    >>> bit_products({"conv_macs": [{"K": 4, "P": 6}], "biases": [{"K": 4}]}, Bits(2, 8))
    {'bops': [{'bits_w': 2, 'bits_a': 8, 'K': 4, 'P': 6}]}
    """
    weights, activations = bits
    bops: list[Product] = [
        {"bits_w": weights, "bits_a": activations, **product}
        for tally in _BY_A_WEIGHT
        for product in products.get(tally, ())
    ]
    bops += [{"bits_a^2": activations * activations, **product} for product in products.get("matmul_macs", ())]
    stored: list[Product] = [{"bits_w": weights, **product} for product in products.get("weights", ())]
    return {name: terms for name, terms in (("bops", bops), ("weight_bits", stored)) if terms}


def bops_at(tallies: Mapping[str, int], bits: Bits) -> int:
    """The bit operations of a layer with these tallies.

    >>> bops_at({"linear_macs": 100, "matmul_macs": 10}, Bits(4, 8))
    3840
    """
    products = bit_products({tally: [{"n": size}] for tally, size in tallies.items()}, bits)
    return total(products.get("bops", ()))
