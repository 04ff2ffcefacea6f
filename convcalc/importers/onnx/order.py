"""A model's nodes in the order of computation: functions inlined, nodes that no output needs left out."""

from __future__ import annotations

from convcalc.errors import SpecError, quoted
from convcalc.importers.onnx.file import MOST_NODES
from convcalc.importers.onnx.model import Function, Model, Node

MOST_NESTED_CALLS = 16
MOST_COPIED = 2_000_000  # names and attributes that calls of functions copy


def ordered(model: Model) -> list[Node]:
    """Return the nodes that the outputs need, each after those it reads. Raises SpecError for a cycle."""
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
    # most files are sorted, and people expect the order of the file
    if all(makers.get(name, -1) < at for at in needed for name in reads(nodes[at])):
        return [nodes[at] for at in needed]
    ready = [at for at in needed if not waiting[at]]
    result: list[Node] = []
    for at in ready:
        result.append(nodes[at])
        for reader in readers.get(at, ()):
            waiting[reader] -= 1
            if not waiting[reader]:
                ready.append(reader)
    if len(result) < len(needed):
        stuck = next(nodes[at] for at in needed if waiting[at])
        name = stuck.name or (stuck.outputs or ["?"])[0]
        raise SpecError(
            f"{quoted(model.name)}: the graph has a cycle at node {quoted(name)} ({quoted(stuck.operator)})"
        )
    return result


def reads(node: Node) -> list[str]:
    """Return every value that a node reads, those inside its branches and loops too."""
    found = [name for name in node.inputs if name]
    for subgraph in node.subgraphs():
        for inner in subgraph.nodes:
            found.extend(reads(inner))
        found.extend(subgraph.outputs)
    return found


def reads_outside(node: Node) -> list[str]:
    """Return every value that a node reads, in its branches and loops only those of the graph around them."""
    names = [name for name in node.inputs if name]
    for subgraph in node.subgraphs():
        own = {
            *subgraph.inputs,
            *subgraph.tensors,
            *(name for inner in subgraph.nodes for name in inner.outputs),
        }
        inside = [*(name for inner in subgraph.nodes for name in reads_outside(inner)), *subgraph.outputs]
        names.extend(name for name in inside if name not in own)
    return names


def _needed(model: Model, nodes: list[Node], makers: dict[str, int]) -> list[int]:
    """Return the nodes that some output depends on, in the file's order."""
    needed: set[int] = set()
    waiting = [makers[name] for name in model.outputs if name in makers]
    while waiting:
        at = waiting.pop()
        if at not in needed:
            needed.add(at)
            waiting.extend(makers[name] for name in reads(nodes[at]) if name in makers)
    return sorted(needed)


def _inlined(model: Model) -> list[Node]:
    """Return the nodes with each call of a function replaced by the function's own."""
    found: list[Node] = []
    calls = copied = 0

    def put(node: Node, depth: int) -> None:
        nonlocal calls, copied
        function = model.functions.get((node.domain, node.operator, node.overload))
        if function is None or depth > MOST_NESTED_CALLS:
            found.append(node)
        else:
            calls += 1
            copied += len(function.inputs) + len(function.outputs) + sum(inner.size for inner in function.nodes)
            if copied > MOST_COPIED:
                raise SpecError(f"{quoted(model.name)} expands to more than {MOST_COPIED:,} names and attributes")
            for inner in _body(function, node, f"{calls}"):
                put(inner, depth + 1)
        if len(found) > MOST_NODES or calls > MOST_NODES:
            raise SpecError(f"{quoted(model.name)} expands to more than {MOST_NODES:,} nodes")

    for node in model.nodes:
        put(node, 0)
    return found


def _body(function: Function, call: Node, mark: str) -> list[Node]:
    """Return a function's nodes with the call's names and attributes; `mark` tells the calls apart."""
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
