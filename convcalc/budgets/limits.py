"""Read the limits of a `budget:`, and limits as texts."""

from __future__ import annotations

import re
from collections.abc import Iterable
from decimal import Decimal
from typing import NamedTuple

from convcalc.amounts import NUMBER, UNITS, amount, pattern
from convcalc.analysis.memory.figures import MEMORY
from convcalc.analysis.memory.precision import NAMES, Precision
from convcalc.errors import Place, Problem, SpecError, UserError, did_you_mean, printable, quoted, suggested
from convcalc.kinds import shape_text
from convcalc.language.input_shapes import shape_of
from convcalc.numerals import EXACT, exact_number, without_separators
from convcalc.syntax.node import Node, describe

BYTES = {"B": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}
LEVELS = ("error", "warn", "info")
FIELDS = {
    "at_most": "the largest allowed value",
    "max_increase": "the largest increase over --base: 2%, 1M, or 2% and 1M, which fails if both are exceeded",
    "ratchet": "true: no increase over --base",
    "level": "error, warn or info: only error fails the check",
    "message": "a text to print if it is exceeded",
}
_BYTES = re.compile(rf"({NUMBER}(?:\.[0-9]+)?) ?([A-Za-z]+)")
PERCENT = r"[0-9]+(?:\.[0-9]+)? ?%"


# every figure that a limit may be set on
FIGURES = {
    "params": "weights, biases and other parameters",
    "weights": "weights, without biases",
    "macs": "multiply-accumulates",
    "flops": "2 per MAC, and element-wise work",
    "weight_bytes": "bytes of the params at the precision, of the weights at their bits where the spec has bits:",
    "bops": "bit operations: bits of weights x bits of activations x MACs, at the spec's bits:, else at the precision",
    "activation": "elements of the largest output of a layer",
    "activation_bytes": "bytes of the largest output of a layer at the precision",
    "depth": "weighted layers on the longest path",
}
NETWORK_FIGURES = MEMORY  # on which no layer or kind has a limit
SHAPES = ("output",)
# every key of a budget, and what it limits
KEYS = {
    **FIGURES,
    **NETWORK_FIGURES,
    "output": "the required shape of the last output",
    "layers": "limits of a layer, a block, or a pattern such as head/*",
    "kinds": "limits of all layers of a kind",
    "precision": "the type of the numbers; by default fp32",
}


class Limit(NamedTuple):
    """One limit: on which figure, of which layers, and the most it may be or grow by.

    `scope` is "layers PATTERN", "kinds NAME", or "" for the network; `value` is the text of a shape. A change breaks
    `increase` if it exceeds both the percentage and the amount; with `ratchet` any increase does.
    """

    figure: str
    scope: str = ""
    value: str = ""
    at_most: int | None = None
    increase: tuple[Decimal | None, int | None] | None = None
    ratchet: bool = False
    level: str = "error"
    message: str = ""
    place: Place | None = None
    precision: Precision = NAMES["fp32"]
    option: str = ""

    @property
    def name(self) -> str:
        """The figure and what it is on, as rules are named.

        >>> Limit("macs", "layers head/*").name, Limit("params").name
        ('macs/layers/head/*', 'params')
        """
        return f"{self.figure}/{self.scope.replace(' ', '/')}" if self.scope else self.figure

    @property
    def subject(self) -> str:
        """The figure and what it is on, as sentences name them.

        >>> Limit("macs", "layers head/*").subject, Limit("params").subject
        ('macs of head/*', 'params')
        """
        return f"{self.figure} of {self.scope.partition(' ')[2]}" if self.scope else self.figure

    @property
    def origin(self) -> str:
        """The source of the limit: a file and line, or an option."""
        return str(self.place).rpartition(":")[0] if self.place else self.option

    @property
    def needs_base(self) -> bool:
        """Whether it limits an increase."""
        return self.increase is not None or self.ratchet


