"""The layers that a limit, or bits, are stated for: a pattern of names, a block, or a kind."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase

from convcalc.analysis.count import Row


def rows_in(rows: Sequence[Row], scope: str) -> list[Row]:
    """The rows of `layers PATTERN` (of a block those of its layers too), of `kinds NAME`, or all for "".

    >>> from convcalc.analysis.count import count
    >>> from convcalc.loader import read
    >>> rows = count(read("{input: 8, layers: [{linear: {name: head.a, features: 4}}, relu]}")).rows
    >>> [row.path for row in rows_in(rows, "layers head*")], [row.path for row in rows_in(rows, "kinds relu")]
    (['head.a'], ['relu1'])
    """
    group, _, name = scope.partition(" ")
    if not scope:
        return [*rows]
    if group == "kinds":
        return [row for row in rows if row.kind == name]
    return [row for row in rows if fnmatchcase(row.path, name) or row.path.startswith(f"{name}/")]


def names_in(rows: Sequence[Row], scope: str) -> list[str]:
    """The names that a scope of this sort can have: those of layers, or of kinds."""
    return sorted({row.kind if scope.startswith("kinds ") else row.path for row in rows})
