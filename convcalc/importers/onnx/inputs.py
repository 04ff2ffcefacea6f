"""The inputs of an ONNX model: free sizes bound by --input, and which axis is the batch.

The batch is what the user says (`N` in a shape), else what the file says (an axis named N or batch), else the axis
under which most layers can be counted: `graph_of` tries them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from convcalc.errors import SpecError, did_you_mean, quoted
from convcalc.importers.onnx.context import Context
from convcalc.importers.onnx.model import Node, ValueType
from convcalc.importers.onnx.order import reads
from convcalc.importers.onnx.values import Value
from convcalc.kinds import shape_text
from convcalc.kinds.fields import LARGEST
from convcalc.language.input_shapes import Given, parse_given

Sizes = tuple[int | str, ...]
_BATCH_NAME = re.compile(r"n|b|bs|.*batch.*", re.IGNORECASE)  # of an axis


class BatchGuess(NamedTuple):
    """The axis that was taken as the batch, and its size, where neither the user nor the file says it."""

    axis: int
    size: int

    @property
    def note(self) -> str:
        """What a report says of it."""
        return f"axis {self.axis} of the input, of size {self.size}, was taken as the batch; figures are for one input"


@dataclass
class _Input:
    """An input while its sizes are bound: `batch` is the axis of the batch, if any; `is_known` if it is no guess."""

    value: ValueType
    shape: Sizes
    batch: int | None
    is_known: bool = False

    @property
    def inner(self) -> Sizes:
        """The shape without the batch."""
        return tuple(size for axis, size in enumerate(self.shape) if axis != self.batch)


def bind(ctx: Context, nodes: Sequence[Node], given: Sequence[str | Given], guess: int | None) -> BatchGuess | None:
    """Add the inputs to the graph; set the size of the batch, which our shapes leave out. Raises SpecError.

    `guess` is the axis of the batch where neither the user nor the file says it. Returns a guess that was made.
    """
    model = ctx.model
    used = {name for node in nodes for name in reads(node)} | set(model.outputs)
    values = [value for value in model.inputs if value.name not in model.tensors and value.name in used]
    inputs = [_Input(value, _stated(value), *_batch_axis(_stated(value), guess)) for value in values]
    options = _by_name(values, given)
    for one in inputs:
        if one.value.name in options:
            _resize(one, options[one.value.name], ctx.free_sizes)
    axes = [one.shape[one.batch] for one in inputs if one.batch is not None]
    ctx.batch = next((size for size in axes if isinstance(size, int)), 1)
    for one in inputs:
        if len(one.shape) == 1 and one.batch is None and one.shape[0] != 1 and one.shape[0] in axes:
            one.batch = 0  # an input that is only a batch
        if one.batch is not None and isinstance(symbol := one.shape[one.batch], str) and symbol not in ("", "?"):
            ctx.free_sizes.setdefault(symbol, ctx.batch)
    for one in inputs:
        _add(ctx, one, len(inputs) > 1)
    return _guess(ctx, inputs)


def _add(ctx: Context, one: _Input, is_named: bool) -> None:
    """Add an input to the graph. Raises SpecError for sizes that are not known or out of range."""
    name = one.value.name
    bound = _filled_in(one, ctx.batch, ctx.free_sizes)
    if bound is None:
        raise _free_sizes_error(one, is_named)
    if max(bound, default=1) > LARGEST or min(bound, default=1) < 1:
        raise SpecError(f"the input {quoted(name)} has sizes out of range: {shape_text(bound)}")
    batch = one.batch if one.batch is not None and bound[one.batch] % ctx.batch == 0 else None
    ref = ctx.graph.add_input(name or "x", ctx.inner(bound, batch))
    ctx.values[name] = Value(bound, ref=ref, batch=batch, dtype=one.value.dtype)
    ctx.names.taken.add(name)


def _guess(ctx: Context, inputs: Sequence[_Input]) -> BatchGuess | None:
    """Return which axis was taken as the batch, where that is a guess that shows in the figures."""
    guesses = [one for one in inputs if one.batch is not None and not one.is_known]
    if not guesses or (ctx.batch == 1 and not guesses[0].batch):
        return None
    return BatchGuess(guesses[0].batch or 0, ctx.batch)


def _stated(value: ValueType) -> Sizes:
    return ("?", "?", "?", "?") if value.shape is None else value.shape


def _batch_axis(shape: Sizes, guess: int | None) -> tuple[int | None, bool]:
    """Return the axis that is the batch, and whether the file says so."""
    names = [axis for axis, size in enumerate(shape) if isinstance(size, str) and _BATCH_NAME.fullmatch(size)]
    if len(names) == 1 and len(shape) > 1 and names[0] < 2:
        return names[0], True
    if guess is None or len(shape) < 2:
        return None, False
    axis = guess if len(shape) == 3 else 0  # steps come first in steps x batch x features alone
    return axis, False


def _by_name(inputs: Sequence[ValueType], given: Sequence[str | Given]) -> dict[str, Given]:
    """Return the --input options by the name of the input. Raises SpecError."""
    names = [value.name for value in inputs]
    options: dict[str, Given] = {}
    for one in map(_parsed, given):
        if one.name and one.name not in names:
            raise SpecError(f"--input: no input {quoted(one.name)}", did_you_mean(one.name, names))
        if not one.name and len(names) > 1:
            raise SpecError(
                "--input: the network has several inputs", f"write NAME=SHAPE, NAME one of: {', '.join(names[:20])}"
            )
        if names:
            options[one.name or names[0]] = one
    return options


def _parsed(given: str | Given) -> Given:
    return parse_given(given) if isinstance(given, str) else given


def _resize(one: _Input, given: Given, free_sizes: dict[str, int]) -> None:
    """Give an input the sizes of --input: all, all but the batch, or one for every spatial axis. Raises SpecError."""
    rank, sizes = len(one.shape), given.sizes
    if given.batch is not None:
        one.batch, one.is_known = given.batch, True
    if "?" in one.shape:
        axis = one.batch = one.batch or 0
        one.shape = (*sizes[:axis], "N", *sizes[axis:])
        return
    new: Sizes
    if len(sizes) == rank and given.batch is None:
        new = sizes
    elif one.batch is not None and one.batch < rank and len(sizes) == rank - 1:
        new = (*sizes[: one.batch], one.shape[one.batch], *sizes[one.batch :])
    elif len(sizes) == 1 and rank > 2:
        spatial = _spatial_axes(one)
        new = tuple(sizes[0] if axis in spatial else size for axis, size in enumerate(one.shape))
    else:
        what = " x ".join(str(size or "?") for size in one.shape)
        example = "x".join(str(size) if isinstance(size, int) else "224" for size in one.inner)
        hint = f"give as many axes, or leave out the batch: --input {example}"
        raise SpecError(f"--input: {quoted(one.value.name)} is {what}, found {shape_text(sizes) or 'N'}", hint)
    for old, size in zip(one.shape, new, strict=True):
        if isinstance(old, str) and old and isinstance(size, int):
            free_sizes[old] = size
    one.shape = new


def _spatial_axes(one: _Input) -> list[int]:
    """Return the axes that one number sizes: all but the batch and the channels, which may be last."""
    axes = [axis for axis in range(len(one.shape)) if axis != one.batch]
    first, last = one.shape[axes[0]], one.shape[axes[-1]]
    if isinstance(first, int) and isinstance(last, int):
        is_last = last <= 4 < first and len(axes) > 2
    else:
        is_last = isinstance(last, int)
    return axes[:-1] if is_last else axes[1:]


def _filled_in(one: _Input, batch: int, free_sizes: dict[str, int]) -> tuple[int, ...] | None:
    """Return the shape with every free size filled in; None where one is not known."""
    sizes: list[int] = []
    for axis, size in enumerate(one.shape):
        if isinstance(size, int):
            sizes.append(size)
        elif axis == one.batch:
            sizes.append(free_sizes.get(size, batch))
        elif size in free_sizes:
            sizes.append(free_sizes[size])
        else:
            return None
    return tuple(sizes)


def _free_sizes_error(one: _Input, is_named: bool) -> SpecError:
    """Return the error for sizes that neither the model nor --input gives."""
    name = one.value.name
    if "?" in one.shape:
        return SpecError(
            f"the model does not state the shape of its input {quoted(name)}", "give it: --input 3x224x224"
        )
    example = "x".join(
        str(size if isinstance(size, int) else (224 if len(one.inner) > 2 else 128)) for size in one.inner
    )
    what = " x ".join(str(size or "?") for size in one.shape)
    hint = f"give them, for example --input {name + '=' if is_named else ''}{example}"
    return SpecError(f"the input {quoted(name)} has free sizes: {what}", hint)
