"""Rules for recurrent layers. ONNX has steps x batch x features; we have no batch, and sequences in front of steps."""

from __future__ import annotations

from typing import Any

from convcalc.importers.onnx.context import Context, Inputs
from convcalc.importers.onnx.model import Node
from convcalc.importers.onnx.operators.registry import rule
from convcalc.importers.onnx.operators.slicing import cut_axis
from convcalc.importers.onnx.values import Unsupported, Value, given


@rule("LSTM", "GRU", "RNN")
def recurrent(ctx: Context, node: Node, inputs: Inputs) -> list[Value]:
    value, weight, states = given(inputs, 0), given(inputs, 1), given(inputs, 2)
    bias = inputs[3] if len(inputs) > 3 else None
    directions, _, features = states.sizes
    if value.batch is None and value.sizes[1] == ctx.batch == 1:
        value = Value(value.sizes, ref=ctx.view(node, value, ctx.inner(value.sizes, 1)), batch=1)
    if node.get("layout", 0) or value.batch != 1:
        raise Unsupported("the batch is not in the middle")
    steps, count, entries = value.sizes
    rows = count // ctx.batch
    fields: dict[str, Any] = {"features": features, **({"bidirectional": True} if directions == 2 else {})}
    fields.update({} if bias is not None else {"bias": False})
    weights = [weight, states, bias]
    name, width = node.operator.lower(), directions * features
    if rows == 1:
        flat = ctx.layer(node, name, [value], (steps, count, width), 1, weights, **fields)
    else:
        turned = ctx.layer(node, "permute", [value], (rows, steps, entries), None, order=(1, 0, 2))
        made = ctx.layer(node, name, [turned], (rows, steps, width), None, weights, **fields)
        flat = ctx.layer(node, "permute", [made], (steps, count, width), 1, order=(1, 0, 2))
    return [_sequence(ctx, node, flat, directions), *_states(ctx, node, flat, directions)]


def _sequence(ctx: Context, node: Node, flat: Value, directions: int) -> Value:
    """The states of every step, directions apart: T x directions x N x H."""
    steps, count, width = flat.sizes
    shape = (steps, directions, count, width // directions)
    apart = (steps, count, directions, width // directions)
    split = Value(apart, ref=ctx.view(node, flat, ctx.inner(apart, 1)), batch=1)
    if count == ctx.batch or directions == 1:
        return Value(shape, ref=ctx.view(node, split, ctx.inner(shape, 2)), batch=2)
    return ctx.layer(node, "permute", [split], shape, 2, order=(0, 2, 1, 3))


def _states(ctx: Context, node: Node, flat: Value, directions: int) -> list[Value]:
    """The last states: directions x N x H."""
    steps, count, width = flat.sizes
    if not any(node.outputs[1:]):
        return []
    last = cut_axis(ctx, node, flat, 0, steps - 1, steps)
    shape = (directions, count, width // directions)
    if count != ctx.batch and directions > 1:
        state = ctx.layer(node, "gather", [last], shape, 1, shape=ctx.inner(shape, 1))
    else:
        state = Value(shape, ref=ctx.view(node, last, ctx.inner(shape, 1)), batch=1)
    return [state] * (len(node.outputs) - 1)
