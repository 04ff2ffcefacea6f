"""TOML with places: a table of pyproject.toml as Nodes. The standard library's parser gives values without places."""

from __future__ import annotations

import re
import sys
from decimal import Decimal
from typing import Any

from convcalc.errors import Place, Problem, Source, SpecError
from convcalc.syntax.encoding import decode
from convcalc.syntax.node import Node

_TOKEN = re.compile(
    r'#[^\n]*|"""(?:\\.|[^\\])*?"{3,5}|\'\'\'.*?\'{3,5}|"(?:\\.|[^"\\\n])*"|\'[^\'\n]*\''
    r'|[^\s\[\]{}=,."\'#]+|[\[\]{}=,.\n]',
    re.DOTALL,
)
_AT = re.compile(r"(.*?) \(at (?:line (\d+), column (\d+)|end of document)\)\Z", re.DOTALL)
Path = tuple[str, ...]


def read(data: bytes, name: str, *path: str) -> Node | None:
    """The table at a path of keys, or None where there is none. Raises SpecError for what is not TOML.

    >>> node = read(b'[tool.convcalc.budget]\\nparams = "5M"', "pyproject.toml", "tool", "convcalc")
    >>> str(node.value["budget"].value["params"].place)
    'pyproject.toml:2:10'
    """
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    text = decode(data, name).replace("\r\n", "\n")
    source = Source(name, text)
    try:
        value: Any = tomllib.loads(text, parse_float=Decimal)
    except tomllib.TOMLDecodeError as error:
        raise SpecError(_syntax(str(error), source)) from None
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return None if value is None else _Nodes(source).node(value, path, None)


def _syntax(message: str, source: Source) -> Problem:
    found = _AT.match(message)
    lines = source.text.split("\n")
    line, column = (int(found[2]), int(found[3])) if found and found[2] else (len(lines), len(lines[-1]) + 1)
    return Problem(f"not TOML: {found[1] if found else message}", Place(source, line, column, column + 1))


class _Nodes:
    """Makes Nodes of plain values, and finds where each key stands in one walk over words known to be TOML."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.words = [found for found in _TOKEN.finditer(source.text) if found[0][0] != "#"]
        self.at = 0
        self.spans: dict[Path, tuple[tuple[int, int], tuple[int, int]]] = {}  # of the key, and of the value
        base: Path = ()
        while self.at < len(self.words):
            if self._peek() == "\n":
                self.at += 1
            elif self._peek() == "[":
                while self._peek() == "[":
                    self.at += 1
                base = self._key((), "]")
                while self._peek() == "]":
                    self.at += 1
            else:
                self._pair(base)

    def _peek(self) -> str:
        return self.words[self.at][0] if self.at < len(self.words) else "\n"

    def _key(self, base: Path, stop: str) -> Path:
        """A key, dotted or not, up to a sign; each of its parts is remembered."""
        while self._peek() != stop:
            word = self.words[self.at]
            if word[0] != ".":
                base = (*base, word[0][1:-1] if word[0][0] in "\"'" else word[0])
                self.spans.setdefault(base, (word.span(), word.span()))
            self.at += 1
        return base

    def _pair(self, base: Path) -> None:
        path = self._key(base, "=")
        self.at += 1
        first = self.words[self.at]
        self._value(path)
        self.spans[path] = (self.spans[path][0], (first.start(), self.words[self.at - 1].end()))

    def _value(self, path: Path) -> None:
        opening = self._peek()
        self.at += 1
        if opening == "{":
            while self._peek() != "}":
                if self._peek() in (",", "\n"):
                    self.at += 1
                else:
                    self._pair(path)
            self.at += 1
        elif opening == "[":
            number = 0
            while self._peek() != "]":
                if self._peek() in (",", "\n"):
                    self.at += 1
                    continue
                item = (*path, str(number))
                first = self.words[self.at]
                self._value(item)
                self.spans[item] = (first.span(), (first.start(), self.words[self.at - 1].end()))
                number += 1
            self.at += 1
        else:
            while self._peek() not in ("\n", ",", "}", "]"):
                self.at += 1

    def node(self, value: Any, path: Path, above: Node | None) -> Node:
        """A plain value as a Node; where its key was not found, it stands where the table above it does."""
        if path in self.spans:
            key, own = (self._place(*span) for span in self.spans[path])
        else:
            key = own = above.place if above else Place(self.source, 1, 1, 2)
        made = Node(None, self.source, own.line, own.column, own.end, is_quoted=isinstance(value, str))
        made.key = Node(path[-1], self.source, key.line, key.column, key.end)
        if isinstance(value, dict):
            made.value = {name: self.node(inner, (*path, name), made) for name, inner in value.items()}
        elif isinstance(value, list):
            made.value = [self.node(inner, (*path, str(number)), made) for number, inner in enumerate(value)]
        else:
            made.value = value if isinstance(value, (bool, int, Decimal, str)) else str(value)
        return made

    def _place(self, start: int, end: int) -> Place:
        text = self.source.text
        column = start - text.rfind("\n", 0, start)
        line_end = text.find("\n", start)
        end = min(end, line_end if line_end >= 0 else len(text))
        return Place(self.source, text.count("\n", 0, start) + 1, column, column + max(1, end - start))
