"""Measure the figures of a network and check limits on them, each with the layers that contribute most."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import prod
from typing import NamedTuple

from convcalc.analysis.align import align
from convcalc.analysis.bit_products import bops_at
from convcalc.analysis.bits import bits_of
from convcalc.analysis.count import Count, Row, figure
from convcalc.analysis.memory.figures import memory_figure
from convcalc.analysis.memory.precision import NAMES, Precision
from convcalc.analysis.scope import RowScopes
from convcalc.bits import Bits
from convcalc.budgets.limits import NETWORK_FIGURES, SHAPES, Limit
from convcalc.errors import Problem, SpecError, UserError, quoted
from convcalc.kinds import shape_text
from convcalc.kinds.sizes import is_known


def _largest(row: Row) -> int:
    """The elements of the largest output of a row."""
    shapes = row.layer.outputs if row.layer else (row.output,)
    return max((prod(shape) for shape in shapes if is_known(shape)), default=0)


def _sum(name: str) -> Callable[[Row, Precision], int]:
    return lambda row, precision: figure(name, row.tallies)


def _bits(row: Row, precision: Precision) -> Bits:
    """The bits of a layer: its own, or those of the precision."""
    return bits_of(row, Bits(precision.weight_bits, precision.bits))


def _params_bits(row: Row, precision: Precision) -> int:
    """The bits of a layer's params: weights at their bits, the others at the precision."""
    weights = figure("weights", row.tallies)
    bits: int = weights * _bits(row, precision).weights
    return bits + (figure("params", row.tallies) - weights) * precision.bits


