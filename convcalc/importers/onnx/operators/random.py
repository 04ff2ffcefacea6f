"""Numbers drawn each time the network runs: nothing is learned, and only the shape is known."""

from __future__ import annotations

from convcalc.importers.onnx.context import Context
from convcalc.importers.onnx.model import Node, Unsupported
from convcalc.importers.onnx.operators._layers import gathered
from convcalc.importers.onnx.operators.registry import rule
from convcalc.importers.onnx.values import Inputs, Value, checked, given


@rule("RandomNormal", "RandomUniform")
def drawn(ctx: Context, node: Node, inputs: Inputs) -> list[Value]:
    shape = checked(node.ints("shape"))
    ref = ctx.parameter(Value(shape), shape or (1,))
    return [Value(shape, ref=ref, dtype=node.int("dtype", 1))]


@rule("RandomNormalLike", "RandomUniformLike", "Bernoulli")
def drawn_like(ctx: Context, node: Node, inputs: Inputs) -> list[Value]:
    value = given(inputs, 0)
    if node.operator == "Bernoulli" and value.source_weights:
        raise Unsupported("its probabilities are learned")
    dtype = node.int("dtype") or value.dtype
    if value.ref is None:
        return [Value(value.sizes, ref=ctx.parameter(Value(value.sizes), value.sizes or (1,)), dtype=dtype)]
    made = gathered(ctx, node, [value], value.sizes, value.batch)
    made.dtype = dtype
    return [made]
