"""Which values fit a budget: every value of the given ranges is counted, so the answer is exact for any network.

Costs need not rise with a variable (channels are rounded, groups must divide them), so nothing is bisected or guessed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from typing import Any, NamedTuple

import numpy as np

from convcalc.amounts import amount
from convcalc.analysis.count import FIGURES
from convcalc.errors import SpecError, UserError, did_you_mean, quoted
from convcalc.language.document import Document
from convcalc.sweep.grid import Axis, read_axis
from convcalc.sweep.select import Frontier
from convcalc.sweep.sweep import Chunk, Sweep

TIMES = 16  # how far beyond its own value a variable without a range is tried
STEP = Decimal("0.05")


class Limit(NamedTuple):
    """`figure` must be at most (or at least) `value`."""

    figure: str
    value: int
    is_most: bool

    def __str__(self) -> str:
        return f"{self.figure} {'<=' if self.is_most else '>='} {self.value:,}"

    def holds(self, chunk: Chunk) -> Any:
        found = np.asarray(chunk.columns[self.figure])
        return (found <= self.value if self.is_most else found >= self.value).astype(bool)


def vary(text: str, document: Document) -> Axis:
    """One `--vary NAME` or `--vary NAME=VALUES`. Raises SpecError.

    Without values a whole number is tried from 1 to TIMES its own value, a decimal in steps of 0.05 to 4 times.
    """
    name, equals, values = text.partition("=")
    if not equals:
        node = document.variables.get(name)
        if node is None:
            hint = did_you_mean(name, document.variables) or "the spec has no vars:"
            raise SpecError(f"--vary: {document.file.name} has no variable {quoted(name)}", hint)
        own = node.plain()
        if isinstance(own, bool) or not isinstance(own, (int, Decimal)) or own <= 0:
            raise SpecError(f"--vary {name}: give the values to try", f"for example --vary {name}=4:64:4")
        values = f"1:{own * TIMES}" if isinstance(own, int) else f"{STEP}:{max(own * 4, STEP)}:{STEP}"
    axis = read_axis(name, values, document)
    if axis.changes_graph:
        raise SpecError(f"--vary {name}: its values have no order", "convcalc sweep takes values without an order")
    if isinstance(axis.values, range):
        return axis._replace(values=axis.values if axis.values.step > 0 else axis.values[::-1])
    return axis._replace(values=sorted(axis.values))


def fitting(chunks: Iterable[Chunk], limits: Sequence[Limit]) -> Iterator[Chunk]:
    """The points that meet every limit. Raises SpecError, naming the nearest miss, where none does."""
    kept = networks = 0
    nearest: dict[Limit, int] = {}
    for chunk in chunks:
        valid = chunk.keep(chunk.valid())
        if not len(valid):
            continue
        networks += len(valid)
        for limit in limits:
            found = valid.columns[limit.figure]
            best = int(found.min() if limit.is_most else found.max())
            known = nearest.get(limit, best)
            nearest[limit] = min(best, known) if limit.is_most else max(best, known)
        holds = np.ones(len(valid), dtype=bool)
        for limit in limits:
            holds &= limit.holds(valid)
        part = valid.keep(holds)
        kept += len(part)
        yield part
    if kept:
        return
    if not networks:
        raise SpecError("none of these values gives a valid network", "convcalc sweep shows the reasons")
    for limit, best in nearest.items():
        if best > limit.value if limit.is_most else best < limit.value:
            word = "least" if limit.is_most else "most"
            raise SpecError(f"nothing meets {limit}: the {word} of these values is {best:,}", "try other values")
    raise SpecError(f"nothing meets {' and '.join(map(str, limits))} at once", "loosen one of them")


def extreme(chunks: Iterable[Chunk], names: Sequence[str], is_largest: bool) -> Chunk:
    """The points whose variables no other point beats in all: of one variable the largest (or smallest)."""
    frontier = Frontier(",".join(f"-{name}" if is_largest else name for name in names), names)
    (found,) = frontier.of(chunks)
    return found


def nearest(chunks: Iterable[Chunk], figure: str, target: int) -> Chunk:
    """The points whose figure is nearest to `target` from below and from above; a hit where there is one."""
    best: dict[str, Chunk] = {}
    for chunk in chunks:
        for side in ("below", "above"):
            values = chunk.columns[figure]
            part = chunk.keep(np.asarray(values <= target if side == "below" else values >= target).astype(bool))
            part = _tied(part, figure, side == "below")
            known = best.get(side)
            best[side] = part if known is None else _tied(known.join(part), figure, side == "below")
    below, above = best["below"], best["above"]
    if len(below) and int(below.columns[figure][0]) == target:
        return below
    return below.join(above)


def _tied(chunk: Chunk, figure: str, is_most: bool) -> Chunk:
    if not len(chunk):
        return chunk
    values = chunk.columns[figure]
    return chunk.keep(np.asarray(values == (values.max() if is_most else values.min())).astype(bool))


def beyond(sweep: Sweep, found: Chunk, is_largest: bool) -> Chunk | None:
    """For one variable, the point behind the answer; None where the values end."""
    (axis,) = sweep.grid.axes
    place = list(axis.values).index(found.columns[axis.name].tolist()[0]) + (1 if is_largest else -1)
    if not 0 <= place < len(axis.values):
        return None
    return Sweep(sweep.document, sweep.base, sweep.grid, sweep.figures, [(place,)]).chunk(0)


def target_of(text: str) -> tuple[str, str]:
    """`FIGURE=VALUE` of --near, taken apart. Raises SpecError."""
    figure, equals, value = text.partition("=")
    if not equals or not value:
        raise SpecError(f"--near: FIGURE=AMOUNT was expected, found {quoted(text)}", "for example macs=300M")
    if figure not in FIGURES:
        raise SpecError(f"--near: no figure {quoted(figure)}", did_you_mean(figure, FIGURES))
    return figure, value


def limit(figure: str, text: str, is_most: bool) -> Limit:
    """One --max-FIGURE or --min-FIGURE. Raises SpecError."""
    try:
        return Limit(figure, amount(text), is_most)
    except UserError as misfit:
        raise SpecError(f"--{'max' if is_most else 'min'}-{figure}: {misfit.message}", misfit.hint) from None
