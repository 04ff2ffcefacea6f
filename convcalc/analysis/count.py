"""What a graph costs: exact tallies for each layer, figures that sum tallies, totals that sum rows."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from itertools import groupby
from math import prod
from typing import NamedTuple

from convcalc.graph import Graph, Layer
from convcalc.kinds import Shape, tallied, total
from convcalc.kinds.sizes import MACS, MIXING, OPERATIONS, STORED, Product, is_known
from convcalc.record import Record

Tallies = Mapping[str, int]

# Every figure is a sum over tallies: name -> coefficients. Nothing else computes one.
FIGURES: dict[str, dict[str, int]] = {
    "weights": {"weights": 1},
    "biases": {"biases": 1},
    "other_params": {"other_params": 1},
    "params": {"weights": 1, "biases": 1, "other_params": 1},
    "buffers": {"buffers": 1},
    "macs": dict.fromkeys(MACS, 1),
    "flops": {**dict.fromkeys(MACS, 2), **dict.fromkeys(OPERATIONS, 1)},
    "output_elements": {"output_elements": 1},
    "bops": {"bops": 1},
    "weight_bytes": {"weight_bits": 1},
}
# the same of a network that says nothing of bits: every number has 32
_AT_32_BITS: dict[str, dict[str, int]] = {
    "bops": dict.fromkeys(MACS, 32 * 32),
    "weight_bytes": {"weights": 32},
}
BITS = tuple(_AT_32_BITS)  # the figures that depend on bits

MAC = "1 MAC = 1 multiply-accumulate of a convolution, linear layer or matrix product, bias not counted"
FLOP = (
    "FLOPs = 2 per MAC, 1 per bias add and per element-wise operation "
    "(comparison, addition, product, division, exponential)"
)


def figure(name: str, tallies: Tallies) -> int:
    """One figure from tallies.

    >>> figure("flops", {"conv_macs": 10, "bias_adds": 3})
    23
    """
    summed = factors(name, tallies) if name in _AT_32_BITS else FIGURES[name]
    value = sum(factor * tallies.get(tally, 0) for tally, factor in summed.items())
    return -(-value // 8) if name.endswith("_bytes") else value


def factors(name: str, tallies: Container[str]) -> Mapping[str, int]:
    """The tallies that a figure sums, each with its factor; of bits those of a network that has these tallies.

    >>> factors("bops", ["bops"]), factors("bops", ["conv_macs"])["conv_macs"]
    ({'bops': 1}, 1024)
    """
    found = FIGURES[name]
    return _AT_32_BITS[name] if name in _AT_32_BITS and all(tally not in tallies for tally in found) else found


class Row(NamedTuple):
    """What one layer, or a folded group of layers, costs. `kind` is the kind's name, or the block's."""

    path: str
    kind: str
    output: Shape
    tallies: Tallies
    depth: int
    nonlinearities: int
    mixing: str
    layer: Layer | None
    layers: int = 1
    shares: str = ""

    def figure(self, name: str) -> int:
        return figure(name, self.tallies)


class Count(Record):
    """A counted graph: a row a layer, and what they sum to.

    `depth` is the number of weighted layers on the longest path, `weighted` how many there are in all.
    Where a layer's work is not known (`uncounted`), every total is a lower bound.
    """

    graph: Graph
    rows: list[Row]
    tallies: Tallies
    depth: int
    weighted: int
    nonlinearities: int

    def figure(self, name: str) -> int:
        return figure(name, self.tallies)

    @property
    def uncounted(self) -> list[Layer]:
        """The layers whose work is not known."""
        return [row.layer for row in self.rows if row.layer is not None and not row.layer.kind.is_counted]


def layer_products(layer: Layer, batch: int = 1) -> dict[str, list[Product]]:
    """The products of each tally of a layer: work is multiplied by the batch N, what is stored is not.

    A layer that uses another's weights stores nothing itself, and one that uses some of them so much less.
    """
    found = tallied(layer.kind, layer.shapes, layer.output)
    for tally, elements, owner in layer.shared:
        found[tally] = [*found[tally], {"uncounted" if owner is None else "shared": -elements}]
    if layer.shares is not None:
        found = {name: products for name, products in found.items() if name not in STORED}
    if batch != 1:
        found = {
            name: products if name in STORED else [{"N": batch, **product} for product in products]
            for name, products in found.items()
        }
    if layer.bits is not None:
        from convcalc.analysis.bit_products import bit_products

        found |= bit_products(found, layer.bits)
    return found


def count(graph: Graph) -> Count:
    """Count every layer of a graph.

    >>> from convcalc.kinds.conv import Conv
    >>> graph = Graph("reduce")
    >>> _ = graph.add("wide", Conv(filters=32, kernel=5, padding="same"), (graph.add_input("x", (256, 28, 28)),))
    >>> counted = count(graph)
    >>> counted.figure("weights"), counted.figure("macs"), counted.depth
    (204800, 160563200, 1)
    """
    rows = [_row(layer, graph) for layer in graph.all if not layer.is_input]
    longest = [0] * len(graph.all)
    for layer in graph.all:
        weight = layer.kind.weighted
        longest[layer.index] = weight + max((longest[ref.layer] for ref in layer.inputs), default=0)
    return Count(
        graph,
        rows,
        add_up(row.tallies for row in rows),
        max(longest, default=0),
        sum(row.depth for row in rows),
        sum(row.nonlinearities for row in rows),
    )


def _row(layer: Layer, graph: Graph) -> Row:
    products = layer_products(layer, graph.batch)
    tallies = {name: total(terms) for name, terms in products.items()}
    tallies["output_elements"] = graph.batch * sum(prod(shape) for shape in layer.outputs if is_known(shape))
    shares = "; ".join(shared_with(layer, graph))
    kind = layer.kind
    mixing = kind.mixes(layer.shapes)
    return Row(
        layer.path, kind.name, layer.output, tallies, kind.weighted, kind.nonlinearities, mixing, layer, 1, shares
    )


def shared_with(layer: Layer, graph: Graph) -> list[str]:
    """The layers that count what a layer stores; with the number of elements where it has weights of its own too."""
    if layer.shares is not None:
        return [graph.all[layer.shares].path]
    elements: dict[int, int] = {}
    for item in layer.shared:
        if item.layer is not None:
            elements[item.layer] = elements.get(item.layer, 0) + item.elements
    return [f"{graph.all[owner].path}: {count:,}" for owner, count in elements.items()]


def add_up(many: Iterable[Tallies]) -> dict[str, int]:
    """Tallies summed name by name.

    >>> add_up([{"weights": 1}, {"weights": 2, "biases": 3}])
    {'weights': 3, 'biases': 3}
    """
    sums: dict[str, int] = {}
    for tallies in many:
        for name, value in tallies.items():
            sums[name] = sums.get(name, 0) + value
    return sums


def fold(counted: Count, depth: int) -> list[Row]:
    """The rows with every block and repeat below `depth` path parts folded into one; they add up to the same total."""
    groups = {group.path: group for group in counted.graph.groups if group.path.count("/") == depth - 1}
    folded: list[Row] = []
    for path, rows in _runs(counted.rows, lambda row: "/".join(row.path.split("/")[:depth])):
        group = groups.get(path)
        if group is None:
            folded.extend(rows)
        else:
            folded.append(_merge(path, group.label or "repeat", group.output, rows))
    return folded


def unfold(counted: Count, depth: int | None = None) -> list[Row]:
    """The rows of a tree: each block and repeat before what is in it, down to `depth` path parts (None: all).

    A block is the sum over its layers, so the rows together are more than the total.
    """
    groups = {group.path: group for group in counted.graph.groups}

    def below(rows: Iterable[Row], level: int) -> Iterator[Row]:
        for path, run in _runs(rows, lambda row: "/".join(row.path.split("/")[:level])):
            group = groups.get(path)
            if group is not None:
                yield _merge(path, group.label or "repeat", group.output, run)
            if group is None or depth is None or level < depth:
                for is_leaf, part in groupby(run, lambda row: row.path.count("/") < level):
                    inside = [*part]
                    yield from inside if is_leaf else below(inside, level + 1)

    return [*below(counted.rows, 1)]


def _runs(rows: Iterable[Row], key: Callable[[Row], str]) -> list[tuple[str, list[Row]]]:
    runs: list[tuple[str, list[Row]]] = []
    for row in rows:
        name = key(row)
        if runs and runs[-1][0] == name:
            runs[-1][1].append(row)
        else:
            runs.append((name, [row]))
    return runs


def _merge(path: str, kind: str, output: Shape, rows: list[Row]) -> Row:
    tallies = add_up(row.tallies for row in rows)
    depth, nonlinearities = sum(row.depth for row in rows), sum(row.nonlinearities for row in rows)
    mixing = rows[0].mixing if len({row.mixing for row in rows}) == 1 else ""
    return Row(path, kind, output, tallies, depth, nonlinearities, mixing, None, sum(row.layers for row in rows))


def by_kind(counted: Count) -> list[Row]:
    """One row a kind, the most MACs first."""
    kinds: dict[str, list[Row]] = {}
    for row in counted.rows:
        kinds.setdefault(row.kind, []).append(row)
    merged = [_merge(kind, kind, (), rows) for kind, rows in kinds.items()]
    return sorted(merged, key=lambda row: (-row.figure("macs"), -row.figure("params"), row.path))


def by_mixing(counted: Count) -> list[Row]:
    """One row for each way of mixing that occurs: cross-channel, spatial, both, fully connected, ..., then the rest."""
    ways: dict[str, list[Row]] = {mixing: [] for mixing in (*MIXING, "none")}
    for row in counted.rows:
        ways[row.mixing if row.mixing in MIXING else "none"].append(row)
    return [_merge(way, way, (), rows)._replace(mixing=way) for way, rows in ways.items() if rows]
