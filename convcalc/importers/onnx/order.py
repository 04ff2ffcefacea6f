"""A model's nodes in the order of computation: functions put in place, what no output needs left out."""

from __future__ import annotations

from convcalc.errors import SpecError, quoted
from convcalc.importers.onnx.file import MOST_NODES
from convcalc.importers.onnx.model import Function, Model, Node

MOST_CALLS_DEEP = 16


def ordered(model: Model) -> list[Node]:
    """The nodes that the outputs need, each after those it reads. Raises SpecError for a cycle."""
    nodes = _inlined(model) if model.functions else model.nodes
    makers: dict[str, int] = {}
    for at, node in enumerate(nodes):
        for name in node.outputs:
            if name:
                makers[name] = at
    needed = _needed(model, nodes, makers)
    waiting = dict.fromkeys(needed, 0)
    readers: dict[int, list[int]] = {}
    for at in needed:
        for name in {*reads(nodes[at])}:
            maker = makers.get(name)
            if maker is not None:
                waiting[at] += 1
                readers.setdefault(maker, []).append(at)
    # in the file's own order as far as it goes: most files are sorted, and readers expect their order
    if all(makers.get(name, -1) < at for at in needed for name in reads(nodes[at])):
        return [nodes[at] for at in needed]
    ready = [at for at in needed if not waiting[at]]
    found: list[Node] = []
    for at in ready:
        found.append(nodes[at])
        for reader in readers.get(at, ()):
            waiting[reader] -= 1
            if not waiting[reader]:
                ready.append(reader)
    if len(found) < len(needed):
        stuck = next(nodes[at] for at in needed if waiting[at])
        name = stuck.name or (stuck.outputs or ["?"])[0]
        raise SpecError(
            f"{quoted(model.name)}: the graph goes round in a circle at node {quoted(name)} ({quoted(stuck.operator)})"
        )
    return found


def reads(node: Node) -> list[str]:
    """Every value that a node reads, those inside its branches and loops too."""
    found = [name for name in node.inputs if name]
    for subgraph in node.subgraphs():
        for inner in subgraph.nodes:
            found.extend(reads(inner))
        found.extend(subgraph.outputs)
    return found


def _needed(model: Model, nodes: list[Node], makers: dict[str, int]) -> list[int]:
    """The nodes that some output depends on, in the file's order."""
    found: set[int] = set()
    waiting = [makers[name] for name in model.outputs if name in makers]
    while waiting:
        at = waiting.pop()
        if at not in found:
            found.add(at)
            waiting.extend(makers[name] for name in reads(nodes[at]) if name in makers)
    return sorted(found)


def _inlined(model: Model) -> list[Node]:
    """The nodes with each call of a function replaced by the function's own."""
    found: list[Node] = []
    calls = 0

    def put(node: Node, depth: int) -> None:
        nonlocal calls
        function = model.functions.get((node.domain, node.operator, node.overload))
        if function is None or depth > MOST_CALLS_DEEP:
            found.append(node)
        else:
            calls += 1
            for inner in _body(function, node, f"{calls}"):
                put(inner, depth + 1)
        if len(found) > MOST_NODES or calls > MOST_NODES:
            raise SpecError(f"{quoted(model.name)} expands to more than {MOST_NODES:,} nodes")

    for node in model.nodes:
        put(node, 0)
    return found


def _body(function: Function, call: Node, mark: str) -> list[Node]:
    """A function's nodes with the call's names and attributes."""
    names = {"": ""}
    for number, name in enumerate(function.inputs):
        names[name] = call.inputs[number] if number < len(call.inputs) else ""
    names.update(zip(function.outputs, call.outputs, strict=False))
    found = []
    for node in function.nodes:
        copy = node.copy()
        copy.name, copy.module = call.name or node.name, node.module or call.module
        copy.inputs = [names.get(name, f"{name}@{mark}") for name in node.inputs]
        copy.outputs = [names.get(name, f"{name}@{mark}") for name in node.outputs]
        copy.resolve(call, function.defaults)
        found.append(copy)
    return found
