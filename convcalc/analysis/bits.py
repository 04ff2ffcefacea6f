"""Bits of weights and activations, and what follows: bit operations, bytes of weights and of activations.

BOPs = bits of the weights x bits of the activations x MACs; of a product of two activations their bits squared. Source:
Yao et al., HAWQ-V3, arXiv:2011.10680; the same in Baskin et al., UNIQ, arXiv:1804.10969, without its accumulators.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from math import prod
from typing import NamedTuple

from convcalc.analysis.count import Count, Row, figure
from convcalc.analysis.scope import names_in, rows_in
from convcalc.errors import Place, Problem, SpecError, UserError, did_you_mean, quoted, suggested
from convcalc.graph import Graph
from convcalc.kinds.sizes import is_known
from convcalc.numerals import whole_number
from convcalc.syntax.node import Node, describe

MOST_BITS = 64
FLOAT = 32  # bits of what nothing is stated for, and of biases and all other params
KEYS = {
    "weights": "bits of a weight, 32 unless stated",
    "activations": "bits of an activation that a layer reads, 32 unless stated",
    "kinds": "bits of all layers of a kind, for example {linear: 8x8}",
    "layers": "bits of a layer, a block, or a pattern such as stem/*",
}
_PAIR = re.compile(r"([0-9]{1,2})x([0-9]{1,2})")
_EXAMPLE = "write 8x8 (weights x activations), or {weights: 8, activations: 8}"


class Bits(NamedTuple):
    """Bits of a layer's weights, and of the activations that it reads."""

    weights: int = FLOAT
    activations: int = FLOAT

    def __str__(self) -> str:
        return f"{self.weights}x{self.activations}"


class Rule(NamedTuple):
    """Bits that are stated for a scope of `convcalc.analysis.scope`; None where only the other ones are stated."""

    scope: str
    weights: int | None
    activations: int | None
    place: Place | None = None


