"""What other tools print for a network: each tool's rules are a file of data in `convcalc/conventions`.

A rule is an expression over a layer's quantities: its tallies, its fields, and the sizes below. `inputs` and `outputs`
are elements, the batch included; a kind without a rule counts 0, as it does in the tool.

- `macs`, `params` and every tally of the layer, multiplied by the batch as our own are
- `inputs`, `outputs`: elements of the first input and of the output; `N`: the batch
- `channels`, `filters`: the first axis of the input and of the output; `last`: the last axis of the input
- `window`: elements of one window; `strides`: the product of the strides; `rank`: axes without the channels
- `kernel`: as it was given: a single number stays one, a list is multiplied
- `bias`, `affine`: 1 with a bias, with learned scale or slope; `branches`: inputs of a join
- `first`: 0 where the layer uses the weights of an earlier one
- `module`, `function`: 1 by how the spec says the layer is called (`via`); a module unless it says so
- `FIELD_is_WORD`: 1 where a field has this word; any whole-number field by its name
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import cache
from math import prod
from pathlib import Path
from typing import Any, NamedTuple

from convcalc.errors import SpecError, UserError, did_you_mean, quoted
from convcalc.graph import Graph, Layer
from convcalc.kinds import tallied, total
from convcalc.kinds.sizes import MACS, STORED, TALLIES, spread
from convcalc.syntax.expression import Expression
from convcalc.syntax.expression_parser import parse

FOLDER = Path(__file__).parent / "tools"


class Convention(NamedTuple):
    """How one tool counts: its name, version, unit, where its rules were read, and the rules by kind.

    `errors` are what the tool gets wrong, by kind; `batch` is whether its figure grows with the batch.
    """

    name: str
    version: str
    unit: str
    source: str
    about: str
    batch: bool
    rules: Mapping[str, Expression]
    texts: Mapping[str, str]
    errors: Mapping[str, str]

    @property
    def label(self) -> str:
        return f"{self.name}@{self.version}" if self.version else self.name

    @property
    def counts_flops(self) -> bool:
        """Whether a multiply-accumulate is two of the tool's units."""
        return self.unit == "FLOPs"


def names() -> list[str]:
    """The conventions there are: one a file."""
    return sorted(path.stem for path in FOLDER.glob("*.yaml"))


def find(text: str) -> Convention:
    """The convention TOOL or TOOL@VERSION. Raises SpecError for another name or version.

    >>> find("thop").unit, find("thop@0.1.1").texts["batch_norm"]
    ('MACs', 'module * (2 + 2 * affine) * inputs')
    """
    name, _, version = text.partition("@")
    if name not in names():
        raise SpecError(f"no convention {quoted(name)}", did_you_mean(name, names()) or f"one of {', '.join(names())}")
    found = read(name)
    if version and version != found.version and not found.version.startswith(version + "."):
        raise SpecError(f"no version {quoted(version)} of the convention '{name}'", f"there is {found.label}")
    return found


@cache
def read(name: str) -> Convention:
    """The convention in a file of the folder."""
    from convcalc.syntax.yaml import read as read_yaml

    path = FOLDER / f"{name}.yaml"
    data = read_yaml(path.read_text(encoding="utf-8"), str(path)).plain()
    texts = {kind: str(rule) for kind, rule in _by_kind(data["rules"]).items()}
    return Convention(
        name,
        str(data.get("version", "")),
        data["unit"],
        data["source"],
        data["about"],
        bool(data.get("batch", True)),
        {kind: parse(text) for kind, text in texts.items()},
        texts,
        _by_kind(data.get("errors", {})),
    )


def _by_kind(entries: Mapping[str, Any]) -> dict[str, Any]:
    return {kind.strip(): value for kinds, value in entries.items() for kind in kinds.split(",")}


@cache
def kinds_by_call() -> frozenset[str]:
    """The kinds of layers that some tool counts only if code calls them as modules, or as functions.

    >>> sorted({"relu", "flatten", "matmul"} & kinds_by_call())
    ['matmul', 'relu']
    """
    rules = [rule for name in names() for rule in read(name).texts.items()]
    return frozenset(kind for kind, text in rules if re.search(r"\b(module|function)\b", text))


def figure(convention: Convention, layer: Layer, batch: int = 1) -> int:
    """What the tool counts for one layer.

    >>> from convcalc.kinds.norm import BatchNorm
    >>> graph = Graph("one")
    >>> ref = graph.add("norm", BatchNorm(), (graph.add_input("x", (8, 10, 10)),))
    >>> figure(find("thop"), graph.all[ref.layer]), figure(find("fvcore"), graph.all[ref.layer])
    (3200, 1600)
    """
    rule = convention.rules.get(layer.kind.name)
    return 0 if rule is None else int(rule.evaluate(Quantities(layer, batch if convention.batch else 1)))


def figures(convention: Convention, graph: Graph) -> list[int]:
    """What the tool counts for each layer."""
    return [figure(convention, layer, graph.batch) for layer in graph.layers]


class Quantities:
    """What rules compute with, for one layer; called with a name, it gives the number."""

    def __init__(self, layer: Layer, batch: int) -> None:
        self.layer, self.batch = layer, batch
        self.tallies: dict[str, int] = {}
        for name, products in tallied(layer.kind, layer.shapes, layer.output).items():
            self.tallies[name] = total(products) * (1 if name in STORED else batch)

    def __call__(self, name: str) -> int:
        if name in TALLIES:
            return self.tallies.get(name, 0)
        rule = _RULES.get(name)
        if rule is not None:
            return rule(self)
        field, equals, word = name.partition("_is_")
        kind = self.layer.kind
        if equals:
            return int(getattr(kind, field, None) == word)
        value = getattr(kind, name, None)
        if isinstance(value, int):
            return int(value)
        raise UserError(f"'{kind.name}' has no quantity '{name}'")

    def along(self, field: str, otherwise: int = 1) -> tuple[int, ...]:
        """A field's value along each spatial axis."""
        value = getattr(self.layer.kind, field, None)
        if value is None or isinstance(value, str):
            value = otherwise
        return spread(value, len(self.layer.shapes[0]) - 1, field)


