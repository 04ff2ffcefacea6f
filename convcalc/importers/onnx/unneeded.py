"""Work whose result no output needs is in no layer of the graph; its MACs are told."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from copy import copy

from convcalc.analysis.count import count
from convcalc.errors import SpecError, printable
from convcalc.graph import Graph
from convcalc.importers.onnx.model import Model
from convcalc.importers.onnx.order import reads_outside

# of operators with MACs: parts of their names
_PRODUCTS = ("Conv", "MatMul", "Gemm", "Einsum", "Attention", "LSTM", "GRU", "RNN")


def tell_unneeded(graph: Graph, model: Model, import_whole: Callable[[Model], Graph]) -> None:
    """Note in the balance of a model's graph the MACs of work that no output needs.

    They are those that the model has more with the results of this work as outputs; `import_whole` imports it so.
    """
    results = _results(model)
    if graph.balance is None or not (results or model.unwritten):
        return
    names: tuple[str, ...] = tuple(map(printable, (*model.unwritten, *results.values())))
    macs = None
    if not model.unwritten:
        whole = copy(model)
        whole.outputs = [*model.outputs, *results]
        with suppress(SpecError):
            counted, known = count(import_whole(whole)), {layer.path for layer in graph.layers}
            macs = counted.figure("macs") - count(graph).figure("macs")
            names = tuple(row.path for row in counted.rows if row.figure("macs") and row.path not in known)
    if macs != 0:
        graph.balance = graph.balance._replace(unneeded=names, unneeded_macs=macs)


def _results(model: Model) -> dict[str, str]:
    """Return the results of products that no output needs, each with the name of its node."""
    needed, waiting = set(), [*model.outputs]
    makers = {name: node for node in model.nodes for name in node.outputs if name}
    while waiting:
        name = waiting.pop()
        if name not in needed:
            needed.add(name)
            waiting.extend(reads_outside(makers[name]) if name in makers else ())
            waiting.extend(makers[name].outputs if name in makers else ())
    return {
        name: node.name or node.operator
        for node in model.nodes
        for name in node.outputs[:1]
        if name and name not in needed and any(part in node.operator for part in _PRODUCTS)
    }