# by figure: its value in one row at a precision (of bytes the bits), and how a scope combines its rows
_MEASURES: dict[str, tuple[Callable[[Row, Precision], int], Callable[[Sequence[int]], int]]] = {
    "params": (_sum("params"), sum),
    "weights": (_sum("weights"), sum),
    "macs": (_sum("macs"), sum),
    "flops": (_sum("flops"), sum),
    "bops": (lambda row, precision: bops_at(row.tallies, _bits(row, precision)), sum),
    "weight_bytes": (_params_bits, lambda values: -(-sum(values) // 8)),
    "activation": (lambda row, precision: _largest(row), lambda values: max(values, default=0)),
    "activation_bytes": (
        lambda row, precision: _largest(row) * precision.bits,
        lambda values: -(-max(values, default=0) // 8),
    ),
    "depth": (lambda row, precision: row.depth, sum),
}


class BaseNetwork(NamedTuple):
    """A network at the base: counted, None where it is new; the revision, its commit, and its path then if moved."""

    counted: Count | None
    revision: str
    commit: str = ""
    moved_from: str = ""


class CheckedLimit(NamedTuple):
    """The result of a limit: the value, its bound, the headroom, the value at the base, the heaviest layers."""

    limit: Limit
    rule: str
    value: str | int
    bound: str | int
    headroom: int | None
    base: int | None
    heaviest: Sequence[tuple[str, int]]
    ok: bool
    message: str


def check_limits(counted: Count, limits: Sequence[Limit], base: Count | None = None) -> list[CheckedLimit]:
    """Check limits on a network, those on increases against `base`. Raises SpecError for a scope without layers.

    >>> from convcalc.analysis.count import count
    >>> from convcalc.loader import read
    >>> counted = count(read("input: 256x28x28\\nlayers: [{conv: {filters: 16, kernel: 1}}]"))
    >>> [(limit.value, limit.headroom, limit.ok) for limit in check_limits(counted, [Limit("weights", at_most=4000)])]
    [(4096, -96, False)]
    """
    checked: list[CheckedLimit] = []
    problems: list[Problem] = []
    pairs = align(base.rows, counted.rows) if base else []
    before = {pair.new.path: pair.old for pair in pairs if pair.old and pair.new}
    scopes, old_scopes = RowScopes(counted.rows), RowScopes(base.rows if base else ())
    for limit in limits:
        if limit.figure in SHAPES:
            checked.append(_check_shape(counted, limit))
            continue
        try:
            rows, old = scopes.rows(limit.scope), old_scopes.rows(limit.scope)
        except UserError as error:
            problems.append(Problem(f"budget: {error.message}", limit.place, (), error.given_hint))
            break
        if not rows:
            name = limit.scope.partition(" ")[2]
            hint = scopes.nearest(limit.scope)
            problems.append(Problem(f"budget: {quoted(name)} matches no layer", limit.place, (), hint))
            continue
        checked += _check_limit(counted, limit, rows, base, old, before)
    if problems:
        raise SpecError(problems)
    return checked


def _check_shape(counted: Count, limit: Limit) -> CheckedLimit:
    value = shape_text(counted.graph.outputs[-1].output)
    ok = value == limit.value
    message = limit.message or ("" if ok else f"output is {value}, but the budget requires {limit.value}")
    return CheckedLimit(limit, "output", value, limit.value, None, None, (), ok, message)


def measure(counted: Count, name: str, rows: Sequence[Row], precision: Precision = NAMES["fp32"]) -> int:
    """Measure a figure over rows of a count; the depth of a whole network is that of its longest path."""
    if name in NETWORK_FIGURES:
        return memory_figure(name, counted.graph, precision)
    if name == "depth" and len(rows) == len(counted.rows):
        return counted.depth
    value_of, combine = _MEASURES[name]
    return combine([value_of(row, precision) for row in rows])


def _check_limit(
    counted: Count,
    limit: Limit,
    rows: list[Row],
    base: Count | None,
    old: list[Row],
    rows_before: Mapping[str, Row],
) -> list[CheckedLimit]:
    """Check each rule of a limit; `old` are its rows at the base, `rows_before` all of them by their present path."""
    value = measure(counted, limit.figure, rows, limit.precision)
    before: Mapping[str, int] = {}
    was = None
    parts = _parts(counted, limit, {row.path: row for row in rows})
    if base is not None:
        was = measure(base, limit.figure, old, limit.precision) if old else 0
        before = _parts(base, limit, rows_before)
    checked = []
    for rule, bound, is_growth in _bounds(limit, was):
        values = [(path, part - (before.get(path, 0) if is_growth else 0)) for path, part in parts.items()]
        heaviest = [pair for pair in sorted(values, key=lambda pair: -pair[1])[:3] if pair[1] > 0]
        if limit.figure.endswith("_bytes"):
            heaviest = [(path, -(-bits // 8)) for path, bits in heaviest]
        ok = value <= bound
        text = f"{limit.subject}: {value:,} is {value - bound:,} over the limit of {bound:,}"
        if is_growth:
            text += f" (it was {was:,})"
        if limit.message:
            text += f"; {limit.message}"
        checked.append(CheckedLimit(limit, rule, value, bound, bound - value, was, heaviest, ok, "" if ok else text))
    return checked


def _parts(counted: Count, limit: Limit, rows: Mapping[str, Row]) -> Mapping[str, int]:
    """What a figure is the sum or the maximum of, by path: of a peak what is alive there. Of bytes it is the bits."""
    if limit.figure not in NETWORK_FIGURES:
        value_of = _MEASURES[limit.figure][0]
        return {path: value_of(row, limit.precision) for path, row in rows.items()}
    from convcalc.analysis.memory.live import deployed_memory, stored_bits

    needed = deployed_memory(counted.graph, limit.precision)
    if limit.figure == "flash_bytes":
        return {row.path: stored_bits(row.tallies, limit.precision) for row in needed.counted.rows}
    return {name: 8 * size for name, size in needed.alive_at_peak()}


def _bounds(limit: Limit, was: int | None) -> list[tuple[str, int, bool]]:
    """The rules of a limit: name, largest allowed value, and whether it is on an increase."""
    bounds = [] if limit.at_most is None else [(f"{limit.name}/at_most", limit.at_most, False)]
    if was is not None and limit.increase is not None:
        percent, absolute = limit.increase
        allowed = [] if percent is None else [int(was * percent / 100)]
        allowed += [] if absolute is None else [absolute]
        bounds.append((f"{limit.name}/max_increase", was + max(allowed), True))
    if was is not None and limit.ratchet:
        bounds.append((f"{limit.name}/ratchet", was, True))
    return bounds
