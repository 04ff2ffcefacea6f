"""A network as units of source, each a class or a function: one for every block, one for blocks that differ only in
sizes, one for the whole. What a language makes of a unit is its own file's business."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any, NamedTuple

from convcalc.analysis.count import Count
from convcalc.exporters.code.code import Code, Name, docstring
from convcalc.exporters.code.parts import Part, cut, identifier, variables
from convcalc.graph import Graph, Layer, Ref
from convcalc.kinds import shape_text
from convcalc.kinds.linear import Embedding

WIDTH = 100
NEVER = object()  # the default of an argument that has none


class Line(NamedTuple):
    """What a unit makes once; which of its arguments differ between uses is not known yet."""

    name: str
    code: Code

    @property
    def values(self) -> list[tuple[str, Any]]:
        """The arguments by role."""
        given = {role: value for role, (value, _) in self.code.options.items()}
        return [*self.code.needs.items(), *given.items()]


class Step(NamedTuple):
    """One call: the names of what it writes, which line makes what is called, and the names of what it reads."""

    writes: tuple[str, ...]
    line: str
    code: Code
    reads: tuple[str, ...]


class Draft(NamedTuple):
    """The unit that one use of a block needs."""

    part: Part
    lines: list[Line]
    takes: list[str]
    steps: list[Step]
    gives: list[str]

    @property
    def key(self) -> tuple[Any, ...]:
        """What two uses must have in common to be one unit: everything but the arguments of what is made."""
        lines = tuple((line.name, line.code.module, tuple(role for role, _ in line.values)) for line in self.lines)
        steps = tuple((step.writes, step.line, step.code.call, step.code.note, step.reads) for step in self.steps)
        return self.part.label, lines, tuple(self.takes), steps, tuple(self.gives)


class Writer(ABC):
    """One graph as units, the inner ones first.

    Subclasses say what the text of a unit is, and `name` which names the file has already.
    """

    taken: frozenset[str] = frozenset()  # names that nothing in a unit may use
    reserved: frozenset[str] = frozenset()  # names that no unit and no variable may use
    keeps_inputs = False  # whether the network's inputs keep their names to its end

    def __init__(self, graph: Graph, codes: Mapping[int, Code], name: str) -> None:
        self.graph, self.codes, self.name = graph, codes, name
        self.root = cut(graph, self.taken)
        self.used = {*self.reserved, name}
        self.units: list[str] = []
        self.calls: dict[int, Code] = {}  # how a part is made and called, by its identity
        self.homes: dict[int, tuple[str, ...]] = {}  # the names from the root to a layer
        self._find(self.root, ())
        if self.is_flat():
            self.root = cut(graph, self.taken, is_flat=True)
            self._find(self.root, ())
        parts = sorted(self.root.walk(), key=lambda part: part.height)
        for _, level in groupby((part for part in parts if part is not self.root), key=lambda part: part.height):
            alike: dict[Any, list[Draft]] = {}
            for part in level:
                draft = self._draft(part)
                alike.setdefault(draft.key, []).append(draft)
            for drafts in alike.values():
                self._unit(drafts)
        root = self._draft(self.root)
        self.units.append(self.unit(name, [], root.lines, root))

    @abstractmethod
    def unit_name(self, label: str) -> str:
        """Turn a block's label into the name of a unit."""

    @abstractmethod
    def unit(self, name: str, arguments: Sequence[str], lines: Sequence[Line], draft: Draft) -> str:
        """Write the text of a unit."""

    def is_flat(self) -> bool:
        """Whether the network must be written without blocks."""
        return False

    def makes(self, layer: Layer, is_root: bool) -> bool:
        """Whether a layer that shares another's weights has a line of its own all the same."""
        return self.owner(layer) is layer

    def owner(self, layer: Layer) -> Layer:
        """Return the layer that owns the weights of a layer."""
        while layer.shares is not None:
            layer = self.graph.all[layer.shares]
        return layer

    def is_beside(self, layer: Layer, owner: Layer) -> bool:
        """Whether the layer's unit can call what the owner's line makes."""
        return owner.kind.name == layer.kind.name and self.homes[layer.index][:-1] == self.homes[owner.index][:-1]

    def _find(self, part: Part, path: tuple[str, ...]) -> None:
        for item in part.items:
            if isinstance(item, Part):
                self._find(item, (*path, part.names[item.start]))
            else:
                self.homes[item.index] = (*path, part.names[item.index])

    def _draft(self, part: Part) -> Draft:
        lines: list[Line] = []
        wanted: list[tuple[str, Sequence[Ref], Sequence[Ref]]] = []
        found: list[tuple[Code, str]] = []
        for item in part.items:
            if isinstance(item, Part):
                code, name = self.calls[id(item)], part.names[item.start]
                lines.append(Line(name, code))
                wanted.append((name, item.takes, item.gives))
                found.append((code, name))
                continue
            code, name = self.codes[item.index], part.names[item.index]
            owner = self.owner(item)
            home = part.names[owner.index] if owner is not item and self.is_beside(item, owner) else name
            if code.module and home == name and self.makes(item, part is self.root):
                lines.append(Line(name, code))
            wanted.append((name, item.inputs, [Ref(item.index, port) for port in range(len(item.outputs))]))
            found.append((code, home))
        takes = self.takes(part)
        kept = part.takes if self.keeps_inputs and part is self.root else []
        named = variables(takes, wanted, part.takes, [*part.gives, *kept])
        steps = [
            Step(tuple(writes), home, code, tuple(reads))
            for (code, home), (reads, writes) in zip(found, named[:-1], strict=True)
        ]
        return Draft(part, lines, takes, steps, named[-1][0][: len(part.gives)])

    def takes(self, part: Part) -> list[str]:
        """Name what a unit takes."""
        if len(part.takes) == 1:
            return ["x"]
        used = set(self.reserved)
        if part is self.root:
            return [identifier(self.graph.all[ref.layer].path, "input", used) for ref in part.takes]
        return [identifier("xyz"[at] if at < 3 else f"x{at}", "x", used) for at in range(len(part.takes))]

    def _unit(self, drafts: Sequence[Draft]) -> None:
        """Write one unit for all uses; values that differ between uses become its arguments."""
        name = identifier(self.unit_name(drafts[0].part.label), "block", self.used)
        columns = [
            tuple(zip(*(draft.lines[at].values for draft in drafts), strict=True)) for at in range(len(drafts[0].lines))
        ]
        varying: dict[tuple[Any, ...], list[tuple[int, str]]] = {}
        for at, column in enumerate(columns):
            for cells in column:
                values = tuple(value for _, value in cells)
                if any(value != values[0] for value in values):
                    varying.setdefault(values, []).append((at, cells[0][0]))
        arguments = _names(varying, [line.name for line in drafts[0].lines], {*self.reserved, *drafts[0].takes})
        lines = []
        for at, line in enumerate(drafts[0].lines):
            put = {role: names for values, names in arguments.items() for place, role in varying[values] if place == at}
            lines.append(Line(line.name, _with(line.code, put)))
        self.units.append(self.unit(name, list(arguments.values()), lines, drafts[0]))
        for number, draft in enumerate(drafts):
            own = {names: values[number] for values, names in arguments.items()}
            inputs = ", ".join(f"{{{at}}}" for at in range(len(draft.part.takes)))
            few = len(own) <= 2
            code = Code(name, own if few else {}, {} if few else {key: (value, NEVER) for key, value in own.items()})
            self.calls[id(draft.part)] = code._replace(call=f"{{module}}({inputs})")


