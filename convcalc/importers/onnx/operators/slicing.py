"""Slices, splits, and concatenation."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from math import prod
from typing import Any

from convcalc.graph import Layer, Ref
from convcalc.importers.onnx.constant_arithmetic import picked
from convcalc.importers.onnx.context import Context
from convcalc.importers.onnx.model import MOST_READ, Node, Unsupported
from convcalc.importers.onnx.operators._layers import constant_like, gathered
from convcalc.importers.onnx.operators.registry import rule
from convcalc.importers.onnx.values import (
    MOST_AXES,
    Inputs,
    Shape,
    Value,
    axis_at,
    checked,
    given,
    optional_ints,
    sources_of,
)

_MOST_PARTS = 64  # of one split; more are gathered one by one


@rule("Slice")
def slice_axes(ctx: Context, node: Node, inputs: Inputs) -> list[Value]:
    value = given(inputs, 0)
    for axis, start, stop, step in _slices(node, inputs, value.rank):
        value = cut_axis(ctx, node, value, axis, start, stop, step)
    return [value]


def _slices(node: Node, inputs: Inputs, rank: int) -> list[tuple[int, int, int, int]]:
    """Axis, start, stop and step of each axis that a Slice cuts: attributes in older opsets, inputs in newer ones."""
    if node.has("starts"):
        starts, stops = node.ints("starts"), node.ints("ends")
        axes = node.ints("axes") if node.has("axes") else list(range(len(starts)))
        steps = [1] * len(starts)
    else:
        starts, stops = given(inputs, 1).ints(), given(inputs, 2).ints()
        axes = optional_ints(inputs, 3, list(range(len(starts))))
        steps = optional_ints(inputs, 4, [1] * len(starts))
    if not len(axes) == len(starts) == len(stops) == len(steps):
        raise Unsupported("starts, ends, axes and steps of different lengths")
    return [
        (axis_at(axis, rank), start, stop, step)
        for axis, start, stop, step in zip(axes, starts, stops, steps, strict=True)
    ]


def sliced(size: int, start: int, stop: int, step: int) -> range:
    """The indices that a slice takes along an axis. Raises Unsupported for step 0.

    >>> sliced(10, 1, -1, 3)
    range(1, 9, 3)
    """
    if step == 0:
        raise Unsupported("slice with step 0")
    return range(size)[slice(start, stop if step > 0 or stop >= -size else None, step)]


def cut_axis(ctx: Context, node: Node, value: Value, axis: int, start: int, stop: int, step: int = 1) -> Value:
    """Part of one axis of a value."""
    size = value.sizes[axis]
    taken = sliced(size, start, stop, step)
    shape = (*value.sizes[:axis], len(taken), *value.sizes[axis + 1 :])
    if taken == range(size):
        return value
    if value.ref is None:
        indices = [taken if at == axis else range(other) for at, other in enumerate(value.sizes)]
        layout = value.layout and value.layout.cut(axis, taken)
        return constant_like(value, shape, picked(value, indices), layout=layout)
    if not taken:
        return Value(checked(shape), [])  # nothing, which a concatenation leaves out
    if taken.step < 0:
        return gathered(ctx, node, [value], shape, value.batch)
    at = ctx.inner_axis(value, axis)
    fields: dict[str, Any] = {"axis": at} if at else {}
    fields.update({"start": taken.start} if taken.start else {})
    fields.update({"stop": taken[-1] + 1} if taken[-1] + 1 < size else {})
    fields.update({"step": taken.step} if taken.step > 1 and len(taken) > 1 else {})
    return ctx.layer(node, "slice", [value], shape, value.batch, **fields)


@rule("Split")
def split(ctx: Context, node: Node, inputs: Inputs) -> list[Value]:
    value = given(inputs, 0)
    axis = axis_at(node.int("axis"), value.rank)
    size, count = value.sizes[axis], len(node.outputs)
    if not count:
        raise Unsupported("split without outputs")
    if node.int("num_outputs", count) != count:
        raise Unsupported(f"split into {node.int('num_outputs')} parts with {count} outputs")
    parts = node.ints("split") or optional_ints(inputs, 1, [])
    if not parts:
        each = -(-size // count)
        parts = [min(each, size - each * number) for number in range(count)]
    if len(parts) != count:
        raise Unsupported(f"split into {len(parts)} parts with {count} outputs")
    return parts_of(ctx, node, value, axis, parts)


def parts_of(ctx: Context, node: Node, value: Value, axis: int, parts: list[int]) -> list[Value]:
    """A value split along an axis into parts of these sizes."""
    if sum(parts) != value.sizes[axis] or min(parts, default=0) < 1:
        raise Unsupported(f"split of {value.sizes[axis]} elements into parts of {sum(parts)}")
    if value.ref is None:
        stops = accumulate(parts)
        return [cut_axis(ctx, node, value, axis, stop - part, stop) for stop, part in zip(stops, parts, strict=True)]
    if len(parts) == 1:
        return [value]
    shapes = [checked((*value.sizes[:axis], part, *value.sizes[axis + 1 :])) for part in parts]
    at = ctx.inner_axis(value, axis)
    if len(parts) > _MOST_PARTS:
        return [gathered(ctx, node, [value], shape, value.batch) for shape in shapes]
    sizes = len(parts) if len(set(parts)) == 1 else tuple(parts)
    first = ctx.layer(node, "split", [value], shapes[0], value.batch, parts=sizes, **({"axis": at} if at else {}))
    layer = ctx.ref(first).layer
    return [Value(shape, ref=Ref(layer, port), batch=value.batch) for port, shape in enumerate(shapes)]


class _Chains:
    """The concatenations made so far, so that one that begins with the inputs of an earlier one reads its output.

    A chain is a number for an axis and the first inputs in order. A dense block becomes a chain of concatenations.
    """

    def __init__(self) -> None:
        self.numbers: dict[tuple[int, Ref], int] = {}  # (number of a chain, the next input) -> number
        self.layers: dict[int, tuple[Ref, Layer]] = {}  # number of a chain -> the layer that concatenates it

    def merge(self, ctx: Context, axis: int, refs: list[Ref]) -> tuple[int, list[Ref]]:
        """The number of a chain, and its inputs with the longest known beginning replaced by one input."""
        chain, merged = -1 - axis, refs
        for count, ref in enumerate(refs, 1):
            chain = self.numbers.setdefault((chain, ref), len(self.numbers))
            known, layer = self.layers.get(chain, (Ref(0), None))
            is_kept = known.layer < len(ctx.graph.all) and ctx.graph.all[known.layer] is layer
            if 1 < count < len(refs) and is_kept:
                merged = [known, *refs[count:]]
        return chain, merged


@rule("Concat")
def concat(ctx: Context, node: Node, inputs: Inputs) -> list[Value]:
    values = [value for value in inputs if value is not None]
    if not values:
        raise Unsupported("no inputs")
    axis = axis_at(node.int("axis", 1), values[0].rank)
    # an empty part adds nothing
    values = [value for value in values if value.sizes_of_rank(axis + 1, MOST_AXES)[axis]] or values[:1]
    if any(value.rank != values[0].rank for value in values):
        raise Unsupported("inputs of different ranks")
    total = sum(value.sizes[axis] for value in values)
    shape = (*values[0].sizes[:axis], total, *values[0].sizes[axis + 1 :])
    if all(value.ref is None for value in values):
        return [joined(values, shape, axis)]
    if len(values) == 1:
        return [values[0]]
    batch = next((value.batch for value in values if value.batch is not None), None)
    if batch == axis:
        if ctx.batch != 1:
            raise Unsupported("concatenation along the batch axis")
        batch = None
    refs = [ctx.view(node, value, ctx.inner(value.sizes, batch)) for value in values]
    at = axis if batch is None or shape[batch] != ctx.batch else axis - (axis > batch)
    chain, refs = ctx.memo(_Chains).merge(ctx, at, refs)
    is_frames = axis == 0 and any(value.batch == 0 for value in values)  # side by side in the batch axis
    output = ctx.layer(node, "concat", refs, shape, 0 if is_frames else batch, **({"axis": at} if at else {}))
    ref = ctx.ref(output)
    ctx.memo(_Chains).layers[chain] = ref, ctx.graph.all[ref.layer]
    return [output]


@rule("QLinearConcat")
def quantized_concat(ctx: Context, node: Node, inputs: Inputs) -> list[Value]:
    """The scale and zero point of the output, then each part with its own."""
    return concat(ctx, node, inputs[2::3])


def joined(values: Sequence[Value], shape: Shape, axis: int) -> Value:
    """Constants concatenated. Raises Unsupported where their other axes differ."""
    if any((*value.sizes[:axis], *value.sizes[axis + 1 :]) != (*shape[:axis], *shape[axis + 1 :]) for value in values):
        raise Unsupported("inputs that differ in other axes")
    data: list[Any] | None = None
    if all(value.data is not None for value in values) and prod(shape) <= MOST_READ:
        data = []
        for outer in range(prod(shape[:axis]) if prod(shape) else 0):
            for value in values:
                size = prod(value.sizes[axis:])
                data.extend((value.data or [])[outer * size : (outer + 1) * size])
    return Value(checked(shape), data, source_weights=sources_of(values), dtype=values[0].dtype)
