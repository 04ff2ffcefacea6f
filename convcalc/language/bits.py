"""`bits:` of a spec and `--bits` of a command line -> the bits of every layer of a graph.

The nearer wins: the network's, a kind's, a name's or pattern's, a layer's own field, then the command line; among
equals the later.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from convcalc.bits import FLOAT, LARGEST, Bits, parse_bits
from convcalc.errors import LocatedError, Place, Problem, SpecError, UserError, quoted, suggested
from convcalc.graph import Graph
from convcalc.kinds.fields import Integer
from convcalc.record import Record
from convcalc.scopes import Scopes
from convcalc.syntax.node import Node, describe

PARTS = {"weights": "bits of a weight", "activations": "bits of an activation that a layer reads"}
SCOPES = {
    "kinds": "bits of all layers of a kind, for example {linear: 8x8}",
    "layers": "bits of a layer, a block, or a pattern such as stem*",
}
MOST_RULES = 1_000
Evaluate = Callable[[Node], Any]


class Rule(Record):
    """The bits of some layers: of all, of those of a kind, or of those with a name, a block's name or a pattern."""

    bits: Bits
    scope: str = ""
    name: str = ""
    place: Place | None = None

    @property
    def origin(self) -> str:
        """What states it: the spec or the command line."""
        return "bits" if self.place else "--bits"


def read_bits(node: Node, evaluate: Evaluate) -> Bits:
    """Read `8x4`, `8` for both, or `{weights: 8, activations: 4}`. Raises LocatedError.

    >>> from convcalc.syntax.yaml import read
    >>> read_bits(read("{weights: 4}"), Node.plain)
    Bits(weights=4, activations=None)
    """
    if isinstance(node.value, dict):
        return _read_parts(node.items(), evaluate, PARTS)
    value = evaluate(node)
    if not isinstance(value, str):
        return Bits(*[_number("bits", value, node)] * 2)
    try:
        return parse_bits(value)
    except UserError as error:
        raise LocatedError(error.message, node.place, error.given_hint) from None


def _read_parts(parts: Iterable[tuple[str, Node]], evaluate: Evaluate, known: Iterable[str]) -> Bits:
    found: dict[str, Any] = {}
    for key, part in parts:
        if key not in PARTS:
            raise LocatedError(f"bits have no {quoted(key)}", part.key_place, suggested(key, [*known]))
        found[key] = _number(key, evaluate(part), part)
    return Bits(**found)


def _number(key: str, value: Any, node: Node) -> Any:
    field: Integer[int] = Integer(at_least=1, at_most=LARGEST)
    field.name = key
    try:
        return field.read(value, node.is_quoted)
    except UserError as error:
        hint = "for example 8x8, or {weights: 8, activations: 8}" if key == "bits" else error.given_hint
        raise LocatedError(error.message, node.place, hint) from None


def read_rules(node: Node, evaluate: Evaluate) -> list[Rule]:
    """Read a spec's `bits:`, the rule that wins last. Raises SpecError with every error.

    >>> from convcalc.syntax.yaml import read
    >>> rules = read_rules(read("{weights: 4, layers: {stem*: 8x8}}"), Node.plain)
    >>> [(str(rule.bits), rule.scope, rule.name) for rule in rules]
    [('4xNone', '', ''), ('8x8', 'layers', 'stem*')]
    """
    problems: list[Problem] = []
    rules: list[Rule] = []

    def take(read: Callable[[], Bits], place: Place, scope: str = "", name: str = "") -> None:
        try:
            rules.append(Rule(read(), scope, name, place))
        except LocatedError as error:
            problems.append(Problem(error.message, error.place, hint=error.given_hint))

    parts = [(key, part) for key, part in node.items() if key not in SCOPES]
    if not isinstance(node.value, dict):
        take(lambda: read_bits(node, evaluate), node.place)
    elif parts:
        take(lambda: _read_parts(parts, evaluate, [*PARTS, *SCOPES]), node.place)
    for scope in SCOPES:
        group = node.value.get(scope) if isinstance(node.value, dict) else None
        if group is not None and not isinstance(group.value, dict):
            problems.append(group.problem(f"'{scope}' is a mapping, found {describe(group)}"))
        for name, inner in group.items() if group is not None else ():
            take(lambda inner=inner: read_bits(inner, evaluate), inner.key_place, scope, name)  # type: ignore[misc]
    if len(rules) > MOST_RULES:
        problems.append(node.problem(f"bits have more than {MOST_RULES:,} entries", "name patterns or kinds"))
    if problems:
        raise SpecError(problems)
    return rules


def parse_rule(text: str) -> Rule:
    """Parse `8x8`, `NAME=8x8` for layers, or `kind:NAME=8x8`. Raises UserError.

    >>> rule = parse_rule("kind:linear=4x8")
    >>> rule.scope, rule.name, str(rule.bits)
    ('kinds', 'linear', '4x8')
    """
    name, _, bits = text.rpartition("=")
    scope = "kinds" if name.startswith("kind:") else "layers" if name else ""
    return Rule(parse_bits(bits), scope, name.removeprefix("kind:"))


def parse_rules(texts: Sequence[str]) -> list[Rule]:
    """Parse the values of `--bits`. Raises SpecError with every error."""
    rules, problems = [], []
    for text in texts:
        try:
            rules.append(parse_rule(text))
        except UserError as error:
            problems.append(Problem(f"--bits: {error.message}", hint=error.hint))
    if len(rules) > MOST_RULES:
        problems.append(Problem(f"--bits: more than {MOST_RULES:,}", hint="name patterns or kinds"))
    if problems:
        raise SpecError(problems)
    return rules


def set_bits(graph: Graph, rules: Sequence[Rule], texts: Sequence[str] = ()) -> None:
    """Give every layer its bits by a spec's rules, its own (which it has already), and the texts of `--bits`.

    Raises SpecError for a rule that no layer fits.
    """
    options = parse_rules(texts)
    layers = graph.layers
    scopes = Scopes(((layer.path, layer.kind.name) for layer in layers), [group.path for group in graph.groups])
    bits = [Bits(FLOAT, FLOAT) for _ in layers]
    problems = _apply(rules, scopes, bits)
    bits = [(layer.bits or Bits()).over(given) for layer, given in zip(layers, bits, strict=True)]
    problems += _apply(options, scopes, bits)
    if problems:
        raise SpecError(problems)
    for layer, own in zip(layers, bits, strict=True):
        layer.bits = own
    graph.has_bits = True


def _apply(rules: Sequence[Rule], scopes: Scopes, bits: list[Bits]) -> list[Problem]:
    """Set the bits of the layers that rules name, later ones last; return an error for each that names none."""
    problems: list[Problem] = []
    for rule in rules:
        scope = f"{rule.scope} {rule.name}" if rule.scope else ""
        try:
            found = scopes.layers(scope)
        except UserError as error:
            return [*problems, Problem(f"{rule.origin}: {error.message}", rule.place, (), error.given_hint)]
        for index in found:
            bits[index] = rule.bits.over(bits[index])
        if scope and not found:
            hint = scopes.nearest(scope)
            problems.append(Problem(f"{rule.origin}: {quoted(rule.name)} matches no layer", rule.place, (), hint))
    return problems
