"""What other tools print for a network: each tool's rules are a file of data in `convcalc/conventions`.

A rule is an expression over the quantities of a layer; a kind without a rule counts 0, as it does in the tool.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from convcalc.analysis.training.gradients import Gradients
from convcalc.conventions.quantities import Census, Quantities
from convcalc.errors import SpecError, did_you_mean, quoted
from convcalc.graph import Layer
from convcalc.syntax.expression import Expression
from convcalc.syntax.expression_parser import parse

FOLDER = Path(__file__).parent / "tools"


class Convention(NamedTuple):
    """How one tool counts: its name, version, unit, where its rules were read, and the rules by kind.

    `errors` are what the tool gets wrong, by kind; `batch` is whether its figure grows with the batch, `backward`
    whether it has the backward pass too.
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
    backward: bool = False

    @property
    def label(self) -> str:
        return f"{self.name}@{self.version}" if self.version else self.name

    @property
    def counts_flops(self) -> bool:
        """Whether a multiply-accumulate is two of the tool's units."""
        return self.unit == "FLOPs"

    @property
    def base(self) -> str:
        """What its figure is compared with."""
        ours = "our MACs of a step" if self.backward else "our MACs"
        return f"2 x {ours}" if self.counts_flops else ours


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
        bool(data.get("backward", False)),
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


def figure(convention: Convention, layer: Layer, batch: int = 1, needed: Gradients | None = None) -> int:
    """What the tool counts for one layer, whose gradients are all needed unless `needed` says which.

    >>> from convcalc.graph import Graph
    >>> from convcalc.kinds.norm import BatchNorm
    >>> graph = Graph("one")
    >>> ref = graph.add("norm", BatchNorm(), (graph.add_input("x", (8, 10, 10)),))
    >>> figure(find("thop"), graph.all[ref.layer]), figure(find("fvcore"), graph.all[ref.layer])
    (3200, 1600)
    """
    return _evaluate(convention, Quantities(layer, batch if convention.batch else 1, needed))


def figures(convention: Convention, census: Census, batch: int) -> list[int]:
    """What the tool counts for one layer of each entry of a census."""
    return [_evaluate(convention, one) for one in census.quantities(batch if convention.batch else 1)]


def total_of(convention: Convention, census: Census) -> int:
    """What the tool prints for the whole network."""
    return census.total(figures(convention, census, census.graph.batch))


def _evaluate(convention: Convention, quantities: Quantities) -> int:
    rule = convention.rules.get(quantities.layer.kind.name)
    return 0 if rule is None else int(rule.evaluate(quantities))


def our_macs(convention: Convention, census: Census) -> int:
    """Our figure that a tool's is compared with, in its unit."""
    return census.total(_our_macs(convention, census))


def _our_macs(convention: Convention, census: Census) -> list[int]:
    name, factor = ("step_macs" if convention.backward else "macs"), 2 if convention.counts_flops else 1
    return [factor * quantities(name) for quantities in census.quantities(census.graph.batch)]


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


def terms(convention: Convention, census: Census) -> list[Term]:
    """Why a tool's total is not our MACs: the kinds that differ, the largest difference first.

    Where the tool counts two for a multiply-accumulate, ours are doubled before they are compared.
    """
    found: dict[str, Term] = {}
    batch = census.graph.batch
    values = zip(
        census.quantities(batch),
        census.counts,
        _our_macs(convention, census),
        figures(convention, census, batch),
        strict=True,
    )
    for quantities, count, ours, theirs in values:
        kind = quantities.layer.kind.name
        old = found.get(kind, Term(kind, 0, convention.texts.get(kind, "0"), 0, 0))
        found[kind] = Term(kind, old.layers + count, old.rule, old.ours + count * ours, old.theirs + count * theirs)
    differing = [term for term in found.values() if term.difference]
    return sorted(differing, key=lambda term: (-abs(term.difference), term.kind))


def difference(convention: Convention, census: Census, most: int = 6) -> str:
    """One line that derives a tool's total from our MACs."""
    found = terms(convention, census)
    base = convention.base
    if not found:
        return f"{convention.label} is {base}"
    parts = [f"{'+' if term.difference > 0 else '-'} {abs(term.difference):,} {term.kind}" for term in found[:most]]
    rest = sum(term.difference for term in found[most:])
    more = f" {'+' if rest > 0 else '-'} {abs(rest):,} others" if found[most:] else ""
    return f"{convention.label} is {base} {' '.join(parts)}{more}"


def known_errors(convention: Convention, census: Census) -> list[str]:
    """The tool's known errors that this network meets, each with how far its figure is off there."""
    found = {term.kind: term for term in terms(convention, census)}
    present = {layer.kind.name for layer in census.graph.layers}
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
