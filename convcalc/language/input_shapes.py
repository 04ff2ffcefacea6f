"""Read input shapes: from a spec, and from the command line, which overrides it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from convcalc.errors import LocatedError, Problem, SpecError, UserError, did_you_mean, quoted
from convcalc.kinds import Shape, shape_text
from convcalc.kinds.fields import LARGEST, is_whole, shown
from convcalc.language.document import NAME
from convcalc.language.variables import AlreadyReported, Lookup, evaluate, evaluate_text
from convcalc.numerals import whole_number
from convcalc.record import Record
from convcalc.syntax.node import Node, describe

MOST_AXES = 6
# what the text of a shape looks like: each size from 1 to LARGEST
_SIZE = r"\s*0*(?:[1-9][0-9]{0,8}|1000000000)\s*"
PATTERN = rf"{_SIZE}(?:[xX×]{_SIZE}){{0,{MOST_AXES - 1}}}"
_HINT = "a shape is channels x height x width, without the batch: 3x224x224 or [3, 224, 224]"
DTYPES = ("float32", "float64", "float16", "bfloat16", "int64", "int32", "int16", "int8", "uint8", "bool", "complex64")
_PARTS = re.compile(r"(?:\$\{[^{}]*\}|[^x\s])+", re.IGNORECASE)


def parse_shape(text: str) -> Shape:
    """Parse a shape written as text. Raises UserError.

    >>> parse_shape("3x224x224")
    (3, 224, 224)
    """
    parts = text.lower().replace("×", "x").split("x")
    if len(parts) > MOST_AXES or not all(map(_is_digits, parts)):
        raise UserError(f"{quoted(text)} is not a shape", hint=_HINT)
    return _check([whole_number(part.strip()) for part in parts])


def shape_of(node: Node) -> Shape:
    """Read a shape without variables from a spec: text, a number, or a list of numbers. Raises UserError.

    >>> from convcalc.syntax.yaml import read
    >>> shape_of(read("10x30x30")), shape_of(read("[10, 30, 30]")), shape_of(read("1000"))
    ((10, 30, 30), (10, 30, 30), (1000,))
    """
    if isinstance(node.value, str):
        return parse_shape(node.value)
    sizes = [item.value for item in node.value] if isinstance(node.value, list) else [node.value]
    if not all(map(is_whole, sizes)):
        raise UserError(f"a shape was expected, found {describe(node)}", hint=_HINT)
    return _check(sizes)


def _is_digits(text: str) -> bool:
    """Whether a text is a number short enough for Python to convert (it refuses thousands of digits)."""
    return text.isascii() and text.strip().isdecimal() and len(text) < 20


def _check(sizes: Sequence[Any]) -> Shape:
    sizes = [_check_each(size) if hasattr(size, "dtype") else size for size in sizes]
    for size in sizes:
        if not _is_size_or_array(size):
            hint = _HINT if not is_whole(size) else f"each size is from 1 to {LARGEST:,}"
            raise UserError(f"{shown(size)} is not a size", hint=hint)
    if not 1 <= len(sizes) <= MOST_AXES:
        raise UserError(f"a shape has 1 to {MOST_AXES} axes, found {len(sizes)}", hint=_HINT)
    return tuple(sizes)


def _is_size_or_array(size: Any) -> bool:
    return hasattr(size, "dtype") or _is_size(size)


def _is_size(size: Any) -> bool:
    return is_whole(size) and 1 <= size <= LARGEST


def _check_each(sizes: Any) -> Any:
    """Check each size of a sweep's array."""
    from convcalc.arrays import check_values

    return check_values(sizes, _is_size, "{found} is not a size", hint=_HINT)


class Given(Record):
    """One `--input`: the input's name, its sizes without the batch, its dtype ("" for none), the axis of the batch.

    `batch` is where an `N` is written, None without one. No sizes: an input that is only a batch.
    """

    name: str
    sizes: Shape
    dtype: str = ""
    batch: int | None = None


