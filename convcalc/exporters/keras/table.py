"""The table of kinds in Keras: `@keras_code(Conv, order=CHANNELS_LAST)` over a function enters it.

Keras keeps spatial values channels last (H x W x C), everything else in the order of the spec. A layer's outputs are in
the order that it wants of its inputs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

from convcalc.exporters.code.code import Code, Shapes
from convcalc.exporters.code.layer_code import WITHOUT, CodeTable
from convcalc.kinds import Kind, Shape
from convcalc.kinds.pool import MaxUnpool

KerasCode = Callable[[Any, Shapes, Shape, bool], Code]
Rule = TypeVar("Rule", bound=KerasCode)
CHANNELS_LAST, AS_IN_SPEC, EITHER = "channels last", "as in the spec", "either"


class KerasRule(NamedTuple):
    """How Keras writes a kind, and the order of axes that it wants, which may depend on the layer."""

    code: KerasCode
    order: str | Callable[[Any, Shapes], str]


_WITHOUT = {**WITHOUT, MaxUnpool: "Keras' pooling does not tell where the largest elements were"}
TABLE: CodeTable[KerasRule] = CodeTable("Keras", _WITHOUT)


def keras_code(*kinds: type[Kind], order: str | Callable[[Any, Shapes], str] = AS_IN_SPEC) -> Callable[[Rule], Rule]:
    """Enter a function as the rule of exactly these kinds.

    It returns the code of a layer from the shapes of its inputs and of its output and whether its inputs are channels
    last, and raises UserError for what Keras does not have. `order` is the order of axes that it wants of its inputs.
    """

    def enter(code: Rule) -> Rule:
        TABLE.add(kinds, KerasRule(code, order))
        return code

    return enter


def axis_order(layer: Kind, inputs: Shapes) -> str:
    """Return the order of axes that a layer wants; a kind without a rule leaves them as in the spec."""
    rule = TABLE.rules.get(type(layer))
    if rule is None:
        return AS_IN_SPEC
    return rule.order if isinstance(rule.order, str) else rule.order(layer, inputs)
