"""Rules for operators that have graphs of their own: the branch that is taken, and loops step after step."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from math import prod

from convcalc.importers.onnx.context import Context, Inputs
from convcalc.importers.onnx.file import Subgraph
from convcalc.importers.onnx.model import FLOATS, Node
from convcalc.importers.onnx.operators.products import initial
from convcalc.importers.onnx.operators.registry import like, rule
from convcalc.importers.onnx.operators.reshaping import dropped
from convcalc.importers.onnx.operators.resizing import joined
from convcalc.importers.onnx.operators.slicing import cut_axis
from convcalc.importers.onnx.values import Unsupported, Value, axis_at, constant, given


@rule("If")
def branch(ctx: Context, node: Node, inputs: Inputs) -> list[Value]:
    """The branch that a known condition takes."""
    condition = given(inputs, 0).scalar()
    body = node.get("then_branch" if condition else "else_branch")
    if condition is None or not isinstance(body, Subgraph):
        raise Unsupported("which branch runs, only running it would tell")
    with _undone(ctx, body):
        return _run(ctx, body, [])


def _run(ctx: Context, body: Subgraph, inputs: list[Value]) -> list[Value]:
    """What a body gives for its inputs."""
    _forget(ctx, body)
    for name, tensor in body.tensors.items():
        ctx.model.tensors.setdefault(name, tensor)
        is_learned = tensor.element in FLOATS and prod(tensor.shape) > 1
        ctx.values.setdefault(name, constant(tensor, (tensor.name,) if is_learned else ()))
    ctx.values.update(zip(body.inputs, inputs, strict=False))
    ctx.unfuse(body.nodes)
    ctx.fold(body.nodes)
    ctx.import_nodes(body.nodes)
    return [ctx.values[name] for name in body.outputs]


def _step(ctx: Context, body: Subgraph, inputs: list[Value]) -> list[Value]:
    """One step of a loop. Raises Unsupported where all steps so far are too many."""
    if not ctx.steps_left:
        raise Unsupported("its steps are too many")
    ctx.steps_left = max(0, ctx.steps_left - max(1, len(body.nodes)))
    return _run(ctx, body, inputs)


def _body(ctx: Context, node: Node) -> Subgraph:
    """The body of a loop, with those who read its values known, so that a bias behind a product is found."""
    body = node.get("body")
    if not isinstance(body, Subgraph):
        raise Unsupported("a loop without a body")
    if id(body) not in ctx.bodies:
        ctx.bodies.add(id(body))
        for name in body.outputs:
            ctx.readers.setdefault(name, []).append(node)
        for inner in body.nodes:
            for name in inner.inputs:
                ctx.readers.setdefault(name, []).append(inner)
    return body


@rule("Loop")
def loop(ctx: Context, node: Node, inputs: Inputs) -> list[Value]:
    """Every step of a loop whose end is known; weights that the steps share count once, their work each time."""
    body = _body(ctx, node)
    with _undone(ctx, body):
        return _loop(ctx, node, body, inputs)


def _loop(ctx: Context, node: Node, body: Subgraph, inputs: Inputs) -> list[Value]:
    most = inputs[0].scalar() if inputs[0] is not None else None
    if inputs[0] is not None and most is None:
        raise Unsupported("how many steps there are, only running it would tell")
    going = given(inputs, 1) if inputs[1] is not None else Value((), [True], element=9)
    states = [initial(ctx, given(inputs, at)) for at in range(2, len(inputs))]
    rows: list[list[Value]] = [[] for _ in body.outputs[1 + len(states) :]]
    count = 0
    while most is None or count < most:
        if going.scalar() is None:
            raise Unsupported("when it ends, only running it would tell")
        if not going.scalar():
            break
        going, *found = _step(ctx, body, [Value((), [count], element=7), going, *states])
        states = found[: len(states)]
        for row, value in zip(rows, found[len(states) :], strict=True):
            row.append(value)
        count += 1
    return [*states, *_stacks(ctx, node, len(states), rows, [0] * len(rows))]


@rule("Scan")
def scan(ctx: Context, node: Node, inputs: Inputs) -> list[Value]:
    """A loop over slices of its inputs."""
    body = _body(ctx, node)
    with _undone(ctx, body):
        return _scan(ctx, node, body, inputs)


def _scan(ctx: Context, node: Node, body: Subgraph, inputs: Inputs) -> list[Value]:
    parts = node.get("num_scan_inputs", 1)
    if ctx.model.opsets.get("", 9) < 9 or not 1 <= parts <= len(inputs):
        raise Unsupported("a scan of an old kind")
    values = [given(inputs, at) for at in range(len(inputs))]
    states, whole = [initial(ctx, value) for value in values[:-parts]], values[-parts:]
    axes = node.get("scan_input_axes") or [0] * parts
    axes = [axis_at(axis, len(value.sizes)) for axis, value in zip(axes, whole, strict=True)]
    backwards = node.get("scan_input_directions") or [0] * parts
    (length,) = {value.sizes[axis] for value, axis in zip(whole, axes, strict=True)}
    rows: list[list[Value]] = [[] for _ in body.outputs[len(states) :]]
    for number in range(length):
        at = [length - 1 - number if is_turned else number for is_turned in backwards]
        now = [_one(ctx, node, value, axis, place) for value, axis, place in zip(whole, axes, at, strict=True)]
        found = _step(ctx, body, [*states, *now])
        states = found[: len(states)]
        for row, value in zip(rows, found[len(states) :], strict=True):
            row.append(value)
    places = node.get("scan_output_axes") or [0] * len(rows)
    return [*states, *_stacks(ctx, node, len(states), rows, places)]


def _one(ctx: Context, node: Node, value: Value, axis: int, place: int) -> Value:
    """One slice of a value, without the axis."""
    part = cut_axis(ctx, node, value, axis, place, place + 1)
    if part.ref is None:
        return like(part, (*part.sizes[:axis], *part.sizes[axis + 1 :]), part.data)
    return dropped(ctx, node, part, {axis})


def _stacks(ctx: Context, node: Node, start: int, rows: list[list[Value]], axes: list[int]) -> list[Value]:
    """What each of a loop's outputs behind its states holds of all steps, where anything reads it."""
    return [
        _stacked(ctx, node, row, axis) if name in ctx.readers or name in ctx.outputs else Value(None)
        for name, row, axis in zip(node.outputs[start:], rows, axes, strict=False)
    ]


