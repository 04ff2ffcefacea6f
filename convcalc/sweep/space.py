"""How many networks a spec with choices holds, and how their costs are distributed, without listing them.

The list of layers falls into parts that only the shape between them connects. What a part costs depends on the shape
that arrives and on its own choices, so the networks up to a part are summed up as a distribution for each shape (and
each choice that comes again further down): a dynamic programme over the parts. Exact, as every number is a whole one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate
from typing import Any, NamedTuple

from convcalc.analysis.count import count
from convcalc.errors import SpecError, UserError
from convcalc.kinds import Shape
from convcalc.language.branches import inner_lists
from convcalc.language.builder import MOST_NESTED, Builder
from convcalc.language.choices import Choice, choices, read_choice
from convcalc.language.document import Document
from convcalc.language.input_shapes import read_inputs
from convcalc.language.layer_entry import parse_layer_entry
from convcalc.language.overrides import Overrides
from convcalc.language.scope import Scope, explicit_names
from convcalc.language.variables import AlreadyReported, Variables
from convcalc.syntax.node import Node

FIGURES = ("params", "macs")
MOST_PICKS = 100_000  # of one part
MOST_SUMS = 50_000  # different sums of one figure that are kept apart, shared by the shapes that a part may get
LEAST_SUMS = 2_000  # of them for each shape
MOST_ADDED = 6_000_000  # sums that are added up in all; half of them is planned for, as shapes may become more
MOST_BUILT = 20_000  # parts that are built, each on every shape and with every pick
TOO_MANY = "sweep --sample N draws some of the networks"
Picks = tuple[tuple[str, str], ...]  # alternatives by the choice's name, sorted


class Part(NamedTuple):
    """Consecutive layers that read nothing above them but what arrives; the choices that occur in them."""

    items: tuple[Node, ...]
    picks: tuple[Picks, ...]


class Summary:
    """Of the networks that reach one state: how many there are with each sum, and one with the least and the greatest.

    Past `room` different sums they are rounded down to a grid; `slack` is how much higher a sum may really be.
    """

    def __init__(self) -> None:
        self.networks = 0
        self.totals = dict.fromkeys(FIGURES, 0)
        self.slack = dict.fromkeys(FIGURES, 0)
        self.sums: dict[str, dict[int, int]] = {name: {} for name in FIGURES}
        self.least: dict[str, tuple[int, Any]] = {}
        self.most: dict[str, tuple[int, Any]] = {}

    def add(self, other: Summary, costs: Mapping[str, int], picks: Picks, room: int) -> None:
        """Take in the networks of `other`, each with a further part of these costs."""
        self.networks += other.networks
        for name in FIGURES:
            cost, sums = costs[name], self.sums[name]
            self.totals[name] += other.totals[name] + cost * other.networks
            self.slack[name] = max(self.slack[name], other.slack[name])
            for value, times in other.sums[name].items():
                sums[value + cost] = sums.get(value + cost, 0) + times
            if len(sums) > room:
                self._round(name, room)
            value, path = other.least[name]
            if name not in self.least or value + cost < self.least[name][0]:
                self.least[name] = (value + cost, (path, picks))
            value, path = other.most[name]
            if name not in self.most or value + cost > self.most[name][0]:
                self.most[name] = (value + cost, (path, picks))

    def _round(self, name: str, room: int) -> None:
        sums = self.sums[name]
        step = 4 * (max(sums) - min(sums)) // room + 2
        rounded: dict[int, int] = {}
        for value, times in sums.items():
            rounded[value // step * step] = rounded.get(value // step * step, 0) + times
        self.sums[name] = rounded
        self.slack[name] += step - 1

    @classmethod
    def empty(cls) -> Summary:
        """One network without layers."""
        found = cls()
        found.networks = 1
        for name in FIGURES:
            found.sums[name][0] = 1
            found.least[name] = found.most[name] = (0, None)
        return found


class Space(NamedTuple):
    """A document's networks: its choices, the combinations there are, and those of them that are networks.

    `summary` holds their sums; `least` and `most` a value of each figure with the alternatives that give it; `reason`
    is why some combination is no network.
    """

    choices: dict[str, Choice]
    written: int
    summary: Summary
    least: dict[str, tuple[int, dict[str, str]]]
    most: dict[str, tuple[int, dict[str, str]]]
    reason: str


def space(document: Document, overrides: Overrides) -> Space:
    """Every network that the choices of a document make. Raises SpecError.

    Choices that the overrides fix are not varied.
    """
    found = choices(document)
    given = {key: node.plain() for key, node in document.variants.get(overrides.variant, {}).items()}
    given.update(overrides.variables)
    fixed = {name: str(given[name]) for name in found if name in given}
    walk = _Walk(document, overrides, found, fixed)
    start = ((walk.shapes,), ())
    states: dict[Any, Summary] = {start: Summary.empty()}
    written: dict[Any, int] = {(): 1}
    last = {name: number for number, part in enumerate(walk.parts) for picks in part.picks for name, _ in picks}
    added = 0
    ways = max(1, sum(len(part.picks) for part in walk.parts))
    most_sums = min(MOST_SUMS, MOST_ADDED // 2 // (len(FIGURES) * ways))
    for number, part in enumerate(walk.parts):
        after: dict[Any, Summary] = {}
        room = min(MOST_SUMS, max(LEAST_SUMS, most_sums // max(1, len(states))))
        for ((shapes,), kept), summary in states.items():
            for picks in part.picks:
                agreed = _agreed(kept, picks)
                if agreed is None:
                    continue
                built = walk.build(number, shapes, agreed)
                if built is None:
                    continue
                added += sum(map(len, summary.sums.values()))
                if added > MOST_ADDED:
                    raise SpecError(f"the choices make more than {MOST_ADDED:,} sums to add up", TOO_MANY)
                state = ((built[0],), tuple(pair for pair in agreed if last[pair[0]] > number))
                after.setdefault(state, Summary()).add(summary, built[1], picks, room)
        states = after
        counts: dict[Any, int] = {}
        for kept, times in written.items():
            for picks in part.picks:
                agreed = _agreed(kept, picks)
                if agreed is not None:
                    key = tuple(pair for pair in agreed if last[pair[0]] > number)
                    counts[key] = counts.get(key, 0) + times
        written = counts
    total = Summary()
    for summary in states.values():
        total.add(summary, dict.fromkeys(FIGURES, 0), (), MOST_SUMS)
    if not states:
        raise SpecError("no combination is a valid network" + (f": {walk.reason}" if walk.reason else ""))
    ends = [
        {name: (value, _unrolled(path)) for name, (value, path) in one.items()} for one in (total.least, total.most)
    ]
    return Space(found, sum(written.values()), total, ends[0], ends[1], walk.reason)


def _agreed(kept: Picks, picks: Picks) -> Picks | None:
    """Both together, None where they pick differently."""
    together = dict(kept)
    for name, alternative in picks:
        if together.setdefault(name, alternative) != alternative:
            return None
    return tuple(sorted(together.items()))


def _unrolled(path: Any) -> dict[str, str]:
    found: dict[str, str] = {}
    while path is not None:
        path, picks = path
        found.update(picks)
    return dict(sorted(found.items()))


class _Walk:
    """The parts of a document, and what each costs."""

    def __init__(
        self, document: Document, overrides: Overrides, known: dict[str, Choice], fixed: Mapping[str, str]
    ) -> None:
        self.document, self.overrides, self.known, self.fixed = document, overrides, known, fixed
        self.reason = ""
        self.depth = 0  # of the lists of layers whose choices are looked at
        self.of_blocks: dict[str, list[Picks]] = {}
        self.costs: dict[Any, Any] = {}
        node = document.get("layers")
        self.items = node.value if node is not None and isinstance(node.value, list) else []
        builder = _PartBuilder(document, overrides)
        self.shapes = builder.input_shapes()
        self.parts = [Part(items, tuple(self._picks(items))) for items in self._cut()]
        self.choosable = [{name for picks in part.picks for name, _ in picks} for part in self.parts]

    def _cut(self) -> Iterator[tuple[Node, ...]]:
        """The layers in parts: a part begins where nothing further down names a layer above."""
        reach = list(range(len(self.items)))
        for at, item in enumerate(self.items):
            own = explicit_names([item])
            if any(name not in own for name in _references(item)):
                reach[at] = 0  # it may read anything above
        lowest = [*accumulate(reversed(reach), min)][::-1]  # of this layer and all below
        start = 0
        while start < len(self.items):
            stop = start + 1
            while stop < len(self.items) and lowest[stop] < stop:
                stop += 1
            has_choice = any(True for _ in self._named((self.items[start],)))
            while not has_choice and stop < len(self.items) and not any(True for _ in self._named((self.items[stop],))):
                stop += 1
            yield tuple(self.items[start:stop])
            start = stop

    def _named(self, items: Sequence[Node]) -> Iterator[str]:
        for picks in self._picks(items):
            if picks:
                yield picks[0][0]
                return

    def _picks(self, items: Sequence[Node]) -> Iterator[Picks]:
        """Every way to choose in a list of layers."""
        ways: dict[Picks, None] = {(): None}
        for item in items:
            inside = self._inside(item)
            ways = {agreed: None for way in ways for more in inside if (agreed := _agreed(way, more)) is not None}
            if len(ways) > MOST_PICKS:
                what = f"more than {MOST_PICKS:,} combinations in layers that cannot be told apart"
                raise SpecError(item.problem(what, TOO_MANY))
        yield from ways

    def _inside(self, item: Node) -> list[Picks]:
        """Every way to choose in one entry: a choice, or the lists that it holds."""
        if self.depth >= MOST_NESTED:  # more is an error, which building the network reports
            return [()]
        self.depth += 1
        try:
            return self._ways(item)
        finally:
            self.depth -= 1

    def _ways(self, item: Node) -> list[Picks]:
        try:
            entry = parse_layer_entry(item)
            if entry.tag == "choice":
                choice = read_choice(entry)
                found: dict[Picks, None] = {}
                for name, layers in choice.alternatives.items():
                    if self.fixed.get(choice.name, name) == name:
                        for picks in self._picks(layers):
                            agreed = _agreed(((choice.name, name),), picks)
                            found.update({agreed: None} if agreed is not None else {})
                return list(found)
        except UserError:
            return [()]
        block = self.document.blocks.get(entry.tag)
        if block is not None:
            if entry.tag not in self.of_blocks:
                self.of_blocks[entry.tag] = [()]  # where it is inside itself
                self.of_blocks[entry.tag] = list(self._picks(block.layers.value))
            return self.of_blocks[entry.tag]
        ways: dict[Picks, None] = {(): None}
        for layers in inner_lists(entry.fields.get("branches") or entry.fields.get("layers") or entry.bare):
            more = list(self._picks(layers))
            ways = {agreed: None for way in ways for one in more if (agreed := _agreed(way, one)) is not None}
        return list(ways)

    def build(self, number: int, shapes: tuple[Shape, ...], picks: Picks) -> Any:
        """What a part gives and costs; None where it is no network."""
        own = self.choosable[number]
        key = (number, shapes, tuple(pair for pair in picks if pair[0] in own))
        if key not in self.costs:
            if len(self.costs) >= MOST_BUILT:
                raise SpecError(f"the choices make more than {MOST_BUILT:,} parts to build", TOO_MANY)
            variables = {**self.overrides.variables, **dict(picks)}
            builder = _PartBuilder(self.document, self.overrides._replace(variables=variables))
            try:
                self.costs[key] = builder.part(self.parts[number].items, shapes)
            except SpecError as error:
                self.reason = self.reason or error.problems[0].message
                self.costs[key] = None
        return self.costs[key]


class _PartBuilder(Builder):
    """Builds some of a document's layers on given shapes."""

    def variables(self) -> Variables:
        variant = self._variant()
        self.chosen = {**{key: node.plain() for key, node in variant.items()}, **self.overrides.variables}
        nodes = {
            **self.document.variables,
            **{key: node for key, node in variant.items() if key in self.document.variables},
        }
        found = self.names.homes[id(self.document)] = Variables(nodes, self.overrides.variables, self.problems)
        return found

    def input_shapes(self) -> tuple[Shape, ...]:
        node = self._variant().get("input") or self.document.get("input")
        try:
            found = read_inputs(node, self.document.node, self.overrides.inputs, self.variables().value)
        except AlreadyReported:
            raise SpecError(self.problems) from None
        return tuple(found.shapes.values())

    def part(self, items: Sequence[Node], shapes: tuple[Shape, ...]) -> tuple[tuple[Shape, ...], dict[str, int]]:
        scope = Scope("", self.variables(), explicit_names(list(items)))
        node = self.document.get("input")
        names = list(node.value) if node is not None and isinstance(node.value, dict) else ["input"]
        if len(names) != len(shapes):
            names = [f"input{number}" for number in range(len(shapes))]
        refs = tuple(self.graph.add_input(name, shape) for name, shape in zip(names, shapes, strict=True))
        self.paths.update({name: (ref,) for name, ref in zip(names, refs, strict=True)})
        self.paths["input"] = refs
        found = self.build_layers(list(items), scope, refs)
        self._raise()
        counted = count(self.graph)
        return tuple(map(self.graph.shape, found or ())), {name: counted.figure(name) for name in FIGURES}


def _references(node: Node) -> Iterator[str]:
    """The names that `from` and `share` hold anywhere below a node."""
    if isinstance(node.value, list):
        for item in node.value:
            yield from _references(item)
    for key, inner in node.items():
        if key in ("from", "share"):
            for item in inner.value if isinstance(inner.value, list) else [inner]:
                yield str(item.value)
        else:
            yield from _references(inner)