class QuantizedRow(NamedTuple):
    """A layer with its bits."""

    row: Row
    bits: Bits

    @property
    def bops(self) -> int:
        """Bit operations."""
        activations = self.bits.activations
        products = self.row.tallies.get("matmul_macs", 0)
        return (self.row.figure("macs") - products) * self.bits.weights * activations + products * activations**2

    @property
    def weight_bits(self) -> int:
        """Bits of the weights, packed."""
        return self.row.figure("weights") * self.bits.weights

    @property
    def other_bits(self) -> int:
        """Bits of biases and all other params, which stay in 32 bits."""
        return (self.row.figure("params") - self.row.figure("weights")) * FLOAT

    @property
    def weight_bytes(self) -> int:
        """Bytes of the weights, each layer's filled up."""
        return -(-self.weight_bits // 8)

    @property
    def binary_macs(self) -> int:
        """MACs of one bit by one bit, which binary networks count as 1/64."""
        return self.row.figure("macs") if self.bits == (1, 1) else 0

    def activation_bytes(self, batch: int) -> int | None:
        """Return the bytes of the activations that the layer reads; None where a shape is not known."""
        shapes = self.row.layer.shapes if self.row.layer else ()
        if not all(map(is_known, shapes)):
            return None
        return -(-batch * sum(map(prod, shapes)) * self.bits.activations // 8)


def parse_bits(text: str) -> Bits:
    """Parse `8x8`: bits of weights x bits of activations. Raises UserError.

    >>> parse_bits("2x8")
    Bits(weights=2, activations=8)
    """
    match = _PAIR.fullmatch(text.strip())
    if match is None:
        raise UserError(f"bits were expected, found {quoted(text)}", hint=_EXAMPLE)
    return Bits(*(checked(whole_number(part)) for part in match.groups()))


def checked(bits: int) -> int:
    """Return a number of bits. Raises UserError for none that a number can have."""
    if not 1 <= bits <= MOST_BITS:
        raise UserError(f"a number has 1 to {MOST_BITS} bits, found {bits}")
    return bits


def parse_option(text: str) -> Rule:
    """Parse `8x8`, `PATTERN=8x8` or `kind:NAME=8x8`. Raises UserError.

    >>> parse_option("stem*=8x8").scope, parse_option("kind:linear=4x8").scope, parse_option("4x4").scope
    ('layers stem*', 'kinds linear', '')
    """
    name, _, bits = text.rpartition("=")
    scope = f"kinds {name.removeprefix('kind:')}" if name.startswith("kind:") else f"layers {name}" if name else ""
    return Rule(scope, *parse_bits(bits))


def read_bits(node: Node | None) -> list[Rule]:
    """Read a spec's `bits:`, of which later entries win. Raises SpecError with every error.

    >>> from convcalc.syntax.yaml import read
    >>> [rule[:3] for rule in read_bits(read("{weights: 4, activations: 8, layers: {stem/*: 8x8}}"))]
    [('', 4, 8), ('layers stem/*', 8, 8)]
    """
    if node is None:
        return []
    problems: list[Problem] = []
    entries = dict(node.items())
    groups = [(name, entries.pop(name)) for name in ("kinds", "layers") if name in entries]
    rules = [_rule("", node, entries, problems, list(KEYS))] if entries else []
    for group, scoped in groups:
        if not isinstance(scoped.value, dict):
            problems.append(scoped.problem(f"'{group}' is a mapping, found {describe(scoped)}"))
            continue
        for name, inner in scoped.items():
            fields = dict(inner.items()) if isinstance(inner.value, dict) else {}
            rules.append(_rule(f"{group} {name}", inner, fields, problems, ["weights", "activations"]))
    if problems:
        raise SpecError(problems)
    return rules


def _rule(scope: str, node: Node, fields: Mapping[str, Node], problems: list[Problem], known: list[str]) -> Rule:
    """The bits of one entry: a text such as 8x8, or a mapping."""
    given: dict[str, int] = {}
    try:
        if not isinstance(node.value, dict):
            return Rule(scope, *parse_bits(str(node.value)), node.place)
    except UserError as error:
        problems.append(node.problem(error.message, error.given_hint))
    for key, value in fields.items():
        if key not in ("weights", "activations"):
            problems.append(Problem(f"bits have no key {quoted(key)}", value.key_place, (), suggested(key, known)))
        elif isinstance(value.value, bool) or not isinstance(value.value, int):
            problems.append(value.problem(f"a number of bits was expected, found {describe(value)}", _EXAMPLE))
        else:
            try:
                given[key] = checked(value.value)
            except UserError as error:
                problems.append(value.problem(error.message, error.given_hint))
    return Rule(scope, given.get("weights"), given.get("activations"), node.place)


def quantized(counted: Count, options: Sequence[Rule] = ()) -> list[QuantizedRow]:
    """Every layer with its bits: those of its spec, then of `options`; later ones win. Raises SpecError.

    >>> from convcalc.analysis.count import count
    >>> from convcalc.loader import read
    >>> counted = count(read("{input: 8, bits: {weights: 4, activations: 8}, layers: [{linear: 10}]}"))
    >>> (row,) = quantized(counted)
    >>> row.bops == 8*10 * 4 * 8, row.weight_bytes == 8*10 * 4 // 8
    (True, True)
    """
    bits = dict.fromkeys((row.path for row in counted.rows), Bits())
    problems = []
    for rule in (*read_bits(counted.graph.provenance.bits), *options):
        rows = rows_in(counted.rows, rule.scope)
        if not rows and rule.scope:
            name = rule.scope.partition(" ")[2]
            hint = did_you_mean(name, names_in(counted.rows, rule.scope))
            problems.append(Problem(f"bits: {quoted(name)} matches no layer", rule.place, (), hint))
        for row in rows:
            before = bits[row.path]
            bits[row.path] = Bits(rule.weights or before.weights, rule.activations or before.activations)
    if problems:
        raise SpecError(problems)
    return [QuantizedRow(row, bits[row.path]) for row in counted.rows]


def has_bits(graph: Graph) -> bool:
    """Whether a network's spec states bits."""
    return graph.provenance.bits is not None


def total_weight_bytes(rows: Sequence[QuantizedRow]) -> int:
    """The bytes of all weights: the sum of the rows."""
    return sum(row.weight_bytes for row in rows)


def operations(rows: Sequence[QuantizedRow]) -> int:
    """OPs as papers on binary networks count them: MACs, of one bit by one bit 1/64 of them, rounded up.

    Source: Rastegari et al., XNOR-Net, arXiv:1603.05279; Liu et al., ReActNet, arXiv:2003.03488, section 5.
    """
    binary = sum(row.binary_macs for row in rows)
    return sum(row.row.figure("macs") for row in rows) - binary + -(-binary // 64)


def weighted(rows: Sequence[QuantizedRow]) -> Iterator[QuantizedRow]:
    """The rows with params or MACs: the others have neither bits nor bytes."""
    return (row for row in rows if row.row.figure("params") or row.row.figure("macs"))


def params_bits(tallies: Mapping[str, int], bits: Bits, other: int) -> int:
    """The bits of a layer's params: weights at their bits, the others at `other`.

    >>> params_bits({"weights": 100, "biases": 10}, Bits(4, 4), 32)
    720
    """
    weights = figure("weights", tallies)
    return weights * bits.weights + (figure("params", tallies) - weights) * other
