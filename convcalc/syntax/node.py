"""One value of a text with its location, as the readers of YAML and TOML return it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from convcalc.errors import Hint, Place, Problem, Source, printable, quoted

if TYPE_CHECKING:
    from collections.abc import Iterator


class Node:
    """One value of a spec with its location. `value` is a scalar, a list of Nodes, or a dict of key to Node.

    `key` is the Node of its key in a mapping, None elsewhere; `is_quoted` tells `"3"` from `3`.
    """

    __slots__ = ("column", "end", "is_quoted", "key", "line", "source", "value")

    def __init__(self, value: Any, source: Source, line: int, column: int, end: int, is_quoted: bool = False) -> None:
        self.value = value
        self.source = source
        self.line = line
        self.column = column
        self.end = end
        self.is_quoted = is_quoted
        self.key: Node | None = None

    @property
    def place(self) -> Place:
        return Place(self.source, self.line, self.column, self.end)

    @property
    def key_place(self) -> Place:
        """The location of the value's key; of the value itself where it has none."""
        return self.key.place if self.key else self.place

    def items(self) -> Iterator[tuple[str, Node]]:
        """The entries of a mapping; empty for any other value."""
        return iter(self.value.items()) if isinstance(self.value, dict) else iter(())

    def problem(self, message: str, hint: Hint = "", notes: tuple[str, ...] = ()) -> Problem:
        return Problem(message, self.place, notes, hint)

    def plain(self) -> Any:
        """Convert to a plain Python value, without locations.

        >>> from convcalc.syntax.yaml import read
        >>> read("a: [1, {b: yes}]").plain()
        {'a': [1, {'b': 'yes'}]}
        """
        if isinstance(self.value, list):
            return [node.plain() for node in self.value]
        if isinstance(self.value, dict):
            return {key: node.plain() for key, node in self.value.items()}
        return self.value


def describe(node: Node) -> str:
    """Describe a value in the words of an error message.

    >>> from convcalc.syntax.yaml import read
    >>> describe(read("a: [1]")), describe(read("a: yes").value["a"])
    ('a mapping', "'yes'")
    """
    value = node.value
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, str):
        return str(value)
    return f'"{printable(value[:60])}" in quotes' if node.is_quoted else quoted(value)
