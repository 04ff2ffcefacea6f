"""Which elements of a stored tensor a constant has: parts as strided views, and a ledger of the layers that count them.

A slice, flip, transposition or reshape of a stored tensor is a first element and a step for each axis. As a set of
elements, a part is a Python integer with one bit for each element, which makes its algebra fast and exact.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import prod
from typing import NamedTuple

LARGEST_SET = 2**30  # elements of a tensor whose parts are told apart
MOST_BITS = 2**36  # of all sets that one import computes


class Part(NamedTuple):
    """Elements of a stored tensor of `size` elements: all of them, or those of a view.

    The view is its first element, and size and step of its axes, the longest step first.
    """

    name: str
    size: int
    start: int = 0
    axes: tuple[tuple[int, int], ...] | None = None

    @property
    def elements(self) -> int:
        """How many elements it has."""
        return self.size if self.axes is None else prod(size for size, _ in self.axes)

    def bits(self) -> int:
        """The elements as a set: bit number n stands for element n.

        >>> bin(Part("w", 12, 1, ((2, 6), (3, 1))).bits())
        '0b1110001110'
        """
        if self.axes is None:
            return (1 << self.size) - 1
        bits = 1
        for count, step in reversed(self.axes):
            bits = _repeated(bits, count, step)
        return bits << self.start


def _repeated(bits: int, count: int, step: int) -> int:
    """Return a set and its copies, each `step` elements after the one before."""
    repeated, copies, block, width = 0, 0, bits, 1
    while count:
        if count & 1:
            repeated |= block << (copies * step)
            copies += width
        count >>= 1
        if count:
            block |= block << (width * step)
            width *= 2
    return repeated


class Layout(NamedTuple):
    """Where the elements of a constant are in the one stored tensor that it is a view of."""

    start: int
    steps: tuple[int, ...]

    @classmethod
    def contiguous(cls, sizes: Sequence[int]) -> Layout:
        """The layout of a whole tensor.

        >>> Layout.contiguous((2, 3, 4))
        Layout(start=0, steps=(12, 4, 1))
        """
        return cls(0, tuple(prod(sizes[axis + 1 :]) for axis in range(len(sizes))))

    def cut(self, axis: int, taken: range) -> Layout:
        """The layout of the given indices of an axis."""
        step = self.steps[axis]
        start = self.start + (taken.start * step if taken else 0)
        return Layout(start, (*self.steps[:axis], step * taken.step, *self.steps[axis + 1 :]))

    def permuted(self, order: Sequence[int]) -> Layout:
        """The layout with the axes in another order."""
        return Layout(self.start, tuple(self.steps[axis] for axis in order))

    def spread(self, sizes: Sequence[int], wanted: Sequence[int]) -> Layout:
        """The layout of a constant of these sizes that is broadcast to others."""
        added = (0,) * (len(wanted) - len(sizes))
        steps = (step if size > 1 else 0 for size, step in zip(sizes, self.steps, strict=True))
        return Layout(self.start, (*added, *steps))

    def reshaped(self, sizes: Sequence[int], wanted: Sequence[int]) -> Layout | None:
        """The layout of a constant of these sizes in another shape; None where it is no view any more.

        >>> Layout(0, (12, 4, 1)).reshaped((2, 3, 4), (6, 2, 2))
        Layout(start=0, steps=(4, 2, 1))
        >>> Layout(0, (1, 3)).reshaped((3, 4), (12,)) is None
        True
        """
        runs = [*_merged([(size, step) for size, step in zip(sizes, self.steps, strict=True) if size != 1])]
        steps: list[int] = []
        size, step = runs.pop() if runs else (1, 1)
        for new in reversed(wanted):
            if size == 1 and new != 1 and runs:
                size, step = runs.pop()
            if size % max(new, 1):
                return None
            steps.append(step)
            size, step = size // max(new, 1), step * new
        return Layout(self.start, tuple(reversed(steps)))

    def part(self, name: str, size: int, sizes: Sequence[int]) -> Part:
        """The elements that a constant of these sizes has of a stored tensor of `size` elements."""
        if 0 in sizes:
            return Part(name, size, 0, ((0, 1),))
        start, axes = self.start, []
        for count, step in zip(sizes, self.steps, strict=True):
            if count != 1 and step:
                start += min(step * (count - 1), 0)
                axes.append((count, abs(step)))
        axes = _merged(sorted(axes, key=lambda axis: -axis[1]))
        is_whole = axes == [(size, 1)] or (not axes and size == 1)
        return Part(name, size) if is_whole else Part(name, size, start, tuple(axes))


class View(NamedTuple):
    """A tensor that has its elements in another one, of `size` elements."""

    name: str
    size: int
    layout: Layout


def _merged(axes: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return axes as (size, step) with those merged that are one run of elements."""
    merged: list[tuple[int, int]] = []
    for size, step in axes:
        if merged and merged[-1][1] == size * step:
            size *= merged.pop()[0]
        merged.append((size, step))
    return merged


class Claim(NamedTuple):
    """What a layer counts of a stored tensor: so many elements of a part."""

    layer: int
    part: Part
    elements: int
    bits: int | None = None  # which elements; None: all of the part


class Ledger:
    """The layer that counts each element of each stored tensor: the first that uses it."""

    def __init__(self) -> None:
        self.claims: dict[str, list[Claim]] = {}
        self.not_stored = 0  # learned values of layers that are in no stored tensor
        self._bits_left = MOST_BITS

    def claim(self, parts: Iterable[Part], layer: int) -> tuple[int, dict[int, int]]:
        """Let a layer count the elements that none counts yet; return how many, and how many each other layer does."""
        fresh = 0
        others: dict[int, int] = {}
        for part in parts:
            claims = self.claims.setdefault(part.name, [])
            new, bits = self._fresh(part, claims, others)
            fresh += new
            if new:
                claims.append(Claim(layer, part, new, bits))
        return fresh, others

    def counted(self, name: str) -> int:
        """Return how many elements of a stored tensor are counted."""
        return sum(claim.elements for claim in self.claims.get(name, ()))

    def _fresh(self, part: Part, claims: list[Claim], others: dict[int, int]) -> tuple[int, int | None]:
        """Return how many elements of a part no layer counts, and which; add the others to those of their layers."""
        if not claims:
            return part.elements, None
        for claim in claims:
            if claim.bits is None and (claim.part.axes is None or claim.part == part):
                others[claim.layer] = others.get(claim.layer, 0) + part.elements
                return 0, None
        self._bits_left -= part.size * (len(claims) + 1)
        if part.size > LARGEST_SET or self._bits_left < 0:  # too many to tell apart: never more than are stored
            new = max(0, min(part.elements, part.size - sum(claim.elements for claim in claims)))
            if new < part.elements:
                others[claims[0].layer] = others.get(claims[0].layer, 0) + part.elements - new
            return new, None
        left = part.bits()
        for claim in claims:
            common = left & (claim.part.bits() if claim.bits is None else claim.bits)
            if common:
                others[claim.layer] = others.get(claim.layer, 0) + common.bit_count()
                left ^= common
        return left.bit_count(), left


def distinct(parts: Iterable[Part]) -> int:
    """Return how many elements parts have together, each once.

    >>> distinct([Part("w", 12), Part("w", 12, 0, ((4, 1),)), Part("b", 4)])
    16
    """
    return Ledger().claim(parts, 0)[0]
