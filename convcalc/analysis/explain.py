"""Why a layer costs what it costs: each figure as formula, numbers and result, from the lines that count."""

from __future__ import annotations

import copy
import re
from bisect import bisect_left
from collections.abc import Iterable
from fnmatch import fnmatchcase
from heapq import heappop, heappush
from typing import Any, NamedTuple

from convcalc.analysis.count import FIGURES, Count, Row, fold, layer_products
from convcalc.analysis.symbolic import Traced
from convcalc.errors import SpecError, did_you_mean, quoted
from convcalc.graph import Graph, Layer
from convcalc.kinds import Kind, Shape, formula, total
from convcalc.kinds.fields import Integer, Sizes, is_whole
from convcalc.kinds.sizes import MACS

# what letters stand for that no field of the layer claims
LETTERS = (("C", "input channels"), ("DHW", "input size"), ("ZPQ", "output size"), ("N", "batch"))
TOKENS = (("L", "tokens"), ("D", "features"))
SUMMED = ("weights", "biases", "other_params", "params", "macs", "flops")
_HEADINGS = {"bops": "BOPs", "weight_bits": "weight bits"}  # of tallies that only a network with bits has


class Line(NamedTuple):
    """One figure: `weights`, `C/g*K*R*S`, `256*32*5*5`, 204800. The value of a shape is a tuple."""

    name: str
    formula: str
    numbers: str
    value: int | tuple[int, ...]


