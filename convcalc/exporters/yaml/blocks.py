"""Repeated structure in a nested list of layers: as blocks with arguments, and as `repeat` where nothing differs.

A run of entries that occurs several times, sizes aside, becomes a block; the sizes that differ become its arguments,
those that always differ alike one argument, and one that is always k times another is written so. The run that saves
the most lines goes first, until none saves enough.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from convcalc.exporters.yaml.block_arguments import arguments, complete, varies
from convcalc.exporters.yaml.nesting import ENTRY, Fields, Item, every
from convcalc.graph import Graph, Layer, Ref
from convcalc.kinds import KINDS

LONGEST = 48
LONGEST_REPEATED = 8
MOST_BLOCKS = 32
LEAST_SAVED = 5
MOST_ARGUMENTS = 7
MOST_WORK = 400_000
MOST_TRIED = 3_000
MOST_COMPARED = 100_000  # entries that are looked at in all; a network so large and so uneven stays as it is

Signature = tuple[Any, ...]


class Body(NamedTuple):
    """A block: its arguments, its entries."""

    arguments: list[str]
    items: list[Item]


class Repeats:
    """Finds the blocks of a list of entries. `top` and the blocks' bodies are changed in place."""

    def __init__(self, graph: Graph, top: list[Item]) -> None:
        self.top = top
        self.inputs = tuple(Ref(layer.index) for layer in graph.all if layer.is_input)
        self.blocks: dict[str, Body] = {}
        self.ids: dict[Signature, int] = {}
        self.refused: set[tuple[int, ...]] = set()
        self.position = {leaf.index: at for at, leaf in enumerate(leaf for item in top for leaf in item.leaves)}
        self.counts = Counter(ref for layer in graph.all for ref in set(layer.inputs))
        self.last = graph.all[-1].index if graph.all else -1
        self.compared = 0

    def find(self) -> None:
        """Make blocks and repeats, the most saving first."""
        for items, _ in self._lists():
            self._fold_runs(items)
        for _ in range(MOST_BLOCKS):
            best = self._best() if self.compared < MOST_COMPARED else None
            if best is None:
                break
            self._extract(*best)
            for items, _ in self._lists():
                self._fold_runs(items)
        self._inline_single()
        self.blocks = self._inner_first()

    def _inner_first(self) -> dict[str, Body]:
        """The blocks, each behind those that it uses."""
        found: dict[str, Body] = {}

        def take(items: list[Item]) -> None:
            for item in every(items):
                if item.tag in self.blocks and item.tag not in found:
                    take(self.blocks[item.tag].items)
                    found[item.tag] = self.blocks[item.tag]

        take(self.top)
        return found

    # -- candidates ------------------------------------------------------------------------------------------------

    def _lists(self) -> list[tuple[list[Item], tuple[Ref, ...]]]:
        """Every list of entries there is, with what its first is given: the network's, of branches, of blocks."""
        found = [(self.top, self.inputs), *((body.items, (ENTRY,)) for body in self.blocks.values())]
        for items, _ in list(found):
            for item in every(items):
                given = (ENTRY,) if item.tag == "repeat" else item.sources
                found.extend((branch, given) for branch in item.branches or () if branch)
        return found

    def _best(self) -> tuple[list[tuple[list[Item], int]], int] | None:
        """The places (list and index) and the length of the run that saves the most lines."""
        given = self._lists()
        lists = [items for items, _ in given]
        longest = max(2, min(LONGEST, MOST_WORK // max(1, sum(map(len, lists)))))
        lines: dict[int, int] = {}
        keys: list[list[int]] = []
        for items, entry in given:
            keys.append([self._id(key) for key in self._signatures(items, entry)])
            self.compared += len(items)
            lines.update({key: item.lines() for key, item in zip(keys[-1], items, strict=True)})
        runs = repeated(keys, longest)
        sizes = {run: sum(lines[key] for key in run) for run in runs}
        bounds = {run: (len(runs[run]) - 1) * size - 3 for run, size in sizes.items()}
        best, most = None, LEAST_SAVED - 1
        for run in sorted(bounds, key=bounds.__getitem__, reverse=True)[:MOST_TRIED]:
            if bounds[run] <= most or self.compared > MOST_COMPARED:
                break
            if (len(run) == 1 and lines[run[0]] < 3) or run in self.refused or _is_periodic(run):
                continue
            body, places = sizes[run], _disjoint(runs[run], len(run))
            if (len(places) - 1) * body - 3 <= most:
                continue
            self.compared += len(places) * len(run)
            apart = [
                (lists[number], start) for number, start in places if self._is_closed(lists[number], start, len(run))
            ]
            if len(apart) < 2:
                continue
            saved = (len(apart) - 1) * body - len(apart) - 3 + _fits(apart, len(run))
            if saved > most and self._is_simple(apart, len(run)):
                best, most = (apart, len(run)), saved
            elif saved > most:
                self.refused.add(run)  # not one structure after all: a part of it may be
        return best

    def _id(self, signature: Signature) -> int:
        return self.ids.setdefault(signature, len(self.ids))

    def _signatures(self, items: list[Item], current: tuple[Ref, ...]) -> Iterator[Signature]:
        for item in items:
            yield self._signature(item, current)
            current = item.results()

    def _signature(self, item: Item, current: tuple[Ref, ...]) -> Signature:
        """What an entry is, sizes aside; entries that share weights are like no other."""
        if item.tied:
            return (id(item),)
        fields = tuple((key, "#" if varies(value) else value) for key, value in complete(item).items())
        given = (ENTRY,) if item.tag == "repeat" else item.sources
        branches = tuple(tuple(self._signatures(branch, given)) for branch in item.branches or ())
        # what is read from further up, as a distance, so that it means the same layer in each copy
        at = self.position.get(item.leaves[0].index, 0)
        reads = tuple((at - self.position.get(ref.layer, -1), ref.port) for ref in item.sources)
        return (item.tag, fields, branches, () if item.sources == current else reads)

    def _is_closed(self, items: list[Item], start: int, length: int) -> bool:
        """Whether nothing outside reads from within, but from the end, and only one layer outside is read."""
        run = items[start : start + length]
        output = run[-1].output
        if len(output.outputs) > 1 or len(run[0].sources) != 1 or run[0].sources[0].port:
            return False
        own = {leaf.index for item in run for leaf in item.leaves}
        if any(ref.layer not in own and ref != run[0].sources[0] for item in run for ref in item.needs):
            return False
        inside = Counter(ref for item in run for leaf in item.leaves for ref in set(leaf.inputs) if ref.layer in own)
        return all(
            self.counts[Ref(leaf.index, port)] == inside[Ref(leaf.index, port)] and leaf.index != self.last
            for item in run
            for leaf in item.leaves
            if leaf is not output
            for port in range(len(leaf.outputs))
        )

    # -- runs of equal entries -------------------------------------------------------------------------------------

    def _fold_runs(self, items: list[Item]) -> None:
        """Entries that follow each other and are equal in everything, as one `repeat`."""
        self.compared += len(items)
        row = _Row(items, self._is_sealed)
        folded: list[Item] = []
        at = 0
        while at < len(items):
            length, times = row.run_at(at)
            run = items[at : at + length * times]
            if (times > 2 or (times > 1 and sum(row.lines[at : at + length]) > 2)) and self._is_closed(
                run, 0, len(run)
            ):
                leaves = [leaf for item in run for leaf in item.leaves]
                repeat = Item("repeat", {"times": times}, leaves, run[0].sources, run[0].needs, [run[:length]])
                repeat.copies = _copies(run)
                _merge([run[part : part + length] for part in range(0, len(run), length)])
                _enter(run[:length])
                folded.append(repeat)
                at += length * times
            else:
                folded.append(items[at])
                at += 1
        items[:] = folded

    def _is_sealed(self, item: Item, after: Item) -> bool:
        """Whether only the entry after it, and its own branches, read from an entry of one output."""
        inside = Counter(ref for one in (item, after) for leaf in one.leaves for ref in set(leaf.inputs))
        refs = [Ref(leaf.index, port) for leaf in item.leaves for port in range(len(leaf.outputs))]
        return all(self.counts[ref] == inside[ref] and ref.layer != self.last for ref in refs)

    # -- extraction ------------------------------------------------------------------------------------------------

    def _extract(self, places: list[tuple[list[Item], int]], length: int) -> None:
        runs = [items[start : start + length] for items, start in places]
        copies = [_copies(run) for run in runs]
        given = arguments(runs)
        name = self._block_name(runs[0])
        calls = [self._call(name, run, given.values(number)) for number, run in enumerate(runs)]
        for call, own in zip(calls, copies, strict=True):
            call.copies = own
        given.write()
        _merge(runs)
        _enter(runs[0])
        self.blocks[name] = Body(list(given.columns), runs[0])
        for (items, start), call in sorted(zip(places, calls, strict=True), key=lambda pair: -pair[0][1]):
            items[start : start + length] = [call]

    def _is_simple(self, places: list[tuple[list[Item], int]], length: int) -> bool:
        """Whether a block of these runs needs no more arguments than a reader can take in."""
        runs = [items[start : start + length] for items, start in places]
        most = max(MOST_ARGUMENTS, sum(item.lines() for item in runs[0]) // 2)
        return len(arguments(runs, most).columns) <= most

    def _call(self, name: str, run: list[Item], fields: Fields) -> Item:
        leaves = [leaf for item in run for leaf in item.leaves]
        return Item(name, fields, leaves, run[0].sources)

    def _block_name(self, run: list[Item]) -> str:
        tags = [item.tag for item in run]
        joins = [item for item in run if item.branches is not None]
        if any(item.tag == "repeat" for item in joins):
            name = "stage"
        elif len(run) <= 3 and not joins:
            name = "_".join(_SHORT.get(tag, tag) for tag in tags)
        elif any(item.tag == "add" and [] in (item.branches or []) for item in joins):
            name = "residual"
        elif any(item.tag == "add" for item in joins):
            name = "shortcut"
        elif any(item.tag == "concat" and [] in (item.branches or []) for item in joins):
            name = "dense"
        elif any(item.tag == "concat" for item in joins):
            name = "branches"
        elif any(item.tag == "multiply" for item in joins):
            name = "gated"
        else:
            name = f"{_SHORT.get(tags[0], tags[0])}_block"
        taken = {*self.blocks, *KINDS, "repeat", "input"}
        if name not in taken:
            return name
        return next(f"{name}_{number}" for number in range(2, 10_000) if f"{name}_{number}" not in taken)

    def _inline_single(self) -> None:
        """A block that is used once, in a repeat, stands there itself."""
        lists = [self.top, *(body.items for body in self.blocks.values())]
        used = Counter(item.tag for items in lists for item in every(items))
        for item in [item for items in lists for item in every(items)]:
            if item.tag != "repeat" or item.branches is None or len(item.branches[0]) > 1:
                continue
            (only,) = item.branches[0]
            body = self.blocks.get(only.tag)
            if body and used[only.tag] == 1 and not only.fields and not _names_entry(body.items, (ENTRY,)):
                item.branches[0][:] = self.blocks.pop(only.tag).items


_SHORT = {"batch_norm": "bn", "linear": "fc", "layer_norm": "norm", "hard_swish": "hswish", "max_pool": "pool"}


def repeated(lists: Sequence[Sequence[int]], longest: int) -> dict[tuple[int, ...], list[tuple[int, int]]]:
    """The runs of keys that occur more than once, and every place (list and index) of each.

    Both parts of a run that lack one end occur at least as often as it does, so each length is looked for only
    where the one before was found.

    >>> repeated([[1, 2, 1, 2]], 3)
    {(1,): [(0, 0), (0, 2)], (1, 2): [(0, 0), (0, 2)], (2,): [(0, 1), (0, 3)]}
    """
    places = [(number, at) for number, keys in enumerate(lists) for at in range(len(keys))]
    known = {(number, at): lists[number][at] for number, at in places}  # what the run of this length there is
    found: list[tuple[tuple[int, int], int, list[tuple[int, int]]]] = []
    for length in range(1, longest + 1):
        groups: dict[tuple[int, int], list[tuple[int, int]]] = {}
        for place in places:
            number, at = place
            rest = known.get((number, at + 1)) if length > 1 else 0
            if rest is not None:
                groups.setdefault((known[place], rest), []).append(place)
        several = [group for group in groups.values() if len(group) > 1]
        if not several:
            break
        found += [(group[0], length, group) for group in several]
        known = {place: name for name, group in enumerate(several) for place in group}
        places = sorted(known)
    found.sort()
    return {tuple(lists[number][at : at + length]): group for (number, at), length, group in found}


def _enter(run: list[Item]) -> None:
    """The run becomes a block's body: what its first entry reads is now the block's input."""
    (entry,) = run[0].sources
    for item in every(run):
        item.sources = tuple(ENTRY if ref == entry else ref for ref in item.sources)
        item.needs = frozenset(ENTRY if ref == entry else ref for ref in item.needs)


def _names_entry(items: list[Item], current: tuple[Ref, ...]) -> bool:
    """Whether an entry of a block's body names the block's input, which only a block has a word for."""
    for item in items:
        inner = (ENTRY,) if item.tag == "repeat" else item.sources
        if (item.sources != current and ENTRY in item.sources) or (
            item.tag != "repeat" and any(_names_entry(branch, inner) for branch in item.branches or ())
        ):
            return True
        current = item.results()
    return False


def _is_periodic(run: tuple[int, ...]) -> bool:
    """Whether a run is a shorter one several times over."""
    size = len(run)
    return any(size % part == 0 and run == run[:part] * (size // part) for part in range(1, size // 2 + 1))


def _disjoint(places: list[tuple[int, int]], length: int) -> list[tuple[int, int]]:
    """The places of a run that do not overlap, from the first on."""
    found: list[tuple[int, int]] = []
    for number, start in places:
        if not found or found[-1][0] != number or start >= found[-1][1] + length:
            found.append((number, start))
    return found


class _Row:
    """What is equal in a list of entries, each of which takes the one above: found in one pass for each length."""

    def __init__(self, items: list[Item], is_sealed: Callable[[Item, Item], bool]) -> None:
        self.items, self.is_sealed = items, is_sealed
        self.lines = [item.lines() for item in items]
        ids: dict[Signature, int] = {}
        self.keys = [ids.setdefault(_plain(item), len(ids)) for item in items]
        self.is_single = [len(item.sources) == 1 and not _reaches_out(item) for item in items]
        self.follows = [
            at > 0 and self.is_single[at] and item.sources == items[at - 1].results() for at, item in enumerate(items)
        ]
        self.sealed = 0  # the entries from the last index asked for up to this one are sealed
        self.equal = [self._equal(length) for length in range(1, min(LONGEST_REPEATED, len(items) // 2) + 1)]

    def _equal(self, length: int) -> list[int]:
        """For each index how many entries from there on are equal to the one `length` later."""
        keys, follows = self.keys, self.follows
        found = [0] * len(keys)
        for at in range(len(keys) - length - 1, -1, -1):
            if keys[at] == keys[at + length] and follows[at + length]:
                found[at] = found[at + 1] + 1
        return found

    def times(self, start: int, length: int) -> int:
        """How often the entries at an index follow each other."""
        copies = self.equal[length - 1][start] // length if start < len(self.keys) else 0
        if copies and not (self.is_single[start] and all(self.follows[start + 1 : start + length])):
            return 1
        return copies + 1

    def _first_unsealed(self, start: int) -> int:
        self.sealed = max(self.sealed, start)
        while self.sealed < len(self.items) - 1 and self.is_sealed(*self.items[self.sealed : self.sealed + 2]):
            self.sealed += 1
        return self.sealed

    def run_at(self, start: int) -> tuple[int, int]:
        """Length and number of the equal runs at an index that save the most; (1, 1) for none."""
        best, most = (1, 1), 0
        kind = KINDS.get(self.items[start].tag)
        ends_block = kind is not None and bool(kind.nonlinearities)
        for length in range(1, min(LONGEST_REPEATED, (len(self.items) - start) // 2) + 1):
            times = self.times(start, length)
            if times > 1:
                times = max(1, min(times, (self._first_unsealed(start) - start + 1) // length))
            if times > 1 and ends_block and self.times(start + 1, length) >= times:
                continue  # a block ends with its activation
            saved = (times - 1) * sum(self.lines[start : start + length])
            if saved > most:
                best, most = (length, times), saved
        return best


def _reaches_out(item: Item) -> bool:
    """Whether it, or a layer in its branches, names a layer further up: the copies in a repeat would all read that."""
    named = {ref for branch in item.branches or () for one in every(branch[1:]) for ref in one.sources}
    return bool(item.needs - set(item.sources)) or bool(named & set(item.sources))


def _plain(item: Item) -> Signature:
    """An entry with its sizes, names aside."""
    if item.tied:
        return (id(item),)
    own = {leaf.index: at for at, leaf in enumerate(item.leaves)}
    branches = tuple(
        tuple((_plain(one), tuple(own.get(ref.layer, -1) for ref in one.sources)) for one in branch)
        for branch in item.branches or ()
    )
    return (item.tag, tuple(item.fields.items()), branches)


def _copies(run: Sequence[Item]) -> list[list[Layer]]:
    """The layers of a run of entries, for every copy of the list that it stands in."""
    return [[leaf for part in parts for leaf in part] for parts in zip(*(item.copies for item in run), strict=True)]


def _merge(runs: list[list[Item]]) -> None:
    """The entries of the first run stand for those of all."""
    for same in zip(*map(every, runs), strict=True):
        same[0].copies = [copy for item in same for copy in item.copies]


def _fits(places: list[tuple[list[Item], int]], length: int) -> int:
    """What speaks for a run beside the lines it saves: that it is a module of its own, that it ends as blocks do."""
    (items, start), number = places[0], len(places)
    kind = KINDS.get(items[start].tag)
    if kind is not None and kind.nonlinearities:
        return -2 * number
    return number if all(_is_module(items, start, length) for items, start in places) else 0


def _is_module(items: list[Item], start: int, length: int) -> bool:
    """Whether the layers of a run have a path of their own, that their neighbours are not under."""
    path = common_path([leaf for item in items[start : start + length] for leaf in item.leaves])
    beside = items[max(0, start - 1) : start] + items[start + length : start + length + 1]
    return bool(path) and not any(leaf.path.startswith(f"{path}/") for item in beside for leaf in item.leaves)


def common_path(layers: Sequence[Layer]) -> str:
    """The path of the innermost block that all of these layers are in.

    >>> from convcalc.kinds.conv import Conv
    >>> common_path([Layer(0, path, Conv(filters=1, kernel=1), (), (), ()) for path in ("a/b/c", "a/b/d/e")])
    'a/b'
    """
    shared = layers[0].path.split("/")[:-1]
    for layer in layers[1:]:
        path = layer.path.split("/")[:-1]
        same = next((at for at, (a, b) in enumerate(zip(shared, path, strict=False)) if a != b), len(path))
        shared = shared[:same]
    return "/".join(shared)
