"""Networks side by side: their totals, and their layers matched by name."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from convcalc.analysis.count import BITS, Count, Row, fold

# What is compared, in this order: a figure of a count, or one of its own fields.
COMPARED = ("weights", "biases", "other_params", "params", "macs", "flops", "depth", "nonlinearities")


class Total(NamedTuple):
    """One figure of every network, and how it stands to the first network's (None where that is 0)."""

    figure: str
    values: list[int]
    ratios: list[float | None]


class Match(NamedTuple):
    """The rows of one name, a place for each network: None where it has no such layer."""

    path: str
    rows: list[Row | None]


def compare(counts: Sequence[Count], precision: str = "") -> list[Total]:
    """The figures of several networks, without those that are 0 in all; at a precision also their deployed memory."""
    figures = {
        name: [getattr(one, name) if hasattr(one, name) else one.figure(name) for one in counts] for name in COMPARED
    }
    if any(one.graph.has_bits for one in counts):
        figures |= {name: [one.figure(name) for one in counts] for name in BITS}
    if precision:
        from convcalc.analysis.memory.figures import MEMORY, memory_figure
        from convcalc.analysis.memory.precision import NAMES

        figures |= {name: [memory_figure(name, one.graph, NAMES[precision]) for one in counts] for name in MEMORY}
    return [
        Total(name, values, [value / values[0] if values[0] else None for value in values])
        for name, values in figures.items()
        if any(values)
    ]


def matches(counts: Sequence[Count], depth: int | None = None) -> list[Match]:
    """The rows of several networks matched by name, in the order of the first that has them."""
    networks = [{row.path: row for row in (one.rows if depth is None else fold(one, depth))} for one in counts]
    return [Match(path, [rows.get(path) for rows in networks]) for path in merged(networks)]


def merged(lists: Iterable[Iterable[str]]) -> list[str]:
    """Several ordered lists of names as one: what the lists before lack goes behind its own predecessor.

    >>> merged([["conv1", "relu1", "fc"], ["conv1", "pool1", "fc"]])
    ['conv1', 'pool1', 'relu1', 'fc']
    """
    order: list[str] = []
    for names in lists:
        known = set(order)
        behind: dict[str, list[str]] = {"": []}
        last = ""
        for name in names:
            if name in known:
                last = name
            else:
                behind.setdefault(last, []).append(name)
        order = behind[""] + [new for name in order for new in (name, *behind.get(name, ()))]
    return order
