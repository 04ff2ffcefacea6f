"""A graph as the nested list of layers that a spec is: joins hold their branches where nothing else reaches in.

The way there: a join and everything between it and the last layer that all of its inputs come through (its immediate
dominator) make one item, if no other layer reads from in between and no layer belongs to two branches.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import reduce
from typing import Any

from convcalc.conventions.convention import kinds_by_call
from convcalc.graph import Graph, Layer, Ref, Shared

MOST_NESTED = 4  # a reader loses the thread beyond, and the spec reader stops at 40 levels of YAML
MOST_IN_JOIN = 400
MOST_STEPS = 300_000  # layers that are visited in all to see what lies between a join and its fork
ENTRY = Ref(-1)  # what a block, or the network, is given

Fields = dict[str, Any]


BESIDE_FIELDS = ("via", "bits")  # that an entry may have besides the fields of its kind


class Item:
    """One entry of a list of layers: a layer, a join with its branches, a block with arguments, or a repeat.

    `leaves` are the layers it stands for, the last being its output; `sources` what it reads from outside itself, in
    the order of its inputs; `needs` everything from outside that it or a layer in its branches reads. In the body of a
    block or repeat, `copies` are the layers of every copy, the first being `leaves`.
    """

    __slots__ = (
        "branches",
        "copies",
        "fields",
        "leaves",
        "name",
        "needs",
        "shared",
        "shares",
        "sources",
        "tag",
        "tied",
    )

    def __init__(
        self,
        tag: str,
        fields: Fields,
        leaves: list[Layer],
        sources: tuple[Ref, ...],
        needs: frozenset[Ref] = frozenset(),
        branches: list[list[Item]] | None = None,
    ) -> None:
        self.tag, self.fields, self.leaves, self.sources = tag, fields, leaves, sources
        self.needs = needs or frozenset(sources)
        self.branches = branches
        self.copies = [leaves]
        self.shares: Layer | None = None
        self.shared: tuple[Shared, ...] = ()  # elements that other layers count
        self.tied = False  # shares weights, or has weights that others share: like no other entry
        self.name = ""

    @property
    def output(self) -> Layer:
        return self.leaves[-1]

    def owners(self) -> list[int]:
        """The layers that count what it stores, by index."""
        whole = [] if self.shares is None else [self.shares.index]
        return whole + [item.layer for item in self.shared if item.layer is not None]

    def results(self) -> tuple[Ref, ...]:
        """What the next entry of the list is given."""
        return tuple(Ref(self.output.index, port) for port in range(len(self.output.outputs)))

    def skips_across_resolutions(self) -> bool:
        """Whether it concatenates a layer with what went to a smaller grid and came back, as U-Net does."""
        if self.tag != "concat" or [] not in (self.branches or []):
            return False
        grid = self.output.output[1:]
        return any(len(leaf.output) == len(grid) + 1 and leaf.output[1:] < grid for leaf in self.leaves)

    def height(self) -> int:
        """How deep branches nest in it."""
        if not self.branches:
            return 0
        return 1 + max((item.height() for branch in self.branches for item in branch), default=0)

    def lines(self) -> int:
        """How many lines it takes in a spec."""
        if self.branches is None:
            return 1
        return 1 + sum(max(1, sum(item.lines() for item in branch)) for branch in self.branches)

    def __repr__(self) -> str:
        return f"Item({self.tag!r}, {self.fields!r}, {self.branches!r})"


def arrange(graph: Graph) -> list[Item]:
    """The layers of a graph as the entries of a spec's list, in order.

    >>> from convcalc.kinds.conv import Conv
    >>> graph = Graph("tiny")
    >>> image = graph.add_input("image", (3, 8, 8))
    >>> _ = graph.add("wide", Conv(filters=4, kernel=3), (image,))
    >>> arrange(graph)
    [Item('conv', {'filters': 4, 'kernel': 3}, None)]
    """
    apart: set[int] = set()
    for _ in range(8):
        items = _Arranger(graph, apart).arrange()
        late = _late(items)
        if not late:
            return items
        apart |= late
    return _Arranger(graph, {layer.index for layer in graph.all}).arrange()


def _late(items: list[Item]) -> set[int]:
    """The joins that hold a layer back behind another which shares its weights."""
    order: dict[int, int] = {}
    around: dict[int, tuple[int, ...]] = {}
    waiting: list[tuple[Item, tuple[int, ...]]] = [(item, ()) for item in reversed(items)]
    while waiting:
        item, joins = waiting.pop()
        if item.branches:
            inside = (*joins, item.output.index)
            waiting += [(one, inside) for branch in reversed(item.branches) for one in reversed(branch)]
        order[item.output.index], around[item.output.index] = len(order), joins
    return {
        join
        for item in every(items)
        for owner in item.owners()
        if order[owner] > order[item.output.index]
        for join in around[owner]
    }


def default_bits(graph: Graph) -> str:
    """The bits that most layers have; "" without bits."""
    times: dict[str, int] = {}
    for layer in graph.layers:
        if layer.bits is not None:
            times[str(layer.bits)] = times.get(str(layer.bits), 0) + 1
    return max(times, key=times.__getitem__, default="")


class _Arranger:
    def __init__(self, graph: Graph, apart: set[int]) -> None:
        self.graph = graph
        self.apart = apart  # joins whose branches are not written inside them
        self.items: dict[int, Item] = {}  # by the index of their output
        self.readers: list[set[int]] = [set() for _ in graph.all]
        for layer in graph.all:
            for ref in layer.inputs:
                self.readers[ref.layer].add(layer.index)
        self.last_reader = [max(readers, default=-1) for readers in self.readers]
        self.steps = 0
        self.dominators = _dominators(graph)
        self.shared = {layer.shares for layer in graph.all if layer.shares is not None}
        self.shared |= {item.layer for layer in graph.all for item in layer.shared if item.layer is not None}

    def arrange(self) -> list[Item]:
        default = default_bits(self.graph)
        for layer in self.graph.layers:
            item = Item(layer.kind.name, dict(layer.kind.values()), [layer], layer.inputs)
            if layer.via == "function" and layer.kind.name in kinds_by_call():  # a module is the default
                item.fields["via"] = layer.via
            if layer.bits is not None and (own := str(layer.bits)) != default:
                item.fields["bits"] = own
            if layer.shares is not None:
                item.shares = self.graph.all[layer.shares]
            item.shared = layer.shared
            item.tied = bool(layer.shares is not None or layer.shared) or layer.index in self.shared
            if layer.kind.has_branches and len(layer.inputs) > 1 and layer.index not in self.apart:
                item = self._nest(layer, item) or item
            self.items[layer.index] = item
        return [self.items[index] for index in sorted(self.items)]

    def _nest(self, join: Layer, item: Item) -> Item | None:
        """The join with its branches, or None where they are not its own."""
        fork = self.dominators[join.index]
        entries = {ref for ref in join.inputs if ref.layer == fork}
        branches: list[list[int]] = []
        taken: set[int] = set()
        for ref in join.inputs:
            found = self._between(ref, fork, entries, join.index)
            if found is None or not taken.isdisjoint(found) or (found and max(found) != ref.layer):
                return None
            taken |= found
            if len(taken) > MOST_IN_JOIN:
                return None
            branches.append(sorted(found))
        inside = {leaf.index for index in taken for leaf in self.items[index].leaves} | {join.index}
        if len(inside) > MOST_IN_JOIN or any(not self.readers[index] <= inside for index in inside - {join.index}):
            return None
        return self._joined(item, branches, entries, fork)

    def _joined(self, item: Item, branches: list[list[int]], entries: set[Ref], fork: int) -> Item | None:
        whole = [Ref(fork, port) for port in range(len(self.graph.all[fork].outputs))] if fork >= 0 else []
        if fork >= 0 and len(whole) > 1:
            return None  # a branch is given every output of the layer above: said with from: instead
        nested = [[self.items[index] for index in branch] for branch in branches]
        if any(ref not in whole for ref in entries):
            return None
        leaves = [leaf for branch in nested for one in branch for leaf in one.leaves] + item.leaves
        own = {leaf.index for leaf in leaves}
        needs = frozenset(ref for branch in nested for one in branch for ref in one.needs if ref.layer not in own)
        joined = Item(item.tag, item.fields, leaves, tuple(whole), needs | frozenset(whole), nested)
        joined.shares, joined.shared = item.shares, item.shared
        joined.tied = item.tied or any(one.tied for branch in nested for one in branch)
        if joined.height() > MOST_NESTED or joined.skips_across_resolutions():
            return None
        for branch in branches:
            for index in branch:
                del self.items[index]
        return joined

    def _between(self, ref: Ref, fork: int, entries: set[Ref], join: int) -> set[int] | None:
        """The items after the fork up to `ref`, which is the last of them; None where there is no such set."""
        found: set[int] = set()
        waiting = [ref]
        while waiting:
            at = waiting.pop()
            if at.layer == fork:
                entries.add(at)
            elif at.layer not in found:
                item = self.items.get(at.layer)
                self.steps += 1
                if item is None or len(found) >= MOST_IN_JOIN or self.steps > MOST_STEPS:
                    return None
                if self.last_reader[at.layer] > join:
                    return None  # a layer after the join reads it too
                found.add(at.layer)
                waiting.extend(item.needs)
        if ref.layer != fork and len(self.graph.all[ref.layer].outputs) > 1:
            return None
        return found


def _dominators(graph: Graph) -> list[int]:
    """For each layer the last one before it that every way from the inputs comes through; -1 for none.

    Layers without inputs of their own (parameters) lie on no way.
    """
    tree = _Tree(len(graph.all))
    is_free = [False] * len(graph.all)
    for layer in graph.all:
        sources = [ref.layer for ref in layer.inputs if not is_free[ref.layer]]
        is_free[layer.index] = not sources and not layer.is_input
        tree.add(layer.index, reduce(tree.common, sources) if sources else -1)
    return tree.parents[:-1]


class _Tree:
    """A tree that grows: the common ancestor of two nodes takes a logarithm of its depth. -1 is the root.

    Each node knows its parent and one ancestor further up, so far away that two equal jumps make the next longer one
    (Myers, "An applicative random-access stack", 1983).
    """

    def __init__(self, size: int) -> None:
        self.parents = [-1] * (size + 1)  # the last is the root's own, found by index -1
        self.jumps = [-1] * (size + 1)
        self.depths = [0] * (size + 1)

    def add(self, node: int, parent: int) -> None:
        jumps, depths = self.jumps, self.depths
        far = jumps[parent]
        is_equal = depths[parent] - depths[far] == depths[far] - depths[jumps[far]]
        self.parents[node], depths[node] = parent, depths[parent] + 1
        jumps[node] = jumps[far] if is_equal else parent

    def common(self, one: int, other: int) -> int:
        """The deepest node that is an ancestor of both, or one of them."""
        parents, jumps, depths = self.parents, self.jumps, self.depths
        if depths[one] < depths[other]:
            one, other = other, one
        while depths[one] > depths[other]:
            one = jumps[one] if depths[jumps[one]] >= depths[other] else parents[one]
        while one != other:
            source = parents if jumps[one] == jumps[other] else jumps
            one, other = source[one], source[other]
        return one


def every(items: Iterable[Item]) -> Iterator[Item]:
    """Every item, those in branches before their join."""
    for item in items:
        for branch in item.branches or ():
            yield from every(branch)
        yield item
