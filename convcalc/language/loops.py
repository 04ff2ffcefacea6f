"""Rounds of a loop: `times: 3`, or `over:` a list, in a repeat and in branches side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from convcalc.errors import ChangesGraph, LocatedError, quoted
from convcalc.graph import MOST_LAYERS
from convcalc.kinds.fields import is_whole, shown
from convcalc.language.document import VARIABLE
from convcalc.language.scope import Names, Use
from convcalc.syntax.node import Node, describe

_HINT = "over: [8, 16, 32] for ${item}, over: {filters: [8, 16, 32], stride: [1, 2, 2]} for ${filters} and ${stride}"
_RESERVED = ("index", "and", "or", "not")


def rounds(fields: Mapping[str, Node], names: Names, use: Use) -> Sequence[Mapping[str, Any]]:
    """The names that each round of a loop knows, with their values; `${index}` is the caller's. Raises LocatedError."""
    times, over = fields.get("times"), fields.get("over")
    if times is not None and over is not None:
        raise LocatedError("a loop has either 'times' or 'over'", over.key_place, "leave one of them out")
    if over is not None:
        return _rows(over, names, use)
    assert times is not None
    return ({},) * _number(times, "'times'", names, use)


def _number(node: Node, what: str, names: Names, use: Use) -> int:
    times = _fixed(names.value(node, use))
    if not is_whole(times) or not 0 <= times <= MOST_LAYERS:
        message = f"{what} must be a whole number from 0 to {MOST_LAYERS:,}, found {shown(times)}"
        raise LocatedError(message, node.place)
    return int(times)


def _fixed(value: Any) -> Any:
    if hasattr(value, "dtype"):
        raise ChangesGraph
    return value


def _rows(node: Node, names: Names, use: Use) -> list[Mapping[str, Any]]:
    if not isinstance(node.value, dict):
        items = _list(node, names, use)
        return [{"item": item} for item in items]
    columns: dict[str, list[Any]] = {}
    for name, column in node.items():
        if not VARIABLE.match(name) or name in _RESERVED:
            raise LocatedError(f"{quoted(name)} cannot name the items of a loop", column.key_place, _HINT)
        columns[name] = _list(column, names, use)
        first = next(iter(columns))
        if len(columns[name]) != len(columns[first]):
            message = f"'{first}' has {len(columns[first])} items, '{name}' has {len(columns[name])}"
            raise LocatedError(message, column.place, "give each name as many items")
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def _list(node: Node, names: Names, use: Use) -> list[Any]:
    """The items of a loop: a list; in a mapping a number n stands for 1 to n."""
    value = _fixed(names.value(node, use))
    if isinstance(value, list):
        return value
    if node.key is not None and node.key.value != "over" and is_whole(value):
        return list(range(1, _number(node, f"'{node.key.value}'", names, use) + 1))
    what = describe(node) if not isinstance(node.value, str) or "${" not in node.value else shown(value)
    raise LocatedError(f"'over' takes a list, found {what}", node.place, _HINT)
