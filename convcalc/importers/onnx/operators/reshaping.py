"""Rules for the same elements in another shape or order."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from convcalc.importers.onnx.context import Context, Inputs
from convcalc.importers.onnx.model import Node
from convcalc.importers.onnx.operators.registry import like, rule
from convcalc.importers.onnx.values import (
    Shape,
    Unsupported,
    Value,
    axes_of,
    axis_at,
    checked,
    given,
    target_shape,
    transposed,
)


def reshaped(ctx: Context, node: Node, value: Value, shape: Shape, batch: int | None) -> Value:
    """A value in another shape, as a layer only where it is another shape without the batch too."""
    if value.ref is None:
        return like(value, shape, value.data)
    ref = ctx.view(node, value, ctx.inner(checked(shape), batch))
    return Value(shape, ref=ref, batch=batch, element=value.element)


def batch_after(ctx: Context, value: Value, shape: Shape) -> int | None:
    """Where a reshape puts the batch: the axis that as many elements lie before, else one that holds it."""
    if value.batch is None:
        return None
    if _moves_ones(value.sizes, shape) and ctx.batch == value.sizes[value.batch] == 1 < shape[value.batch]:
        return shape.index(1)  # a Transpose that only moves the batch, written as a Reshape
    before = prod(value.sizes[: value.batch])
    behind = before * value.sizes[value.batch] // ctx.batch
    fits = [
        at
        for at, size in enumerate(shape)
        if prod(shape[:at]) == before and size % ctx.batch == 0 and size >= ctx.batch
    ]
    exact = [at for at in fits if shape[at] == ctx.batch]
    inside: list[int] = []
    if ctx.batch > 1:
        starts = [prod(shape[:at]) for at in range(len(shape))]
        inside = [at for at, start in enumerate(starts) if shape[at] == ctx.batch and before <= start <= behind]
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
    wanted = node.get("shape") if len(inputs) < 2 else given(inputs, 1).ints()
    shape = target_shape(value.sizes, wanted, bool(node.get("allowzero", 0)))
    shuffled = _shuffled(ctx, node, value, shape)
    if shuffled is not None:
        return [shuffled]
    return [reshaped(ctx, node, value, shape, batch_after(ctx, value, shape))]


def _shuffled(ctx: Context, node: Node, value: Value, shape: Shape) -> Value | None:
    """Channels cut into groups, groups and members swapped, and joined again: a channel shuffle."""
    if value.ref is None or value.batch != 0 or len(value.sizes) != 4 or len(shape) != 5:
        return None
    swap = ctx.only_reader(node.outputs[0], ("Transpose",))
    back = ctx.only_reader(swap.outputs[0], ("Reshape",)) if swap is not None else None
    if swap is None or back is None or swap.get("perm") != [0, 2, 1, 3, 4] or shape[3:] != value.sizes[2:]:
        return None
    target = ctx.values.get(back.inputs[1]) if len(back.inputs) > 1 else None
    wanted = back.get("shape") or (target.data if target is not None else None)
    if wanted is None or target_shape(value.sizes, [int(size) for size in wanted]) != value.sizes:
        return None
    ctx.fuse(node, swap, back)
    return ctx.layer(node, "channel_shuffle", [value], value.sizes, 0, groups=shape[1])


@rule("Flatten")
def flatten(ctx: Context, node: Node, inputs: Inputs) -> list[Value]:
    value = given(inputs, 0)
    axis = node.get("axis", 1)
    axis = axis + len(value.sizes) if axis < 0 else axis
    shape = (prod(value.sizes[:axis]), prod(value.sizes[axis:]))
    return [reshaped(ctx, node, value, shape, batch_after(ctx, value, shape))]


@rule("Squeeze")
def squeeze(ctx: Context, node: Node, inputs: Inputs) -> list[Value]:
    value = given(inputs, 0)
    axes = axes_of(node, inputs, 1)
    rank = len(value.sizes)
    gone = (
        {at for at, size in enumerate(value.sizes) if size == 1}
        if axes is None
        else {axis_at(axis, rank) for axis in axes}
    )
    if any(value.sizes[at] != 1 for at in gone):
        raise Unsupported("only axes of size 1 can go away")
    return [dropped(ctx, node, value, gone)]


def dropped(ctx: Context, node: Node, value: Value, gone: set[int]) -> Value:
    """A value without some axes of size 1."""
    shape = tuple(size for at, size in enumerate(value.sizes) if at not in gone)
    batch = value.batch
    if batch is not None:
        batch = None if batch in gone else batch - sum(at < batch for at in gone)
    return reshaped(ctx, node, value, shape, batch)


@rule("Unsqueeze")
def unsqueeze(ctx: Context, node: Node, inputs: Inputs) -> list[Value]:
    value = given(inputs, 0)
    axes = axes_of(node, inputs, 1) or []
    rank = len(value.sizes) + len(axes)
    new = {axis_at(axis, rank) for axis in axes}
    if len(new) < len(axes):
        raise Unsupported("the same axis twice")
    old = iter(value.sizes)
    shape = tuple(1 if at in new else next(old) for at in range(rank))
    batch = value.batch
    if batch is not None:
        batch = [at for at in range(rank) if at not in new][batch]
    return [reshaped(ctx, node, value, shape, batch)]


@rule("Transpose")
def transpose(ctx: Context, node: Node, inputs: Inputs) -> list[Value]:
    value = given(inputs, 0)
    rank = len(value.sizes)
    order = node.get("perm") or list(range(rank))[::-1]
    if sorted(order) != list(range(rank)):
        raise Unsupported(f"order {order} of {rank} axes")
    shape = tuple(value.sizes[axis] for axis in order)
    if value.ref is None:
        return [like(value, shape, transposed(value, order))]
    return [permuted(ctx, node, value, order)]


def permuted(ctx: Context, node: Node, value: Value, order: Sequence[int]) -> Value:
    """An activation with its axes in another order; where only axes of size 1 move it stays as it is."""
    shape = tuple(value.sizes[axis] for axis in order)
    batch = None if value.batch is None else list(order).index(value.batch)
    is_dropped = value.batch is not None and value.sizes[value.batch] == ctx.batch
    inner = [ctx.inner_axis(value, axis) for axis in order if not (is_dropped and axis == value.batch)]
    wide = [axis for axis in inner if ctx.graph.shape(ctx.ref(value))[axis] != 1] if inner else []
    if wide == sorted(wide):
        return Value(shape, ref=ctx.view(node, value, ctx.inner(shape, batch)), batch=batch)
    return ctx.layer(node, "permute", [value], shape, batch, order=tuple(inner))