def _stacked(ctx: Context, node: Node, rows: list[Value], axis: int) -> Value:
    """What the steps gave, side by side along a new axis."""
    if not rows:
        raise Unsupported("no step is made")
    axis = axis_at(axis, len(rows[0].sizes) + 1)
    sizes = rows[0].sizes
    shape = (*sizes[:axis], len(rows), *sizes[axis:])
    one = (*sizes[:axis], 1, *sizes[axis:])
    if all(row.ref is None for row in rows):
        return joined([like(row, one, row.data) for row in rows], shape, axis)
    batch = next((row.batch for row in rows if row.batch is not None), None)
    batch = None if batch is None else batch + (axis <= batch)
    refs = [ctx.view(node, row, ctx.inner(one, batch)) for row in rows]
    if len(refs) == 1:
        return Value(shape, ref=refs[0], batch=batch)
    at = axis if batch is None or shape[batch] != ctx.batch else axis - (axis > batch)
    return ctx.layer(node, "concat", refs, shape, batch, **({"axis": at} if at else {}))


@contextmanager
def _undone(ctx: Context, body: Subgraph) -> Iterator[None]:
    """Where a rule fails, what it has found inside a body is forgotten with it."""
    try:
        yield
    except Exception:
        _forget(ctx, body)
        raise


def _forget(ctx: Context, body: Subgraph) -> None:
    """What the last step has found is not this step's, and nothing once the rule has failed."""
    for name in (*body.inputs, *(name for inner in body.nodes for name in inner.outputs)):
        ctx.values.pop(name, None)
