"""The gradients that a training step computes: of trainable weights, and of inputs that follow from such."""

from __future__ import annotations

from collections.abc import Hashable
from typing import NamedTuple

from convcalc.graph import Graph, Layer, learned


class Gradients(NamedTuple):
    """Whether a layer's weights and each of its inputs have a gradient; `any`: whether its output has one."""

    weights: bool
    inputs: tuple[bool, ...]
    any: bool


def gradients(graph: Graph) -> list[Gradients]:
    """The gradients of every layer, in the graph's order. The network's inputs have none.

    >>> from convcalc.loader import read
    >>> network = read("{input: 3x8x8, layers: [relu, {conv: {filters: 4, kernel: 3}}, relu]}")
    >>> [(one.weights, one.inputs) for one in gradients(network)[1:]]
    [(False, (False,)), (True, (False,)), (False, (True,))]
    """
    found: list[Gradients] = []
    known: dict[Hashable, dict[str, int]] = {}  # layers that are alike store the same
    for layer in graph.all:
        inputs = tuple(found[ref.layer].any for ref in layer.inputs)
        signature = layer.signature
        trainable = known.get(signature)
        if trainable is None:
            trainable = known[signature] = _trainable(layer)
        found.append(Gradients(trainable.get("weights", 0) > 0, inputs, any(inputs) or any(trainable.values())))
    return found


def _trainable(layer: Layer) -> dict[str, int]:
    return {} if layer.is_input else learned(layer)


def backward_macs(layer: Layer, needed: Gradients, products: dict[str, list[int]]) -> int:
    """The multiply-accumulates of a layer's backward pass: as many as forward for each gradient of a factor.

    `products` are the forward ones by tally, one number for each product of the layer.
    """
    convolutions, products_of_two = sum(products.get("conv_macs", ())), sum(products.get("matmul_macs", ()))
    linear = products.get("linear_macs", [])
    of_weights = (convolutions + sum(linear)) * needed.weights
    first = needed.inputs[:1] == (True,)
    if layer.kind.name == "attention":
        given = (*needed.inputs, needed.inputs[-1], needed.inputs[-1])[:3]
        of_inputs = sum(macs for macs, is_needed in zip(linear, (*given, True), strict=True) if is_needed)
        return of_weights + of_inputs + 2 * products_of_two
    if layer.kind.name == "matmul":
        return products_of_two * sum(needed.inputs)
    if layer.kind.name in ("lstm", "gru", "rnn"):  # the first product is that of the first layer's input
        return of_weights + sum(linear[0 if first else 1 :])
    return of_weights + (convolutions + sum(linear)) * first + 2 * products_of_two * any(needed.inputs)
