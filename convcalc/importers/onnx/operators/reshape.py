"""The same elements in another shape or order."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from convcalc.importers.onnx.constant_arithmetic import transposed
from convcalc.importers.onnx.context import Context
from convcalc.importers.onnx.model import Node, Unsupported
from convcalc.importers.onnx.operators._layers import constant_like
from convcalc.importers.onnx.operators.registry import rule
from convcalc.importers.onnx.values import (
    BatchAxis,
    Inputs,
    Shape,
    Value,
    axes_of,
    axis_at,
    checked,
    given,
    moved,
    target_shape,
)


def reshaped(ctx: Context, node: Node, value: Value, shape: Shape, batch: int | None) -> Value:
    """A value in another shape; a layer only where the shape without the batch changes."""
    if value.ref is None:
        layout = value.layout and value.layout.reshaped(value.sizes, shape)
        return constant_like(value, shape, value.data, layout=layout)
    ref = ctx.view(node, value, ctx.inner(checked(shape), batch))
    return Value(shape, ref=ref, batch=batch, dtype=value.dtype)


def batch_after(ctx: Context, value: Value, shape: Shape) -> int | None:
    """The axis that holds the batch after a reshape: the one with as many elements before it, else one that fits."""
    if value.batch is None:
        return None
    if _moves_ones(value.sizes, shape) and ctx.batch == value.sizes[value.batch] == 1 < shape[value.batch]:
        return shape.index(1)  # a Transpose that only moves the batch, written as a Reshape
    before = prod(value.sizes[: value.batch])
    through = before * value.sizes[value.batch] // ctx.batch
    starts = [prod(shape[:at]) for at in range(len(shape))]
    if ctx.batch > 1 and (isinstance(value.batch, BatchAxis) or value.sizes[value.batch] == ctx.batch):
        before *= getattr(value.batch, "outer", 1)
        for at, start in enumerate(starts):
            outer, rest = divmod(before, start)
            if start <= before < start * shape[at] and not rest and shape[at] % (outer * ctx.batch) == 0:
                return BatchAxis(at, outer)
    fits = [at for at, size in enumerate(shape) if starts[at] == before and size % ctx.batch == 0 and size >= ctx.batch]
    exact = [at for at in fits if shape[at] == ctx.batch]
    inside: list[int] = []
    if ctx.batch > 1:
        inside = [at for at, start in enumerate(starts) if shape[at] == ctx.batch and before <= start <= through]
        inside += [
            at for at, start in enumerate(starts) if start <= before < start * shape[at] and shape[at] % ctx.batch == 0
        ]
    return next(iter([*exact, *fits, *inside]), None)


def _moves_ones(old: Shape, new: Shape) -> bool:
    """Whether two shapes of as many axes differ only in where the axes of size 1 are."""
    return len(old) == len(new) and [size for size in old if size != 1] == [size for size in new if size != 1]


@rule("Reshape")
def reshape(ctx: Context, node: Node, inputs: Inputs) -> list[Value]:
    value = given(inputs, 0)
    wanted = node.ints("shape") if len(inputs) < 2 else given(inputs, 1).ints()
    shape = target_shape(value.sizes, wanted, bool(node.int("allowzero")))
    shuffled = _shuffled(ctx, node, value, shape)
    if shuffled is not None:
        return [shuffled]
    return [reshaped(ctx, node, value, shape, batch_after(ctx, value, shape))]


def _shuffled(ctx: Context, node: Node, value: Value, shape: Shape) -> Value | None:
    """A channel shuffle: channels split into groups, groups and members swapped, and merged again."""
    if value.ref is None or value.batch != 0 or value.rank != 4 or len(shape) != 5 or not node.outputs:
        return None
    swap = ctx.only_reader(node.outputs[0], ("Transpose",))
    back = ctx.only_reader(swap.outputs[0], ("Reshape",)) if swap is not None and swap.outputs else None
    if swap is None or back is None or swap.ints("perm") != [0, 2, 1, 3, 4] or shape[3:] != value.sizes[2:]:
        return None
    target = ctx.values.get(back.inputs[1]) if len(back.inputs) > 1 else None
    wanted = back.ints("shape") or (target.ints() if target is not None and target.data is not None else None)
    if not wanted or not back.outputs or target_shape(value.sizes, wanted) != value.sizes:
        return None
    ctx.fuse(node, swap, back)
    return ctx.layer(node, "channel_shuffle", [value], value.sizes, 0, groups=shape[1])


@rule("Flatten")
def flatten(ctx: Context, node: Node, inputs: Inputs) -> list[Value]:
    value = given(inputs, 0)
    axis = node.int("axis", 1)
    axis = axis + value.rank if axis < 0 else axis
    shape = (prod(value.sizes[:axis]), prod(value.sizes[axis:]))
    return [reshaped(ctx, node, value, shape, batch_after(ctx, value, shape))]


@rule("Squeeze")
def squeeze(ctx: Context, node: Node, inputs: Inputs) -> list[Value]:
    value = given(inputs, 0)
    axes = axes_of(node, inputs, 1)
    if axes is None:
        removed = {at for at, size in enumerate(value.sizes) if size == 1}
    else:
        removed = {axis_at(axis, value.rank) for axis in axes}
    if any(value.sizes[at] != 1 for at in removed):
        raise Unsupported("removal of an axis larger than 1")
    return [without_axes(ctx, node, value, removed)]


def without_axes(ctx: Context, node: Node, value: Value, removed: set[int]) -> Value:
    """A value without some axes of size 1."""
    shape = tuple(size for at, size in enumerate(value.sizes) if at not in removed)
    batch = value.batch
    if batch is not None:
        batch = None if batch in removed else moved(batch, batch - sum(at < batch for at in removed))
    return reshaped(ctx, node, value, shape, batch)


@rule("Unsqueeze")
def unsqueeze(ctx: Context, node: Node, inputs: Inputs) -> list[Value]:
    value = given(inputs, 0)
    axes = axes_of(node, inputs, 1) or []
    rank = value.rank + len(axes)
    new = {axis_at(axis, rank) for axis in axes}
    if len(new) < len(axes):
        raise Unsupported("the same axis twice")
    old = [at for at in range(rank) if at not in new]
    sizes = dict(zip(old, value.sizes, strict=True))
    batch = None if value.batch is None else moved(value.batch, old[value.batch])
    return [reshaped(ctx, node, value, tuple(sizes.get(at, 1) for at in range(rank)), batch)]


@rule("Transpose")
def transpose(ctx: Context, node: Node, inputs: Inputs) -> list[Value]:
    value = given(inputs, 0)
    order = node.ints("perm") or list(range(value.rank))[::-1]
    if sorted(order) != list(range(value.rank)):
        raise Unsupported(f"order {order} of {value.rank} axes")
    if value.ref is None:
        sizes = [value.sizes[axis] for axis in order]
        return [
            constant_like(value, sizes, transposed(value, order), layout=value.layout and value.layout.permuted(order))
        ]
    return [permuted(ctx, node, value, order)]


def permuted(ctx: Context, node: Node, value: Value, order: Sequence[int]) -> Value:
    """An activation with its axes in another order; no layer where only axes of size 1 move."""
    shape = tuple(value.sizes[axis] for axis in order)
    batch = None if value.batch is None else moved(value.batch, list(order).index(value.batch))
    is_left_out = value.batch is not None and value.sizes[value.batch] == ctx.batch
    inner = [ctx.inner_axis(value, axis) for axis in order if not (is_left_out and axis == value.batch)]
    sizes = ctx.graph.shape(ctx.ref(value))
    wide = [axis for axis in inner if sizes[axis] != 1]
    if wide == sorted(wide):
        return Value(shape, ref=ctx.view(node, value, ctx.inner(shape, batch)), batch=batch)
    return ctx.layer(node, "permute", [value], shape, batch, order=tuple(inner))
