"""Rules for recurrent layers. ONNX has steps x batch x features; we have no batch, and sequences in front of steps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from convcalc.exchange.onnx_model import Node
from convcalc.exchange.onnx_rules.base import Inputs, rule
from convcalc.exchange.onnx_rules.parts import cut_axis
from convcalc.exchange.onnx_values import NoRule, Value, given

if TYPE_CHECKING:
    from convcalc.exchange.read_onnx import Walk


@rule("LSTM", "GRU", "RNN")
def recurrent(walk: Walk, node: Node, inputs: Inputs) -> list[Value]:
    value, weight, states = given(inputs, 0), given(inputs, 1), given(inputs, 2)
    bias = inputs[3] if len(inputs) > 3 else None
    directions, _, features = states.sizes
    if value.batch is None and value.sizes[1] == walk.batch == 1:
        value = Value(value.sizes, ref=walk.view(node, value, walk.inner(value.sizes, 1)), batch=1)
    if node.get("layout", 0) or value.batch != 1:
        raise NoRule("the batch is not in the middle")
    steps, count, entries = value.sizes
    rows = count // walk.batch
    fields: dict[str, Any] = {"features": features, **({"bidirectional": True} if directions == 2 else {})}
    fields.update({} if bias is not None else {"bias": False})
    weights = [weight, states, bias]
    name, width = node.operator.lower(), directions * features
    if rows == 1:
        flat = walk.layer(node, name, [value], (steps, count, width), 1, weights, **fields)
    else:
        turned = walk.layer(node, "permute", [value], (rows, steps, entries), None, order=(1, 0, 2))
        made = walk.layer(node, name, [turned], (rows, steps, width), None, weights, **fields)
        flat = walk.layer(node, "permute", [made], (steps, count, width), 1, order=(1, 0, 2))
    return [_sequence(walk, node, flat, directions), *_states(walk, node, flat, directions)]


def _sequence(walk: Walk, node: Node, flat: Value, directions: int) -> Value:
    """The states of every step, directions apart: T x directions x N x H."""
    steps, count, width = flat.sizes
    shape = (steps, directions, count, width // directions)
    apart = (steps, count, directions, width // directions)
    split = Value(apart, ref=walk.view(node, flat, walk.inner(apart, 1)), batch=1)
    if count == walk.batch or directions == 1:
        return Value(shape, ref=walk.view(node, split, walk.inner(shape, 2)), batch=2)
    return walk.layer(node, "permute", [split], shape, 2, order=(0, 2, 1, 3))


def _states(walk: Walk, node: Node, flat: Value, directions: int) -> list[Value]:
    """The last states: directions x N x H."""
    steps, count, width = flat.sizes
    if not any(node.outputs[1:]):
        return []
    last = cut_axis(walk, node, flat, 0, steps - 1, steps)
    shape = (directions, count, width // directions)
    if count != walk.batch and directions > 1:
        state = walk.layer(node, "gather", [last], shape, 1, shape=walk.inner(shape, 1))
    else:
        state = Value(shape, ref=walk.view(node, last, walk.inner(shape, 1)), batch=1)
    return [state] * (len(node.outputs) - 1)
