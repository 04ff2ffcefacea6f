"""`budget:` in a spec: limits that its network is held to, each checked with what weighs most under it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from fnmatch import fnmatchcase
from math import prod
from typing import NamedTuple

from convcalc.amounts import NUMBER, UNITS, amount, pattern
from convcalc.analysis.align import align
from convcalc.analysis.count import Count, Row, figure
from convcalc.errors import Place, Problem, SpecError, UserError, did_you_mean, printable, quoted
from convcalc.kinds import shape_text
from convcalc.language.input_shapes import shape_of
from convcalc.syntax.node import Node, describe

BITS = {"fp64": 64, "fp32": 32, "bf16": 16, "fp16": 16, "fp8": 8, "int8": 8, "int4": 4}
BYTES = {"B": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}
LEVELS = ("error", "warn", "info")
FIELDS = {
    "at_most": "the most it may be",
    "max_increase": "how much it may grow against --base: 2%, 1M, or 2% and 1M, which both must be passed to break it",
    "ratchet": "whether it may not grow at all against --base",
    "level": "error, warn or info: only a broken error fails",
    "message": "what to say where it is broken: whom to ask",
}
_BYTES = re.compile(rf"({NUMBER}(?:\.[0-9]+)?) ?([A-Za-z]+)")
PERCENT = r"[0-9]+(?:\.[0-9]+)? ?%"


def _sum(name: str) -> Callable[[Row, int], int]:
    return lambda row, bits: figure(name, row.tallies)


# what a row adds, and whether a scope sums its rows or takes the largest
METRICS: dict[str, tuple[Callable[[Row, int], int], Callable[[Sequence[int]], int]]] = {
    "params": (_sum("params"), sum),
    "weights": (_sum("weights"), sum),
    "macs": (_sum("macs"), sum),
    "flops": (_sum("flops"), sum),
    "weight_bytes": (lambda row, bits: figure("params", row.tallies) * bits, lambda all: -(-sum(all) // 8)),
    "activation": (lambda row, bits: _largest(row), lambda all: max(all, default=0)),
    "activation_bytes": (lambda row, bits: _largest(row) * bits, lambda all: -(-max(all, default=0) // 8)),
    "depth": (lambda row, bits: row.depth, sum),
}
SHAPES = ("output",)
# every key of a budget, and what it limits
KEYS = {
    "params": "weights, biases and other parameters",
    "weights": "weights, without biases",
    "macs": "multiply-accumulates",
    "flops": "2 per MAC, and element-wise work",
    "weight_bytes": "bytes of the params at the precision",
    "activation": "elements of the largest output of a layer",
    "activation_bytes": "bytes of the largest output of a layer at the precision",
    "depth": "weighted layers on the longest path",
    "output": "the shape that the last output must have",
    "layers": "limits of a layer, a block, or all that fit a pattern such as head/*",
    "kinds": "limits of all layers of a kind",
    "precision": "what a number takes: fp32 unless given",
}


def _largest(row: Row) -> int:
    shapes = row.layer.outputs if row.layer else (row.output,)
    return max((prod(shape) for shape in shapes), default=0)


class Limit(NamedTuple):
    """One limit: what is measured, of which layers, and how much it may be, or grow by, or whether it may grow at all.

    `increase` is the percentage and the amount that must both be passed for a change to break it.
    """

    metric: str
    scope: str = ""
    value: str = ""
    at_most: int | None = None
    increase: tuple[Decimal | None, int | None] | None = None
    ratchet: bool = False
    level: str = "error"
    message: str = ""
    place: Place | None = None
    bits: int = 32
    option: str = ""

    @property
    def origin(self) -> str:
        """Where the limit comes from: a file and its line, or the option that gave it."""
        return str(self.place).rpartition(":")[0] if self.place else self.option


class Checked(NamedTuple):
    """A limit against a network: its value, the limit in force, what is left, the heaviest layers, whether it holds."""

    limit: Limit
    rule: str
    value: str | int
    bound: str | int
    headroom: int | None
    base: int | None
    heaviest: Sequence[tuple[str, int]]
    ok: bool
    message: str


def size(text: str) -> int:
    """A number of bytes with its unit. Raises UserError.

    >>> size("25 MiB"), size("25MB"), size("512B")
    (26214400, 25000000, 512)
    """
    match = _BYTES.fullmatch(text.strip())
    if match is None:
        raise UserError(f"a number of bytes was expected, found {quoted(text)}", hint="for example 25 MiB or 25 MB")
    if match[2] not in BYTES:
        near = [unit for unit in BYTES if unit.lower() == match[2].lower()]
        hint = f"did you mean {' or '.join(near)}?" if near else f"units are {', '.join(BYTES)}"
        raise UserError(f"no unit {quoted(match[2])}", hint=hint)
    value = Decimal(re.sub("[_,]", "", match[1])) * BYTES[match[2]]
    if value != int(value):
        raise UserError(f"{quoted(text)} is not a whole number of bytes")
    return int(value)


def quantity(metric: str, text: str) -> int:
    """A limit of `metric` as people write it. Raises UserError.

    >>> quantity("params", "5M"), quantity("weight_bytes", "1 KiB")
    (5000000, 1024)
    """
    if metric.endswith("_bytes") and not re.fullmatch("[0-9]+", text.strip()):
        return size(text)
    try:
        return amount(text)
    except UserError as misfit:
        last = text.strip()[-1:]
        units = {"m": "M", "g": "G", "t": "T", "K": "k", "B": "G"}
        if last in units and text.strip()[:-1].strip():
            misfit.hint = f"did you mean '{text.strip()[:-1]}{units[last]}'?"
        raise


def amounts_of(metric: str) -> str:
    """What a limit of `metric` looks like, for those who only compare texts: a JSON schema, an editor."""
    if not metric.endswith("_bytes"):
        return pattern({"": 1, **UNITS})
    decimal = {unit: factor for unit, factor in BYTES.items() if "i" not in unit}
    binary = "|".join(unit for unit in BYTES if "i" in unit)
    return rf"[0-9]+|{pattern(decimal)}|{NUMBER}(?:\.[0-9]+)? ?(?:{binary})"


def growth(metric: str, text: str) -> tuple[Decimal | None, int | None]:
    """`2%`, `1M`, or `2% and 1M`: both must be passed. Raises UserError.

    >>> growth("macs", "2% and 1M")
    (Decimal('2'), 1000000)
    """
    percent: Decimal | None = None
    absolute: int | None = None
    parts = re.split(r"\s+and\s+", text.strip())
    for part in parts:
        match = re.fullmatch(PERCENT, part)
        if match and percent is None:
            percent = Decimal(part.rstrip("% "))
        elif not match and absolute is None:
            absolute = quantity(metric, part)
        else:
            raise UserError(f"one percentage and one amount were expected, found {quoted(text)}", hint="2% and 1M")
    return percent, absolute


def precision(node: Node | None) -> int | None:
    """The bits of a number that a `budget:` declares."""
    declared = node.value.get("precision") if node is not None and isinstance(node.value, dict) else None
    return None if declared is None else BITS.get(str(declared.value))


def limits(node: Node | None, bits: int = 32) -> list[Limit]:
    """The limits of a `budget:`, in numbers of so many bits unless it says. Raises SpecError with every mistake in it.

    >>> from convcalc.syntax.yaml import read
    >>> [(one.metric, one.scope, one.at_most) for one in limits(read("{params: 5M, layers: {head/*: {macs: 1k}}}"))]
    [('params', '', 5000000), ('macs', 'layers head/*', 1000)]
    """
    if node is None:
        return []
    problems: list[Problem] = []
    entries = dict(node.items())
    declared = entries.pop("precision", None)
    bits = precision(node) or bits
    if declared is not None and precision(node) is None:
        problems.append(declared.problem(f"no precision {describe(declared)}", did_you_mean("", BITS)))
    found: list[Limit] = []
    for group in ("layers", "kinds"):
        scoped = entries.pop(group, None)
        if scoped is not None and not isinstance(scoped.value, dict):
            problems.append(scoped.problem(f"'{group}' is a mapping, found {describe(scoped)}"))
        for name, inner in scoped.items() if scoped is not None else ():
            if not isinstance(inner.value, dict):
                problems.append(inner.problem(f"a mapping of limits was expected, found {describe(inner)}"))
            found += _limits(inner.items(), f"{group} {name}", bits, problems)
    found = _limits(entries.items(), "", bits, problems) + found
    if problems:
        raise SpecError(problems)
    return found


def _limits(entries: Iterable[tuple[str, Node]], scope: str, bits: int, problems: list[Problem]) -> list[Limit]:
    found = []
    for metric, node in entries:
        if metric not in METRICS and not (metric in SHAPES and not scope):
            known = list(METRICS if scope else KEYS)
            problem = Problem(f"budget has no metric {quoted(metric)}", node.key_place, (), did_you_mean(metric, known))
            problems.append(problem)
            continue
        try:
            found.append(_limit(metric, node, Limit(metric, scope, place=node.place, bits=bits), problems))
        except UserError as misfit:
            problems.append(node.problem(misfit.message, misfit.hint))
    return found


def _text(node: Node) -> str:
    if isinstance(node.value, bool) or not isinstance(node.value, int | str):
        raise UserError(f"a limit such as 5M was expected, found {describe(node)}")
    return str(node.value)


def _limit(metric: str, node: Node, limit: Limit, problems: list[Problem]) -> Limit:
    if metric in SHAPES:
        return limit._replace(value=shape_text(shape_of(node)))
    if not isinstance(node.value, dict):
        return limit._replace(at_most=quantity(metric, _text(node)))
    for key, value in node.items():
        try:
            if key == "at_most":
                limit = limit._replace(at_most=quantity(metric, _text(value)))
            elif key == "max_increase":
                limit = limit._replace(increase=growth(metric, _text(value)))
            elif key == "ratchet" and isinstance(value.value, bool):
                limit = limit._replace(ratchet=value.value)
            elif key == "level" and value.value in LEVELS:
                limit = limit._replace(level=str(value.value))
            elif key == "message":
                limit = limit._replace(message=printable(" ".join(_text(value).split())))
            elif key in FIELDS:
                hint = did_you_mean(str(value.value), LEVELS if key == "level" else ("true", "false"))
                problems.append(value.problem(f"'{key}' cannot be {describe(value)}", hint))
            else:
                hint = did_you_mean(key, FIELDS)
                problems.append(Problem(f"a limit has no {quoted(key)}", value.key_place, (), hint))
        except UserError as misfit:
            problems.append(value.problem(misfit.message, misfit.hint))
    if limit.at_most is None and limit.increase is None and not limit.ratchet:
        raise UserError("nothing is limited here", hint="give at_most, max_increase or ratchet")
    return limit


def check(counted: Count, wanted: Sequence[Limit], base: Count | None = None) -> list[Checked]:
    """Every limit against a network, and against what it was (`base`). Raises SpecError for a scope without layers.

    >>> from convcalc.analysis.count import count
    >>> from convcalc.loader import read
    >>> counted = count(read("input: 256x28x28\\nlayers: [{conv: {filters: 16, kernel: 1}}]"))
    >>> [(one.value, one.headroom, one.ok) for one in check(counted, [Limit("weights", at_most=4000)])]
    [(4096, -96, False)]
    """
    found: list[Checked] = []
    problems: list[Problem] = []
    pairs = align(base.rows, counted.rows) if base else []
    was = {pair.new.path: pair.old for pair in pairs if pair.old and pair.new}
    for limit in wanted:
        if limit.metric in SHAPES:
            found.append(_shape(counted, limit))
            continue
        rows = _rows(counted, limit.scope)
        if not rows:
            kind, _, name = limit.scope.partition(" ")
            known = {row.path for row in counted.rows} if kind == "layers" else {row.kind for row in counted.rows}
            hint = did_you_mean(name, sorted(known))
            problems.append(Problem(f"budget: {quoted(name)} matches no layer", limit.place, (), hint))
            continue
        found += _measure(counted, limit, rows, base, was)
    if problems:
        raise SpecError(problems)
    return found


def _shape(counted: Count, limit: Limit) -> Checked:
    value = shape_text(counted.graph.outputs[-1].output)
    ok = value == limit.value
    message = limit.message or ("" if ok else f"output is {value}, the budget says {limit.value}")
    return Checked(limit, "output", value, limit.value, None, None, (), ok, message)


def _rows(counted: Count, scope: str) -> list[Row]:
    group, _, name = scope.partition(" ")
    if not scope:
        return counted.rows
    if group == "kinds":
        return [row for row in counted.rows if row.kind == name]
    return [row for row in counted.rows if fnmatchcase(row.path, name) or row.path.startswith(f"{name}/")]


def measured(counted: Count, metric: str, rows: Sequence[Row], bits: int = 32) -> int:
    """A metric of some rows of a count; the depth of a whole network is that of its longest path."""
    if metric == "depth" and len(rows) == len(counted.rows):
        return counted.depth
    of, join = METRICS[metric]
    return join([of(row, bits) for row in rows])


def _measure(
    counted: Count, limit: Limit, rows: list[Row], base: Count | None, became: Mapping[str, Row]
) -> list[Checked]:
    value = measured(counted, limit.metric, rows, limit.bits)
    before: dict[str, int] = {}
    was = None
    of = METRICS[limit.metric][0]
    if base is not None:
        old = _rows(base, limit.scope)
        was = measured(base, limit.metric, old, limit.bits) if old else 0
        before = {path: of(row, limit.bits) for path, row in became.items()}
    what = f"{limit.metric} of {limit.scope.partition(' ')[2]}" if limit.scope else limit.metric
    found = []
    for rule, bound, is_growth in _bounds(limit, was):
        weighed = [(row.path, of(row, limit.bits) - (before.get(row.path, 0) if is_growth else 0)) for row in rows]
        shown = [pair for pair in sorted(weighed, key=lambda pair: -pair[1])[:3] if pair[1] > 0]
        if limit.metric.endswith("_bytes"):
            shown = [(path, -(-bits // 8)) for path, bits in shown]
        ok = value <= bound
        text = f"{what}: {value:,} is {value - bound:,} over the limit of {bound:,}"
        if is_growth:
            text += f" (it was {was:,})"
        if limit.message:
            text += f"; {limit.message}"
        found.append(Checked(limit, rule, value, bound, bound - value, was, shown, ok, "" if ok else text))
    return found


def _bounds(limit: Limit, was: int | None) -> list[tuple[str, int, bool]]:
    """The limits in force: the rule's name, the largest value that holds, and whether it is about growth."""
    scope = f"/{limit.scope.replace(' ', '/')}" if limit.scope else ""
    name = f"{limit.metric}{scope}"
    found = [] if limit.at_most is None else [(f"{name}/at_most", limit.at_most, False)]
    if was is not None and limit.increase is not None:
        percent, absolute = limit.increase
        allowed = [] if percent is None else [int(was * percent / 100)]
        allowed += [] if absolute is None else [absolute]
        found.append((f"{name}/max_increase", was + max(allowed), True))
    if was is not None and limit.ratchet:
        found.append((f"{name}/ratchet", was, True))
    return found


def needs_base(wanted: Sequence[Limit]) -> bool:
    """Whether a limit is about growth."""
    return any(limit.increase is not None or limit.ratchet for limit in wanted)
