"""Rules for some of the elements, or more of them: slices, splits, lookups, tiling, padding."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

from convcalc.graph import Ref
from convcalc.importers.onnx.context import Context, Inputs
from convcalc.importers.onnx.model import MOST_READ, Node
from convcalc.importers.onnx.operators.registry import like, rule
from convcalc.importers.onnx.operators.reshaping import batch_after, dropped, reshaped
from convcalc.importers.onnx.values import (
    Shape,
    Unsupported,
    Value,
    axis_at,
    broadcast,
    checked,
    given,
    optional,
    picked,
    sliced,
    slices,
    spread,
)


@rule("Slice")
def cut(ctx: Context, node: Node, inputs: Inputs) -> list[Value]:
    value = given(inputs, 0)
    for axis, start, stop, step in slices(node, inputs):
        value = cut_axis(ctx, node, value, axis, start, stop, step)
    return [value]


def cut_axis(ctx: Context, node: Node, value: Value, axis: int, start: int, stop: int, step: int = 1) -> Value:
    """Part of one axis of a value."""
    size = value.sizes[axis]
    taken = sliced(size, start, stop, step)
    shape = (*value.sizes[:axis], len(taken), *value.sizes[axis + 1 :])
    if taken == range(size):
        return value
    if value.ref is None:
        indices = [taken if at == axis else range(other) for at, other in enumerate(value.sizes)]
        found = like(value, shape, picked(value, indices))
        found.part = (*value.part, (axis, taken)) if value.origins else ()
        return found
    if not taken:
        return Value(checked(shape), [])  # nothing, which a concat leaves out
    if taken.step < 0:
        return ctx.layer(node, "gather", [value], shape, value.batch, shape=ctx.inner(shape, value.batch))
    fields: dict[str, Any] = {"axis": ctx.inner_axis(value, axis)} if ctx.inner_axis(value, axis) else {}
    fields.update({"start": taken.start} if taken.start else {})
    fields.update({"stop": taken[-1] + 1} if taken[-1] + 1 < size else {})
    fields.update({"step": taken.step} if taken.step > 1 and len(taken) > 1 else {})
    return ctx.layer(node, "slice", [value], shape, value.batch, **fields)


@rule("Split")
def split(ctx: Context, node: Node, inputs: Inputs) -> list[Value]:
    value = given(inputs, 0)
    axis = axis_at(node.get("axis", 0), len(value.sizes))
    size, count = value.sizes[axis], len(node.outputs)
    parts = node.get("split") or optional(inputs, 1, [])
    if not parts:
        each = -(-size // count)
        parts = [min(each, size - each * number) for number in range(count)]
    if len(parts) != count:
        raise Unsupported("its parts do not add up")
    return _parts(ctx, node, value, axis, parts)


@rule("SplitToSequence")
def split_to_sequence(ctx: Context, node: Node, inputs: Inputs) -> list[Value]:
    value = given(inputs, 0)
    axis = axis_at(node.get("axis", 0), len(value.sizes))
    size = value.sizes[axis]
    parts = optional(inputs, 1, [])
    if len(inputs) < 2 or inputs[1] is None:
        if not node.get("keepdims", 1):
            raise Unsupported("it takes an axis away")
        parts = [1] * size
    elif len(inputs[1].sizes) == 0:
        each = parts[0]
        parts = [min(each, size - start) for start in range(0, size, max(1, each))]
    ctx.sequences[node.outputs[0]] = _parts(ctx, node, value, axis, parts)
    return [Value(None)]


@rule("SequenceAt")
def sequence_at(ctx: Context, node: Node, inputs: Inputs) -> list[Value]:
    (index,) = given(inputs, 1).ints()
    return [ctx.sequences[node.inputs[0]][index]]


def _parts(ctx: Context, node: Node, value: Value, axis: int, parts: list[int]) -> list[Value]:
    """A value cut along an axis."""
    size, count = value.sizes[axis], len(parts)
    if sum(parts) != size or min(parts, default=0) < 1:
        raise Unsupported("its parts do not add up")
    shapes = [(*value.sizes[:axis], part, *value.sizes[axis + 1 :]) for part in parts]
    if value.ref is None:
        starts = [sum(parts[:number]) for number in range(count)]
        return [
            cut_axis(ctx, node, value, axis, start, start + part) for start, part in zip(starts, parts, strict=True)
        ]
    if count == 1:
        return [value]
    at = ctx.inner_axis(value, axis)
    fields = {"axis": at} if at else {}
    whole = count if len(set(parts)) == 1 else tuple(parts)
    if count > 64:
        return [
            ctx.layer(node, "gather", [value], shape, value.batch, shape=ctx.inner(shape, value.batch))
            for shape in shapes
        ]
    first = ctx.layer(node, "split", [value], shapes[0], value.batch, parts=whole, **fields)
    layer = (first.ref or Ref(0)).layer
    return [Value(shape, ref=Ref(layer, port), batch=value.batch) for port, shape in enumerate(shapes)]


@rule("Gather")
def gather(ctx: Context, node: Node, inputs: Inputs) -> list[Value]:
    value, index = given(inputs, 0), given(inputs, 1)
    axis = axis_at(node.get("axis", 0), len(value.sizes))
    shape = (*value.sizes[:axis], *index.sizes, *value.sizes[axis + 1 :])
    if value.ref is None and index.ref is None:
        return [_gathered(value, index, axis, shape)]
    if value.ref is None:
        return [_embedded(ctx, node, value, index, axis, shape)]
    if index.ref is not None:
        return [moved(ctx, node, [value, index], shape)]
    numbers = index.data
    size = value.sizes[axis]
    if numbers is not None and not index.sizes:
        (number,) = (number % size for number in index.ints())
        one = cut_axis(ctx, node, value, axis, number, number + 1)
        return [dropped(ctx, node, one, {axis})]
    if numbers is not None and len(index.sizes) == 1:
        found = [number % size for number in index.ints()]
        if found == list(range(found[0], found[0] + len(found))):
            return [cut_axis(ctx, node, value, axis, found[0], found[-1] + 1)]
    if len(value.sizes) == 1 and numbers is not None and index.ints() == list(range(size)):
        return [reshaped(ctx, node, value, shape, batch_after(ctx, value, shape))]
    return [moved(ctx, node, [value], shape, value.batch if value.batch is not None and value.batch < axis else None)]


def _gathered(value: Value, index: Value, axis: int, shape: Shape) -> Value:
    """Elements of a constant by constant indices."""
    if value.data is None or index.data is None or prod(shape) > MOST_READ:
        return like(value, shape)
    numbers = [number % max(1, value.sizes[axis]) for number in index.ints()]
    indices = [numbers if at == axis else range(size) for at, size in enumerate(value.sizes)]
    return like(value, shape, picked(value, indices))


def _embedded(ctx: Context, node: Node, table: Value, index: Value, axis: int, shape: Shape) -> Value:
    """Rows of a learned table, looked up by an activation."""
    if axis != 0 or len(table.sizes) != 2:
        return moved(ctx, node, [table, index], shape)
    entries, features = table.sizes
    tokens = index
    if not ctx.inner(index.sizes, index.batch) or len(index.sizes) == 0:
        raise Unsupported("no tokens")
    return ctx.layer(node, "embedding", [tokens], shape, index.batch, [table], entries=entries, features=features)


def moved(ctx: Context, node: Node, values: Sequence[Value], shape: Shape, batch: int | None = None) -> Value:
    """Elements of activations in a known shape, by a way that only the values tell."""
    shape = checked(shape)
    if batch is None and shape and any(value.batch == 0 for value in values) and shape[0] == ctx.batch:
        batch = 0
    refs = [value for value in values if value.ref is not None or value.origins]
    return ctx.layer(node, "gather", refs, shape, batch, shape=ctx.inner(shape, batch))


@rule(
    "GatherElements",
    "GatherND",
    "ScatterND",
    "ScatterElements",
    "Scatter",
    "ReverseSequence",
    "ReverseV2",
    "Trilu",
    "Compress",
)
def scattered(ctx: Context, node: Node, inputs: Inputs) -> list[Value]:
    value = given(inputs, 0)
    shape = value.sizes
    if node.operator == "GatherElements":
        shape = given(inputs, 1).sizes
    elif node.operator == "GatherND":
        index, skip = given(inputs, 1).sizes, node.get("batch_dims", 0)
        shape = (*index[:-1], *value.sizes[skip + index[-1] :])
    elif node.operator == "Compress":
        raise Unsupported("how many stay, only running it would tell")
    values = [found for found in inputs if found is not None]
    if all(found.ref is None for found in values):
        return [like(value, shape)]
    return [moved(ctx, node, values, shape, value.batch)]


@rule("Expand", "Tile")
def expand(ctx: Context, node: Node, inputs: Inputs) -> list[Value]:
    value, numbers = given(inputs, 0), given(inputs, 1).ints()
    if node.operator == "Expand":
        shape = broadcast(value.sizes, tuple(numbers))
    else:
        shape = tuple(size * times for size, times in zip(value.sizes, numbers, strict=True))
    if value.ref is None:
        is_small = value.data is not None and prod(shape) <= MOST_READ and node.operator == "Expand"
        return [like(value, shape, spread(value.data or [], value.sizes, shape) if is_small else None)]
    batch = None if value.batch is None else value.batch + len(shape) - len(value.sizes)
    if prod(shape) == prod(value.sizes):
        return [reshaped(ctx, node, value, shape, batch)]
    return [moved(ctx, node, [value], shape, batch)]


@rule("Pad")
def pad(ctx: Context, node: Node, inputs: Inputs) -> list[Value]:
    value = given(inputs, 0)
    rank = len(value.sizes)
    pads = node.get("pads") or node.get("paddings") or given(inputs, 1).ints()
    axes = [axis_at(axis, rank) for axis in optional(inputs, 3, list(range(rank)))]
    sides = {axis: (pads[at], pads[at + len(axes)]) for at, axis in enumerate(axes)}
    both = [sides.get(axis, (0, 0)) for axis in range(rank)]
    shape = tuple(size + before + after for size, (before, after) in zip(value.sizes, both, strict=True))
    if value.ref is None:
        return [like(value, shape)]
    if shape == value.sizes:
        return [value]
    grid = both[2:]
    if (
        any(map(any, both[:2]))
        or value.batch != 0
        or value.sizes[0] != ctx.batch
        or rank < 3
        or min(map(min, grid)) < 0
    ):
        return [moved(ctx, node, [value], shape, value.batch)]
    amount: Any = tuple(before if before == after else (before, after) for before, after in grid)
    amount = amount[0] if len(set(amount)) == 1 and isinstance(amount[0], int) else amount
    mode = {"reflect": "reflect", "edge": "replicate", "wrap": "circular"}.get(str(node.get("mode", "")), "zeros")
    fields = {} if mode == "zeros" else {"mode": mode}
    return [ctx.layer(node, "pad", [value], shape, value.batch, amount=amount, **fields)]


@rule("TopK")
def top(ctx: Context, node: Node, inputs: Inputs) -> list[Value]:
    value = given(inputs, 0)
    (count,) = optional(inputs, 1, [node.get("k", 1)])
    axis = axis_at(node.get("axis", -1), len(value.sizes))
    shape = (*value.sizes[:axis], count, *value.sizes[axis + 1 :])
    work = ctx.layer(node, "elementwise", [value], value.sizes, value.batch, operation="comparisons")
    found = ctx.layer(node, "gather", [work], shape, value.batch, shape=ctx.inner(shape, value.batch))
    return [found, found]
