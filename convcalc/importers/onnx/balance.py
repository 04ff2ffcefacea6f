"""The account of an import: what layers count and what is in no layer must add up to what the model stores."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from convcalc.errors import printable
from convcalc.graph import Balance, Graph, Layer, LeftOut, learned
from convcalc.importers.onnx.elements import Ledger


def balance(graph: Graph, ledger: Ledger, sizes: Mapping[str, int], read: Collection[str]) -> Balance:
    """Return the balance of a graph whose model stores learned tensors of these `sizes`.

    `read` are those that the model reads, whether an output needs what it makes of them or not.
    """
    left_out = []
    for name, size in sizes.items():
        left = size - ledger.counted(name)
        if left == size > 0:
            left_out.append(LeftOut(printable(name), left, "no output needs it" if name in read else "never used"))
        elif left:
            left_out.append(LeftOut(printable(name), left, f"unused part of {size:,}"))
    counted = sum(_counted(layer) for layer in graph.layers)
    return Balance(sum(sizes.values()), counted, ledger.not_stored, tuple(left_out))


def _counted(layer: Layer) -> int:
    """Return how many learned values a layer counts."""
    if layer.shares is not None:
        return 0
    whole = sum(learned(layer).values())
    shared: int = sum(item.elements for item in layer.shared)
    return whole - shared
