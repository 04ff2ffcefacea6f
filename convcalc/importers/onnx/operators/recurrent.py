"""Recurrent layers. ONNX has steps x batch x features; our graph leaves the batch out, and puts sequences first."""

from __future__ import annotations

from typing import Any

from convcalc.importers.onnx.context import Context
from convcalc.importers.onnx.model import Node, Unsupported
from convcalc.importers.onnx.operators._layers import gathered
from convcalc.importers.onnx.operators.registry import rule
from convcalc.importers.onnx.operators.slicing import cut_axis
from convcalc.importers.onnx.values import Inputs, Value, given, optional


@rule("LSTM", "GRU", "RNN")
def recurrent(ctx: Context, node: Node, inputs: Inputs) -> list[Value]:
    value, weight, recurrence, bias = given(inputs, 0), given(inputs, 1), given(inputs, 2), optional(inputs, 3)
    directions, _, features = recurrence.sizes_of_rank(3)
    steps, count, entries = value.sizes_of_rank(3)
    if directions not in (1, 2):
        raise Unsupported(f"{directions} directions")
    if value.batch is None and count == ctx.batch == 1:
        value = Value(value.sizes, ref=ctx.view(node, value, ctx.inner(value.sizes, 1)), batch=1)
    if node.int("layout") or value.batch != 1:
        raise Unsupported("input whose second axis is not the batch")
    fields: dict[str, Any] = {"features": features, **({"bidirectional": True} if directions == 2 else {})}
    fields.update({} if bias is not None else {"bias": False})
    weights = [weight, recurrence, bias]
    name, width, rows = node.operator.lower(), directions * features, count // ctx.batch
    if rows == 1:
        flat = ctx.layer(node, name, [value], (steps, count, width), 1, weights, **fields)
    else:
        by_row = ctx.layer(node, "permute", [value], (rows, steps, entries), None, order=(1, 0, 2))
        made = ctx.layer(node, name, [by_row], (rows, steps, width), None, weights, **fields)
        flat = ctx.layer(node, "permute", [made], (steps, count, width), 1, order=(1, 0, 2))
    return [_sequence(ctx, node, flat, directions), *_states(ctx, node, flat, directions)]


def _sequence(ctx: Context, node: Node, flat: Value, directions: int) -> Value:
    """The states of every step: steps x directions x batch x features."""
    steps, count, width = flat.sizes
    shape = (steps, directions, count, width // directions)
    by_batch = (steps, count, directions, width // directions)
    split = Value(by_batch, ref=ctx.view(node, flat, ctx.inner(by_batch, 1)), batch=1)
    if count == ctx.batch or directions == 1:
        return Value(shape, ref=ctx.view(node, split, ctx.inner(shape, 2)), batch=2)
    return ctx.layer(node, "permute", [split], shape, 2, order=(0, 2, 1, 3))


def _states(ctx: Context, node: Node, flat: Value, directions: int) -> list[Value]:
    """The last states: directions x batch x features, for each output that has a name."""
    steps, count, width = flat.sizes
    if not any(node.outputs[1:]):
        return []
    last = cut_axis(ctx, node, flat, 0, steps - 1, steps)
    shape = (directions, count, width // directions)
    if count != ctx.batch and directions > 1:
        state = gathered(ctx, node, [last], shape, 1)
    else:
        state = Value(shape, ref=ctx.view(node, last, ctx.inner(shape, 1)), batch=1)
    return [state] * (len(node.outputs) - 1)
