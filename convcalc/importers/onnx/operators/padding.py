"""Padding."""

from __future__ import annotations

from typing import Any

from convcalc.importers.onnx.context import Context
from convcalc.importers.onnx.model import Node, Unsupported
from convcalc.importers.onnx.operators._layers import constant_like, gathered_at_runtime
from convcalc.importers.onnx.operators.registry import rule
from convcalc.importers.onnx.values import Inputs, Value, axis_at, checked, given, optional_ints

_MODES = {"reflect": "reflect", "edge": "replicate", "wrap": "circular"}  # zeros for any other


@rule("Pad")
def pad(ctx: Context, node: Node, inputs: Inputs) -> list[Value]:
    value = given(inputs, 0)
    sides, mode = _sides(node, inputs, value.rank), _MODES.get(node.text("mode"))
    shape = checked([size + before + after for size, (before, after) in zip(value.sizes, sides, strict=True)])
    if value.ref is None:
        return [constant_like(value, shape)]
    if shape == value.sizes:
        return [value]
    spatial = sides[2:]
    is_spatial = value.rank > 2 and not any(map(any, sides[:2])) and min(map(min, spatial)) >= 0
    if not is_spatial or value.batch != 0 or value.sizes[0] != ctx.batch:
        return [gathered_at_runtime(ctx, node, [value], shape, value.batch)]
    amount: Any = tuple(before if before == after else (before, after) for before, after in spatial)
    amount = amount[0] if len(set(amount)) == 1 and isinstance(amount[0], int) else amount
    return [ctx.layer(node, "pad", [value], shape, value.batch, amount=amount, **({"mode": mode} if mode else {}))]


def _sides(node: Node, inputs: Inputs, rank: int) -> list[tuple[int, int]]:
    """The padding before and after each axis: an attribute in older opsets, inputs in newer ones."""
    pads = node.ints("pads") or node.ints("paddings") or given(inputs, 1).ints()
    axes = [axis_at(axis, rank) for axis in optional_ints(inputs, 3, list(range(rank)))]
    if len(pads) != 2 * len(axes):
        raise Unsupported(f"{len(pads)} pads for {len(axes)} axes")
    sides = [(0, 0)] * rank
    for axis, before, after in zip(axes, pads, pads[len(axes) :], strict=False):
        sides[axis] = (before, after)
    return sides