def parse_bytes(text: str) -> int:
    """Parse a number of bytes with its unit. Raises UserError.

    >>> parse_bytes("25 MiB"), parse_bytes("25MB"), parse_bytes("512B")
    (26214400, 25000000, 512)
    """
    match = _BYTES.fullmatch(text.strip())
    if match is None:
        raise UserError(f"a number of bytes was expected, found {quoted(text)}", hint="for example 25 MiB or 25 MB")
    if match[2] not in BYTES:
        similar = [unit for unit in BYTES if unit.lower() == match[2].lower()]
        hint = f"did you mean {' or '.join(similar)}?" if similar else f"units are {', '.join(BYTES)}"
        raise UserError(f"no unit {quoted(match[2])}", hint=hint)
    value = EXACT.multiply(exact_number(without_separators(match[1])), BYTES[match[2]])
    if value != int(value):
        raise UserError(f"{quoted(text)} is not a whole number of bytes")
    return int(value)


def parse_limit(figure: str, text: str) -> int:
    """Parse a limit on `figure`. Raises UserError.

    >>> parse_limit("params", "5M"), parse_limit("weight_bytes", "1 KiB")
    (5000000, 1024)
    """
    if figure.endswith("_bytes") and not re.fullmatch("[0-9]+", text.strip()):
        return parse_bytes(text)
    try:
        return amount(text)
    except UserError as error:
        error.given_hint = _unit_hint(figure, text.strip()) or error.given_hint
        raise


def _unit_hint(figure: str, text: str) -> str:
    """What to write in place of a number with a wrong unit; "" where that is not known."""
    units = {"m": "M", "g": "G", "t": "T", "K": "k", "B": "G"}
    if text[-1:] in units and re.fullmatch(rf"{NUMBER}(?:\.[0-9]+)?", text[:-1].strip()):
        return f"did you mean '{text[:-1]}{units[text[-1]]}'?"
    match = _BYTES.fullmatch(text)
    if match is None or match[2].lower() not in {unit.lower() for unit in BYTES}:
        return ""
    in_bytes = {"params": "weight_bytes", "weights": "weight_bytes", "activation": "activation_bytes"}.get(figure)
    hint = f"{figure} are counted, not measured in bytes: units are k, M, G, T and P"
    return f"{hint}; {in_bytes} limits bytes" if in_bytes else hint


def limit_pattern(figure: str) -> str:
    """The regular expression of a limit on `figure`, for a JSON schema."""
    if not figure.endswith("_bytes"):
        return pattern({"": 1, **UNITS})
    decimal = {unit: factor for unit, factor in BYTES.items() if "i" not in unit}
    binary = "|".join(unit for unit in BYTES if "i" in unit)
    return rf"[0-9]+|{pattern(decimal)}|{NUMBER}(?:\.[0-9]+)? ?(?:{binary})"


def parse_increase(figure: str, text: str) -> tuple[Decimal | None, int | None]:
    """Parse `2%`, `1M`, or `2% and 1M` into a percentage and an amount. Raises UserError.

    >>> parse_increase("macs", "2% and 1M")
    (Decimal('2'), 1000000)
    """
    percent: Decimal | None = None
    absolute: int | None = None
    parts = re.split(r"\s+and\s+", text.strip())
    for part in parts:
        match = re.fullmatch(PERCENT, part)
        if match and percent is None:
            percent = exact_number(part.rstrip("% "))
        elif not match and absolute is None:
            absolute = parse_limit(figure, part)
        else:
            raise UserError(f"one percentage and one amount were expected, found {quoted(text)}", hint="2% and 1M")
    return percent, absolute


def declared_precision(node: Node | None) -> Precision | None:
    """The `precision` that a `budget:` declares."""
    declared = node.value.get("precision") if node is not None and isinstance(node.value, dict) else None
    return None if declared is None else NAMES.get(str(declared.value))


