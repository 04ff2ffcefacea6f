"""TOML -> Node: a table of pyproject.toml with locations, which the standard library's parser does not give."""

from __future__ import annotations

import re
import sys
from decimal import Decimal
from typing import Any

from convcalc.errors import Place, Problem, Source, SpecError, UserError, quoted
from convcalc.numerals import exact_number, whole_number
from convcalc.syntax.encoding import decode
from convcalc.syntax.node import Node
from convcalc.syntax.yaml_errors import MOST_DEEP

_TOKEN = re.compile(
    r'#[^\n]*|"""(?:\\.|[^\\])*?"{3,5}|\'\'\'.*?\'{3,5}|"(?:\\.|[^"\\\n])*"|\'[^\'\n]*\''
    r'|[^\s\[\]{}=,."\'#]+|[\[\]{}=,.\n]',
    re.DOTALL,
)
_MESSAGE = re.compile(r"(.*?) \(at (?:line (\d+), column (\d+)|end of document)\)\Z", re.DOTALL)
Path = tuple[str, ...]


def read(data: bytes, name: str, *path: str) -> Node | None:
    """Read the table at a path of keys; None where there is none. Raises SpecError for invalid TOML.

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
    _refuse_depth(source)
    try:
        value: Any = tomllib.loads(text, parse_float=_decimal)
    except UserError as error:
        raise SpecError(f"{quoted(name)}: {error.message}", error.hint) from None
    except ValueError as error:  # a number of thousands of digits is one too
        raise SpecError(_syntax_problem(str(error), source)) from None
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return None if value is None else _Nodes(source).node(value, path, None)


def _decimal(text: str) -> Decimal | float:
    return float(text) if text.strip("+-") in ("inf", "nan") else exact_number(text.replace("_", ""))


def _refuse_depth(source: Source) -> None:
    """Raise SpecError for brackets or dotted keys that nest deeper than MOST_DEEP: readers of TOML recurse."""
    depth = dots = 0
    for word in _TOKEN.finditer(source.text):
        sign = word[0]
        depth += (sign in "[{") - (sign in "]}")
        dots = dots + 1 if sign == "." else 0 if sign in "\n=," else dots
        if depth > MOST_DEEP or dots > MOST_DEEP:
            line = source.text.count("\n", 0, word.start()) + 1
            column = word.start() - source.text.rfind("\n", 0, word.start())
            raise SpecError(Problem(f"nested deeper than {MOST_DEEP} levels", Place(source, line, column, column + 1)))


def _syntax_problem(message: str, source: Source) -> Problem:
    located = _MESSAGE.match(message)
    lines = source.text.split("\n")
    line, column = (
        (whole_number(located[2]), whole_number(located[3]))
        if located and located[2]
        else (len(lines), len(lines[-1]) + 1)
    )
    return Problem(f"not TOML: {located[1] if located else message}", Place(source, line, column, column + 1))


class _Nodes:
    """Makes Nodes of plain values. One walk over the words of a valid file locates every key and value."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.words = [word for word in _TOKEN.finditer(source.text) if word[0][0] != "#"]
        self.position = 0
        self.spans: dict[Path, tuple[tuple[int, int], tuple[int, int]]] = {}  # of the key, and of the value
        base: Path = ()
        while self.position < len(self.words):
            if self._peek() == "\n":
                self.position += 1
            elif self._peek() == "[":
                while self._peek() == "[":
                    self.position += 1
                base = self._walk_key((), "]")
                while self._peek() == "]":
                    self.position += 1
            else:
                self._walk_pair(base)

    def _peek(self) -> str:
        return self.words[self.position][0] if self.position < len(self.words) else "\n"

    def _walk_key(self, base: Path, stop: str) -> Path:
        """Walk over a key up to the sign `stop` and record each of its dotted parts."""
        while self._peek() != stop:
            word = self.words[self.position]
            if word[0] != ".":
                base = (*base, word[0][1:-1] if word[0][0] in "\"'" else word[0])
                self.spans.setdefault(base, (word.span(), word.span()))
            self.position += 1
        return base

    def _walk_pair(self, base: Path) -> None:
        path = self._walk_key(base, "=")
        self.position += 1
        first = self.words[self.position]
        self._walk_value(path)
        self.spans[path] = (self.spans[path][0], (first.start(), self.words[self.position - 1].end()))

    def _walk_value(self, path: Path) -> None:
        opening = self._peek()
        self.position += 1
        if opening == "{":
            while self._peek() != "}":
                if self._peek() in (",", "\n"):
                    self.position += 1
                else:
                    self._walk_pair(path)
            self.position += 1
        elif opening == "[":
            number = 0
            while self._peek() != "]":
                if self._peek() in (",", "\n"):
                    self.position += 1
                    continue
                item = (*path, str(number))
                first = self.words[self.position]
                self._walk_value(item)
                self.spans[item] = (first.span(), (first.start(), self.words[self.position - 1].end()))
                number += 1
            self.position += 1
        else:
            while self._peek() not in ("\n", ",", "}", "]"):
                self.position += 1

    def node(self, value: Any, path: Path, table: Node | None) -> Node:
        """Make a Node of a plain value; one whose key was not located gets the location of the table around it."""
        if path in self.spans:
            key, place = (self._place(*span) for span in self.spans[path])
        else:
            key = place = table.place if table else Place(self.source, 1, 1, 2)
        node = Node(None, self.source, place.line, place.column, place.end, is_quoted=isinstance(value, str))
        node.key = Node(path[-1], self.source, key.line, key.column, key.end)
        if isinstance(value, dict):
            node.value = {name: self.node(inner, (*path, name), node) for name, inner in value.items()}
        elif isinstance(value, list):
            node.value = [self.node(inner, (*path, str(number)), node) for number, inner in enumerate(value)]
        else:
            node.value = value if isinstance(value, (bool, int, Decimal, str)) else str(value)
        return node

    def _place(self, start: int, end: int) -> Place:
        text = self.source.text
        column = start - text.rfind("\n", 0, start)
        line_end = text.find("\n", start)
        end = min(end, line_end if line_end >= 0 else len(text))
        return Place(self.source, text.count("\n", 0, start) + 1, column, column + max(1, end - start))