def parse_given(text: str) -> Given:
    """Parse `[NAME=]SHAPE[:DTYPE]`, where an N is the batch. Raises SpecError.

    >>> parse_given("ids=12:int64")
    Given(name='ids', sizes=(12,), dtype='int64', batch=None)
    >>> parse_given("t=N").sizes, parse_given("Nx3x8x8").sizes, parse_given("7xNx6").batch
    ((), (3, 8, 8), 1)
    """
    name, _, rest = text.rpartition("=")
    shape, colon, dtype = rest.partition(":")
    parts = [part.strip() for part in shape.lower().replace("×", "x").split("x")]
    batch = parts.index("n") if parts.count("n") == 1 else None
    try:
        if colon and dtype not in DTYPES:
            raise UserError(f"no dtype {quoted(dtype)}", did_you_mean(dtype, DTYPES))
        if batch is not None:
            shape = "x".join(parts[:batch] + parts[batch + 1 :])
        return Given(name, parse_shape(shape) if shape or batch is None else (), dtype, batch)
    except UserError as error:
        raise SpecError(f"--input: {error.message}", error.hint) from None


class Inputs(Record):
    """The inputs of a network by name, and a sentence for each whose channels are not those of the spec."""

    shapes: dict[str, Shape]
    notes: Sequence[str] = ()


def read_inputs(node: Node | None, spec: Node, given: Sequence[Any], lookup: Lookup) -> Inputs:
    """Read the inputs of a network: those of the spec, changed by those given on the command line.

    Raises SpecError with every invalid input, AlreadyReported where a variable is invalid.
    """
    stated: dict[str, Shape] = {}
    problems: list[Problem] = []
    is_reported = False
    for name, inner in _nodes_by_name(node):
        if inner is not node and (not NAME.match(name) or name == "input"):
            message = f"{quoted(name)} cannot name an input"
            problems.append(Problem(message, inner.key_place, (), "choose another name"))
            continue
        try:
            stated[name] = _read_shape(inner, lookup)
        except LocatedError as error:
            problems.append(error.problem())
        except AlreadyReported:
            is_reported = True
    if problems:
        raise SpecError(problems)
    if is_reported:
        raise AlreadyReported
    shapes = dict(stated)
    for change in given:
        _apply_option(shapes, stated, parse_given(change) if isinstance(change, str) else Given(*change))
    if not shapes:
        raise SpecError(Problem("the spec has no 'input:'", spec.place, (), "for example input: 3x224x224"))
    return Inputs(shapes, _channel_notes(stated, shapes))


def _nodes_by_name(node: Node | None) -> list[tuple[str, Node]]:
    if node is None:
        return []
    return list(node.items()) if isinstance(node.value, dict) else [("input", node)]


def _read_shape(node: Node, lookup: Lookup) -> Shape:
    value = node.value
    if isinstance(value, str) and "${" in value:
        parts = _PARTS.findall(value)
        nodes = [_size_node(node, part) for part in parts]
        sizes = [evaluate_text(size, lookup) if isinstance(size.value, str) else size.value for size in nodes]
    elif isinstance(value, str):
        try:
            return parse_shape(value)
        except UserError as error:
            raise LocatedError(error.message, node.place, error.hint) from None
    elif isinstance(value, list):
        sizes = evaluate(node, lookup)
    elif is_whole(value):
        sizes = [value]
    else:
        raise LocatedError(f"a shape was expected, found {describe(node)}", node.place, _HINT)
    try:
        return _check(sizes)
    except UserError as error:
        items = value if isinstance(value, list) else []
        wrong = (item for item, size in zip(items, sizes, strict=False) if not _is_size_or_array(size))
        raise LocatedError(error.message, next(wrong, node).place, error.hint) from None


def _size_node(node: Node, part: str) -> Node:
    """The node of one size in a shape written with `${...}`."""
    column = node.column + node.value.index(part)
    return Node(
        whole_number(part) if _is_digits(part) else part,
        node.source,
        node.line,
        column,
        column + len(part),
        node.is_quoted,
    )


