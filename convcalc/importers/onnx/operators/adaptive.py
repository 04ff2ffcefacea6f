"""Pools that state the size of their output: operators of our own, which the importer of PyTorch modules writes."""

from __future__ import annotations

from math import prod

from convcalc.importers.onnx.context import Context
from convcalc.importers.onnx.model import Node, Unsupported
from convcalc.importers.onnx.operators._layers import gathered
from convcalc.importers.onnx.operators.registry import rule
from convcalc.importers.onnx.values import Inputs, Value, given


@rule("AdaptiveAvgPool", "AdaptiveMaxPool")
def adaptive_pool(ctx: Context, node: Node, inputs: Inputs) -> list[Value]:
    return [_pool(ctx, node, inputs, "avg" if node.operator == "AdaptiveAvgPool" else "max")]


@rule("FractionalMaxPool")
def fractional_max_pool(ctx: Context, node: Node, inputs: Inputs) -> list[Value]:
    """Windows at random places: their elements, and the largest of each."""
    value, size, kernel = given(inputs, 0), node.ints("output_size"), node.ints("kernel_shape")
    if len(kernel) != len(size) or value.rank != len(size) + 2 or min([*kernel, *size], default=0) < 1:
        raise Unsupported("no kernel_shape")
    if value.batch != 0 or value.sizes[0] != ctx.batch:
        raise Unsupported("input whose first axis is not the batch")
    shape = (*value.sizes[:2], *size)
    windows = gathered(ctx, node, [value], (*shape, prod(kernel)), 0)
    return [ctx.layer(node, "reduce", [windows], shape, 0, axes=len(size) + 1, operation="comparisons")]


def _pool(ctx: Context, node: Node, inputs: Inputs, name: str) -> Value:
    """Add a pool with `output_size`. Raises Unsupported."""
    value, size = given(inputs, 0), node.ints("output_size")
    if not size or not len(size) < value.rank <= len(size) + 2 or min(size) < 1:
        raise Unsupported(f"output size {size} of an input with {value.rank} axes")
    is_batched = value.rank == len(size) + 2
    if is_batched and (value.batch != 0 or value.sizes[0] != ctx.batch):
        if value.sizes[0] != 1 or ctx.batch != 1:
            raise Unsupported("input whose first axis is not the batch")
        value = Value(value.shape, ref=ctx.view(node, value, ctx.inner(value.sizes, 0)), batch=0)
    if not is_batched and value.batch is not None:
        raise Unsupported("input whose channels are the batch")
    shape = (*value.sizes[: -len(size)], *size)
    batch = 0 if is_batched else None
    if set(size) == {1}:
        return ctx.layer(node, f"global_{name}_pool", [value], shape, batch)
    same = size[0] if len(set(size)) == 1 else size
    return ctx.layer(node, f"adaptive_{name}_pool", [value], shape, batch, size=same)
