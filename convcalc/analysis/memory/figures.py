"""The figures of the deployed network's memory, under the names that limits, comparisons and reports give them."""

from __future__ import annotations

from convcalc.analysis.memory.precision import Precision
from convcalc.graph import Graph

MEMORY = {
    "peak_bytes": "the most bytes of activations alive at once at the precision, as deployed",
    "arena_bytes": "bytes of TensorFlow Lite Micro's arena for the activations at the precision, as deployed",
    "flash_bytes": "bytes of weights and biases at the precision, as deployed",
}


def memory_figure(name: str, graph: Graph, precision: Precision) -> int:
    """One of these figures of a network.

    >>> from convcalc.analysis.memory.precision import PRECISIONS
    >>> from convcalc.loader import read
    >>> network = read("{input: 3x8x8, layers: [{conv: {filters: 4, kernel: 3}}]}")
    >>> memory_figure("peak_bytes", network, PRECISIONS["int8"])  # 3*8*8 read, 4*6*6 written
    336
    """
    from convcalc.analysis.memory.live import deployed_memory  # `check` seldom asks for it

    value: int = getattr(deployed_memory(graph, precision), name.removesuffix("_bytes"))
    return value
