"""Compare two networks: what changed, what it costs there, and what it costs in the layers after it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from convcalc.analysis.align import Pair, align, unnumbered, values
from convcalc.analysis.count import Count, Row
from convcalc.graph import Layer
from convcalc.kinds import shape_text
from convcalc.kinds.fields import shown

FIGURES = ("weights", "params", "macs", "flops")


class Change(NamedTuple):
    """One layer that changed, or whose cost changed.

    `sort` is new, removed, changed, renamed, moved, or affected: an unchanged layer whose cost changed because of
    others, which `causes` names. `what` is the change in words; `figures` are each figure before and after.
    """

    sort: str
    path: str
    what: str
    causes: tuple[str, ...]
    figures: Mapping[str, tuple[int, int]]
    row: Row

    def change(self, figure: str) -> int:
        before, after = self.figures[figure]
        return after - before


class Cause(NamedTuple):
    """How each figure changes, in a changed layer itself and in the layers that it affects.

    `alike` counts more places with the same change, as in the rounds of a repeat; the figures are sums over all.
    """

    path: str
    what: str
    itself: Mapping[str, int]
    affected: Mapping[str, int]
    layers: Sequence[str]
    alike: int = 0


class Difference(NamedTuple):
    """Every change, and how many layers only have another number in their automatic names."""

    changes: Sequence[Change]
    renumbered: int

    def causes(self) -> list[Cause]:
        """The changes that cost something, the largest first; several changes that act together are one cause."""
        groups: dict[tuple[str, ...], list[Change]] = {}
        for one in self.changes:
            groups.setdefault(one.causes or (one.path,), []).append(one)
        found: dict[tuple[str, str], Cause] = {}
        for paths, changes in groups.items():
            own = [one for one in changes if one.sort != "affected"]
            rest = [one for one in changes if one.sort == "affected"]
            itself, affected = (
                {name: sum(one.change(name) for one in part) for name in FIGURES} for part in (own, rest)
            )
            if not any((*itself.values(), *affected.values())):
                continue
            cause = Cause(" and ".join(paths), own[0].what if own else "", itself, affected, [one.path for one in rest])
            key = (unnumbered(cause.path), cause.what)
            found[key] = _together(found[key], cause) if key in found else cause
        return sorted(
            found.values(), key=lambda one: -max(abs(one.itself[name] + one.affected[name]) for name in FIGURES)
        )


def _together(one: Cause, other: Cause) -> Cause:
    """Two causes with the same change as one."""
    itself, affected = (
        {name: part[name] + more[name] for name in FIGURES}
        for part, more in ((one.itself, other.itself), (one.affected, other.affected))
    )
    return one._replace(itself=itself, affected=affected, layers=[*one.layers, *other.layers], alike=one.alike + 1)


def diff(old: Count, new: Count) -> Difference:
    """Find the changes from one network to another; their figures sum to the change of the totals.

    >>> from convcalc.analysis.count import count
    >>> from convcalc.loader import read
    >>> two = "input: 3x8x8\\nlayers: [conv: {name: a, filters: %s, kernel: 1}, conv: {name: b, filters: 2, kernel: 3}]"
    >>> found = diff(*(count(read(two % n)) for n in (4, 6)))
    >>> [(one.sort, one.path, one.what, one.change("weights")) for one in found.changes]
    [('changed', 'a', '4 -> 6 filters', 6), ('affected', 'b', 'because of a', 36)]
    """
    pairs = align(old.rows, new.rows)
    known = _Causes(old, new, pairs)
    found: list[Change] = []
    renumbered = 0
    renamed: set[tuple[str, str]] = set()
    for pair in pairs:
        change = known.change(pair)
        if change is not None:
            found.append(change)
        elif pair.old and pair.new and pair.old.path != pair.new.path:
            if not pair.is_renamed and not pair.is_moved:
                renumbered += 1
                continue
            names = _renamed(pair.old.path, pair.new.path)
            if names not in renamed:
                renamed.add(names)
                sort = "moved" if pair.is_moved else "renamed"
                found.append(Change(sort, names[1], f"{sort} from {names[0]}", (), _figures(pair), pair.new))
    return Difference(found, renumbered)


class _Causes:
    """Traces changes of shape from layer to layer, back to their cause."""

    def __init__(self, old: Count, new: Count, pairs: Sequence[Pair]) -> None:
        self.old, self.new = old, new
        self.removed = {pair.old.layer.index for pair in pairs if pair.old and pair.old.layer and pair.new is None}
        self.became = {
            pair.old.layer.index: pair.new.layer.index
            for pair in pairs
            if pair.old and pair.new and pair.old.layer and pair.new.layer
        }
        self.inputs = dict(zip(_inputs(old), _inputs(new), strict=False))
        self.became.update(self.inputs)
        was = {j: i for i, j in self.became.items()}
        self.kept = set(was)
        self.texts: dict[int, str] = {}
        self.causes: dict[int, tuple[str, ...]] = {}
        self.passed: dict[int, tuple[str, ...]] = {}  # the causes of a layer's shape, for those that read it
        for layer in new.graph.all:
            before = old.graph.all[was[layer.index]] if layer.index in was else None
            self.texts[layer.index] = self._own(before, layer)
            if self.texts[layer.index]:
                self.causes[layer.index] = (layer.path,)
            elif before is not None:
                self.causes[layer.index] = tuple(dict.fromkeys(self._from(before, layer)))
            above = self.passed.get(layer.inputs[0].layer) if layer.inputs else None
            keeps = bool(layer.inputs) and layer.output == layer.shapes[0]
            self.passed[layer.index] = above if keeps and above else self.causes.get(layer.index, ())

    def _own(self, before: Layer | None, layer: Layer) -> str:
        """The change of a layer itself in words; "" for none."""
        if before is None:
            return "new"
        if layer.is_input:
            now, was = shape_text(layer.output), shape_text(before.output)
            return "" if now == was else f"{was} -> {now}"
        if before.kind.name != layer.kind.name:
            return f"{before.kind.name} -> {layer.kind.name}"
        texts = [
            _worded(key, was, now)
            for (key, was), now in zip(values(before).items(), values(layer).values(), strict=True)
            if was != now
        ]
        if len(before.inputs) != len(layer.inputs):
            texts.append(f"{len(before.inputs)} -> {len(layer.inputs)} inputs")
        else:
            texts += self._rewired(before, layer)
        shared, shares = (one.shares is not None or bool(one.shared) for one in (before, layer))
        if shared != shares:
            texts.append("shares weights" if shares else "has its own weights")
        return ", ".join(texts)

    def _rewired(self, before: Layer, layer: Layer) -> Iterator[str]:
        """Yield a text for each input that is now another layer of the old network."""
        for was, now in zip(before.inputs, layer.inputs, strict=True):
            other = self.became.get(was.layer)
            is_same = other is None or (other, was.port) == (now.layer, now.port) or now.layer not in self.kept
            if is_same or other in {ref.layer for ref in layer.inputs}:
                continue
            yield f"reads {self.new.graph.all[now.layer].path}, not {self.old.graph.all[was.layer].path}"

    def _from(self, before: Layer, layer: Layer) -> Iterator[str]:
        """Yield the paths of the changes that gave a layer inputs of another shape."""
        for number, (ref, shape) in enumerate(zip(layer.inputs, layer.shapes, strict=True)):
            if shape == before.shapes[number]:
                continue
            yield from self.passed.get(ref.layer, ())
            gone = before.inputs[number].layer
            if not self.passed.get(ref.layer) and gone in self.removed:
                yield self.old.graph.all[gone].path

    def change(self, pair: Pair) -> Change | None:
        """The change of a pair of rows; None if at most its name differs."""
        if pair.new is None:
            assert pair.old is not None
            kind = f"removed ({pair.old.kind})"
            return Change("removed", pair.old.path, kind, (pair.old.path,), _figures(pair), pair.old)
        index = pair.new.layer.index if pair.new.layer else -1
        figures = _figures(pair)
        text, causes = self.texts.get(index, ""), self.causes.get(index, ())
        if pair.old is None:
            return Change("new", pair.new.path, f"new ({pair.new.kind})", (pair.new.path,), figures, pair.new)
        if text:
            if pair.is_renamed or pair.is_moved:
                text += f", {'moved' if pair.is_moved else 'renamed'} from {pair.old.path}"
            return Change("changed", pair.new.path, text, (pair.new.path,), figures, pair.new)
        if any(before != after for before, after in figures.values()) and any(
            figures[name][0] != figures[name][1] for name in ("weights", "params", "macs")
        ):
            because = f"because of {' and '.join(causes)}" if causes else "another cost"
            return Change("affected", pair.new.path, because, causes, figures, pair.new)
        return None


def _inputs(counted: Count) -> list[int]:
    return [layer.index for layer in counted.graph.all if layer.is_input]


def _worded(key: str, was: Any, now: Any) -> str:
    """A change of a field: `64 -> 96 filters`, `kernel 3 -> 5`.

    >>> _worded("filters", 64, 96), _worded("kernel", (3, 3), 5), _worded("bias", True, False)
    ('64 -> 96 filters', 'kernel [3, 3] -> 5', 'bias true -> false')
    """
    is_number = all(isinstance(value, int) and not isinstance(value, bool) for value in (was, now))
    texts = ("none" if value is None else shown(value) for value in (was, now))
    before, after = (text.replace("(", "[").replace(")", "]") for text in texts)
    return f"{before} -> {after} {key}" if is_number and key.endswith("s") else f"{key} {before} -> {after}"


def _figures(pair: Pair) -> dict[str, tuple[int, int]]:
    before, after = ({name: row.figure(name) if row else 0 for name in FIGURES} for row in (pair.old, pair.new))
    return {name: (before[name], after[name]) for name in FIGURES}


def _renamed(old: str, new: str) -> tuple[str, str]:
    """The shortest names that differ: of a renamed block, the block.

    >>> _renamed("stage/a/conv1", "stage/b/conv1")
    ('stage/a', 'stage/b')
    """
    before, after = old.split("/"), new.split("/")
    while len(before) > 1 and len(after) > 1 and before[-1] == after[-1]:
        before.pop()
        after.pop()
    return "/".join(before), "/".join(after)
