"""What a spec defines and nothing uses: variables, blocks, arguments, layers. The figures are right without; the reader
who wrote it meant something else.

A name counts as used wherever the file mentions it, whatever is built: an alternative of a choice may need it.
"""

from __future__ import annotations

from collections.abc import Iterator

from convcalc.errors import Problem
from convcalc.graph import Graph, learned
from convcalc.language.document import Block, Document
from convcalc.syntax.expression_parser import names_in
from convcalc.syntax.node import Node

_FIX = "use it, or leave it out"


def idle_parts(document: Document, graph: Graph, used_variables: set[str], used_blocks: set[str]) -> list[Problem]:
    """What nothing uses, each at its location."""
    return [
        *_variables(document, used_variables),
        *_blocks(document, used_blocks),
        *_arguments(document),
        *_layers(graph),
    ]


def _variables(document: Document, used: set[str]) -> Iterator[Problem]:
    idle = document.variables.keys() - used
    if idle:
        idle -= _mentioned(document.node)
    for name, node in document.variables.items():
        if name in idle:
            yield Problem(f"nothing uses the variable '{name}'", node.key_place, (), _FIX)


def _blocks(document: Document, used: set[str]) -> Iterator[Problem]:
    idle = [block for block in _own(document) if block.name not in used]
    words = _words(document.node) if idle else set()
    for block in idle:
        if block.name not in words:
            yield Problem(f"nothing uses the block '{block.name}'", block.node.key_place, (), _FIX)


def _arguments(document: Document) -> Iterator[Problem]:
    for block in _own(document):
        mentioned = _mentioned(block.node) if block.arguments else set()
        for name, node in block.arguments.items():
            if name not in mentioned:
                place = node.place if node.key is None else node.key_place
                yield Problem(f"the block '{block.name}' does not use its argument '{name}'", place, (), _FIX)


def _layers(graph: Graph) -> Iterator[Problem]:
    """Layers that nothing reads and that are no output, once for each line of the file."""
    outputs = {layer.index for layer in graph.outputs}
    seen = set()
    for layer in graph.unread:
        if layer.index in outputs or layer.place in seen:
            continue
        seen.add(layer.place)
        params = sum(learned(layer).values()) if layer.kind.is_counted else 0
        counted = f"; its {params:,} params are in the total" if params else ""
        hint = "name it in outputs:, read it with from:, or leave it out"
        yield Problem(f"nothing reads '{layer.path}', and it is no output{counted}", layer.place, (), hint)


def _own(document: Document) -> list[Block]:
    return [block for block in document.blocks.values() if block.home is document]


def _mentioned(node: Node) -> set[str]:
    """The names in expressions anywhere below a node, and the fields without a value, which stand for themselves."""
    names = names_in(node.value) if isinstance(node.value, str) else set()
    for item in _below(node):
        names |= _mentioned(item)
        if item.value is None and item.key is not None and not _is_args(node):
            names.add(str(item.key.value))
    return names


def _is_args(node: Node) -> bool:
    """Whether keys without a value are required arguments of a block."""
    return node.key is not None and node.key.value == "args"


def _words(node: Node) -> set[str]:
    """Every key and text below a node that may name a block; a block does not name itself."""
    words = {node.value} if isinstance(node.value, str) else set()
    for item in _below(node):
        is_definition = node.key is not None and node.key.value == "blocks"
        words |= _words(item)
        if item.key is not None and not is_definition:
            words.add(str(item.key.value))
    return words


def _below(node: Node) -> list[Node]:
    if isinstance(node.value, list):
        return node.value
    return list(node.value.values()) if isinstance(node.value, dict) else []
