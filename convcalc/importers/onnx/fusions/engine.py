"""What patterns ask of a graph, and the replacement of several nodes by one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import isclose

from convcalc.importers.onnx.model import Node, Unsupported
from convcalc.importers.onnx.values import Value

MOST_CASTS = 8  # in a row, that a pattern is seen through
MOST_NODES = 40  # that one pattern replaces


class Fuser:
    """The nodes of a graph by what they compute and read, and those that patterns replace."""

    def __init__(self, nodes: list[Node], values: dict[str, Value], outputs: set[str]) -> None:
        self.nodes = nodes
        self.values = values
        self.outputs = outputs
        self.makers: dict[str, Node] = {}
        self.readers: dict[str, dict[int, Node]] = {}
        for node in nodes:
            for name in node.outputs:
                self.makers[name] = node
            for name in node.inputs:
                self.readers.setdefault(name, {})[id(node)] = node
        self._removed: set[int] = set()
        self._replacements: dict[int, Node] = {}  # the last node of a pattern -> the one that replaces them all

    def fuse(self, patterns: Mapping[str, Pattern]) -> list[Node]:
        """The nodes after every pattern, each tried at the operator it starts from."""
        for node in self.nodes:
            pattern = patterns.get(node.operator)
            is_free = id(node) not in self._removed and _has_ends(node) and node.outputs[0] not in self.values
            if pattern is not None and is_free:
                try:
                    pattern(self, node)
                except Unsupported:  # an attribute of the wrong type: its node is part of no pattern
                    continue
        return [self._replacements.get(id(node), node) for node in self.nodes if id(node) not in self._removed]

    # -- what patterns ask for -------------------------------------------------------------------------------------

    def number(self, name: str) -> float | None:
        """The number that a constant of one element holds."""
        value = self.values.get(name)
        number = None if value is None else value.scalar()
        return None if number is None else float(number)

    def is_number(self, name: str, *wanted: float) -> bool:
        """Whether a value is a constant close to one of these numbers."""
        number = self.number(name)
        return number is not None and any(isclose(number, other, rel_tol=2e-3) for other in wanted)

    def only(self, node: Node, *operators: str) -> Node | None:
        """The only node that reads a node's output, casts left aside, if it has one of these operators."""
        for _ in range(MOST_CASTS):
            readers = self.readers.get(node.outputs[0], {}) if node.outputs else {}
            if len(readers) != 1 or node.outputs[0] in self.outputs:
                return None
            (node,) = readers.values()
            if node.operator != "Cast" or "Cast" in operators:
                return node if node.operator in operators and node.outputs else None
        return None

    def maker(self, name: str, *operators: str) -> Node | None:
        """The node that computes a value, casts left aside, if it has one of these operators."""
        node = self.makers.get(name if "Cast" in operators else self.origin(name))
        return node if node is not None and node.operator in operators and _has_ends(node) else None

    def other(self, node: Node, name: str) -> str:
        """The operand of a binary node that is not `name`."""
        return next((other for other in node.inputs if other != name), name)

    def scaled(self, name: str, *factors: float) -> str:
        """The value that, times one of these factors, gives `name`; "" if there is none."""
        node = self.maker(name, "Mul", "Div")
        if node is None or len(node.inputs) != 2:
            return ""
        for at in (0, 1):
            is_divisor = node.operator == "Div" and at == 1
            wanted = [1 / factor for factor in factors] if is_divisor else list(factors)
            if (node.operator == "Mul" or is_divisor) and self.is_number(node.inputs[at], *wanted):
                return node.inputs[1 - at]
        return ""

    def is_learned(self, name: str) -> bool:
        """Whether a value is a constant computed from learned tensors."""
        return name in self.values and bool(self.values[name].source_weights)

    def origin(self, name: str) -> str:
        """The value before casts."""
        for _ in range(MOST_CASTS):
            node = self.makers.get(name)
            if node is None or node.operator != "Cast" or not node.inputs:
                break
            name = node.inputs[0]
        return name

    def put(self, operator: str, sources: list[str], last: Node, anchor: Node, **attributes: int) -> None:
        """Replace the nodes from the first source to `last` by one node, unless anything else reads them."""
        between = self._between(sources[0], last)
        if between is None:
            return
        node = Node(operator, sources, last.outputs, **attributes)
        node.name, node.module = anchor.name, anchor.module
        self._removed.update(id(other) for other in between if other is not last)
        self._replacements[id(last)] = node
        for other in between:
            for name in other.inputs:
                self.readers.get(name, {}).pop(id(other), None)
        for name in sources:
            self.readers.setdefault(name, {})[id(node)] = node
        self.makers.update(dict.fromkeys(node.outputs, node))

    def _between(self, source: str, last: Node) -> list[Node] | None:
        """The nodes after a value up to a node; None where they read or are read by something else."""
        nodes: dict[int, Node] = {}
        waiting = [last]
        while waiting:
            node = waiting.pop()
            if id(node) in nodes:
                continue
            nodes[id(node)] = node
            if len(nodes) > MOST_NODES:
                return None
            for name in node.inputs:
                if name and name != source and name not in self.values:
                    maker = self.makers.get(name)
                    if maker is None:
                        return None
                    waiting.append(maker)
        inner = [node for node in nodes.values() if node is not last]
        if any(self._is_read_outside(name, nodes) for node in inner for name in node.outputs):
            return None
        return list(nodes.values())

    def _is_read_outside(self, name: str, nodes: Mapping[int, Node]) -> bool:
        return name in self.outputs or any(reader not in nodes for reader in self.readers.get(name, {}))


Pattern = Callable[[Fuser, Node], None]


def _has_ends(node: Node) -> bool:
    return bool(node.inputs and node.outputs)
