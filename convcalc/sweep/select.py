"""Conditions on the points of a sweep (`macs < 300M`), and which points no other beats (Pareto frontier)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from convcalc.amounts import without_units
from convcalc.errors import Place, Problem, Source, SpecError, UserError, did_you_mean, quoted
from convcalc.sweep.sweep import Chunk
from convcalc.syntax.expression import Expression
from convcalc.syntax.expression_parser import parse


class Condition:
    """An expression over the columns of a sweep, units allowed; it holds where it is not 0."""

    def __init__(self, text: str, names: Iterable[str], option: str = "--where") -> None:
        known = list(names)
        self.text = f"{option} {quoted(text)}"
        source = text
        try:
            source = without_units(text)
            self.tree: Expression = parse(source)
            for name in sorted(self.tree.names()):
                if name not in known:
                    raise UserError(
                        f"no column {quoted(name)}", hint=did_you_mean(name, known), offset=source.index(name)
                    )
        except UserError as misfit:
            place = Place(Source(option, source), 1, misfit.offset + 1, misfit.offset + 1 + max(1, misfit.width))
            raise SpecError(Problem(misfit.message, place, (), misfit.hint)) from None

    def of(self, chunks: Iterable[Chunk]) -> Iterator[Chunk]:
        """The points where it holds, of those that are networks. Raises SpecError where there is none."""
        seen = kept = 0
        for chunk in chunks:
            part = chunk.keep(chunk.valid() & self.holds(chunk))
            seen, kept = seen + len(chunk), kept + len(part)
            yield part
        if not kept:
            raise SpecError(f"{self.text}: none of the {seen:,} architectures meets it")

    def holds(self, chunk: Chunk) -> Any:
        """Where it holds: an array of booleans."""
        try:
            found = self.tree.evaluate(lambda name: comparable(chunk.columns[name]))
        except UserError as misfit:
            raise SpecError(f"--where: {misfit.message}", misfit.hint) from None
        return np.broadcast_to(np.asarray(found), len(chunk)).astype(bool)


def comparable(column: Any) -> Any:
    """A column as numbers: of shapes, the last size."""
    if column.dtype == object and len(column) and isinstance(column[0], tuple):
        return np.array([shape[-1] for shape in column.tolist()])
    return column


class Frontier:
    """The points that no other beats: none has every objective as small, and one smaller (`-macs`: as large)."""

    def __init__(self, text: str, names: Iterable[str]) -> None:
        known = list(names)
        self.objectives = [word.strip() for word in text.split(",")]
        for word in self.objectives:
            if word.removeprefix("-") not in known:
                raise SpecError(f"--pareto: no column {quoted(word.removeprefix('-'))}", did_you_mean(word, known))
        self.best: Chunk | None = None

    def of(self, chunks: Iterable[Chunk]) -> Iterator[Chunk]:
        """The frontier of all of them, sorted by the first objective."""
        for chunk in chunks:
            self.add(chunk)
        if self.best is not None:
            order = np.argsort(self._ranks(self.best, self.objectives[0]), kind="stable")
            yield Chunk({name: column[order] for name, column in self.best.columns.items()}, {})

    def add(self, chunk: Chunk) -> None:
        """Take further points in."""
        both = chunk.keep(chunk.valid())
        if self.best is not None:
            both = self.best.join(both)
        if len(both):
            self.best = both.keep(_undominated([self._ranks(both, word) for word in self.objectives]))

    def _ranks(self, chunk: Chunk, word: str) -> Any:
        column = comparable(chunk.columns[word.removeprefix("-")])
        try:
            ranks = np.unique(column, return_inverse=True)[1].reshape(-1)
        except TypeError:
            raise SpecError(f"--pareto: {quoted(word)} contains words, which have no order") from None
        return -ranks if word.startswith("-") else ranks


def _undominated(ranks: Sequence[Any]) -> Any:
    """Which points no other dominates. The least sum of ranks is one of them; it strikes out what it dominates."""
    if len(ranks) == 2:
        return _undominated_pairs(*ranks)
    table = np.stack(ranks, axis=1)
    alive = np.arange(len(table))
    kept = np.zeros(len(table), dtype=bool)
    while alive.size:
        rows = table[alive]
        best = rows[rows.sum(axis=1).argmin()]
        is_beaten = (rows >= best).all(axis=1)
        kept[alive[is_beaten & (rows == best).all(axis=1)]] = True
        alive = alive[~is_beaten]
    return kept


def _undominated_pairs(first: Any, second: Any) -> Any:
    """The same for two: of those equal in the first the least in the second, if less than all before."""
    order = np.lexsort((second, first))
    ours, theirs = first[order], second[order]
    starts = np.flatnonzero(np.r_[True, ours[1:] != ours[:-1]])
    group = np.cumsum(np.r_[False, ours[1:] != ours[:-1]])
    before = np.r_[np.iinfo(np.int64).max, np.minimum.accumulate(theirs)][starts]  # the least of all groups before
    kept = np.empty(len(first), dtype=bool)
    kept[order] = (theirs == theirs[starts][group]) & (theirs < before[group])
    return kept
