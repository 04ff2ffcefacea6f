"""Write a budget of today's figures into a spec or the project's configuration; the rest of the file stays as it is."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from decimal import Decimal
from fractions import Fraction
from os.path import relpath
from typing import Any, NamedTuple

from convcalc.amounts import UNITS
from convcalc.analysis.count import Count, count
from convcalc.budgets.config import ProjectConfig
from convcalc.budgets.limits import BYTES, FIGURES, NETWORK_FIGURES, Limit, read_limits
from convcalc.budgets.measure import measure
from convcalc.errors import Problem, SpecError, UserError, quoted
from convcalc.language.edit import Text
from convcalc.language.overrides import Overrides
from convcalc.language.sources import SUFFIXES, Files
from convcalc.loader import SpecName, graph
from convcalc.numerals import exact_number
from convcalc.report import Column, Report, Table
from convcalc.storage import lock, replacement
from convcalc.syntax.encoding import decode
from convcalc.syntax.node import Node
from convcalc.syntax.yaml import read

DEFAULT = "5%"
PROPOSED = ("params", "macs")  # where a budget has no limit on them yet
COLUMNS = (
    Column("network", "network", "name"),
    Column("figure", "limit on", "text"),
    Column("value", "value", "exact"),
    Column("before", "was", "text"),
    Column("limit", "limit", "text"),
    Column("file", "in", "text"),
)
_PERCENT = re.compile(r"([0-9]{1,6}(?:\.[0-9]{1,6})?) ?%?")
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_./-]*")


class Target(NamedTuple):
    """Where the limits of a network are written: a file, and the keys that lead to them."""

    path: str
    keys: tuple[str, ...]


def parse_headroom(text: str) -> Decimal | None:
    """Parse a percentage; None for another text.

    >>> parse_headroom("5%"), parse_headroom("2.5"), parse_headroom("net.yaml")
    (Decimal('5'), Decimal('2.5'), None)
    """
    match = _PERCENT.fullmatch(text.strip())
    return exact_number(match[1]) if match else None


def rounded_up(value: int, headroom: Decimal, is_bytes: bool = False) -> str:
    """A value with headroom, in three digits that are no less; without headroom the value itself.

    >>> rounded_up(76_938, Decimal(5)), rounded_up(307_752, Decimal(5), is_bytes=True), rounded_up(76_938, Decimal(0))
    ('80.8k', '324 kB', '76938')
    """
    size = -(-value * Fraction(100 + headroom) // 100)
    if size < 1_000 or not headroom:
        return str(size)
    cut = 10 ** (len(str(size)) - 3)
    size = -(-size // cut) * cut
    units = {unit: factor for unit, factor in BYTES.items() if unit in ("kB", "MB", "GB")} if is_bytes else UNITS
    unit, factor = next((unit, factor) for unit, factor in reversed(units.items()) if size >= factor)
    whole, rest = divmod(size, factor)
    decimals = str(rest).zfill(len(str(factor)) - 1).rstrip("0")
    return f"{whole}{'.' if decimals else ''}{decimals}{' ' if is_bytes else ''}{unit}"


def propose(
    names: Sequence[SpecName], project: ProjectConfig | None, headroom: Decimal
) -> tuple[Report, list[Problem]]:
    """Write a budget for each network; report what was written, with the problems of the others. Raises SpecError."""
    rows: list[list[Any]] = []
    problems: list[Problem] = []
    for name in names:
        try:
            rows += _write_budget(name, project, headroom)
        except SpecError as error:
            problems += error.problems
    if problems and not rows:
        raise SpecError(problems)
    files = len({row[-1] for row in rows})
    text = (
        f"{len(rows)} limits in {files} file{'s'[: files != 1]}: today's figures and {headroom.normalize():f}% headroom"
    )
    facts = {"error": SpecError(problems).plain()} if problems else {}
    return Report("check", [Table("", COLUMNS, rows)], (text,), facts, verdict=text), problems


def _write_budget(name: SpecName, project: ProjectConfig | None, headroom: Decimal) -> list[list[Any]]:
    """Write the budget of one network; a row for each limit."""
    if name.variant:
        raise SpecError(
            f"{quoted(name.text)}: the variants of a spec have one budget", "name the spec without @VARIANT"
        )
    counted = count(graph(name, Overrides()))
    target = _target(name, project)
    try:
        with lock(target.path):
            return _replace_budget(name, counted, target, headroom)
    except OSError as error:
        raise SpecError(f"{quoted(target.path)} cannot be written: {error.strerror or error}") from None


def _replace_budget(name: SpecName, counted: Count, target: Target, headroom: Decimal) -> list[list[Any]]:
    """Write limits into a file whose lock is held. Raises SpecError and OSError."""
    try:
        data = Files().load(target.path)
    except UserError as error:
        raise SpecError(error.message, error.hint) from None
    text = decode(data, target.path)
    before = _find(read(text, target.path), target.keys)
    values = dict(_values(before, counted))
    limits = {figure: rounded_up(value, headroom, figure.endswith("_bytes")) for figure, value in values.items()}
    new = with_limits(text, target, limits)
    mark = data[: len(data) - len(text.encode())]  # of the byte order
    with replacement(target.path, also_if_read=True) as stream:
        stream.buffer.write(mark + new.encode())
    was = {figure: _at_most(before, figure) for figure in limits}
    return [
        [name.text, figure, values[figure], "" if (old := was[figure]) is None else str(old.value), limit, target.path]
        for figure, limit in limits.items()
    ]


def _target(name: SpecName, project: ProjectConfig | None) -> Target:
    """The settings where they have limits for exactly this network, or where it is no spec; else the spec."""
    key = name.text
    if project is not None and name.exists:
        key = relpath(name.path, project.folder or ".").replace(os.sep, "/")
    is_spec = name.exists and not name.reader
    if is_spec and (project is None or key not in project.budgets):
        return Target(name.path, ("budget",))
    if project is None or not project.name.endswith(SUFFIXES):
        raise SpecError(f"{quoted(name.text)} is no spec to write a budget into", "list it in a convcalc.yaml")
    return Target(project.name, ("budgets", key))


def _find(node: Node, keys: Sequence[str]) -> Node | None:
    for key in keys:
        inner = node.value.get(key) if isinstance(node.value, dict) else None
        if inner is None:
            return None
        node = inner
    return node


def _values(budget: Node | None, counted: Count) -> Iterator[tuple[str, int]]:
    """Yield today's value of each figure to limit: those with an `at_most`, and PROPOSED without any limit."""
    own = budget if budget is not None and isinstance(budget.value, dict) else None
    precisions = {limit.figure: limit.precision for limit in read_limits(own) if not limit.scope}
    for figure in (*PROPOSED, *(name for name in (*FIGURES, *NETWORK_FIGURES) if name not in PROPOSED)):
        if _at_most(own, figure) is not None if figure in precisions else figure in PROPOSED:
            yield figure, measure(counted, figure, counted.rows, precisions.get(figure, Limit(figure).precision))


