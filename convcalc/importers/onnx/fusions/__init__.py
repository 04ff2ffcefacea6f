"""Several ONNX nodes -> one node that a rule knows: gelu, silu, hard swish, layer, RMS and group normalization.

Older opsets, and exporters for older runtimes, spell these out. A pattern starts from one node in its middle; what it
replaces must be read by nothing else.
"""

from __future__ import annotations

from convcalc.importers.onnx.fusions import activations, normalization
from convcalc.importers.onnx.fusions.engine import Fuser
from convcalc.importers.onnx.model import Node
from convcalc.importers.onnx.values import Value

PATTERNS = activations.PATTERNS | normalization.PATTERNS


def fuse(nodes: list[Node], values: dict[str, Value], outputs: set[str]) -> list[Node]:
    """The nodes with every pattern replaced by one node."""
    return Fuser(nodes, values, outputs).fuse(PATTERNS)
