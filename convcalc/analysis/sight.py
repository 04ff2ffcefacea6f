"""What one element of an output depends on: a field of the input along each spatial axis."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import NamedTuple

from convcalc.kinds import Shape


class Seen(NamedTuple):
    """Along one axis: output element i depends on input elements low + i*step to high + i*step."""

    step: Fraction
    low: Fraction
    high: Fraction

    @property
    def size(self) -> int:
        return int(self.high - self.low) + 1

    def through(self, span: int, stride: Fraction, before: Fraction) -> Seen:
        """What a window over this axis sees."""
        low = self.low - before * self.step
        return Seen(self.step * stride, low, low + self.high - self.low + (span - 1) * self.step)


Axes = tuple[Seen | None, ...]


class Sight(NamedTuple):
    """What an element of an output sees: a field along each axis, None along the channels.

    `axes` is None where it sees everything (`is_all`), nothing of the input (`is_blind`), or what is not known.
    `has_gate`: gates were left out, through which it sees everything.
    """

    axes: Axes | None = None
    is_all: bool = False
    is_blind: bool = False
    has_gate: bool = False

    @property
    def fields(self) -> tuple[Seen, ...]:
        """The fields along the spatial axes; () where there are none."""
        return tuple(axis for axis in self.axes or () if axis is not None)

    @property
    def size(self) -> tuple[int, ...] | None:
        return tuple(axis.size for axis in self.fields) or None

    def moved(self, axes: Axes) -> Sight:
        return self._replace(axes=axes) if any(axes) else self._replace(axes=None)


ALL, BLIND, UNKNOWN = Sight(is_all=True), Sight(is_blind=True), Sight()


def joined(given: Sequence[Sight]) -> Sight:
    """The union of what several inputs see; those that see nothing of the input add nothing."""
    seeing = [sight for sight in given if not sight.is_blind]
    if not seeing:
        return BLIND
    if any(sight.is_all for sight in seeing):
        return ALL
    first, *others = seeing
    for other in others:
        first = _union(first, other)
    return first


def _union(one: Sight, other: Sight) -> Sight:
    if one.axes is None or other.axes is None or len(one.axes) != len(other.axes):
        return UNKNOWN
    axes: list[Seen | None] = []
    for ours, theirs in zip(one.axes, other.axes, strict=True):
        if ours is None or theirs is None:
            if ours is not theirs:
                return UNKNOWN
            axes.append(None)
        else:
            axes.append(Seen(ours.step, min(ours.low, theirs.low), max(ours.high, theirs.high)))
    return Sight(tuple(axes), has_gate=one.has_gate or other.has_gate)


def spatial_sizes(sight: Sight, shape: Shape) -> Shape:
    """The sizes of the spatial axes of a shape."""
    return tuple(size for size, axis in zip(shape, sight.axes or (), strict=False) if axis is not None)
