"""The code of every layer of a graph, from a framework's table of kinds."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Generic, TypeVar

from convcalc.errors import Problem, SpecError, UserError
from convcalc.exporters.code.code import Code
from convcalc.graph import Graph, Layer
from convcalc.kinds import Kind
from convcalc.kinds.primitives import Custom, Opaque

Rule = TypeVar("Rule")

# the kinds that no framework has, with the reason; the reason may name the layer's fields
WITHOUT: dict[type[Kind], str] = {
    Opaque: "the operator {operator} is not known",
    Custom: "of the operator {operator} only the costs are known",
}


class CodeTable(Generic[Rule]):
    """The rules that write layers in one framework, by the exact class of the kind.

    A subclass does not inherit a rule: it computes something else, and its parent's code would be wrong in silence.
    """

    def __init__(self, framework: str, without: Mapping[type[Kind], str] = WITHOUT) -> None:
        self.framework, self.without = framework, without
        self.rules: dict[type[Kind], Rule] = {}

    def add(self, kinds: Iterable[type[Kind]], rule: Rule) -> None:
        """Enter the rule of some kinds. Raises ValueError for a kind that has one."""
        for kind in kinds:
            if kind in self.rules or kind in self.without:
                raise ValueError(f"{kind.name} is already in the table of {self.framework}")
            self.rules[kind] = rule

    def rule(self, layer: Kind) -> Rule:
        """Return the rule of a layer. Raises UserError with the reason where there is none."""
        rule = self.rules.get(type(layer))
        if rule is None:
            fields: dict[str, Any] = layer.values()
            reason = self.without.get(type(layer))
            no_rule = f"{layer.name} has no counterpart in {self.framework}"
            raise UserError(no_rule if reason is None else reason.format(**fields))
        return rule


def layer_codes(
    graph: Graph,
    rule: Callable[[Layer, Layer | None], Code],
    framework: str,
    check_shared: Callable[[Layer], object] | None = None,
) -> dict[int, Code]:
    """Return what `rule` gives for each layer and the one whose weights it shares, by the layer's index.

    Raises SpecError for all layers that it refuses.
    """
    codes, problems = {}, []
    for layer in graph.layers:
        try:
            if layer.shared:
                (check_shared or _refuse_shared)(layer)
            codes[layer.index] = rule(layer, None if layer.shares is None else graph.all[layer.shares])
        except UserError as error:
            what = f"'{layer.path}' cannot be written in {framework}: {error.message}"
            problems.append(Problem(what, layer.place, (), error.hint))
    if problems:
        raise SpecError(problems)
    return codes


def _refuse_shared(layer: Layer) -> None:
    """Raise UserError for a layer that shares some of its weights."""
    tallies = " and ".join(dict.fromkeys(item.tally for item in layer.shared))
    raise UserError(f"its {tallies} are those of other layers, all or in part")


def require_same_kind(layer: Layer, owner: Layer) -> None:
    """Raise UserError if a layer shares the weights of one of another kind."""
    if layer.kind.name != owner.kind.name:
        raise UserError(f"it shares the weights of '{owner.path}', a layer of another kind")
