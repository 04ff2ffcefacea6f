"""What a sweep goes through: values for each variable, and the grid of all their combinations."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from math import prod
from random import Random
from typing import Any, NamedTuple

from convcalc.errors import Problem, SpecError, UserError, did_you_mean, quoted
from convcalc.language.choices import choices
from convcalc.language.document import Document
from convcalc.language.input_shapes import check_axes, parse_shape
from convcalc.numerals import exact_number
from convcalc.syntax.yaml import read

MOST_POINTS = 10**9
MOST_VALUES = 10**6
_NUMBER = r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)"
_RANGE = re.compile(rf"({_NUMBER}):({_NUMBER})(?::({_NUMBER}|log2))?\Z")


class Axis(NamedTuple):
    """One thing that varies: a variable of the spec, an input's shape, or the variant."""

    name: str
    kind: str  # variable, choice, input, variant
    values: Sequence[Any]

    @property
    def changes_graph(self) -> bool:
        """Whether its values can never be sizes of one graph: words, lists, variants, shapes of different length."""
        if self.kind in ("variant", "choice") or isinstance(self.values, range):
            return self.kind in ("variant", "choice")
        first = self.values[0]
        if isinstance(first, tuple):
            return any(len(value) != len(first) for value in self.values)
        return any(isinstance(value, bool) or not isinstance(value, (int, Decimal)) for value in self.values)


class Grid(NamedTuple):
    """Every combination of the axes' values; the last axis changes fastest."""

    axes: tuple[Axis, ...]

    @property
    def size(self) -> int:
        return prod(len(axis.values) for axis in self.axes)

    def point(self, row: int) -> tuple[int, ...]:
        """Which value of each axis row `row` has.

        >>> Grid((Axis("a", "variable", range(2)), Axis("b", "variable", range(3)))).point(4)
        (1, 1)
        """
        places = []
        for axis in reversed(self.axes):
            row, place = divmod(row, len(axis.values))
            places.append(place)
        return tuple(reversed(places))


def read_axis(name: str, text: str, document: Document) -> Axis:
    """One `NAME=VALUES` of a command line. Raises SpecError.

    Values are `4,8,16`, `4:64:4` (from, to, step: the end belongs to it), `4:64` (step 1), `4:64:log2` (doubling),
    or several of these with commas between.
    """
    if name == "variant":
        names = text.split(",")
        for word in names:
            if word not in document.variants:
                hint = did_you_mean(word, document.variants) or "the spec has no variants:"
                raise SpecError(f"--variant: {document.file.name} has no variant {quoted(word)}", hint)
        return Axis(name, "variant", names)
    node = document.get("input")
    inputs = list(node.value) if node is not None and isinstance(node.value, dict) else ["input"]
    known = {} if name in document.variables else choices(document)
    if name in known:
        words = list(known[name].alternatives) if text == "*" else text.split(",")
        try:
            return Axis(name, "choice", [known[name].pick(word) for word in words])
        except UserError as misfit:
            raise SpecError(f"--set: {misfit.message}", misfit.hint) from None
    kind = "variable" if name in document.variables else "input"
    if kind == "input" and name not in inputs:
        names = [*document.variables, *known]
        hint = did_you_mean(name, names) if names else "the spec has no vars:"
        raise SpecError(f"--set: {document.file.name} has no variable {quoted(name)}", hint)
    values: Sequence[Any] = _values(name, text)
    if kind == "input":
        values = [_shape(value, name) for value in _limited(name, values)]
        if not any("input" in variant for variant in document.variants.values()):
            for shape in values:
                check_axes(node, name, shape)
    return Axis(name, kind, values)


def _values(name: str, text: str) -> Sequence[Any]:
    parts = [part.strip() for part in re.split(r",(?![^\[]*\])", text)]
    found = [_part(name, part) for part in parts]
    values = found[0] if len(found) == 1 else [value for part in found for value in _limited(name, part)]
    if isinstance(values, range):
        return values
    if len(set(map(str, values))) < len(values):
        twice = next(value for at, value in enumerate(values) if value in values[:at])
        raise SpecError(f"--set {name}: {quoted(twice)} is given twice")
    return values


def _limited(name: str, values: Sequence[Any]) -> Sequence[Any]:
    if len(values) > MOST_VALUES:
        raise SpecError(
            f"--set {name}: {len(values):,} values; at most {MOST_VALUES:,} are allowed", "use larger steps"
        )
    return values


