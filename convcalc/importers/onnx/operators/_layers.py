"""Layers and constants that several rules make."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

from convcalc.graph import Ref
from convcalc.importers.onnx.context import Context
from convcalc.importers.onnx.elements import Layout, distinct
from convcalc.importers.onnx.learned import is_buffer
from convcalc.importers.onnx.model import FLOATS, Node, Unsupported
from convcalc.importers.onnx.values import Shape, Value, checked
from convcalc.kinds import Kind


def constant_like(
    value: Value, shape: Sequence[int], data: list[Any] | None = None, dtype: int = 0, layout: Layout | None = None
) -> Value:
    """A constant computed from another one, and from the same learned tensors; with `layout` a view of the one tensor
    that the other is a view of."""
    parts, shape = value.source_weights, checked(shape)
    if value.layout is None or len(parts) != 1:
        layout = None
    if layout is not None:
        parts = (layout.part(parts[0].name, parts[0].size, shape),)
    return Value(shape, data, source_weights=parts, dtype=dtype or value.dtype, layout=layout)


def same_shape(
    ctx: Context, node: Node, kind: Kind | str, value: Value, weights: Sequence[Value | None] = (), **fields: Any
) -> Value:
    """A layer whose output has the shape of its input."""
    return ctx.layer(node, kind, [value], value.sizes, value.batch, weights, **fields)


def gathered(
    ctx: Context, node: Node, sources: Sequence[Value | Ref], shape: Sequence[int], batch: int | None
) -> Value:
    """A layer that moves elements of its inputs into a known shape."""
    shape = checked(shape)
    if batch is not None and batch >= len(shape):
        raise Unsupported("output without the batch axis")
    return ctx.layer(node, "gather", sources, shape, batch, shape=ctx.inner(shape, batch))


def gathered_at_runtime(
    ctx: Context, node: Node, values: Sequence[Value], shape: Sequence[int], batch: int | None = None
) -> Value:
    """Elements at places that depend on values; the batch stays the first axis where it fits."""
    if batch is None and shape and any(value.batch == 0 for value in values) and shape[0] == ctx.batch:
        batch = 0
    return gathered(
        ctx, node, [value for value in values if value.ref is not None or value.source_weights], shape, batch
    )


def one_or_all(sizes: Sequence[int]) -> int | tuple[int, ...]:
    """One number where all are the same, else all of them.

    >>> one_or_all([3, 3]), one_or_all([3, 5])
    (3, (3, 5))
    """
    return sizes[0] if len(set(sizes)) == 1 else tuple(sizes)


def aligned(
    ctx: Context, node: Node, values: Sequence[Value], shapes: Sequence[Shape], shape: Shape
) -> tuple[int | None, list[Ref]]:
    """The batch axis of an output that several values broadcast to, and each value with as many axes as the output."""
    rank = len(shape)
    if any(len(own) > rank for own in shapes):
        raise Unsupported("input with more axes than the output")
    batches = {
        value.batch + rank - len(own) for value, own in zip(values, shapes, strict=True) if value.batch is not None
    }
    if len(batches) > 1 and ctx.batch > 1:
        raise Unsupported("inputs with the batch on different axes")
    batch = min(batches) if len(batches) == 1 else None
    refs = []
    for value, own in zip(values, shapes, strict=True):
        inner = (1,) * (rank - len(own)) + own
        if batch is not None:
            rest = () if shape[batch] == ctx.batch else (max(1, inner[batch] // ctx.batch),)
            inner = (*inner[:batch], *rest, *inner[batch + 1 :])
        refs.append(ctx.view(node, value, inner or (1,)))
    return batch, refs


def bias_after(
    ctx: Context, node: Node, bias: Value | None, features: int, spatial_axes: int
) -> tuple[Value | None, Node, bool]:
    """The bias of a layer, its node, and whether the bias is that of an Add after it, which the node then replaces.

    The features are the last axis but for `spatial_axes`.
    """
    if bias is not None or len(node.outputs) != 1:
        return bias, node, False
    add, value = add_after(ctx, node)
    if add is None or value is None or value.ref is not None or value.shape is None or prod(value.shape) != features:
        return None, node, False
    at = value.rank - 1 - spatial_axes
    if not 0 <= at < value.rank or value.shape[at] != features:
        return None, node, False
    if value.has_more_sources or (not value.source_weights and prod(value.shape) == 1):
        return None, node, False
    ctx.fuse(node, add)
    fused = node.copy()
    fused.outputs = add.outputs
    return value, fused, True


def add_after(ctx: Context, node: Node) -> tuple[Node | None, Value | None]:
    """The Add that alone reads a node's first output, and the other value that it adds."""
    output = node.outputs[0] if node.outputs else ""
    add = ctx.only_reader(output, ("Add",))
    others = [name for name in add.inputs if name != output] if add is not None and add.outputs else []
    return (add, ctx.values.get(others[0])) if len(others) == 1 else (None, None)


def initial_state(ctx: Context, value: Value) -> Value:
    """The state before a recurrence: a filled constant becomes an activation, as the states after it are."""
    is_state = value.ref is None and not value.source_weights and value.dtype in FLOATS and value.rank > 1
    if not is_state or prod(value.sizes) < 2:
        return value
    batch = 0 if value.sizes[0] == ctx.batch else None
    return Value(value.shape, ref=ctx.parameter(value, ctx.inner(value.sizes, batch)), batch=batch)


def is_frozen(ctx: Context, node: Node, at: int, weight: Value) -> bool:
    """Whether weights, the input `at` of a node, are known not to be trained, such as the kernel of a blur."""
    if weight.ref is not None or weight.source_weights:
        return False
    model, name = ctx.model, node.inputs[at] if at < len(node.inputs) else ""
    is_computed = model.producer == "pytorch" and (name in model.folded_from or name not in model.tensors)
    return is_computed or name in model.buffers or is_buffer(name)


def learned_field(ctx: Context, node: Node, at: int, weight: Value) -> dict[str, int]:
    """The field `learned` of a layer whose weights, the input `at` of its node, are frozen, or made from more or fewer
    learned values than they have elements; nothing where there is one for each element."""
    if is_frozen(ctx, node, at, weight):
        return {"learned": 0}
    learned = distinct(weight.source_weights)
    return {} if learned in (0, prod(weight.sizes)) else {"learned": learned}


def is_zero(value: Value) -> bool:
    """Whether a constant is known to hold zeros alone."""
    return bool(value.data) and not any(value.data or ())
