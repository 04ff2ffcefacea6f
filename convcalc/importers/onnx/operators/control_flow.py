"""Operators that have subgraphs: the branch that a condition takes, and loops step by step."""

from __future__ import annotations

from math import prod

from convcalc.importers.onnx.context import Context
from convcalc.importers.onnx.elements import Part
from convcalc.importers.onnx.model import FLOATS, Node, Subgraph, Unsupported
from convcalc.importers.onnx.operators._layers import constant_like, initial_state
from convcalc.importers.onnx.operators.registry import rule
from convcalc.importers.onnx.operators.reshape import without_axes
from convcalc.importers.onnx.operators.slicing import cut_axis, joined
from convcalc.importers.onnx.values import Inputs, Value, axis_at, constant, given, optional, per_axis

_BOOL, _INT64 = 9, 7


@rule("If")
def branch(ctx: Context, node: Node, inputs: Inputs) -> list[Value]:
    """The branch that a known condition takes."""
    condition = given(inputs, 0).scalar()
    if condition is None:
        raise Unsupported("the branch depends on the input's values")
    subgraph = node.subgraph("then_branch" if condition else "else_branch")
    return _run(ctx, subgraph, [])


def _run(ctx: Context, subgraph: Subgraph, inputs: list[Value]) -> list[Value]:
    """The outputs of a subgraph for its inputs."""
    ctx.forget(subgraph)
    for name, tensor in subgraph.tensors.items():
        ctx.model.tensors.setdefault(name, tensor)
        is_learned = tensor.dtype in FLOATS and prod(tensor.shape) > 1
        ctx.values.setdefault(name, constant(tensor, (Part(name, prod(tensor.shape)),) if is_learned else ()))
    ctx.values.update(zip(subgraph.inputs, inputs, strict=False))
    ctx.unfuse(subgraph.nodes)
    ctx.fold(subgraph.nodes)
    ctx.import_nodes(subgraph.nodes)
    missing = [name for name in subgraph.outputs if name not in ctx.values]
    if missing:
        raise Unsupported("subgraph with an output that no node computes")
    return [ctx.values[name] for name in subgraph.outputs]


def _step(ctx: Context, body: Subgraph, inputs: list[Value], states: int) -> tuple[list[Value], list[Value]]:
    """The states and the other outputs after one step of a loop. Raises Unsupported after too many steps."""
    if not ctx.steps_left:
        raise Unsupported("too many steps")
    ctx.steps_left = max(0, ctx.steps_left - max(1, len(body.nodes)))
    outputs = _run(ctx, body, inputs)
    if len(outputs) < states:
        raise Unsupported("loop with fewer outputs than states")
    return outputs[:states], outputs[states:]


class _KnownBodies(set[int]):
    """The bodies of loops whose nodes are among the readers of values already."""


def _body(ctx: Context, node: Node) -> Subgraph:
    """The body of a loop; its nodes become readers of values, so that a bias after a product is found."""
    body = node.subgraph("body")
    if id(body) not in ctx.memo(_KnownBodies):
        ctx.memo(_KnownBodies).add(id(body))
        for name in body.outputs:
            ctx.readers.setdefault(name, []).append(node)
        for inner in body.nodes:
            for name in inner.inputs:
                ctx.readers.setdefault(name, []).append(inner)
    return body


@rule("Loop")
def loop(ctx: Context, node: Node, inputs: Inputs) -> list[Value]:
    """Every step of a loop with a known end; weights that the steps share count once, their work each time."""
    body = _body(ctx, node)
    return _loop(ctx, node, body, inputs)


def _loop(ctx: Context, node: Node, body: Subgraph, inputs: Inputs) -> list[Value]:
    trips, going = optional(inputs, 0), optional(inputs, 1) or Value((), [True], dtype=_BOOL)
    most = None if trips is None else trips.scalar()
    if trips is not None and most is None:
        raise Unsupported("the number of steps depends on the input's values")
    states = [initial_state(ctx, given(inputs, at)) for at in range(2, len(inputs))]
    rows: list[list[Value]] = [[] for _ in body.outputs[1 + len(states) :]]
    count = 0
    while most is None or count < most:
        if going.scalar() is None:
            raise Unsupported("the number of steps depends on the input's values")
        if not going.scalar():
            break
        step = [Value((), [count], dtype=_INT64), going, *states]
        (going, *states), outputs = _step(ctx, body, step, 1 + len(states))
        for row, value in zip(rows, outputs, strict=True):
            row.append(value)
        count += 1
    return [*states, *_stacks(ctx, node, len(states), rows, [0] * len(rows))]