def _part(name: str, text: str) -> Sequence[Any]:
    match = _RANGE.match(text)
    if not match:
        if not text:
            raise SpecError(f"--set {name}: an empty value", "for example 4,8,16 or 4:64:4 or 4:64:log2")
        if re.fullmatch(r"[^\[\]\"']*[0-9]:.*", text):
            hint = "a range is FROM:TO:STEP or FROM:TO:log2"
            raise SpecError(f"--set {name}: {quoted(text)} is not a range", hint)
        return [read(text, f"--set {name}").plain()]
    is_doubling = match[3] == "log2"
    try:
        start, stop, step = map(exact_number, (match[1], match[2], "1" if is_doubling else match[3] or "1"))
    except UserError as error:
        raise SpecError(f"--set {name}: {error.message}", error.hint) from None
    if is_doubling:
        return _doubling(name, text, start, stop)
    if step == 0 or (stop - start) * step < 0:
        which = "a step of 0" if step == 0 else f"a step of {step} does not lead from {start} to {stop}"
        raise SpecError(f"--set {name}: the range {text} never ends: {which}", "a range is FROM:TO:STEP")
    if all(isinstance(number, int) for number in map(_plain, (start, stop, step))):
        return range(int(start), int(stop) + (1 if step > 0 else -1), int(step))
    count = int((stop - start) / step) + 1
    if count > MOST_VALUES:
        raise SpecError(f"--set {name}: the range {text} has {count:,} values", f"at most {MOST_VALUES:,} decimals")
    return [_plain(start + number * step) for number in range(count)]


def _doubling(name: str, text: str, start: Decimal, stop: Decimal) -> list[Any]:
    if start <= 0 or stop < start:
        why = "doubling must start above 0" if start <= 0 else f"doubling does not lead from {start} to {stop}"
        raise SpecError(f"--set {name}: the range {text} never ends: {why}")
    values = []
    while start <= stop:
        values.append(_plain(start))
        start *= 2
    return values


def _plain(value: Decimal) -> int | Decimal:
    """A number written without a point is whole."""
    exponent = value.as_tuple().exponent
    whole = isinstance(exponent, int) and exponent >= 0
    return int(value) if whole else value


def _shape(value: Any, name: str) -> tuple[int, ...]:
    try:
        return parse_shape(str(value))
    except UserError as misfit:
        raise SpecError(f"--set {name}: {misfit.message}", misfit.hint) from None


def read_axes(sets: Iterable[str], variant: str, document: Document) -> Grid:
    """The grid of a command line's `--set`s and `--variant`. Raises SpecError with all that is wrong."""
    axes: dict[str, Axis] = {}
    problems: list[Problem] = []
    texts = [*([f"variant={variant}"] if "," in variant else []), *sets]
    for text in texts:
        name, equals, values = text.partition("=")
        try:
            if not equals or not name or not values:
                raise SpecError(f"--set: VAR=VALUES was expected, found {quoted(text)}")
            if name in axes:
                raise SpecError(f"--set {name} is given twice", "list its values: a,b,c")
            axes[name] = read_axis(name, values, document)
        except SpecError as error:
            problems.extend(error.problems)
    if problems:
        raise SpecError(problems)
    return Grid(tuple(axes.values()))


def check_size(grid: Grid, hint: str = "use larger steps") -> None:
    """Refuse a grid that no one waits for. Raises SpecError."""
    if grid.size > MOST_POINTS:
        times = " x ".join(f"{len(axis.values):,}" for axis in grid.axes)
        raise SpecError(
            f"a grid of {grid.size:,} architectures ({times}); at most {MOST_POINTS:,} are counted",
            hint,
        )


def sample(grid: Grid, count: int, seed: int, method: str) -> list[tuple[int, ...]]:
    """Different points of a grid, in its order: `random` ones, or a Latin hypercube.

    In a Latin hypercube every axis is cut into `count` equal parts and each part is met once. Where an axis has so few
    values that points fall together, random ones take their place.

    >>> sample(Grid((Axis("a", "variable", range(4)), Axis("b", "variable", range(4)))), 4, 1, "latin")
    [(0, 2), (1, 0), (2, 1), (3, 3)]
    """
    random = Random(seed)
    if count >= grid.size:
        return [grid.point(row) for row in range(grid.size)]
    if method == "random":
        return [grid.point(row) for row in sorted(_different(random, count, grid.size))]
    columns = []
    for axis in grid.axes:
        parts = random.sample(range(count), count)
        columns.append([(2 * part + 1) * len(axis.values) // (2 * count) for part in parts])
    found = set(zip(*columns, strict=True))
    while len(found) < count:
        found.add(grid.point(random.randrange(grid.size)))
    return sorted(found)


def _different(random: Random, count: int, size: int) -> Iterator[int]:
    seen: set[int] = set()
    while len(seen) < count:
        row = random.randrange(size)
        if row not in seen:
            seen.add(row)
            yield row