def _given(found: Quantities) -> int:
    kernel = getattr(found.layer.kind, "kernel", 1)
    return prod(kernel) if isinstance(kernel, tuple) else int(kernel)


def _groups(found: Quantities) -> int:
    groups = getattr(found.layer.kind, "groups", 1)
    return found.layer.shapes[0][0] if isinstance(groups, str) else int(groups)


def _as_if_forward(found: Quantities) -> int:
    """Places that a plain convolution with the same window would have."""
    places = 1
    for size, kernel, step, apart, pad in zip(
        found.layer.shapes[0][1:],
        found.along("kernel"),
        found.along("stride"),
        found.along("dilation"),
        found.along("padding", 0),
        strict=True,
    ):
        around = sum(pad) if isinstance(pad, tuple) else 2 * pad
        places *= (size + around - apart * (kernel - 1) - 1) // step + 1
    return places


def _shared_out(found: Quantities) -> int:
    """Elements of the window that torchscan takes for adaptive pooling: the quotient, or the remainder and one."""
    return prod(
        size // parts if size % parts == 0 else size % parts + 1
        for size, parts in zip(found.layer.shapes[0][1:], found.layer.output[1:], strict=True)
    )


def _along_axis(found: Quantities) -> int:
    from convcalc.kinds.sizes import axis_of

    shape = found.layer.shapes[0]
    return shape[axis_of(getattr(found.layer.kind, "axis", "last"), shape)]


_RULES: dict[str, Callable[[Quantities], int]] = {
    "N": lambda found: found.batch,
    "macs": lambda found: sum(found(name) for name in MACS),
    "params": lambda found: sum(found(name) for name in ("weights", "biases", "other_params")),
    "inputs": lambda found: found.batch * prod(found.layer.shapes[0]) if found.layer.shapes else 0,
    "outputs": lambda found: found.batch * prod(found.layer.output),
    "channels": lambda found: found.layer.shapes[0][0],
    "filters": lambda found: found.layer.output[0],
    "last": lambda found: found.layer.shapes[0][-1],
    "rank": lambda found: len(found.layer.shapes[0]) - 1,
    "window": lambda found: prod(found.along("kernel")),
    "strides": lambda found: prod(found.along("stride")),
    "kernel": _given,
    "groups": _groups,
    "forward_places": _as_if_forward,
    "shared_window": _shared_out,
    "axis_size": _along_axis,
    "steps": lambda found: found.layer.shapes[0][0],
    "scaled": lambda found: int(getattr(found.layer.kind, "scale", None) is not None),
    "bias": lambda found: int(found("biases") > 0),
    "affine": lambda found: int(found("other_params") > 0),
    "branches": lambda found: len(found.layer.inputs),
    "first": lambda found: int(found.layer.shares is None),
    "module": lambda found: int(found.layer.via != "function"),
    "function": lambda found: int(found.layer.via == "function"),
}


class Term(NamedTuple):
    """What one kind contributes to a difference: how many layers, the tool's rule, our MACs, the tool's figure."""

    kind: str
    layers: int
    rule: str
    ours: int
    theirs: int

    @property
    def difference(self) -> int:
        return self.theirs - self.ours


def terms(convention: Convention, graph: Graph) -> list[Term]:
    """Why a tool's total is not our MACs: the kinds that differ, the largest difference first.

    Where the tool counts two for a multiply-accumulate, ours are doubled before they are compared.
    """
    found: dict[str, Term] = {}
    for layer in graph.layers:
        kind = layer.kind.name
        ours = Quantities(layer, graph.batch)("macs") * (2 if convention.counts_flops else 1)
        theirs = figure(convention, layer, graph.batch)
        old = found.get(kind, Term(kind, 0, convention.texts.get(kind, "0"), 0, 0))
        found[kind] = Term(kind, old.layers + 1, old.rule, old.ours + ours, old.theirs + theirs)
    differing = [term for term in found.values() if term.difference]
    return sorted(differing, key=lambda term: (-abs(term.difference), term.kind))


def difference(convention: Convention, graph: Graph, most: int = 6) -> str:
    """One line that derives a tool's total from our MACs."""
    found = terms(convention, graph)
    base = "2 x our MACs" if convention.counts_flops else "our MACs"
    if not found:
        return f"{convention.label} is {base}"
    parts = [f"{'+' if term.difference > 0 else '-'} {abs(term.difference):,} {term.kind}" for term in found[:most]]
    rest = sum(term.difference for term in found[most:])
    more = f" {'+' if rest > 0 else '-'} {abs(rest):,} others" if found[most:] else ""
    return f"{convention.label} is {base} {' '.join(parts)}{more}"


def known_errors(convention: Convention, graph: Graph) -> list[str]:
    """The tool's known errors that this network meets, each with how far its figure is off there."""
    found = {term.kind: term for term in terms(convention, graph)}
    present = {layer.kind.name for layer in graph.layers}
    lines = []
    for kind, error in convention.errors.items():
        term = found.get(kind)
        if kind not in present or term is None:
            continue
        off = ""
        if term.ours and term.theirs:
            off = f": here {term.theirs / term.ours:.4g} x our figure"
        elif term.ours:
            off = ": here 0"
        lines.append(f"{convention.name} {error}{off}")
    return lines