@rule("Scan")
def scan(ctx: Context, node: Node, inputs: Inputs) -> list[Value]:
    """A loop over slices of its inputs."""
    body = _body(ctx, node)
    return _scan(ctx, node, body, inputs)


def _scan(ctx: Context, node: Node, body: Subgraph, inputs: Inputs) -> list[Value]:
    count = node.int("num_scan_inputs", 1)
    if ctx.model.opsets.get("", 9) < 9 or not 1 <= count <= len(inputs):
        raise Unsupported("scan of opset 8, or without inputs to scan")
    values = [given(inputs, at) for at in range(len(inputs))]
    states, scanned = [initial_state(ctx, value) for value in values[:-count]], values[-count:]
    numbers = per_axis(node, "scan_input_axes", count, 0)
    axes = [axis_at(axis, value.rank) for axis, value in zip(numbers, scanned, strict=True)]
    is_backwards = per_axis(node, "scan_input_directions", count, 0)
    lengths = {value.sizes[axis] for value, axis in zip(scanned, axes, strict=True)}
    if len(lengths) > 1:
        raise Unsupported("scanned inputs of different lengths")
    length = lengths.pop()
    rows: list[list[Value]] = [[] for _ in body.outputs[len(states) :]]
    for number in range(length):
        at = [length - 1 - number if is_last_first else number for is_last_first in is_backwards]
        slices = [_slice(ctx, node, *which) for which in zip(scanned, axes, at, strict=True)]
        states, outputs = _step(ctx, body, [*states, *slices], len(states))
        for row, value in zip(rows, outputs, strict=True):
            row.append(value)
    return [*states, *_stacks(ctx, node, len(states), rows, per_axis(node, "scan_output_axes", len(rows), 0))]


def _slice(ctx: Context, node: Node, value: Value, axis: int, index: int) -> Value:
    """One slice of a value, without the axis."""
    part = cut_axis(ctx, node, value, axis, index, index + 1)
    if part.ref is None:
        return constant_like(part, (*part.sizes[:axis], *part.sizes[axis + 1 :]), part.data)
    return without_axes(ctx, node, part, {axis})


def _stacks(ctx: Context, node: Node, start: int, rows: list[list[Value]], axes: list[int]) -> list[Value]:
    """The outputs of a loop after its states: what the steps gave, where anything reads it."""
    return [
        _stacked(ctx, node, row, axis) if name in ctx.readers or name in ctx.outputs else Value(None)
        for name, row, axis in zip(node.outputs[start:], rows, axes, strict=False)
    ]


def _stacked(ctx: Context, node: Node, rows: list[Value], axis: int) -> Value:
    """Values of one shape stacked along a new axis."""
    if not rows:
        raise Unsupported("loop without a step")
    if any(row.sizes != rows[0].sizes for row in rows):
        raise Unsupported("steps that give different shapes")
    axis = axis_at(axis, rows[0].rank + 1)
    sizes = rows[0].sizes
    shape = (*sizes[:axis], len(rows), *sizes[axis:])
    one = (*sizes[:axis], 1, *sizes[axis:])
    if all(row.ref is None for row in rows):
        return joined([constant_like(row, one, row.data) for row in rows], shape, axis)
    batch = next((row.batch for row in rows if row.batch is not None), None)
    batch = None if batch is None else batch + (axis <= batch)
    refs = [ctx.view(node, row, ctx.inner(one, batch)) for row in rows]
    if len(refs) == 1:
        return Value(shape, ref=refs[0], batch=batch)
    at = axis if batch is None or shape[batch] != ctx.batch else axis - (axis > batch)
    return ctx.layer(node, "concat", refs, shape, batch, **({"axis": at} if at else {}))
