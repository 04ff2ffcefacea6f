"""Constants that are made from more learned values than they have elements, such as a row after a softmax."""

from __future__ import annotations

from collections.abc import Sequence

from convcalc.importers.onnx.context import Context
from convcalc.importers.onnx.model import Node
from convcalc.importers.onnx.values import Inputs, Value

PRODUCTS = ("MatMul", "Gemm", "Einsum")
_CONVOLUTIONS = ("Conv", "ConvTranspose", "FusedConv", "DeformConv")


def with_sources_counted(ctx: Context, node: Node, inputs: Inputs) -> Inputs:
    """Return a node's inputs, those of such constants as outputs of layers that count what they are made from.

    A kernel counts them itself, by `learned`. A bias that is made from its kernel alone adds nothing: PyTorch's writer
    makes one of zeros so, of the kernel's shape.
    """
    if all(value is None or value.is_constant for value in inputs):
        return inputs
    found = [*inputs]
    kernels = _kernels(node)
    counted = {part for at in kernels if at < len(inputs) and (kernel := inputs[at]) for part in kernel.source_weights}
    for at, value in enumerate(inputs):
        if value is None or not value.is_constant or at in kernels or counted.issuperset(value.source_weights):
            continue
        if value.has_more_sources:
            found[at] = Value(value.shape, ref=ctx.ref(value), dtype=value.dtype)
    return found


def remember_source(node: Node, inputs: list[Value | None], outputs: Sequence[Value]) -> None:
    """Note which node constants come from if it has products with learned values: work each time the network runs."""
    given = [value for value in inputs if value is not None]
    if all(value.is_constant for value in given) and (
        any(value.made for value in given)
        or (node.operator in PRODUCTS and any(value.source_weights for value in given))
    ):
        for index, value in enumerate(outputs):
            if all(value is not source for source in given):
                value.made = (node, inputs, index)


def _kernels(node: Node) -> tuple[int, ...]:
    """Return the inputs of a node that may be the weights of a product."""
    return (0, 1) if node.operator in PRODUCTS else (1,) if node.operator in _CONVOLUTIONS else ()
