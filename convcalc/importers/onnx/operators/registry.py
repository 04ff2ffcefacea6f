"""What rules for ONNX operators have in common: where they are registered, and small helpers.

A rule takes the context, the node, and its inputs; it gives the outputs. On constants it gives constants."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from convcalc.importers.onnx.context import Rule
from convcalc.importers.onnx.values import (
    Value,
    checked,
)

RULES: dict[str, Rule] = {}


def rule(*names: str) -> Callable[[Any], Any]:
    """The function below is the rule for these operators."""

    def register(function: Any) -> Any:
        for name in names:
            assert name not in RULES, f"two rules for {name}"
            RULES[name] = function
        return function

    return register


def like(value: Value, shape: Sequence[int], data: list[Any] | None = None, element: int = 0) -> Value:
    """A constant made from another."""
    return Value(checked(shape), data, origins=value.origins, element=element or value.element, part=value.part)


def single(sizes: Sequence[int]) -> Any:
    """One number where all are the same, else a tuple."""
    return sizes[0] if len(set(sizes)) == 1 else tuple(sizes)