def header(counted: Count, more: str = "") -> str:
    """Write the docstring of a file: what the network is, what it takes, what it costs."""
    graph = counted.graph
    inputs = ", ".join(f"{name} {shape_text(shape)}" for name, shape in graph.inputs.items())
    about = [
        f"Input, without the batch: {inputs}.{more}",
        f"{counted.figure('params'):,} parameters; {counted.figure('macs'):,} MACs for a batch of "
        f"{graph.batch}. Written by convcalc.",
    ]
    return docstring([f"{graph.name.rstrip('.')}.", "", *about]) + "\n"


def is_of_tokens(graph: Graph, name: str) -> bool:
    """Whether an input holds token numbers: only embeddings read it."""
    own = next(layer.index for layer in graph.all if layer.path == name)
    readers = [layer for layer in graph.layers if any(ref.layer == own for ref in layer.inputs)]
    return bool(readers) and all(isinstance(layer.kind, Embedding) for layer in readers)


def _with(code: Code, put: Mapping[str, str]) -> Code:
    needs = {role: Name(put[role]) if role in put else value for role, value in code.needs.items()}
    options = {role: (Name(put[role]), NEVER) if role in put else given for role, given in code.options.items()}
    return code._replace(needs=needs, options=options)


def _names(
    varying: Mapping[tuple[Any, ...], list[tuple[int, str]]], lines: Sequence[str], used: set[str]
) -> dict[tuple[Any, ...], str]:
    """Name each argument of a unit by its role, after the line's name where two have the same role."""
    roles = [places[0][1] for places in varying.values()]
    found = {}
    for values, places in varying.items():
        at, role = places[0]
        alone = roles.count(role) == 1
        found[values] = identifier(
            role if alone or (role.startswith("in_") and role not in used) else f"{lines[at]}_{role}", "x", used
        )
    return found


def wrapped(head: str, items: Sequence[str], tail: str) -> list[str]:
    """Write a call on one line, or with its arguments on further lines where it is too long."""
    line = f"{head}{', '.join(items)}{tail}"
    if len(line) <= WIDTH:
        return [line]
    margin = " " * (len(head) - len(head.lstrip()))
    inner = f"{margin}    {', '.join(items)}"
    return [head, *([inner] if len(inner) <= WIDTH else [f"{margin}    {item}," for item in items]), f"{margin}{tail}"]
