"""Lookups, scatters, repetition: elements picked by indices."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from convcalc.importers.onnx.constant_arithmetic import picked, spread
from convcalc.importers.onnx.context import Context
from convcalc.importers.onnx.model import MOST_READ, Node, Unsupported
from convcalc.importers.onnx.operators._layers import constant_like, gathered, gathered_at_runtime, same_shape
from convcalc.importers.onnx.operators.registry import rule
from convcalc.importers.onnx.operators.reshape import batch_after, reshaped, without_axes
from convcalc.importers.onnx.operators.slicing import cut_axis
from convcalc.importers.onnx.values import (
    Inputs,
    Shape,
    Value,
    axis_at,
    broadcast,
    checked,
    given,
    index_at,
    optional,
    sources_of,
)


@rule("Gather")
def gather(ctx: Context, node: Node, inputs: Inputs) -> list[Value]:
    value, index = given(inputs, 0), given(inputs, 1)
    axis = axis_at(node.int("axis"), value.rank)
    shape = checked((*value.sizes[:axis], *index.sizes, *value.sizes[axis + 1 :]))
    if value.ref is None and index.ref is None:
        return [_picked(value, index, axis, shape)]
    if value.ref is None:
        return [_embedded(ctx, node, value, index, axis, shape)]
    if index.ref is not None:
        return [gathered_at_runtime(ctx, node, [value, index], shape)]
    if index.data is not None:
        known = _known_lookup(ctx, node, value, index, axis, shape)
        if known is not None:
            return [known]
    batch = value.batch if value.batch is not None and value.batch < axis else None
    return [gathered_at_runtime(ctx, node, [value], shape, batch)]


def _known_lookup(ctx: Context, node: Node, value: Value, index: Value, axis: int, shape: Shape) -> Value | None:
    """A lookup by constants that is a slice or a reshape; None where it is neither."""
    size = value.sizes[axis]
    numbers = [index_at(number, size) for number in index.ints()]
    if not index.sizes:
        return without_axes(ctx, node, cut_axis(ctx, node, value, axis, numbers[0], numbers[0] + 1), {axis})
    is_run = bool(numbers) and numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    if is_run and len(index.sizes) == 1:
        return cut_axis(ctx, node, value, axis, numbers[0], numbers[-1] + 1)
    if is_run and value.rank == 1 and len(numbers) == size:
        return reshaped(ctx, node, value, shape, batch_after(ctx, value, shape))
    return None


def _picked(value: Value, index: Value, axis: int, shape: Shape) -> Value:
    """Elements of a constant at constant indices."""
    if index.data is None:
        return constant_like(value, shape)
    numbers = [index_at(number, value.sizes[axis]) for number in index.ints()]
    data = None
    if value.data is not None and prod(shape) <= MOST_READ:
        data = picked(value, [numbers if at == axis else range(size) for at, size in enumerate(value.sizes)])
    result = constant_like(value, shape, data)
    if value.layout is None or not numbers:
        return result
    (source,) = value.source_weights
    parts = []
    for run in _runs(numbers):
        layout, sizes = value.layout.cut(axis, run), (*value.sizes[:axis], len(run), *value.sizes[axis + 1 :])
        parts.append(layout.part(source.name, source.size, sizes))
        if numbers == list(run):
            result.layout = layout.reshaped(sizes, shape)
    result.source_weights = tuple(parts)
    return result


def _runs(numbers: Sequence[int]) -> list[range]:
    """The different numbers as runs.

    >>> _runs([4, 1, 2, 2])
    [range(1, 3), range(4, 5)]
    """
    runs: list[range] = []
    for number in sorted(set(numbers)):
        if runs and runs[-1].stop == number:
            runs[-1] = range(runs[-1].start, number + 1)
        else:
            runs.append(range(number, number + 1))
    return runs


def _embedded(ctx: Context, node: Node, table: Value, index: Value, axis: int, shape: Shape) -> Value:
    """Rows of a learned table at indices that are an activation."""
    if axis != 0 or table.rank != 2:
        return gathered_at_runtime(ctx, node, [table, index], shape)
    entries, features = table.sizes
    if not index.sizes:
        raise Unsupported("lookup of one row")
    return ctx.layer(node, "embedding", [index], shape, index.batch, [table], entries=entries, features=features)


_INPUTS = {"ScatterND": 3, "ScatterElements": 3, "Scatter": 3}  # two for any other


@rule("GatherElements", "ScatterND", "ScatterElements", "Scatter", "ReverseSequence", "ReverseV2", "Trilu")
def moved(ctx: Context, node: Node, inputs: Inputs) -> list[Value]:
    value = given(inputs, 0)
    shape = given(inputs, 1).sizes if node.operator == "GatherElements" else value.sizes
    return [_moved(ctx, node, inputs, value, shape)]


@rule("GatherND")
def gather_nd(ctx: Context, node: Node, inputs: Inputs) -> list[Value]:
    value, index = given(inputs, 0), given(inputs, 1)
    batch_axes, depth = node.int("batch_dims"), index.sizes[-1] if index.rank else -1
    if batch_axes < 0 or depth < 0 or batch_axes + depth > value.rank:
        raise Unsupported(f"indices of {depth} axes after {batch_axes} of an input of rank {value.rank}")
    return [_moved(ctx, node, inputs, value, (*index.sizes[:-1], *value.sizes[batch_axes + depth :]))]


def _moved(ctx: Context, node: Node, inputs: Inputs, value: Value, shape: Shape) -> Value:
    values = [other for other in inputs[: _INPUTS.get(node.operator, 2)] if other is not None]
    if all(other.ref is None for other in values):
        if node.operator == "Trilu":  # elements stay where they are
            return constant_like(value, shape, layout=value.layout)
        return Value(checked(shape), source_weights=sources_of(values), dtype=value.dtype)
    batch = value.batch if value.batch is not None and value.batch < len(shape) else None
    return gathered_at_runtime(ctx, node, values, shape, batch)


@rule("Compress")
def compress(ctx: Context, node: Node, inputs: Inputs) -> list[Value]:
    """The elements of an axis, or of all axes as one, where a known condition is true."""
    value, condition = given(inputs, 0), given(inputs, 1)
    if condition.data is None:
        raise Unsupported("the output's size depends on the input's values")
    size = prod(value.sizes)
    axis = axis_at(node.int("axis"), value.rank) if node.has("axis") else None
    kept = [at for at, number in enumerate(condition.data[: size if axis is None else value.sizes[axis]]) if number]
    index = Value((len(kept),), kept, dtype=7)
    if axis is None:
        value, axis = reshaped(ctx, node, value, (size,), None), 0
    shape = checked((*value.sizes[:axis], len(kept), *value.sizes[axis + 1 :]))
    if value.ref is None:
        return [_picked(value, index, axis, shape)]
    known = _known_lookup(ctx, node, value, index, axis, shape)
    return (
        [gathered_at_runtime(ctx, node, [value], shape, value.batch if value.batch != axis else None)]
        if known is None
        else [known]
    )


@rule("Expand", "Tile")
def expand(ctx: Context, node: Node, inputs: Inputs) -> list[Value]:
    value, numbers = given(inputs, 0), given(inputs, 1).ints()
    if node.operator == "Tile" and len(numbers) == 1 and optional(inputs, 2) is not None:  # opset 1: and an axis
        axis = axis_at(given(inputs, 2).integer(), value.rank)
        numbers = [numbers[0] if at == axis else 1 for at in range(value.rank)]
    if node.operator == "Expand":
        shape = broadcast(value.sizes, tuple(numbers))
    elif len(numbers) == value.rank:
        shape = tuple(size * times for size, times in zip(value.sizes, numbers, strict=True))
    else:
        raise Unsupported(f"{len(numbers)} repeats of {value.rank} axes")
    shape = checked(shape)
    if value.ref is None:
        is_small = value.data is not None and prod(shape) <= MOST_READ and node.operator == "Expand"
        data = spread(value.data or [], value.sizes, shape) if is_small else None
        layout = value.layout.spread(value.sizes, shape) if value.layout and node.operator == "Expand" else None
        return [constant_like(value, shape, data, layout=layout)]
    batch = None if value.batch is None else value.batch + len(shape) - value.rank
    if prod(shape) == prod(value.sizes):
        return [reshaped(ctx, node, value, shape, batch)]
    return [gathered_at_runtime(ctx, node, [value], shape, batch)]


@rule("TopK")
def top(ctx: Context, node: Node, inputs: Inputs) -> list[Value]:
    value = given(inputs, 0)
    counts = optional(inputs, 1)
    count = node.int("k", 1) if counts is None else counts.integer()
    axis = axis_at(node.int("axis", -1), value.rank)
    shape = (*value.sizes[:axis], count, *value.sizes[axis + 1 :])
    compared = same_shape(ctx, node, "elementwise", value, operation="comparisons")
    output = gathered(ctx, node, [compared], shape, value.batch)
    return [output, output]


@rule("OneHot")
def one_hot(ctx: Context, node: Node, inputs: Inputs) -> list[Value]:
    value, depth = given(inputs, 0), given(inputs, 1).ints()
    if not depth:
        raise Unsupported("no depth")
    axis = axis_at(node.int("axis", -1), value.rank + 1)
    shape = checked((*value.sizes[:axis], depth[0], *value.sizes[axis:]))
    if value.ref is None:
        return [Value(shape)]
    return [gathered(ctx, node, [value], shape, value.batch)]
