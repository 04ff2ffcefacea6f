"""Recurrent layers. ONNX has steps x batch x features; our graph leaves the batch out, and puts sequences first."""

from __future__ import annotations

from math import prod
from typing import Any

from convcalc.importers.onnx.context import Context
from convcalc.importers.onnx.elements import Part
from convcalc.importers.onnx.model import Node, Unsupported
from convcalc.importers.onnx.operators._layers import constant_like, gathered
from convcalc.importers.onnx.operators.registry import rule
from convcalc.importers.onnx.operators.reshape import permuted
from convcalc.importers.onnx.operators.slicing import cut_axis
from convcalc.importers.onnx.values import Inputs, Value, given, optional

_GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}


@rule("LSTM", "GRU", "RNN")
def recurrent(ctx: Context, node: Node, inputs: Inputs) -> list[Value]:
    value = given(inputs, 0)
    value.sizes_of_rank(3)
    is_batch_first = node.int("layout") == 1
    if is_batch_first:
        value = permuted(ctx, node, value, (1, 0, 2))
    fields, weights = _weights(node, inputs)
    if node.operator == "LSTM":
        _restore_projection(ctx, fields, weights)
    flat = _over_steps(ctx, node, _after_first_states(ctx, node, value, inputs), fields, weights)
    directions = 2 if "bidirectional" in fields else 1
    sequence, states = _sequence(ctx, node, flat, directions), _states(ctx, node, flat, directions)
    if not is_batch_first:
        return [sequence, *states]
    return [
        permuted(ctx, node, sequence, (2, 0, 1, 3)),
        *(permuted(ctx, node, state, (1, 0, 2)) for state in states),
    ]


@rule("DynamicQuantizeLSTM")
def quantized_lstm(ctx: Context, node: Node, inputs: Inputs) -> list[Value]:
    """The operator of com.microsoft, whose quantised weights are transposed: directions x entries x rows."""
    plain = [optional(inputs, at) for at in range(8)]
    for at in (1, 2):
        value = given(inputs, at)
        directions, entries, rows = value.sizes_of_rank(3)
        if value.ref is not None:
            raise Unsupported("weights that are computed")
        plain[at] = constant_like(value, (directions, rows, entries))
    lstm = node.copy()
    lstm.operator = "LSTM"
    return recurrent(ctx, lstm, plain)


def _weights(node: Node, inputs: Inputs) -> tuple[dict[str, Any], list[Value | None]]:
    """The fields of the layer, from its weights, and these. Raises Unsupported where they contradict each other."""
    weight, recurrence, bias = given(inputs, 1), given(inputs, 2), optional(inputs, 3)
    gates = _GATES[node.operator]
    directions, rows, features = recurrence.sizes_of_rank(3)
    if directions not in (1, 2):
        raise Unsupported(f"{directions} directions")
    if rows != gates * features or node.int("hidden_size", features) != features:
        raise Unsupported(f"states of {features} numbers for weights of {gates} gates and {rows} rows")
    if weight.sizes_of_rank(3)[:2] != (directions, rows):
        raise Unsupported("weights of the input and of the state that differ in their rows")
    if (node.text("direction", "forward") == "bidirectional") != (directions == 2) and node.has("direction"):
        raise Unsupported(f"direction {node.text('direction')!r} with weights for {directions}")
    fields: dict[str, Any] = {"features": features}
    fields.update({"bidirectional": True} if directions == 2 else {})
    fields.update({} if bias is not None else {"bias": False})
    peepholes = optional(inputs, 7)
    fields.update({"peepholes": True} if peepholes is not None else {})
    return fields, [weight, recurrence, bias, peepholes]


