"""The table of kinds in PyTorch: `@torch_code(Conv)` over a function enters it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from convcalc.exporters.code.code import Code, Shapes
from convcalc.exporters.code.layer_code import CodeTable
from convcalc.kinds import Kind, Shape

TorchRule = Callable[[Any, Shapes, Shape], Code]
Rule = TypeVar("Rule", bound=TorchRule)

TABLE: CodeTable[TorchRule] = CodeTable("PyTorch")


def torch_code(*kinds: type[Kind]) -> Callable[[Rule], Rule]:
    """Enter a function as the rule of exactly these kinds.

    It returns the code of a layer from the shapes of its inputs and of its output, and raises UserError for what
    PyTorch does not have.
    """

    def enter(rule: Rule) -> Rule:
        TABLE.add(kinds, rule)
        return rule

    return enter
