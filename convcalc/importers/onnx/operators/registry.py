"""The table of rules.

A rule takes the context, the node and its inputs, and returns the values of the outputs: layers for activations,
constants for constants. It raises Unsupported for a form of the operator that it does not cover.
"""

from __future__ import annotations

from collections.abc import Callable

from convcalc.importers.onnx.context import Rule

RULES: dict[str, Rule] = {}


def rule(*operators: str) -> Callable[[Rule], Rule]:
    """Register the decorated function as the rule for these operators. Raises ValueError for a second one."""

    def register(function: Rule) -> Rule:
        for operator in operators:
            if operator in RULES:
                first, second = _place(RULES[operator]), _place(function)
                raise ValueError(f"two rules for the operator {operator}: {first} and {second}")
            RULES[operator] = function
        return function

    return register


def _place(function: Rule) -> str:
    return f"{function.__module__}.{function.__qualname__}"
