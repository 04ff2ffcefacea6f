"""Rules for the same elements in another shape or order."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import TYPE_CHECKING

from convcalc.exchange.onnx_model import Node
from convcalc.exchange.onnx_rules.base import Inputs, like, rule
from convcalc.exchange.onnx_values import (
    NoRule,
    Shape,
    Value,
    axes_of,
    axis_at,
    checked,
    given,
    target_shape,
    transposed,
)

if TYPE_CHECKING:
    from convcalc.exchange.read_onnx import Walk


def reshaped(walk: Walk, node: Node, value: Value, shape: Shape, batch: int | None) -> Value:
    """A value in another shape, as a layer only where it is another shape without the batch too."""
    if value.ref is None:
        return like(value, shape, value.data)
    ref = walk.view(node, value, walk.inner(checked(shape), batch))
    return Value(shape, ref=ref, batch=batch, element=value.element)


def batch_after(walk: Walk, value: Value, shape: Shape) -> int | None:
    """Where a reshape puts the batch: the axis that as many elements lie before, else one that holds it."""
    if value.batch is None:
        return None
    if _moves_ones(value.sizes, shape) and walk.batch == value.sizes[value.batch] == 1 < shape[value.batch]:
        return shape.index(1)  # a Transpose that only moves the batch, written as a Reshape
    before = prod(value.sizes[: value.batch])
    behind = before * value.sizes[value.batch] // walk.batch
    fits = [
        at
        for at, size in enumerate(shape)
        if prod(shape[:at]) == before and size % walk.batch == 0 and size >= walk.batch
    ]
    exact = [at for at in fits if shape[at] == walk.batch]
    inside: list[int] = []
    if walk.batch > 1:
        starts = [prod(shape[:at]) for at in range(len(shape))]
        inside = [at for at, start in enumerate(starts) if shape[at] == walk.batch and before <= start <= behind]
        inside += [
            at for at, start in enumerate(starts) if start <= before < start * shape[at] and shape[at] % walk.batch == 0
        ]
    return next(iter([*exact, *fits, *inside]), None)


def _moves_ones(old: Shape, new: Shape) -> bool:
    """Whether two shapes of as many axes differ only in where the axes of size 1 are."""
    return len(old) == len(new) and [size for size in old if size != 1] == [size for size in new if size != 1]


@rule("Reshape")
def reshape(walk: Walk, node: Node, inputs: Inputs) -> list[Value]:
    value = given(inputs, 0)
    wanted = node.get("shape") if len(inputs) < 2 else given(inputs, 1).ints()
    shape = target_shape(value.sizes, wanted, bool(node.get("allowzero", 0)))
    shuffled = _shuffled(walk, node, value, shape)
    if shuffled is not None:
        return [shuffled]
    return [reshaped(walk, node, value, shape, batch_after(walk, value, shape))]


def _shuffled(walk: Walk, node: Node, value: Value, shape: Shape) -> Value | None:
    """Channels cut into groups, groups and members swapped, and joined again: a channel shuffle."""
    if value.ref is None or value.batch != 0 or len(value.sizes) != 4 or len(shape) != 5:
        return None
    swap = walk.only_reader(node.outputs[0], ("Transpose",))
    back = walk.only_reader(swap.outputs[0], ("Reshape",)) if swap is not None else None
    if swap is None or back is None or swap.get("perm") != [0, 2, 1, 3, 4] or shape[3:] != value.sizes[2:]:
        return None
    target = walk.values.get(back.inputs[1]) if len(back.inputs) > 1 else None
    wanted = back.get("shape") or (target.data if target is not None else None)
    if wanted is None or target_shape(value.sizes, [int(size) for size in wanted]) != value.sizes:
        return None
    walk.skip.update((id(swap), id(back)))
    walk.renamed[id(node)] = back.outputs[0]
    return walk.layer(node, "channel_shuffle", [value], value.sizes, 0, groups=shape[1])


@rule("Flatten")
def flatten(walk: Walk, node: Node, inputs: Inputs) -> list[Value]:
    value = given(inputs, 0)
    axis = node.get("axis", 1)
    axis = axis + len(value.sizes) if axis < 0 else axis
    shape = (prod(value.sizes[:axis]), prod(value.sizes[axis:]))
    return [reshaped(walk, node, value, shape, batch_after(walk, value, shape))]


@rule("Squeeze")
def squeeze(walk: Walk, node: Node, inputs: Inputs) -> list[Value]:
    value = given(inputs, 0)
    axes = axes_of(node, inputs, 1)
    rank = len(value.sizes)
    gone = (
        {at for at, size in enumerate(value.sizes) if size == 1}
        if axes is None
        else {axis_at(axis, rank) for axis in axes}
    )
    if any(value.sizes[at] != 1 for at in gone):
        raise NoRule("only axes of size 1 can go away")
    return [dropped(walk, node, value, gone)]


def dropped(walk: Walk, node: Node, value: Value, gone: set[int]) -> Value:
    """A value without some axes of size 1."""
    shape = tuple(size for at, size in enumerate(value.sizes) if at not in gone)
    batch = value.batch
    if batch is not None:
        batch = None if batch in gone else batch - sum(at < batch for at in gone)
    return reshaped(walk, node, value, shape, batch)


@rule("Unsqueeze")
def unsqueeze(walk: Walk, node: Node, inputs: Inputs) -> list[Value]:
    value = given(inputs, 0)
    axes = axes_of(node, inputs, 1) or []
    rank = len(value.sizes) + len(axes)
    new = {axis_at(axis, rank) for axis in axes}
    if len(new) < len(axes):
        raise NoRule("the same axis twice")
    old = iter(value.sizes)
    shape = tuple(1 if at in new else next(old) for at in range(rank))
    batch = value.batch
    if batch is not None:
        batch = [at for at in range(rank) if at not in new][batch]
    return [reshaped(walk, node, value, shape, batch)]


@rule("Transpose")
def transpose(walk: Walk, node: Node, inputs: Inputs) -> list[Value]:
    value = given(inputs, 0)
    rank = len(value.sizes)
    order = node.get("perm") or list(range(rank))[::-1]
    if sorted(order) != list(range(rank)):
        raise NoRule(f"order {order} of {rank} axes")
    shape = tuple(value.sizes[axis] for axis in order)
    if value.ref is None:
        return [like(value, shape, transposed(value, order))]
    return [permuted(walk, node, value, order)]


def permuted(walk: Walk, node: Node, value: Value, order: Sequence[int]) -> Value:
    """An activation with its axes in another order; where only axes of size 1 move it stays as it is."""
    shape = tuple(value.sizes[axis] for axis in order)
    batch = None if value.batch is None else list(order).index(value.batch)
    is_dropped = value.batch is not None and value.sizes[value.batch] == walk.batch
    inner = [walk.inner_axis(value, axis) for axis in order if not (is_dropped and axis == value.batch)]
    wide = [axis for axis in inner if walk.graph.shape(walk.ref(value))[axis] != 1] if inner else []
    if wide == sorted(wide):
        return Value(shape, ref=walk.view(node, value, walk.inner(shape, batch)), batch=batch)
    return walk.layer(node, "permute", [value], shape, batch, order=tuple(inner))
