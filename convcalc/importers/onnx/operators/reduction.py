"""Sums, means and extremes over axes."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

from convcalc.importers.onnx.constant_arithmetic import LARGEST_NUMBER
from convcalc.importers.onnx.context import Context
from convcalc.importers.onnx.model import Node
from convcalc.importers.onnx.operators._layers import constant_like
from convcalc.importers.onnx.operators.registry import rule
from convcalc.importers.onnx.operators.reshape import without_axes
from convcalc.importers.onnx.values import Inputs, Value, axes_of, axis_at, given

_REDUCTIONS: dict[str, Callable[[list[Any]], Any]] = {
    "ReduceProd": prod,
    "ReduceSum": sum,
    "ReduceMax": max,
    "ReduceMin": min,
}
_COMPARISONS = ("ReduceMax", "ReduceMin", "ArgMax", "ArgMin")
_POOLS = {"ReduceMean": "global_avg_pool", "ReduceMax": "global_max_pool"}


@rule(
    "ReduceMean", "ReduceSum", "ReduceMax", "ReduceMin", "ReduceProd", "ReduceL1", "ReduceL2", "ReduceSumSquare",
    "ReduceLogSumExp", "ReduceLogSum", "ArgMax", "ArgMin",
)  # fmt: skip
def reduce_axes(ctx: Context, node: Node, inputs: Inputs) -> list[Value]:
    value = given(inputs, 0)
    keep, axes = bool(node.int("keepdims", 1)), _axes(node, inputs, value.rank)
    if axes is None:
        return [value]
    kept = tuple(1 if at in axes else size for at, size in enumerate(value.sizes))
    shape = kept if keep else tuple(size for at, size in enumerate(value.sizes) if at not in axes)
    if value.ref is None:
        return [constant_like(value, shape, _reduced(node.operator, value))]
    is_spatial = value.batch == 0 and value.sizes[0] == ctx.batch and axes == list(range(2, value.rank))
    if is_spatial and node.operator in _POOLS:
        pooled = ctx.layer(node, _POOLS[node.operator], [value], kept, 0)
        return [pooled if keep else without_axes(ctx, node, pooled, set(axes))]
    batch = value.batch
    if batch is not None and not keep:
        batch = None if batch in axes else batch - sum(axis < batch for axis in axes)
    if value.batch is not None and value.batch in axes and value.sizes[value.batch] == 1:
        axes = [axis for axis in axes if axis != value.batch]
        if not axes:
            return [value if keep else without_axes(ctx, node, value, {value.batch})]
    inner = tuple(ctx.inner_axis(value, axis) for axis in axes)
    fields: dict[str, Any] = {"axes": inner[0] if len(inner) == 1 else inner}
    fields.update({"operation": "comparisons"} if node.operator in _COMPARISONS else {})
    fields.update({"keep": True} if keep else {})
    return [ctx.layer(node, "reduce", [value], shape, batch, **fields)]


def _axes(node: Node, inputs: Inputs, rank: int) -> list[int] | None:
    """The axes that are reduced, in order; None where the node says that none given means none."""
    if node.operator in ("ArgMax", "ArgMin"):
        return [axis_at(node.int("axis"), rank)]
    axes, is_none_for_none = axes_of(node, inputs, 1), bool(node.int("noop_with_empty_axes"))
    if not axes:
        return None if is_none_for_none else list(range(rank))
    return sorted({axis_at(axis, rank) for axis in axes})


def _reduced(name: str, value: Value) -> list[Any] | None:
    """The number that a small constant of one axis reduces to; None where it is not known."""
    function = _REDUCTIONS.get(name)
    if function is None or not value.data or value.rank != 1:
        return None
    number = function(value.data)
    return [number] if abs(number) <= LARGEST_NUMBER else None
