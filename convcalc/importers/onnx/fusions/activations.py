"""Activations that are spelt out: silu, mish, hard swish, gelu."""

from __future__ import annotations

from math import isclose

from convcalc.importers.onnx.fusions.engine import Fuser, Pattern
from convcalc.importers.onnx.model import Node


def _gated(fuser: Fuser, node: Node) -> None:
    """Silu and hard swish: x * sigmoid(x), x * hard_sigmoid(x); quick gelu: x * sigmoid(1.702 * x)."""
    source = node.inputs[0]
    product = fuser.only(node, "Mul")
    if product is None:
        return
    other = fuser.other(product, node.outputs[0])
    if fuser.origin(other) == fuser.origin(source):
        fuser.put({"Sigmoid": "Silu", "HardSigmoid": "HardSwish"}[node.operator], [source], product, node)
    elif node.operator == "Sigmoid" and fuser.scaled(source, 1.702) == other:
        fuser.put("QuickGelu", [other], product, node)


def _mish(fuser: Fuser, node: Node) -> None:
    """x * tanh(softplus(x))."""
    tanh = fuser.only(node, "Tanh")
    product = fuser.only(tanh, "Mul") if tanh is not None else None
    if tanh is not None and product is not None and fuser.other(product, tanh.outputs[0]) == node.inputs[0]:
        fuser.put("Mish", [node.inputs[0]], product, node)


def _hard_swish(fuser: Fuser, node: Node) -> None:
    """Hard sigmoid: relu6(x + 3) / 6; hard swish: that times x."""
    add = fuser.maker(node.inputs[0], "Add")
    low, high = _bound(fuser, node, 1, "min"), _bound(fuser, node, 2, "max")
    if add is None or low != 0 or high is None or not isclose(high, 6):
        return
    source = next((name for name in add.inputs if not fuser.is_number(name, 3)), "")
    if not source or source == fuser.other(add, source):
        return
    after = fuser.only(node, "Div", "Mul")
    if after is None:
        return
    if fuser.scaled(after.outputs[0], 1 / 6) == node.outputs[0]:
        product = fuser.only(after, "Mul")
        if product is not None and fuser.other(product, after.outputs[0]) == source:
            fuser.put("HardSwish", [source], product, node)
        else:
            fuser.put("HardSigmoid", [source], after, node)
    elif after.operator == "Mul" and fuser.other(after, node.outputs[0]) == source:
        last = fuser.only(after, "Div", "Mul")
        if last is not None and fuser.scaled(last.outputs[0], 1 / 6) == after.outputs[0]:
            fuser.put("HardSwish", [source], last, node)


def _bound(fuser: Fuser, node: Node, at: int, name: str) -> float | None:
    """A bound of Clip, an attribute in older opsets and an input in newer ones."""
    if len(node.inputs) > at:
        return fuser.number(node.inputs[at])
    return node.float(name) if node.has(name) else None


def _gelu(fuser: Fuser, node: Node) -> None:
    """x * (1 + erf(x / sqrt(2))) / 2, in any order of the products; with tanh the approximation of it."""
    plus = fuser.only(node, "Add")
    if plus is None or not fuser.is_number(fuser.other(plus, node.outputs[0]), 1):
        return
    product = fuser.only(plus, "Mul")
    if product is None:
        return
    other = fuser.other(product, plus.outputs[0])
    last: Node | None
    if fuser.is_number(other, 0.5):
        last = fuser.only(product, "Mul")
        source = fuser.other(last, product.outputs[0]) if last is not None else ""
    elif fuser.scaled(other, 0.5):
        last, source = product, fuser.scaled(other, 0.5)
    else:
        last, source = fuser.only(product, "Mul", "Div"), other
        if last is None or fuser.scaled(last.outputs[0], 0.5) != product.outputs[0]:
            return
    if last is not None and source:
        fuser.put("Gelu", [source], last, node)


def _gelu_by_complement(fuser: Fuser, node: Node) -> None:
    """x / 2 * erfc(-x / sqrt(2)), as newer versions of TensorFlow write it."""
    product = fuser.only(node, "Mul")
    source = fuser.scaled(fuser.other(product, node.outputs[0]), 0.5) if product is not None else ""
    if product is not None and source:
        fuser.put("Gelu", [source], product, node)


PATTERNS: dict[str, Pattern] = {
    "Sigmoid": _gated,
    "HardSigmoid": _gated,
    "Softplus": _mish,
    "Clip": _hard_swish,
    "Erf": _gelu,
    "Erfc": _gelu_by_complement,
    "Tanh": _gelu,
}