def _at_most(budget: Node | None, figure: str) -> Node | None:
    """The number that limits a figure of the whole network."""
    node = budget.value.get(figure) if budget is not None and isinstance(budget.value, dict) else None
    return node.value.get("at_most") if node is not None and isinstance(node.value, dict) else node


def with_limits(text: str, target: Target, limits: Mapping[str, str]) -> str:
    """Return a text with limits under some keys, and nothing else changed. Raises SpecError where that is impossible.

    >>> print(with_limits("a: 1  # one\\nbudget: {params: 5k}\\n", Target("net.yaml", ("budget",)), {"params": "6k"}))
    a: 1  # one
    budget: {params: 6k}
    <BLANKLINE>
    """
    root = read(text, target.path)
    expected = _expected(root, target.keys, limits)
    for changes in _edits(Text(text), root, target.keys, limits):
        new = Text(text).replace(changes)
        try:
            if read(new, target.path).plain() == expected:
                return new
        except SpecError:
            continue
    raise SpecError(f"{quoted(target.path)} cannot be edited", _by_hand(target, limits))


def _by_hand(target: Target, limits: Mapping[str, str]) -> str:
    return f"write it there: {_nested(target.keys, limits)}"


def _expected(root: Node, keys: Sequence[str], limits: Mapping[str, str]) -> Any:
    """The content of the file after the edit."""
    whole = deepcopy(root.plain())
    inner = whole
    for key in keys:
        inner[key] = inner.get(key) or {}
        inner = inner[key]
    for figure, limit in limits.items():
        value = read(limit).plain()
        if isinstance(inner.get(figure), dict):
            inner[figure]["at_most"] = value
        else:
            inner[figure] = value
    return whole


def _nested(keys: Sequence[str], limits: Mapping[str, str]) -> str:
    """Keys inside each other with the limits, on one line."""
    import json

    text = f"{{{', '.join(f'{figure}: {limit}' for figure, limit in limits.items())}}}"
    for number, key in enumerate(reversed(keys)):
        name = key if _PLAIN.fullmatch(key) else json.dumps(key)
        text = f"{name}: {text}" if number == len(keys) - 1 else f"{{{name}: {text}}}"
    return text


Change = tuple[int, int, str]


def _edits(text: Text, root: Node, keys: Sequence[str], limits: Mapping[str, str]) -> Iterator[list[Change]]:
    """Yield ways to write the limits, of which with_limits takes the first that changes nothing else."""
    node = root
    for at, key in enumerate(keys):
        inner = node.value.get(key)
        if inner is None or not inner.value:
            if inner is not None:  # `{}`
                yield [(*text.span(inner), _nested(("x", *keys[at + 1 :]), limits).partition(": ")[2])]
                return
            for change in _insertions(text, node, [_nested(keys[at:], limits)]):
                yield [change]
            return
        node = inner
    replaced = {figure: old for figure in limits if (old := _at_most(node, figure)) is not None}
    changes = [(*text.span(old), limits[figure]) for figure, old in replaced.items()]
    new = [f"{figure}: {limit}" for figure, limit in limits.items() if figure not in replaced]
    if not new:
        yield changes
        return
    for change in _insertions(text, node, new):
        yield [*changes, change]


def _insertions(text: Text, mapping: Node, entries: Sequence[str]) -> Iterator[Change]:
    """Yield the places for more entries of a mapping: in its braces, else at the end of the file, or after the last."""
    last = list(mapping.value.values())[-1]
    start = text.span(mapping)[0]
    if text.text[start : start + 1] == "{":
        end = text.span(last)[1]
        yield end, end, "".join(f", {entry}" for entry in entries)
        return
    newline = "\r\n" if "\r\n" in text.text else "\n"
    indent = " " * (next(iter(mapping.value.values())).key_place.column - 1)
    places = [len(text.text)] if not indent else []
    try:
        places.append(text.lines(last)[1])
    except UserError:
        places.append(text.span(last)[1])
    for place in places:
        before = "" if text.text[:place].endswith(("\n", "\r")) or not place else newline
        yield place, place, before + "".join(f"{indent}{entry}{newline}" for entry in entries)
