"""The sizes that `${...}` knows of a layer's input, and of a layer by its name: `${height}`, `${stem.height}`."""

from __future__ import annotations

from convcalc.errors import UserError, did_you_mean, quoted
from convcalc.kinds import Shape, shape_text
from convcalc.kinds.sizes import Size

# by the number of axes of a shape: what each axis is called
_BY_AXES = {2: ("channels", "length"), 3: ("channels", "height", "width"), 4: ("channels", "depth", "height", "width")}
_NUMBERED = tuple(f"axis{number}" for number in range(8))
NAMES = ("channels", "height", "width", "depth", "length", "last")
WORDS = (*NAMES, *_NUMBERED)


def check_word(word: str) -> None:
    """Raise UserError for what is no size of any shape."""
    if word not in WORDS:
        raise UserError(f"no size {quoted(word)} of a layer", hint=did_you_mean(word, [*NAMES, "axis0"]))


def size_of(word: str, shape: Shape) -> Size:
    """The size of one axis of a shape. Raises UserError for an axis that it does not have.

    >>> [size_of(word, (64, 28, 30)) for word in ("channels", "height", "width", "axis2", "last")]
    [64, 28, 30, 30, 30]
    >>> size_of("length", (1, 16000)), size_of("depth", (3, 16, 112, 112))
    (16000, 16)
    """
    names = _BY_AXES.get(len(shape), ("channels",))
    numbers = {**dict(zip(_NUMBERED, range(len(shape)), strict=False)), "last": len(shape) - 1}
    numbers.update({name: number for number, name in enumerate(names)})
    if word not in numbers:
        known = ", ".join(dict.fromkeys([*names, *_NUMBERED[: len(shape)], "last"]))
        raise UserError(f"the shape {shape_text(shape)} has no {word}", hint=f"it has {known}", width=len(word))
    return shape[numbers[word]]
