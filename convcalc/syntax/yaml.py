"""YAML -> Node. The only importer of yaml.

The reader walks the parser's *events*, never PyYAML's composer or constructor: a file cannot run code (every tag is
refused), cannot grow without bound (aliases are counted as often as they are used), cannot nest deeper than
MOST_DEEP (PyYAML's C composer crashes the process on 25 KB of "["), and every value keeps its line and column.
Scalars follow the YAML 1.2 core schema, not PyYAML's 1.1: `no` and `on` are words, `010` is ten, `1e6` is a number,
`1:30` is text.
"""

from __future__ import annotations

import re
from typing import Any, NoReturn

import yaml

from convcalc.errors import Place, Problem, Source, SpecError, UserError, printable, quoted
from convcalc.numerals import exact_number, whole_number, without_separators
from convcalc.syntax.encoding import decode, refuse_characters
from convcalc.syntax.node import Node
from convcalc.syntax.yaml_errors import MOST_DEEP, syntax_problem

MOST_NODES = 1_000_000

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_INTEGER = re.compile(r"[-+]?[0-9]+(?:_[0-9]+)*\Z")
# as text: few files need them, and each takes long to compile
_DECIMAL = r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?\Z"
_WORDS: dict[str, bool | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_NOT_FINITE = r"[-+]?\.(?:inf|Inf|INF)\Z|\.(?:nan|NaN|NAN)\Z"
_DIRECTIVE = r"%(?:YAML +[0-9]+\.[0-9]+|TAG +\S+ +\S+) *(?: #.*)?\r?"
_TEXT_BEGIN = r"(?:[&!]\S*\s+(?:#.*\s+)*)*[|>][-+0-9]*(?:\s|\Z)"
_IN_TEXT = "[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff]"


def read(text: str | bytes, name: str = "<text>") -> Node:
    """Read one YAML document.

    Raises SpecError with every error: a syntax error ends the reading, others (duplicate keys, tags) do not.

    >>> node = read("conv: {kernel: 1e2}").value["conv"].value["kernel"]
    >>> node.value, node.line, node.column
    (100, 1, 16)
    """
    node, problems = scan(text, name)
    if problems:
        raise SpecError(problems)
    return node


def scan(text: str | bytes, name: str = "<text>") -> tuple[Node, list[Problem]]:
    """Read one YAML document; return the errors that do not end the reading, so that its content is checked too."""
    source = Source(name, text if isinstance(text, str) else decode(text, name))
    refuse_characters(source)
    return _Reader(source).read()


def extents(text: str) -> dict[tuple[int, int], tuple[int, int]]:
    """The end of each value by its start, both as (line, column) counted from 1; the end is not included.

    A value in block style ends with the last value in it, before blank lines and comments. Of several values with the
    same start (a mapping and its first key) the longest counts.

    >>> extents("- conv: {filters: 3}  # wide\\n\\n- relu")[1, 3]
    (1, 21)
    """
    ends: dict[tuple[int, int], tuple[int, int]] = {}
    unclosed: list[tuple[tuple[int, int], bool]] = []
    last = (1, 1)
    event: Any
    for event in _events(text):
        start = (event.start_mark.line + 1, event.start_mark.column + 1)
        if isinstance(event, (yaml.MappingStartEvent, yaml.SequenceStartEvent)):
            unclosed.append((start, bool(event.flow_style)))
            continue
        if isinstance(event, (yaml.MappingEndEvent, yaml.SequenceEndEvent)):
            start, is_flow = unclosed.pop()
            if not is_flow:
                ends[start] = max(last, ends.get(start, last))
                continue
        elif not isinstance(event, (yaml.ScalarEvent, yaml.AliasEvent)):
            continue
        last = (event.end_mark.line + 1, event.end_mark.column + 1)
        if last != start:  # nothing was written: the value is empty
            ends[start] = max(last, ends.get(start, last))
    return ends


def _events(text: str) -> Any:
    """The events of a text, the same ones with libyaml and without."""
    if _LOADER is yaml.SafeLoader:
        from convcalc.syntax.yaml_loader import PureLoader

        return yaml.parse(text, Loader=PureLoader)
    return yaml.parse(text, Loader=_LOADER)


class _Frame:
    """A list or mapping being read: how many values it holds so far, and how deep they are nested."""

    __slots__ = ("anchor", "height", "key", "node", "size")

    def __init__(self, node: Node, anchor: str | None) -> None:
        self.node = node
        self.anchor = anchor
        self.key: Node | None = None
        self.size = 1
        self.height = 1


class _Reader:
    """One pass over the events of one document."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.problems: list[Problem] = []
        self.stack: list[_Frame] = []
        self.anchors: dict[str, tuple[Node, int, int]] = {}
        self.root: Node | None = None
        self.documents = 0

    def read(self) -> tuple[Node, list[Problem]]:
        try:
            for event in _events(self.source.text):
                self._handle(event)
        except yaml.MarkedYAMLError as error:
            raise SpecError([*self.problems, syntax_problem(error, self.source)]) from None
        except (yaml.YAMLError, ValueError) as error:
            raise SpecError([*self.problems, Problem(f"not YAML: {printable(str(error))}")]) from None
        if self.root is None:
            raise SpecError(
                Problem("the file is empty", Place(self.source, 1, 1, 2), hint="it needs 'input:' and 'layers:'")
            )
        return self.root, self.problems

    def _handle(self, event: Any) -> None:
        kind = type(event)
        if kind is yaml.ScalarEvent:
            self._add(self._scalar(event), 1, 0, event.anchor)
        elif kind is yaml.MappingStartEvent or kind is yaml.SequenceStartEvent:
            self._open(event, {} if kind is yaml.MappingStartEvent else [])
        elif kind is yaml.MappingEndEvent or kind is yaml.SequenceEndEvent:
            frame = self.stack.pop()
            self._add(frame.node, frame.size, frame.height, frame.anchor)
        elif kind is yaml.AliasEvent:
            self._alias(event)
        elif kind is yaml.DocumentStartEvent:
            self.documents += 1
            self._check_directives(event)
            if self.documents == 2:
                self._stop(self._node(None, event), "a second document starts here", "one file is one network")

    def _check_directives(self, event: Any) -> None:
        """Refuse directives that only one of the two parsers reads."""
        for number in range(event.start_mark.line + 1, event.end_mark.line + 1):
            line = self.source.line(number)
            if line.startswith("%") and not re.fullmatch(_DIRECTIVE, line):
                place = Place(self.source, number, 1, len(line) + 1)
                raise SpecError([*self.problems, Problem(f"{quoted(line)} is no directive", place, hint="remove it")])

    def _node(self, value: Any, event: Any, is_quoted: bool = False) -> Node:
        mark, end = event.start_mark, event.end_mark
        last = end.column + 1 if end.line == mark.line else mark.column + 2
        return Node(value, self.source, mark.line + 1, mark.column + 1, last, is_quoted)

    def _stop(self, node: Node, message: str, hint: str = "") -> NoReturn:
        raise SpecError([*self.problems, node.problem(message, hint)])

    def _open(self, event: Any, value: Any) -> None:
        node = self._node(value, event)
        node.end = node.column + 1
        if event.tag is not None:
            self._refuse_tag(node, event.tag)
        if len(self.stack) >= MOST_DEEP:
            self._stop(node, f"nested deeper than {MOST_DEEP} levels")
        frame = self.stack[-1] if self.stack else None
        if frame and isinstance(frame.node.value, dict) and frame.key is None:
            self._stop(node, "a key must be plain text", "quote the text if it contains [ ] { or }")
        if event.anchor in self.anchors:
            self._refuse_anchor(node, event.anchor)
        self.stack.append(_Frame(node, event.anchor))

    def _alias(self, event: Any) -> None:
        node = self._node(None, event)
        if event.anchor not in self.anchors:
            inside = any(frame.anchor == event.anchor for frame in self.stack)
            if inside:
                self._stop(node, f"'*{event.anchor}' is used inside its own anchor", "a value cannot contain itself")
            self._stop(node, f"no anchor '&{event.anchor}' above", "quote the value if you meant an expression")
        target, size, height = self.anchors[event.anchor]
        node.value, node.is_quoted = target.value, target.is_quoted
        self._add(node, size, height, None)

    def _add(self, node: Node, size: int, height: int, anchor: str | None) -> None:
        """Add a complete value to the innermost open list or mapping."""
        if anchor:
            if anchor in self.anchors:
                self._refuse_anchor(node, anchor)
            self.anchors[anchor] = (node, size, height)
        if not self.stack:
            self.root = node
            return
        frame = self.stack[-1]
        holder = frame.node.value
        if isinstance(holder, list):
            holder.append(node)
        elif frame.key is None:
            frame.key = self._key(node)
            return
        else:
            self._pair(holder, frame.key, node)
            frame.key = None
        frame.size += size
        frame.height = max(frame.height, height + 1)
        if frame.size > MOST_NODES:
            self._stop(node, f"the file expands to more than {MOST_NODES:,} values", "use repeat: for what repeats")
        if len(self.stack) + height > MOST_DEEP:
            self._stop(node, f"nested deeper than {MOST_DEEP} levels")

    def _key(self, node: Node) -> Node:
        if isinstance(node.value, (list, dict)):
            self._stop(node, "a key must be plain text")
        if node.value == "<<" and not node.is_quoted:
            self._stop(node, "merge keys ('<<') are not part of a spec", "use blocks: with arguments")
        return node

    def _pair(self, holder: dict[str, Node], key: Node, node: Node) -> None:
        name = self.source.line(key.line)[key.column - 1 : key.end - 1] if not isinstance(key.value, str) else key.value
        node.key = key
        earlier = holder.get(name)
        if earlier is not None:
            first = earlier.key_place
            note = f"first given at {first}"
            self.problems.append(key.problem(f"the key {quoted(name)} is given twice", notes=(note,)))
            return
        holder[name] = node

    def _scalar(self, event: Any) -> Node:
        text: str = event.value
        is_plain = not event.style and event.implicit[0]
        node = self._node(text, event, is_quoted=bool(event.style))
        if not text or event.style in ("|", ">"):
            self._refuse_what_parsers_read_differently(node, event)
        if event.tag is not None:
            self._refuse_tag(node, event.tag)
        if not is_plain:
            if not text.isprintable() and (bad := re.search(_IN_TEXT, text)):
                self.problems.append(node.problem(f"the character U+{ord(bad[0]):04X} is not allowed in a spec"))
            return node
        first = text[:1]
        if first and (first.isdigit() or first in "+-."):
            self._number(node, text)
        elif text in _WORDS:
            node.value = _WORDS[text]
        return node

    def _refuse_what_parsers_read_differently(self, node: Node, event: Any) -> None:
        """Refuse a key of no text, which libyaml loses its way after, and a comment right after | or >."""
        frame = self.stack[-1] if self.stack else None
        if not event.value and not event.style and frame and isinstance(frame.node.value, dict) and frame.key is None:
            self._stop(node, "a key is missing", "quote a '?' or ':' that is part of a text")
        if event.style in ("|", ">") and not re.compile(_TEXT_BEGIN).match(self.source.text, event.start_mark.index):
            self._stop(node, "a text begins with | or >, and nothing right after", "put a space before the '#'")

    def _number(self, node: Node, text: str) -> None:
        """`0.5` is an exact decimal, `1e6` and `1.5e6` are whole numbers, `3.0` stays a decimal."""
        try:
            if _INTEGER.match(text):
                node.value = whole_number(without_separators(text))
            elif re.match(_NOT_FINITE, text):
                self.problems.append(node.problem(f"{quoted(text)} is not a finite number"))
            elif re.match(_DECIMAL, text):
                value = exact_number(text)
                node.value = int(value) if "e" in text.lower() and value == int(value) else value
        except UserError as error:
            self.problems.append(node.problem(error.message, error.hint))
            node.value = 0

    def _refuse_tag(self, node: Node, tag: str) -> None:
        self.problems.append(node.problem(f"the tag {quoted(tag)} is not allowed in a spec", "remove it"))

    def _refuse_anchor(self, node: Node, anchor: str) -> None:
        first = self.anchors[anchor][0].place
        self.problems.append(node.problem(f"the anchor '&{anchor}' is given twice", notes=(f"first given at {first}",)))