def _apply_option(shapes: dict[str, Shape], stated: Mapping[str, Shape], given: Given) -> None:
    """Apply one `--input`: a shape, or one number for every spatial axis. Raises SpecError."""
    if given.name and given.name not in stated:
        raise SpecError(f"--input: no input {quoted(given.name)}", did_you_mean(given.name, stated))
    if not given.name and len(stated) > 1:
        raise SpecError(
            "--input: the network has several inputs", f"write NAME=SHAPE, NAME one of: {', '.join(stated)}"
        )
    if not given.sizes or given.dtype:
        what = "a dtype" if given.dtype else "only a batch"
        raise SpecError(f"--input: {what} means nothing to a spec", "its inputs are shapes: 3x224x224")
    name = given.name or next(iter(stated), "input")
    old = stated.get(name, given.sizes)
    which = "the spec's input" if len(stated) == 1 else f"the spec's input {quoted(name)}"
    shapes[name] = _changed(old, given.sizes, which, given.batch is not None)


def _changed(old: Shape, new: Shape, which: str, has_batch: bool = False) -> Shape:
    """Return an input's new shape: `new`, or `old` with one size for every spatial axis. Raises SpecError."""
    if len(new) == 1 and len(old) > 1 and not has_batch:
        return (old[0], *(new * (len(old) - 1)))
    if hint := _other_axes(old, new):
        raise SpecError(f"--input: {which} is {shape_text(old)}, found {shape_text(new)}", hint)
    return new


def check_axes(node: Node | None, name: str, sizes: Shape) -> None:
    """Raise SpecError for a shape with other axes than the spec's input `name`; with variables in it nothing is known.

    `node` is the value of `input:`.
    """
    inner = dict(_nodes_by_name(node)).get(name)
    if inner is not None:
        with suppress(UserError):
            _changed(shape_of(inner), sizes, "the spec's input")


def _other_axes(old: Shape, new: Shape) -> str:
    """Return what was meant by a shape that has other axes than the spec's, or has them in another order; "" if not."""
    if len(new) == len(old):
        return _channels_first_hint(new) if _is_channels_last(old, new) else ""
    if len(new) == len(old) + 1:
        inner = new[1:]
        batch = "" if new[0] == 1 else f" --batch {new[0]}"
        if _is_channels_last(old, inner):
            inner = (inner[-1], *inner[:-1])
            return f"leave the batch out, channels first: --input {shape_text(inner)}{batch}"
        return f"leave the batch out: --input {shape_text(inner)}{batch}"
    if len(new) == len(old) - 1 and new[0] == old[0]:
        return f"give the size of every axis: --input {shape_text((*new, new[-1]))}"
    if len(new) == len(old) - 1:
        return f"give the channels as well: --input {shape_text((old[0], *new))}"
    return f"give as many axes as the spec does: {len(old)}, found {len(new)}"


def _is_channels_last(old: Shape, new: Shape) -> bool:
    """Whether a shape has the spec's channels as its last axis. Equal last axes are a spatial size: 128x64x64."""
    is_moved = len(new) > 1 and new[0] != old[0] and new[-1] == old[0] and new[0] > new[-1]
    return bool(is_moved and (len(new) == 2 or new[-1] != new[-2]))


def _channels_first_hint(new: Shape) -> str:
    return f"channels come first: --input {shape_text((new[-1], *new[:-1]))}"


def _channel_notes(stated: Mapping[str, Shape], shapes: Mapping[str, Shape]) -> list[str]:
    """Return a sentence for each input whose channels are not those of the spec."""
    notes = []
    for name, shape in shapes.items():
        old, new = stated.get(name, shape)[0], shape[0]
        if not hasattr(old, "dtype") and not hasattr(new, "dtype") and old != new:
            which = f" of {quoted(name)}" if len(shapes) > 1 else ""
            notes.append(f"{old:,} channels{which} in the spec, {new:,} given")
    return notes
