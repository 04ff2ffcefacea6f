"""What rules for ONNX operators have in common: where they are registered, and small helpers.

A rule takes the walk, the node, and its inputs; it gives the outputs. On constants it gives constants."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from convcalc.exchange.onnx_model import Node
from convcalc.exchange.onnx_values import (
    Value,
    checked,
)

if TYPE_CHECKING:
    pass


Inputs = list["Value | None"]


RULES: dict[str, Callable[[Any, Node, Inputs], list[Value]]] = {}


def rule(*names: str) -> Callable[[Any], Any]:
    """The function below is the rule for these operators."""

    def register(function: Any) -> Any:
        RULES.update(dict.fromkeys(names, function))
        return function

    return register


def like(value: Value, shape: Sequence[int], data: list[Any] | None = None, element: int = 0) -> Value:
    """A constant made from another."""
    return Value(checked(shape), data, origins=value.origins, element=element or value.element, part=value.part)


def single(sizes: Sequence[int]) -> Any:
    """One number where all are the same, else a tuple."""
    return sizes[0] if len(set(sizes)) == 1 else tuple(sizes)
