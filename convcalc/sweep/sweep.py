"""A network at every point of a grid of variables, in the grid's order, a bounded number of points at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import product
from math import prod
from typing import Any, NamedTuple, TypeVar

import numpy as np

from convcalc.arrays import points
from convcalc.errors import SpecError, did_you_mean
from convcalc.language.builder import build
from convcalc.language.document import Document
from convcalc.language.overrides import Overrides
from convcalc.sweep.grid import Axis, Grid
from convcalc.sweep.vectorized import NEVER, Model, NotVectorizable, Slices
from convcalc.syntax.expression_parser import names_in

CHUNK = 2**16  # points at a time: what a processor's cache holds of a few figures
LONG = 2**14  # values of an axis that one model holds
MOST_MODELS = 64
Place = tuple[int, ...]
T = TypeVar("T")


class Chunk(NamedTuple):
    """Consecutive points: a column for each axis and each figure, and why a point is no network (by position)."""

    columns: dict[str, Any]
    reasons: dict[int, str]

    def __len__(self) -> int:
        return len(next(iter(self.columns.values()), (0,)))

    def valid(self) -> Any:
        holds = np.ones(len(self), dtype=bool)
        holds[list(self.reasons)] = False
        return holds

    def keep(self, holds: Any) -> Chunk:
        """Only the points where `holds`."""
        where = np.flatnonzero(holds)
        reasons = {new: self.reasons[old] for new, old in enumerate(where.tolist()) if old in self.reasons}
        return Chunk({name: column[where] for name, column in self.columns.items()}, reasons)

    def join(self, other: Chunk) -> Chunk:
        """The points of both, which are all networks."""
        return Chunk({name: _joined(column, other.columns[name]) for name, column in self.columns.items()}, {})

    def rows(self, names: Sequence[str]) -> Iterator[list[Any]]:
        """The points as plain values."""
        return map(list, zip(*(self.columns[name].tolist() for name in names), strict=True))


class Sweep:
    """The figures of a document over a grid, or at chosen `places` of it.

    Axes that set sizes become arrays; what changes the graph (repeats, variants, words) is gone through one by one.
    Which is which is found out by building.
    """

    def __init__(
        self,
        document: Document,
        base: Overrides,
        grid: Grid,
        figures: Sequence[str],
        places: Sequence[Place] | None = None,
        most: int = CHUNK,
    ) -> None:
        self.document, self.base, self.grid = document, base.resolved(document), grid
        self.figures, self.places, self.most = figures, places, most
        self.sizes = tuple(len(axis.values) for axis in grid.axes)
        self.outer = {at for at, axis in enumerate(grid.axes) if axis.changes_graph}
        self.models: dict[Any, Model] = {}
        self.is_wide = False  # a size spans several axes: a model of whole axes may be too large

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "models": {}}

    def __len__(self) -> int:
        return self.grid.size if self.places is None else len(self.places)

    def check(self) -> None:
        """Look at the first points before any work starts. Raises SpecError for a variable that nothing uses."""
        corner = tuple(slice(0, min(2, size)) for size in self.sizes)
        models = self._cutting(lambda: [model for _, model, _ in self._parts(corner)])
        self.models.clear()
        self.is_wide = any(sum(size > 1 for size in shape) > 1 for model in models for shape in model.spans())
        if all(model.failures and not model.used for model in models):
            build(self.document, self.base)  # where the spec is wrong whatever varies, that is what to say
            return  # what a broken network uses is not known
        used = {name for model in models for name in model.used}
        if self.outer:
            used |= names_in(self.document.node.plain())
        for axis in self.grid.axes:
            if axis.kind == "variable" and axis.name not in used:
                others = sorted(used & set(self.document.variables))
                hint = did_you_mean(axis.name, others) if others else "it uses none of its variables"
                raise SpecError(f"--set {axis.name}: nothing in {self.document.file.name} uses this variable", hint)

    # -- chunks ----------------------------------------------------------------------------------------------------

    def chunks(self) -> Iterator[Chunk]:
        """Every point, in the grid's order."""
        return map(self.chunk, range(self.count()))

    def count(self) -> int:
        """How many chunks there are."""
        if self.places is not None:
            return -(-len(self.places) // self.most)
        if not self.sizes:
            return 1
        cut, block = self._blocks()
        return prod(self.sizes[:cut]) * -(-self.sizes[cut] // block)

    def chunk(self, number: int) -> Chunk:
        """One chunk; chunks may be asked for in any order, in any process."""
        if self.places is not None:
            places = self.places[number * self.most : (number + 1) * self.most]
            return self._cutting(lambda: self._listed(places))
        box = self._box(number)
        return self._cutting(lambda: self._boxed(box))

    def _blocks(self) -> tuple[int, int]:
        """The axis that chunks cut, and into how long blocks; axes before it are single values, those behind whole."""
        cut, behind = len(self.sizes) - 1, 1
        while cut > 0 and behind * self.sizes[cut] <= self.most:
            behind *= self.sizes[cut]
            cut -= 1
        return cut, max(1, min(self.sizes[cut], self.most // behind))

    def _box(self, number: int) -> Slices:
        if not self.sizes:
            return ()
        cut, block = self._blocks()
        rest, part = divmod(number, -(-self.sizes[cut] // block))
        before = []
        for size in reversed(self.sizes[:cut]):
            rest, place = divmod(rest, size)
            before.append(slice(place, place + 1))
        here = slice(part * block, min((part + 1) * block, self.sizes[cut]))
        return (*reversed(before), here, *(slice(0, size) for size in self.sizes[cut + 1 :]))

    def _boxed(self, box: Slices) -> Chunk:
        lengths = _lengths(box)
        figures = {name: np.zeros(lengths, dtype=np.int64) for name in self.figures}
        reasons: dict[int, str] = {}
        positions = np.arange(prod(lengths)).reshape(lengths)
        for where, model, inside in self._parts(box):
            for name in self.figures:
                found = model.figure(name, inside)
                if found.shape == lengths:
                    figures[name] = found
                    continue
                if found.dtype == object:
                    figures[name] = figures[name].astype(object)
                figures[name][where] = found
            reasons.update(_reasons(model, inside, positions[where]))
        columns = {}
        for at, (axis, part) in enumerate(zip(self.grid.axes, box, strict=True)):
            along = _plain(axis.values[part]).reshape([-1 if other == at else 1 for other in range(len(box))])
            columns[axis.name] = np.broadcast_to(along, lengths).reshape(-1)
        return Chunk({**columns, **{name: values.reshape(-1) for name, values in figures.items()}}, reasons)

    def _listed(self, places: Sequence[Place]) -> Chunk:
        values = [_plain([axis.values[place[at]] for place in places]) for at, axis in enumerate(self.grid.axes)]
        figures = {name: np.zeros(len(places), dtype=np.int64) for name in self.figures}
        reasons: dict[int, str] = {}
        groups: dict[Place, list[int]] = {}
        for position, place in enumerate(places):
            groups.setdefault(tuple(place[at] for at in sorted(self.outer)), []).append(position)
        for positions in groups.values():
            where = np.array(positions)
            fixed = [
                _along(axis, column[where].tolist(), 0, 1) for axis, column in zip(self.grid.axes, values, strict=True)
            ]
            model = Model(self.document, self._overrides(fixed), (len(positions),))
            for name in self.figures:
                found = model.figure(name, (slice(0, len(positions)),))
                if found.dtype == object:
                    figures[name] = figures[name].astype(object)
                figures[name][where] = found
            reasons.update(_reasons(model, (slice(0, len(positions)),), where))
        columns = {axis.name: column for axis, column in zip(self.grid.axes, values, strict=True)}
        return Chunk({**columns, **figures}, reasons)

    # -- models ----------------------------------------------------------------------------------------------------

    def _parts(self, box: Slices) -> Iterator[tuple[Slices, Model, Slices]]:
        """The models of a box: where each belongs in the box, and which part of the model that is."""
        single = [range(part.start, part.stop) if at in self.outer else (0,) for at, part in enumerate(box)]
        for place in product(*single):
            region, where, inside = [], [], []
            for at, (part, size) in enumerate(zip(box, self.sizes, strict=True)):
                if at in self.outer:
                    region.append(slice(place[at], place[at] + 1))
                    where.append(slice(place[at] - part.start, place[at] - part.start + 1))
                    inside.append(slice(0, 1))
                    continue
                is_whole = size <= LONG and not self.is_wide
                start = 0 if is_whole else part.start
                region.append(slice(0, size) if is_whole else part)
                where.append(slice(0, part.stop - part.start))
                inside.append(slice(part.start - start, part.stop - start))
            yield tuple(where), self._model(tuple(region)), tuple(inside)

    def _model(self, region: Slices) -> Model:
        key = tuple((part.start, part.stop) for part in region)
        if key not in self.models:
            while len(self.models) >= MOST_MODELS:
                del self.models[next(iter(self.models))]
            values = [
                _along(axis, axis.values[part], at, len(region))
                for at, (axis, part) in enumerate(zip(self.grid.axes, region, strict=True))
            ]
            self.models[key] = self._build(region, values)
        return self.models[key]

    def _build(self, region: Slices, values: list[Any]) -> Model:
        try:
            return Model(self.document, self._overrides(values), _lengths(region))
        except NotVectorizable as cut:
            if not cut.reason:
                raise
            corner = tuple(slice(part.start, part.start + 1) for part in region)
            model = self._model(corner)
            if not model.failures or model.reason(0, tuple(0 for _ in region)) != cut.reason:
                raise
            model.shape = _lengths(region)  # broken in the same way everywhere
            del self.models[tuple((part.start, part.stop) for part in corner)]
            return model

    def _overrides(self, values: Sequence[Any]) -> Overrides:
        variables, inputs, variant = dict(self.base.variables), list(self.base.inputs), self.base.variant
        many = self.document.get("input")
        has_names = many is not None and isinstance(many.value, dict)
        for axis, value in zip(self.grid.axes, values, strict=True):
            if axis.kind in ("variable", "choice"):
                variables[axis.name] = value
            elif axis.kind == "variant":
                variant = value
            else:
                inputs.append((axis.name if has_names else "", value))
        return self.base._replace(variables=variables, variant=variant, inputs=inputs)

    def _cutting(self, work: Callable[[], T]) -> T:
        """The result of `work`, after going one by one through the axes that turn out to change the graph."""
        while True:
            try:
                return work()
            except NotVectorizable:
                inner = [at for at, size in enumerate(self.sizes) if at not in self.outer and size > 1]
                found = {at for at in inner if self._changes(at)}
                if not inner:
                    raise
                self.outer |= found or {inner[0]}
                self.models.clear()

    def _changes(self, at: int) -> bool:
        """Whether an axis alone changes the graph."""
        most = [min(LONG, size) if number == at else 1 for number, size in enumerate(self.sizes)]
        try:
            self._model(tuple(slice(0, size) for size in most))
        except NotVectorizable:
            return True
        return False


def _joined(first: Any, second: Any) -> Any:
    if first.dtype != second.dtype:
        first, second = first.astype(object), second.astype(object)
    return np.concatenate([first, second])


def _lengths(box: Slices) -> tuple[int, ...]:
    return tuple(part.stop - part.start for part in box)


def _along(axis: Axis, values: Sequence[Any], at: int, axes: int) -> Any:
    """Values of an axis as an array, a single or unchanging one as itself; of shapes, an array for each size."""
    first = values[0]
    if all(value == first for value in values):
        return first
    if isinstance(first, tuple):
        return tuple(_along(axis, sizes, at, axes) for sizes in zip(*values, strict=True))
    return points(list(values), at, axes)


def _plain(values: Sequence[Any]) -> Any:
    """Values as a column: int64 where they are whole numbers, else Python objects."""
    if isinstance(values, range) or all(type(value) is int and abs(value) < 2**62 for value in values):
        return np.array(values, dtype=np.int64)
    column = np.empty(len(values), dtype=object)
    column[:] = values if not isinstance(values[0], (tuple, list)) else None
    if isinstance(values[0], (tuple, list)):
        for position, value in enumerate(values):
            column[position] = value
    return column


def _reasons(model: Model, inside: Slices, positions: Any) -> dict[int, str]:
    """Why points are no network, by position; each text is made once."""
    first = model.failing(inside)
    if first is None:
        return {}
    failing = np.broadcast_to(first, positions.shape)
    found: dict[int, str] = {}
    for number in np.unique(failing[failing < NEVER]).tolist():
        places = np.argwhere(failing == number) + [part.start for part in inside]
        places[:, [not is_spanned for is_spanned in model.spanned(number)]] = 0
        different, which = np.unique(places, axis=0, return_inverse=True)
        texts = [model.reason(number, tuple(place)) for place in different.tolist()]
        where = positions[failing == number].tolist()
        found.update(zip(where, map(texts.__getitem__, which.reshape(-1).tolist()), strict=True))
    return found
