"""What a network costs at every point of a box of variables: the graph built once on arrays, its costs as sums.

A tally is a sum of products of sizes, and a size spans few axes. So a figure is kept as a sum of products of small
arrays, and terms that share a factor are added up first: GoogLeNet's MACs over two variables are eleven products for
each point, not a hundred.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from math import prod
from typing import Any

import numpy as np

from convcalc.analysis.count import factors, layer_products
from convcalc.arrays import LARGEST, at, collectors, escape_braces, largest
from convcalc.errors import ChangesGraph, SpecError
from convcalc.graph import Graph
from convcalc.kinds import shape_text
from convcalc.kinds.sizes import is_known
from convcalc.language.builder import Builder
from convcalc.language.document import Document
from convcalc.language.overrides import Overrides

NEVER = 2**31 - 1
Slices = tuple[slice, ...]


class NotVectorizable(Exception):
    """Arrays do not serve here: go through the values one by one. `reason`: what seems wrong at every point."""

    def __init__(self, reason: str = "") -> None:
        super().__init__(reason)
        self.reason = reason


class Model:
    """A network over a box. `shape` is the number of values along each axis.

    Raises NotVectorizable where the graph itself depends on an axis.
    What is invalid at every point is a reason, not an error.
    """

    def __init__(self, document: Document, overrides: Overrides, shape: tuple[int, ...]) -> None:
        self.shape = shape
        self.failures: list[tuple[str, str, dict[str, Any]]] = []
        self.first: dict[tuple[int, ...], Any] = {}  # by the shape it spans: number of the first failure
        self.figures: dict[str, list[list[Any]]] = {}
        self.used: frozenset[str] = frozenset()
        self.terms: dict[str, list[tuple[int, dict[tuple[int, ...], Any]]]] = {}
        seen: list[tuple[int, Any, str, dict[str, Any]]] = []
        builder = Builder(document, overrides)
        collectors.append(lambda holds, text, facts: seen.append((len(builder.graph.all), holds, text, facts)))
        try:
            with np.errstate(all="ignore"):
                graph = builder.build()
                self._take(graph)
        except SpecError:
            failure: tuple[str, str, dict[str, Any]] = (_path(builder), escape_braces(builder.problems[0].message), {})
            if prod(shape) > 1:
                raise NotVectorizable("" if seen else _worded(*failure)) from None
            self._fail(*failure, True)
            return
        except (ChangesGraph, TypeError, ValueError, ArithmeticError):
            if prod(shape) == 1:
                raise
            raise NotVectorizable from None
        finally:
            collectors.pop()
        self.used = graph.provenance.used
        for index, holds, text, facts in seen:
            path = graph.all[index].path if index < len(graph.all) else ""
            self._fail(path, text, facts, ~np.asarray(holds))

    def _fail(self, path: str, text: str, facts: dict[str, Any], fails: Any) -> None:
        """Note where a condition fails, behind those that fail earlier."""
        fails = np.asarray(fails)
        if not fails.any():
            return
        known = self.first.get(fails.shape)
        self.first[fails.shape] = np.where(fails, len(self.failures), NEVER) if known is None else known
        if known is not None:
            self.first[fails.shape] = np.minimum(known, np.where(fails, len(self.failures), NEVER))
        self.failures.append((path, text, facts))

    def _take(self, graph: Graph) -> None:
        """Each tally's products, every one as a whole number and one array for each set of axes it spans."""
        for layer in graph.layers:
            tallies: dict[str, list[Any]] = dict(layer_products(layer, graph.batch))
            tallies["output_elements"] = [
                {"N": graph.batch, **dict(enumerate(shape))} for shape in layer.outputs if is_known(shape)
            ]
            for name, products in tallies.items():
                self.terms.setdefault(name, []).extend(_factors(product.values()) for product in products)

    def spans(self) -> set[tuple[int, ...]]:
        """The shapes of the arrays it holds."""
        found = set(self.first)
        for terms in self.terms.values():
            found.update(shape for _, factors in terms for shape in factors)
        return found

    def figure(self, name: str, box: Slices) -> Any:
        """A figure at every point of a part of the box: an int64 array, or Python ints where it may not fit."""
        if name not in self.figures:
            terms = [
                (factor * times, sizes)
                for tally, factor in factors(name, self.terms).items()
                for times, sizes in self.terms.get(tally, ())
            ]
            self.figures[name] = _grouped(terms)
        lengths = tuple(len(range(*part.indices(size))) for part, size in zip(box, self.shape, strict=True))
        products = [[_part(factor, box) for factor in product] for product in self.figures[name]]
        if sum(prod(map(largest, product)) for product in products) > LARGEST:
            products = [[np.asarray(factor).astype(object) for factor in product] for product in products]
        found: Any = 0
        for product in sorted(products, key=lambda product: sum(np.size(factor) for factor in product)):
            found = found + prod(product)
        return np.broadcast_to(-(-found // 8) if name.endswith("_bytes") else found, lengths)

    def failing(self, box: Slices) -> Any:
        """The number of the first failure at every point of a part of the box, NEVER for none; None without any."""
        found: Any = None
        for first in self.first.values():
            part = _part(first, box)
            found = part if found is None else np.minimum(found, part)
        return found

    def spanned(self, number: int) -> list[bool]:
        """For each axis, whether the words of a failure depend on it."""
        shapes = [fact.shape for fact in _arrays(self.failures[number][2].values())]
        return [any(shape[axis] > 1 for shape in shapes) for axis in range(len(self.shape))]

    def reason(self, number: int, place: tuple[int, ...]) -> str:
        """Why a point is no network: the layer, and what a plain count says of it."""
        path, text, facts = self.failures[number]
        return _worded(path, text, {name: at(fact, place) for name, fact in facts.items()})


def _worded(path: str, text: str, facts: dict[str, Any]) -> str:
    shown = {name: shape_text(fact) if isinstance(fact, tuple) else fact for name, fact in facts.items()}
    return f"{path}: {text.format(**shown)}" if path else text.format(**shown)


def _arrays(facts: Iterable[Any]) -> Iterator[Any]:
    for fact in facts:
        if isinstance(fact, (tuple, list)):
            yield from _arrays(fact)
        elif hasattr(fact, "dtype"):
            yield fact


def _path(builder: Builder) -> str:
    """The path of the first layer that could not be built."""
    return next((path for path, refs in builder.paths.items() if refs is None and not path.endswith("/input")), "")


def _factors(sizes: Iterable[Any]) -> tuple[int, dict[tuple[int, ...], Any]]:
    times = 1
    factors: dict[tuple[int, ...], Any] = {}
    for size in sizes:
        if hasattr(size, "dtype"):
            factors[size.shape] = factors[size.shape] * size if size.shape in factors else size
        else:
            times *= size
    return times, factors


def _grouped(terms: Sequence[tuple[int, dict[tuple[int, ...], Any]]]) -> list[list[Any]]:
    """The sum of `terms` as a shorter sum of products: those whose other factors are equal share one factor."""
    names: dict[bytes, int] = {}

    def same(array: Any) -> int:
        text = array.tobytes() if array.dtype != object else repr(array.tolist()).encode()
        return names.setdefault(text, len(names))

    keyed = [(times, {shape: (same(array), array) for shape, array in sizes.items()}) for times, sizes in terms]
    spans = {shape for _, sizes in keyed for shape in sizes} or {()}
    best: list[list[Any]] | None = None
    for pivot in sorted(spans):
        groups: dict[Any, list[Any]] = {}
        for times, sizes in keyed:
            rest = {shape: factor for shape, factor in sizes.items() if shape != pivot}
            key = tuple((shape, number) for shape, (number, _) in sorted(rest.items(), key=lambda item: item[0]))
            group = groups.setdefault(key, [0, *(array for _, array in rest.values())])
            group[0] = group[0] + times * (sizes[pivot][1] if pivot in sizes else 1)
        if best is None or len(groups) < len(best):
            best = list(groups.values())
    return best or []


def _part(array: Any, box: Slices) -> Any:
    """The entries of a small array inside a part of the box."""
    if not hasattr(array, "dtype") or not np.ndim(array):
        return array
    kept = tuple(slice(None) if size == 1 else part for size, part in zip(array.shape, box, strict=True))
    return np.asarray(array)[kept]
