"""Read input shapes: from a spec, and from the command line, which overrides it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from convcalc.errors import LocatedError, Problem, SpecError, UserError, did_you_mean, quoted
from convcalc.kinds import Shape
from convcalc.kinds.fields import LARGEST, is_whole, shown
from convcalc.language.document import NAME
from convcalc.language.variables import AlreadyReported, Lookup, evaluate, evaluate_text
from convcalc.numerals import whole_number
from convcalc.syntax.node import Node, describe

MOST_AXES = 6
# what the text of a shape looks like: each size from 1 to LARGEST
_SIZE = r"\s*0*(?:[1-9][0-9]{0,8}|1000000000)\s*"
PATTERN = rf"{_SIZE}(?:[xX×]{_SIZE}){{0,{MOST_AXES - 1}}}"
_HINT = "a shape is channels x height x width, without the batch: 3x224x224 or [3, 224, 224]"
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


def read_inputs(node: Node | None, spec: Node, given: Sequence[Any], lookup: Lookup) -> dict[str, Shape]:
    """Read the inputs of a network by name: those of the spec, changed by those given on the command line.

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
    for change in given:
        _apply_option(stated, *_parse_option(change) if isinstance(change, str) else change)
    if not stated:
        raise SpecError(Problem("the spec has no 'input:'", spec.place, (), "for example input: 3x224x224"))
    return stated


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


def _parse_option(text: str) -> tuple[str, Shape]:
    """Parse one `--input`: the name ("" for none) and the sizes."""
    name, _, shape = text.rpartition("=")
    try:
        return name, parse_shape(shape)
    except UserError as error:
        raise SpecError(f"--input: {error.message}", error.hint) from None


def _apply_option(stated: dict[str, Shape], name: str, sizes: Shape) -> None:
    """Apply one `--input`: a shape, or one number for every spatial axis."""
    if name and name not in stated:
        raise SpecError(f"--input: no input {quoted(name)}", did_you_mean(name, stated))
    if not name and len(stated) > 1:
        raise SpecError(
            "--input: the network has several inputs", f"write NAME=SHAPE, NAME one of: {', '.join(stated)}"
        )
    name = name or next(iter(stated), "input")
    old = stated.get(name, sizes)
    stated[name] = (old[0], *(sizes * (len(old) - 1))) if len(sizes) == 1 and len(old) > 1 else sizes
