"""Energy by a published table: what arithmetic and memory took in a 45 nm process at 0.9 V.

Source: Horowitz, Computing's energy problem (and what we can do about it), ISSCC 2014, figure 1.1.9. One convention
among many: no cache, no control, no leakage, every byte from off-chip memory.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from convcalc.analysis.memory.precision import Precision
from convcalc.analysis.roofline.traffic import Work
from convcalc.errors import SpecError

RULES = (
    "45 nm at 0.9 V (Horowitz, ISSCC 2014): a product and a sum for each MAC, a sum for every other operation, sums of "
    "int8 products in int32; 640 pJ for each 32 bits from off-chip memory"
)
DRAM = 640_000 // 4  # femtojoules a byte


class Operation(NamedTuple):
    """Femtojoules of a product, of the sum of products, and of any other sum."""

    product: int
    accumulation: int
    addition: int


TABLE = {
    "int8": Operation(200, 100, 30),
    "float16": Operation(1_100, 400, 400),
    "float32": Operation(3_700, 900, 900),
}


class Energy(NamedTuple):
    """Femtojoules of the arithmetic and of the traffic."""

    arithmetic: int
    traffic: int


def energy(works: Iterable[Work], precision: Precision) -> Energy:
    """The energy of some work by the table. Raises SpecError for a type that it does not have.

    >>> from convcalc.analysis.memory.precision import PRECISIONS
    >>> energy([Work("wide", "conv", (4, 6, 6), 10, 25, 3, 4, 5)], PRECISIONS["int8"])  # 10*(200+100) + 5*30, 12*160000
    Energy(arithmetic=3150, traffic=1920000)
    """
    if precision.name not in TABLE:
        raise SpecError(f"the table of energies has no {precision.name}", f"it has {', '.join(TABLE)}")
    cost = TABLE[precision.name]
    arithmetic = traffic = 0
    for work in works:
        arithmetic += work.macs * (cost.product + cost.accumulation) + (work.flops - 2 * work.macs) * cost.addition
        traffic += work.bytes * DRAM
    return Energy(arithmetic, traffic)
