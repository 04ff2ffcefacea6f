"""The account of an import: what layers count and what is in no layer must add up to what the model stores."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from convcalc.errors import printable
from convcalc.graph import Balance, Graph, Layer, LeftOut, learned
from convcalc.importers.onnx.elements import Ledger
from convcalc.importers.onnx.model import Node
from convcalc.importers.onnx.order import reads_outside


def balance(
    graph: Graph, ledger: Ledger, sizes: Mapping[str, int], nodes: Iterable[Node], aliases: Mapping[str, str]
) -> Balance:
    """Return the balance of a graph whose model stores learned tensors of these `sizes`.

    `aliases` are other names of these tensors that nodes may read.
    """
    used = {aliases.get(name, name) for node in nodes for name in reads_outside(node)}
    left_out = []
    for name, size in sizes.items():
        left = size - ledger.counted(name)
        if left == size > 0:
            left_out.append(LeftOut(printable(name), left, "no output needs it" if name in used else "never used"))
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