def explain_layer(layer: Layer, batch: int = 1) -> list[Line]:
    """Output shape, every tally, and the figures that are sums of several tallies.

    >>> from convcalc.kinds.conv import Conv
    >>> graph = Graph("reduce")
    >>> _ = graph.add("wide", Conv(filters=32, kernel=5, padding=2), (graph.add_input("x", (256, 28, 28)),))
    >>> for line in explain_layer(graph.layers[0])[:4]:
    ...     print(*line, sep=" = ")
    output = K x P x Q =  = (32, 28, 28)
    P = (H + p + p - d*(R - 1) - 1)//s + 1 = (28 + 2 + 2 - 1*(5 - 1) - 1)//1 + 1 = 28
    Q = (W + p + p - d*(S - 1) - 1)//s + 1 = (28 + 2 + 2 - 1*(5 - 1) - 1)//1 + 1 = 28
    weights = C/g*K*R*S = 256*32*5*5 = 204800
    """
    products = layer_products(layer, batch)
    lone = [name for name in products if name in MACS]
    names = {name: "MACs" if [name] == lone else _HEADINGS.get(name, name) for name in products}
    lines = [
        Line(names[name], formula(terms), formula(terms, numbers=True), total(terms))
        for name, terms in products.items()
    ]
    values = {name: total(terms) for name, terms in products.items()}
    for figure, heading in (("params", "params"), ("macs", "MACs"), ("flops", "FLOPs")):
        terms = [(factor, name) for name, factor in FIGURES[figure].items() if values.get(name)]
        if len(terms) > 1 or any(factor > 1 for factor, _ in terms):
            lines.append(_sum(heading, [(factor, names[name], values[name]) for factor, name in terms]))
    if bits := values.get("weight_bits"):
        lines.append(Line("weight bytes", "ceil(weight bits/8)", f"ceil({bits:,}/8)", -(-bits // 8)))
    return [*explain_output(layer.kind, layer.shapes), *lines]


def legend(kind: Kind, lines: Iterable[Line]) -> str:
    """What the letters in the formulas of a layer stand for.

    >>> from convcalc.kinds.conv import Conv
    >>> legend(Conv(filters=1, kernel=1), [Line("weights", "C/g*K*R*S", "", 1)])
    'K filters, R S kernel, g groups, C input channels'
    """
    if kind.own_letters:
        return ""
    used = set(re.findall(r"\b[A-Za-z]\b", " ".join(line.formula for line in lines)))
    named = [(getattr(field, "letters", "") or field.letter, name) for name, field in kind.fields.items()]
    found = []
    for letters, name in [*named, *(TOKENS if "L" in used else ()), *LETTERS]:
        found.append((" ".join(letter for letter in letters if letter in used), name))
        used -= set(letters)
    return ", ".join(f"{letters} {name}" for letters, name in found if letters)


def explain_sum(rows: Iterable[Row], prefix: str = "") -> list[Line]:
    """The figures of a group of layers: the sum over its parts, those left out that are 0."""
    lines, rows = [], list(rows)
    for name in SUMMED:
        terms = [(1, row.path.removeprefix(prefix), row.figure(name)) for row in rows if row.figure(name)]
        if terms:
            lines.append(_sum({"macs": "MACs", "flops": "FLOPs"}.get(name, name), terms))
    for name, title in _HEADINGS.items():
        if terms := [(1, row.path.removeprefix(prefix), bits) for row in rows if (bits := row.tallies.get(name))]:
            lines.append(_sum(title, terms))
    return lines


def _sum(name: str, terms: list[tuple[int, str, int]]) -> Line:
    letters = " + ".join(f"{factor}*{part}" if factor > 1 else part for factor, part, _ in terms)
    numbers = " + ".join(f"{factor}*{value:,}" if factor > 1 else f"{value:,}" for factor, _, value in terms)
    return Line(name, letters, numbers, sum(factor * value for factor, _, value in terms))


# -- output shapes -----------------------------------------------------------------------------------------------------


def explain_output(kind: Kind, shapes: tuple[Shape, ...]) -> list[Line]:
    """The kind's own shape rule, run on sizes that remember their letters."""
    axes = {1: "C", 2: "CW" if "kernel" in kind.fields else "LD", 3: "CHW", 4: "CDHW"}
    named = tuple(
        tuple(
            Traced.named(f"{letter}{number if len(shapes) > 1 else ''}", size)
            for letter, size in zip(_letters_for(axes.get(len(shape), "abcdefgh"), len(shape)), shape, strict=True)
        )
        for number, shape in enumerate(shapes, 1)
    )
    lines: list[Line] = []
    for number, output in enumerate(_bind(kind, shapes).outputs(*named)):
        letters = _letters(output)
        heading = f"output {number}" if number else "output"
        lines.append(Line(heading, " x ".join(letters), "", tuple(int(size) for size in output)))
        for letter, size in zip(letters, output, strict=True):
            if isinstance(size, Traced) and size.letters != letter:
                lines.append(Line(letter, size.letters, size.numbers, int(size)))
    return lines


def _letters_for(letters: str, count: int) -> list[str]:
    """A letter for each of `count` axes; those that have none are numbered.

    >>> _letters_for("uvw", 5)
    ['u', 'v', 'w', 'w4', 'w5']
    """
    return [*letters[:count], *(f"{letters[-1]}{number}" for number in range(len(letters) + 1, count + 1))]


def _letters(output: Shape) -> list[str]:
    """A letter for each axis: its own where it has one, else that of an output axis."""
    own = {1: "K", 2: "KQ", 3: "KPQ", 4: "KZPQ"}.get(len(output), "uvwxyz")
    found: list[str] = []
    for letter, size in zip(_letters_for(own, len(output)), output, strict=True):
        named = size.letters if isinstance(size, Traced) and size.is_named else letter
        found.append(named if isinstance(size, Traced) else f"{size:,}")
    return found


def _bind(kind: Kind, shapes: tuple[Shape, ...]) -> Kind:
    """A copy of a layer whose fields are sizes that remember their letters."""
    bound = copy.copy(kind)
    axes = len(shapes[0]) - 1 if shapes else 0
    for name, field in kind.fields.items():
        value = getattr(kind, name)
        if isinstance(field, Integer) and is_whole(value):
            bound.__dict__[name] = Traced.named(field.letter or name, value)
        elif isinstance(field, Sizes) and not isinstance(value, str) and value is not None:
            bound.__dict__[name] = _lettered(value, field.letters or name, axes)
    return bound


def _lettered(value: Any, letters: str, axes: int) -> Any:
    """A size for every axis with its letter: T R S where there are three, else the same for all axes."""
    if is_whole(value) and (len(letters) != 3 or not 1 <= axes <= 3):
        return Traced.named(letters, value)
    values = value if isinstance(value, tuple) else (value,) * axes
    each = letters[-len(values) :] if len(letters) == 3 else [letters] * len(values)
    return tuple(
        tuple(Traced.named(letter, side) for side in one) if isinstance(one, tuple) else Traced.named(letter, one)
        for letter, one in zip(each, values, strict=True)
    )


# -- what is asked for -------------------------------------------------------------------------------------------------


class Part(NamedTuple):
    """What to explain: a layer, or a group of layers; the network is the group with the path ""."""

    path: str
    label: str
    layer: Layer | None = None


def find(counted: Count, asked: str) -> list[Part]:
    """The layers and groups that `asked` names: a path, the end of one, or a pattern. Raises SpecError.

    Without a name: every layer, then the network.
    """
    layers = {layer.path: Part(layer.path, layer.kind.name, layer) for layer in counted.graph.layers}
    if not asked:
        return [*layers.values(), Part("", "network")]
    parts = {group.path: Part(group.path, group.label or "repeat") for group in counted.graph.groups} | layers
    if asked in parts:
        return [parts[asked]]
    if any(sign in asked for sign in "*?["):
        found = [part for path, part in parts.items() if fnmatchcase(path, asked)]
    else:
        found = [part for path, part in parts.items() if path.endswith(f"/{asked}")]
        if len(found) > 1:
            paths = ", ".join(part.path for part in found[:6]) + (", ..." if len(found) > 6 else "")
            raise SpecError(f"{quoted(asked)} ends {len(found)} names: {paths}", f"name one, or all: '*/{asked}'")
    if not found:
        leaves = {path.rpartition("/")[2] for path in parts}
        raise SpecError(f"no layer {quoted(asked)} in {counted.graph.name}", did_you_mean(asked, [*parts, *leaves]))
    return found


def rows_of(part: Part, counted: Count) -> list[Row]:
    """The rows that a group, or a join with its branches, is the sum of; none for any other layer."""
    if part.layer is not None:
        return _joined(counted, part.layer) if part.layer.kind.has_branches else []
    if not part.path:
        return fold(counted, 1)
    inside = [row for row in counted.rows if row.path.startswith(f"{part.path}/")]
    return fold(counted._replace(rows=inside), part.path.count("/") + 2)


def _joined(counted: Count, join: Layer) -> list[Row]:
    """A join and what is above it, without what is above all of its branches."""
    indexes = [index for index in _between(counted.graph, join) if not counted.graph.all[index].is_input]
    places = [bisect_left(counted.rows, index, key=_index) for index in indexes]
    return [counted.rows[place] for place in places]


def _index(row: Row) -> int:
    assert row.layer is not None
    return row.layer.index


def _between(graph: Graph, join: Layer) -> list[int]:
    """The indexes of a join and of the layers that are above some of its branches, but not above all.

    Walks up from the join, the latest layer first, with a bit for every branch that leads to a layer; it ends where
    the branches share what is left, so that it visits no more than it returns and the layers next to it.
    """
    branches: dict[int, list[int]] = {}
    for number, ref in enumerate(join.inputs):
        branches.setdefault(ref.layer, []).append(number)
    every = (1 << len(join.inputs)) - 1
    masks = dict.fromkeys(branches, 0)  # of the layers in the heap; a branch sets its bit when its end is visited
    heap = sorted(-index for index in branches)
    open_ends = len(heap)  # how many of them not all branches lead to, as far as is known
    found = [join.index]
    while open_ends:
        index = -heappop(heap)
        mask = masks.pop(index)
        open_ends -= mask != every
        for number in branches.get(index, ()):
            mask |= 1 << number
        if mask != every:
            found.append(index)
        for ref in graph.all[index].inputs:
            if ref.layer not in masks:
                heappush(heap, -ref.layer)
                masks[ref.layer] = 0
                open_ends += 1
            was_open = masks[ref.layer] != every
            masks[ref.layer] |= mask
            open_ends -= was_open and masks[ref.layer] == every
    return sorted(found)
