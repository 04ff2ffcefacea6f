"""The bits of a counted layer, what they mean for its figures, and the operations of binary networks.

Source: Yao et al., HAWQ-V3, arXiv:2011.10680; Baskin et al., UNIQ, arXiv:1804.10969, add accumulators to it.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import prod

from convcalc.analysis.count import Row
from convcalc.bits import FLOAT, Bits
from convcalc.kinds.sizes import is_known

BOPS = (
    "BOPs = bits of the weights x bits of the activations x MACs; of products of two activations, bits of the "
    "activations squared (HAWQ-V3, arXiv:2011.10680)"
)
BYTES = (
    f"bits are of weights x activations that a layer reads, {FLOAT} where nothing is said; weight bytes: those of "
    f"the weights, other bytes: biases and other params at {FLOAT} bits; bits are packed, a sum is filled up to a byte"
)


def activation_bits(row: Row, batch: int) -> int | None:
    """The bits of the activations that a layer reads; None where a shape is not known."""
    shapes = row.layer.shapes if row.layer is not None else ()
    return batch * sum(map(prod, shapes)) * bits_of(row).activations if all(map(is_known, shapes)) else None


def bits_of(row: Row, otherwise: Bits = Bits(FLOAT, FLOAT)) -> Bits:  # noqa: B008  (immutable)
    """The bits of a layer's row, and others in a network that says nothing of bits."""
    own = row.layer.bits if row.layer is not None else None
    return own or otherwise


def operations(rows: Iterable[Row]) -> int:
    """OPs as papers on binary networks count them: MACs, of one bit by one bit 1/64 of them, rounded up.

    Source: Rastegari et al., XNOR-Net, arXiv:1603.05279; Liu et al., ReActNet, arXiv:2003.03488, section 5.
    """
    macs = {False: 0, True: 0}
    for row in rows:
        macs[bits_of(row) == (1, 1)] += row.figure("macs")
    return macs[False] - (-macs[True] // 64)