def _restore_projection(ctx: Context, fields: dict[str, Any], weights: list[Value | None]) -> None:
    """Put back the projection that ONNX has no word for: PyTorch's exporter cuts the gates down to its size instead.

    The weights that the gates are cut from then have more rows, and the tensor that projects is left out of the file.
    """
    weight, recurrence, bias, _ = weights
    if weight is None or recurrence is None or bias is None or ctx.model.producer != "pytorch":
        return
    rows, size = 4 * fields["features"], fields["features"]
    names = _names(recurrence)
    stored = [ctx.weights.stored_shape(name) for name in names]
    wide = stored[0][0] if stored and len(stored[0]) == 2 else rows
    if wide <= rows:
        return
    if any(shape != (wide, size) for shape in stored) or wide % 4:
        raise Unsupported("gates cut from weights of another size")
    fields.update(features=wide // 4, projection=size)
    for at, value in enumerate(weights[:3]):
        if value is not None:
            whole = tuple(Part(name, prod(ctx.weights.stored_shape(name))) for name in _names(value))
            weights[at] = Value((sum(part.size for part in whole),), source_weights=whole)
    count = size * (wide // 4)
    projections = tuple(Part(name.replace("weight_hh", "weight_hr"), count) for name in names)
    weights.append(Value((len(names) * count,), source_weights=projections))


def _names(value: Value) -> list[str]:
    return list(dict.fromkeys(part.name for part in value.source_weights))


def _after_first_states(ctx: Context, node: Node, value: Value, inputs: Inputs) -> Value:
    """The input together with the first states that are learned or computed; zeros alone need no layer."""
    states = [state for at in (5, 6) if (state := optional(inputs, at)) is not None]
    states = [ctx.materialize(state) for state in states]
    states = [state for state in states if state.ref is not None or state.source_weights]
    return gathered(ctx, node, [value, *states], value.sizes, value.batch) if states else value


def _over_steps(ctx: Context, node: Node, value: Value, fields: dict[str, Any], weights: list[Value | None]) -> Value:
    """The states of every step, those of both directions side by side: steps x batch x features."""
    steps, count, entries = value.sizes
    if value.batch is None and count == ctx.batch == 1:
        value = Value(value.sizes, ref=ctx.view(node, value, ctx.inner(value.sizes, 1)), batch=1)
    if value.batch not in (1, None):
        raise Unsupported("input whose second axis is not the batch")
    name = node.operator.lower()
    width = fields.get("projection", fields["features"]) * (2 if "bidirectional" in fields else 1)
    rows = count if value.batch is None else count // ctx.batch
    if rows == 1:
        return ctx.layer(node, name, [value], (steps, count, width), 1, weights, **fields)
    by_row = ctx.layer(node, "permute", [value], (rows, steps, entries), None, order=(1, 0, 2))
    made = ctx.layer(node, name, [by_row], (rows, steps, width), None, weights, **fields)
    return ctx.layer(node, "permute", [made], (steps, count, width), value.batch, order=(1, 0, 2))


def _sequence(ctx: Context, node: Node, flat: Value, directions: int) -> Value:
    """The states of every step: steps x directions x batch x features."""
    steps, count, width = flat.sizes
    shape = (steps, directions, count, width // directions)
    by_batch = (steps, count, directions, width // directions)
    before, after = (None, None) if flat.batch is None else (1, 2)
    split = Value(by_batch, ref=ctx.view(node, flat, ctx.inner(by_batch, before)), batch=before)
    if directions == 1 or (count == ctx.batch and flat.batch is not None):
        return Value(shape, ref=ctx.view(node, split, ctx.inner(shape, after)), batch=after)
    return ctx.layer(node, "permute", [split], shape, after, order=(0, 2, 1, 3))


def _states(ctx: Context, node: Node, flat: Value, directions: int) -> list[Value]:
    """The last states: directions x batch x features, for each output that has a name."""
    steps, count, width = flat.sizes
    if not any(node.outputs[1:]):
        return []
    last = cut_axis(ctx, node, flat, 0, steps - 1, steps)
    shape = (directions, count, width // directions)
    after = None if flat.batch is None else 1
    if directions > 1 and (count != ctx.batch or flat.batch is None):
        state = gathered(ctx, node, [last], shape, after)
    else:
        state = Value(shape, ref=ctx.view(node, last, ctx.inner(shape, after)), batch=after)
    return [state] * (len(node.outputs) - 1)
