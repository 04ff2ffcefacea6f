"""Which layer of one network is which of another: by structure as well as by name, so that a new name is no new layer.

First the runs of layers that are alike in kind, fields and given names (Myers, An O(ND) Difference Algorithm, 1986);
then, between two runs, the pairing with the most in common; then what went from one place to another.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from convcalc.analysis.count import Row
from convcalc.graph import Layer

MOST_EDITS = 2_000  # runs of networks that differ more are not looked for
MOST_PAIRS = 1_000_000  # pairings between two runs that are all tried
Pairs = list[tuple[int | None, int | None]]


class Seen(NamedTuple):
    """What is compared of a row: its kind, its fields, the name that it was given ("" for an automatic one)."""

    row: Row
    kind: str
    fields: tuple[Any, ...]
    name: str

    @property
    def key(self) -> tuple[Any, ...]:
        return (self.kind, self.fields, self.name)

    @property
    def tells(self) -> bool:
        """Whether it is likely to be the only one of its kind around: not one of many activations."""
        return bool(self.name) or self.row.figure("params") > 0


def look(row: Row) -> Seen:
    last = row.path.rpartition("/")[2]
    is_automatic = re.fullmatch(rf"{re.escape(row.kind)}_?[0-9]+", last) is not None
    fields = tuple(map(repr, values(row.layer).values()))
    return Seen(row, row.kind, fields, "" if is_automatic else last)


def values(layer: Layer | None) -> dict[str, Any]:
    """The fields of a layer, as they are after defaults."""
    return {key: getattr(layer.kind, key, None) for key in layer.kind.fields} if layer is not None else {}


class Pair(NamedTuple):
    """A row of the old network and what it became; None beside it where it was removed, or is new."""

    old: Row | None
    new: Row | None
    is_moved: bool = False

    @property
    def is_renamed(self) -> bool:
        """Whether more than the numbers of automatic names is different in its path."""
        if self.old is None or self.new is None or self.old.path == self.new.path:
            return False
        names = [look(row).name or "" for row in (self.old, self.new)]
        parents = [unnumbered(row.path.rpartition("/")[0]) for row in (self.old, self.new)]
        return names[0] != names[1] or parents[0] != parents[1]


def unnumbered(path: str) -> str:
    """A path without the numbers at the ends of its names.

    >>> unnumbered("stage1/more/2/conv10")
    'stage/more//conv'
    """
    return "/".join(part.rstrip("0123456789") for part in path.split("/"))


def align(old: Sequence[Row], new: Sequence[Row]) -> list[Pair]:
    """The rows of two networks in pairs, in the order of the new one; what was removed stands where it was.

    >>> from convcalc.analysis.count import count
    >>> from convcalc.loader import read
    >>> text = "input: 3x8x8\\nlayers: [{conv: {name: %s, filters: 4, kernel: 1}}, relu]"
    >>> pairs = align(*(count(read(text % name)).rows for name in ("stem", "first")))
    >>> [(pair.old.path, pair.new.path) for pair in pairs]
    [('stem', 'first'), ('relu1', 'relu1')]
    """
    before, after = list(map(look, old)), list(map(look, new))
    found: Pairs = []
    at, behind = 0, 0
    for i, j in [*_runs(before, after), (len(before), len(after))]:
        found += _between(before, after, range(at, i), range(behind, j))
        if i < len(before):
            found.append((i, j))
        at, behind = i + 1, j + 1
    return _moved(found, before, after)


def _runs(before: Sequence[Seen], after: Sequence[Seen]) -> list[tuple[int, int]]:
    """The places of what is alike in both, in order: at the ends all of it, between them what tells."""
    old, new = [one.key for one in before], [one.key for one in after]
    start = 0
    while start < min(len(old), len(new)) and old[start] == new[start]:
        start += 1
    stop = 0
    while stop < min(len(old), len(new)) - start and old[-1 - stop] == new[-1 - stop]:
        stop += 1
    telling = [[at for at in range(start, len(seen) - stop) if seen[at].tells] for seen in (before, after)]
    inner = _myers([old[at] for at in telling[0]], [new[at] for at in telling[1]])
    return [
        *((at, at) for at in range(start)),
        *((telling[0][i], telling[1][j]) for i, j in inner),
        *((len(old) - at, len(new) - at) for at in range(stop, 0, -1)),
    ]


def _myers(old: Sequence[Any], new: Sequence[Any]) -> list[tuple[int, int]]:
    furthest: dict[int, tuple[int, Any]] = {1: (0, None)}  # on each diagonal: how far `old` is read, what was equal
    for edits in range(min(len(old) + len(new), MOST_EDITS) + 1):
        for diagonal in range(-edits, edits + 1, 2):
            is_new = diagonal == -edits or (diagonal != edits and furthest[diagonal - 1][0] < furthest[diagonal + 1][0])
            i, equal = furthest[diagonal + 1] if is_new else furthest[diagonal - 1]
            i += not is_new
            j = i - diagonal
            while i < len(old) and j < len(new) and old[i] == new[j]:
                equal = (equal, i, j)
                i, j = i + 1, j + 1
            furthest[diagonal] = (i, equal)
            if i >= len(old) and j >= len(new):
                return _unrolled(equal)
    return []


def _unrolled(equal: Any) -> list[tuple[int, int]]:
    found = []
    while equal is not None:
        equal, i, j = equal
        found.append((i, j))
    return found[::-1]


def _between(before: Sequence[Seen], after: Sequence[Seen], old: range, new: range) -> Pairs:
    """The pairing of two short runs that has the most in common, in order."""
    if len(old) * len(new) > MOST_PAIRS:
        return _by_path(before, after, old, new)
    best = [[0] * (len(new) + 1) for _ in range(len(old) + 1)]
    for i in range(len(old) - 1, -1, -1):
        for j in range(len(new) - 1, -1, -1):
            both = _alike(before[old[i]], after[new[j]])
            together = best[i + 1][j + 1] + both if both else 0
            best[i][j] = max(best[i + 1][j], best[i][j + 1], together)
    found: Pairs = []
    i = j = 0
    while i < len(old) or j < len(new):
        both = _alike(before[old[i]], after[new[j]]) if i < len(old) and j < len(new) else 0
        if both and best[i][j] == best[i + 1][j + 1] + both:
            found.append((old[i], new[j]))
            i, j = i + 1, j + 1
        elif i < len(old) and (j == len(new) or best[i][j] == best[i + 1][j]):
            found.append((old[i], None))
            i += 1
        else:
            found.append((None, new[j]))
            j += 1
    return found


def _by_path(before: Sequence[Seen], after: Sequence[Seen], old: range, new: range) -> Pairs:
    places = {before[i].row.path: i for i in old}
    taken = {after[j].row.path for j in new} & set(places)
    found: Pairs = [(i, None) for i in old if before[i].row.path not in taken]
    return [*found, *((places.get(after[j].row.path), j) for j in new)]


def _alike(one: Seen, other: Seen) -> int:
    """How much two layers have in common; 0 where one cannot have become the other."""
    is_named = bool(one.name) and one.row.path == other.row.path
    if one.kind != other.kind:
        families = {seen.row.layer.kind.family if seen.row.layer else "" for seen in (one, other)}
        return 8 * is_named + (2 if len(families) == 1 else 0) if is_named or len(families) == 1 else 0
    found = 4 + 8 * is_named + 2 * (one.row.path == other.row.path) + 3 * (bool(one.name) and one.name == other.name)
    found += 6 * (one.fields == other.fields)
    found += sum(2 for a, b in zip(one.fields, other.fields, strict=True) if a == b) * 2 // max(1, len(one.fields))
    return found + (one.row.output == other.row.output)


def _moved(pairs: Pairs, before: Sequence[Seen], after: Sequence[Seen]) -> list[Pair]:
    """The pairs, with what was taken out in one place and put in at another as one layer."""
    gone: dict[Any, list[int]] = {}
    for i, j in pairs:
        if j is None and i is not None and before[i].row.figure("params"):
            gone.setdefault(before[i].key, []).append(i)
    home: dict[int, int] = {}
    for i, j in pairs:
        if i is None and j is not None and gone.get(after[j].key):
            home[j] = gone[after[j].key].pop(0)
    used = set(home.values())
    found = []
    for i, j in pairs:
        if j is not None:
            origin = home.get(j, i)
            found.append(Pair(None if origin is None else before[origin].row, after[j].row, j in home))
        elif i is not None and i not in used:
            found.append(Pair(before[i].row, None))
    return found