def read_limits(node: Node | None, precision: Precision = NAMES["fp32"]) -> list[Limit]:
    """Read the limits of a `budget:`; `precision` holds unless it declares one. Raises SpecError with every error.

    >>> from convcalc.syntax.yaml import read
    >>> budget = read("{params: 5M, layers: {head/*: {macs: 1k}}}")
    >>> [(limit.figure, limit.scope, limit.at_most) for limit in read_limits(budget)]
    [('params', '', 5000000), ('macs', 'layers head/*', 1000)]
    """
    if node is None:
        return []
    problems: list[Problem] = []
    entries = dict(node.items())
    declared = entries.pop("precision", None)
    precision = declared_precision(node) or precision
    if declared is not None and declared_precision(node) is None:
        problems.append(declared.problem(f"no precision {describe(declared)}", did_you_mean("", NAMES)))
    scoped_limits: list[Limit] = []
    for group in ("layers", "kinds"):
        scoped = entries.pop(group, None)
        if scoped is not None and not isinstance(scoped.value, dict):
            problems.append(scoped.problem(f"'{group}' is a mapping, found {describe(scoped)}"))
        for name, inner in scoped.items() if scoped is not None else ():
            if not isinstance(inner.value, dict):
                problems.append(inner.problem(f"a mapping of limits was expected, found {describe(inner)}"))
            scoped_limits += _read_group(inner.items(), f"{group} {name}", precision, problems)
    limits = _read_group(entries.items(), "", precision, problems) + scoped_limits
    if problems:
        raise SpecError(problems)
    return limits


def _read_group(
    entries: Iterable[tuple[str, Node]], scope: str, precision: Precision, problems: list[Problem]
) -> list[Limit]:
    limits = []
    for name, node in entries:
        if name not in FIGURES and (scope or name not in (*NETWORK_FIGURES, *SHAPES)):
            known = list(FIGURES if scope else KEYS)
            problem = Problem(f"budget has no figure {quoted(name)}", node.key_place, (), suggested(name, known))
            problems.append(problem)
            continue
        try:
            limits.append(_read_limit(node, Limit(name, scope, place=node.place, precision=precision), problems))
        except UserError as error:
            problems.append(node.problem(error.message, error.given_hint))
    return limits


def _text_of(node: Node) -> str:
    if isinstance(node.value, bool) or not isinstance(node.value, int | str):
        raise UserError(f"a limit such as 5M was expected, found {describe(node)}")
    return str(node.value)


def _read_limit(node: Node, limit: Limit, problems: list[Problem]) -> Limit:
    """Fill in a limit from its node."""
    if limit.figure in SHAPES:
        return limit._replace(value=shape_text(shape_of(node)))
    if not isinstance(node.value, dict):
        return limit._replace(at_most=parse_limit(limit.figure, _text_of(node)))
    for key, value in node.items():
        try:
            if key == "at_most":
                limit = limit._replace(at_most=parse_limit(limit.figure, _text_of(value)))
            elif key == "max_increase":
                limit = limit._replace(increase=parse_increase(limit.figure, _text_of(value)))
            elif key == "ratchet" and isinstance(value.value, bool):
                limit = limit._replace(ratchet=value.value)
            elif key == "level" and value.value in LEVELS:
                limit = limit._replace(level=str(value.value))
            elif key == "message":
                limit = limit._replace(message=printable(" ".join(_text_of(value).split())))
            elif key in FIELDS:
                hint = suggested(str(value.value), LEVELS if key == "level" else ("true", "false"))
                problems.append(value.problem(f"'{key}' cannot be {describe(value)}", hint))
            else:
                hint = suggested(key, FIELDS)
                problems.append(Problem(f"a limit has no {quoted(key)}", value.key_place, (), hint))
        except UserError as error:
            problems.append(value.problem(error.message, error.given_hint))
    if limit.at_most is None and limit.increase is None and not limit.ratchet:
        raise UserError("this entry limits nothing", hint="give at_most, max_increase or ratchet")
    return limit
