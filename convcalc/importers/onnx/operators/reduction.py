"""Rules for sums, means and extremes over axes."""

from __future__ import annotations

from math import prod
from typing import Any

from convcalc.importers.onnx.context import Context, Inputs
from convcalc.importers.onnx.model import Node
from convcalc.importers.onnx.operators.registry import like, rule
from convcalc.importers.onnx.operators.reshaping import dropped
from convcalc.importers.onnx.values import (
    Value,
    axes_of,
    axis_at,
    given,
)


@rule(
    "ReduceMean", "ReduceSum", "ReduceMax", "ReduceMin", "ReduceProd", "ReduceL1", "ReduceL2", "ReduceSumSquare",
    "ReduceLogSumExp", "ReduceLogSum", "ArgMax", "ArgMin",
)  # fmt: skip
def reduce_axes(ctx: Context, node: Node, inputs: Inputs) -> list[Value]:
    value = given(inputs, 0)
    rank = len(value.sizes)
    if node.operator in ("ArgMax", "ArgMin"):
        axes = [axis_at(node.get("axis", 0), rank)]
    else:
        found = axes_of(node, inputs, 1)
        if not found and node.get("noop_with_empty_axes", 0):
            return [value]
        axes = sorted(axis_at(axis, rank) for axis in (found or range(rank)))
    keep = bool(node.get("keepdims", 1))
    kept = tuple(1 if at in axes else size for at, size in enumerate(value.sizes))
    shape = kept if keep else tuple(size for at, size in enumerate(value.sizes) if at not in axes)
    if value.ref is None:
        return [like(value, shape, _reduced(node.operator, value))]
    is_grid = value.batch == 0 and value.sizes[0] == ctx.batch and axes == list(range(2, rank)) and rank > 2
    if is_grid and node.operator in ("ReduceMean", "ReduceMax"):
        name = "global_avg_pool" if node.operator == "ReduceMean" else "global_max_pool"
        pooled = ctx.layer(node, name, [value], kept, 0)
        return [pooled if keep else dropped(ctx, node, pooled, set(axes))]
    if value.batch in axes and value.sizes[value.batch] == 1:
        axes = [axis for axis in axes if axis != value.batch]
        if not axes:
            return [value if keep else dropped(ctx, node, value, {value.batch})]
    inner = tuple(ctx.inner_axis(value, axis) for axis in axes)
    batch = (
        value.batch
        if keep or value.batch is None
        else None
        if value.batch in axes
        else value.batch - sum(axis < value.batch for axis in axes)
    )
    work = "comparisons" if node.operator in ("ReduceMax", "ReduceMin", "ArgMax", "ArgMin") else "additions"
    fields: dict[str, Any] = {"axes": inner[0] if len(inner) == 1 else inner}
    fields.update({"operation": work} if work != "additions" else {})
    fields.update({"keep": True} if keep else {})
    return [ctx.layer(node, "reduce", [value], shape, batch, **fields)]


def _reduced(name: str, value: Value) -> list[Any] | None:
    """The one number that a small constant reduces to, where all of it does."""
    if value.data is None or len(value.sizes) != 1 or not value.data:
        return None
    function: Any = {"ReduceProd": prod, "ReduceSum": sum, "ReduceMax": max, "ReduceMin": min}.get(name)
    return [function(value.data)] if function else None
