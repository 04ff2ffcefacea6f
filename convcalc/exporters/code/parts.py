"""A graph split into parts, one for each use of a block: what a part contains, takes and gives, and its names."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from keyword import iskeyword

from convcalc.graph import Graph, Layer, Ref

FEWEST = 2  # layers of a block that gets a class
LONG = 12  # steps that a value lives before it gets a long name
SHORT = tuple("xyzuvw")


class Part:
    """A block as it is used once, or the whole network: layers and parts in the order of computation.

    `takes` are the values from outside that it reads, `gives` those of its own that are read outside.
    """

    def __init__(self, path: str, label: str, start: int, stop: int) -> None:
        self.path, self.label, self.start, self.stop = path, label, start, stop
        self.items: list[Layer | Part] = []
        self.takes: list[Ref] = []
        self.gives: list[Ref] = []
        self.names: dict[int, str] = {}  # of an item, by its first layer

    @property
    def height(self) -> int:
        """How many levels of parts are inside."""
        return max((item.height + 1 for item in self.items if isinstance(item, Part)), default=0)

    def walk(self) -> Iterable[Part]:
        """Yield the part and all inside it."""
        yield self
        for item in self.items:
            if isinstance(item, Part):
                yield from item.walk()


def cut(graph: Graph, taken: frozenset[str], is_flat: bool = False) -> Part:
    """Split the whole network into nested parts, or with `is_flat` make it one; none of its names is in `taken`."""
    root = Part("", graph.name, 0, len(graph.all))
    groups = [group for group in graph.groups if group.label not in ("", "repeat")]
    groups = [group for group in groups if group.stop - group.start >= FEWEST and not is_flat]
    waiting = sorted(groups, key=lambda group: (group.start, -group.stop, len(group.path)), reverse=True)
    open_parts = [root]
    for layer in graph.layers:
        while layer.index >= open_parts[-1].stop:
            open_parts.pop()
        while waiting and waiting[-1].start == layer.index:
            group = waiting.pop()
            part = Part(group.path, group.label, group.start, group.stop)
            open_parts[-1].items.append(part)
            open_parts.append(part)
        open_parts[-1].items.append(layer)
    _connect(graph, root)
    for part in root.walk():
        _name(part, taken)
    return root


def _connect(graph: Graph, root: Part) -> None:
    read: dict[Ref, int] = {}  # the last layer that reads a value
    for layer in graph.layers:
        for ref in layer.inputs:
            read[ref] = layer.index
    ends = {layer.index for layer in graph.ends}
    inputs = [Ref(layer.index) for layer in graph.all if layer.is_input]
    root.takes = inputs
    for part in sorted(root.walk(), key=lambda part: part.height):  # from the inside out
        inside = [layer for layer in graph.all[part.start : part.stop] if not layer.is_input]
        if part is not root:
            reads = [ref for layer in inside for ref in layer.inputs]
            reads += [ref for item in part.items if isinstance(item, Part) for ref in item.takes]
            outside = (ref for ref in reads if ref.layer < part.start)
            # a part without inputs still needs the batch size
            part.takes = list(dict.fromkeys(outside)) or inputs[:1]
        for layer in inside:
            for port in range(len(layer.outputs)):
                ref = Ref(layer.index, port)
                if layer.index in ends or read.get(ref, -1) >= part.stop:
                    part.gives.append(ref)


def _name(part: Part, taken: frozenset[str]) -> None:
    used = set(taken)
    for item in part.items:
        own = item.path[len(part.path) + 1 :] if part.path else item.path
        kind = item.label if isinstance(item, Part) else item.kind.name
        first = item.start if isinstance(item, Part) else item.index
        part.names[first] = identifier(own, kind, used)


def identifier(text: str, prefix: str, used: set[str]) -> str:
    """Make a Python name that is not in `used`, and add it there.

    >>> used = {"train"}
    >>> [identifier(text, "conv", used) for text in ("more/1/conv", "1x1", "train", "train", "class")]
    ['more_1_conv', 'conv_1x1', 'train2', 'train3', 'class2']
    """
    name = re.sub(r"\W+", "_", text, flags=re.ASCII).strip("_")
    if not name or name[0].isdigit():
        name = f"{prefix}_{name}".strip("_")
    found, number = name, 1
    while found in used or iskeyword(found):
        number += 1
        found = f"{name}{number}"
    used.add(found)
    return found


def variables(
    takes: Sequence[str],
    steps: Sequence[tuple[str, Sequence[Ref], Sequence[Ref]]],
    refs: Sequence[Ref],
    gives: Sequence[Ref],
) -> list[tuple[list[str], list[str]]]:
    """Name the values of a function: for each step those that it reads and writes, at the end those returned.

    `steps` are a name, what is read, what is written. A short name is used again as soon as its value is read no more.
    """
    last: dict[Ref, int] = {ref: len(steps) for ref in gives}
    for at, (_, reads, _) in enumerate(steps):
        for ref in reads:
            last[ref] = max(at, last.get(ref, 0))
    held = dict(zip(refs, takes, strict=True))
    found: list[tuple[list[str], list[str]]] = []
    for at, (name, reads, writes) in enumerate(steps):
        read = [held[ref] for ref in reads]
        for ref in [ref for ref in held if last.get(ref, -1) <= at]:
            del held[ref]
        for ref in writes:
            if ref in last:
                busy = set(held.values())
                short = () if last[ref] - at > LONG else SHORT
                held[ref] = next((word for word in short if word not in busy), "") or identifier(name, "x", busy)
        found.append((read, [held.get(ref, "_") for ref in writes]))
    return [*found, ([held[ref] for ref in gives], [])]
