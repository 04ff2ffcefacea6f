"""Attention, and the rotation of positions that goes with it."""

from __future__ import annotations

from convcalc.graph import Ref
from convcalc.importers.onnx.context import Context
from convcalc.importers.onnx.model import Node, Unsupported
from convcalc.importers.onnx.operators._layers import gathered, same_shape
from convcalc.importers.onnx.operators.linear import linear
from convcalc.importers.onnx.operators.registry import rule
from convcalc.importers.onnx.operators.slicing import cut_axis
from convcalc.importers.onnx.values import Inputs, Value, bias_of, given


@rule("Attention", "MultiHeadAttention")
def attention(ctx: Context, node: Node, inputs: Inputs) -> list[Value]:
    """The fused operator as two products and a softmax; that of com.microsoft projects its input by packed weights."""
    if node.domain == "com.microsoft" and node.operator == "Attention":
        parts = _projected(ctx, node, inputs)
        heads = _heads(node, "num_heads")
    else:
        parts = [given(inputs, at) for at in range(3)]
        heads = _heads(node, "q_num_heads")
    query, key, value = parts
    if any(part.rank not in (3, 4) or part.rank != query.rank for part in parts) or query.batch != 0:
        raise Unsupported(f"query of rank {query.rank}")
    count = heads if query.rank == 3 else query.sizes[1]
    q = _by_head(ctx, node, query, heads, count)
    k, v = (_by_head(ctx, node, part, _heads(node, "kv_num_heads"), count) for part in (key, value))
    tokens, others, width = ctx.graph.shape(q)[1], ctx.graph.shape(k)[1], ctx.graph.shape(v)[2]
    scores = ctx.layer(node, "matmul", [q, k], (count, tokens, others), None, transpose=True)
    scores = ctx.layer(node, "softmax", [scores], (count, tokens, others), None, axis="last")
    mixed = ctx.layer(node, "matmul", [scores, v], (count, tokens, width), None)
    if query.rank == 3:
        return [gathered(ctx, node, [mixed], (query.sizes[0], tokens, count * width), 0)]
    return [Value((query.sizes[0], count, tokens, width), ref=mixed.ref, batch=0)]


def _projected(ctx: Context, node: Node, inputs: Inputs) -> list[Value]:
    """Query, key and value: the thirds of one fully connected layer."""
    value, weight, bias = given(inputs, 0), given(inputs, 1), bias_of(inputs, 2)
    value.sizes_of_rank(3)
    _, features = weight.sizes_of_rank(2)
    packed = linear(ctx, node, value, features, weight, bias)
    third = features // 3
    return [cut_axis(ctx, node, packed, 2, at * third, (at + 1) * third) for at in range(3)]


def _heads(node: Node, name: str) -> int:
    heads = node.int(name) or node.int("num_heads", 1)
    if heads < 1:
        raise Unsupported(f"{heads} heads")
    return heads


def _by_head(ctx: Context, node: Node, value: Value, own: int, count: int) -> Ref:
    """A value of tokens x features, or of heads x tokens x features, as `count` heads x tokens x features."""
    sizes = ctx.inner(value.sizes, 0)
    is_flat = value.rank == 3
    if len(sizes) != value.rank - 1:
        raise Unsupported("input whose first axis is not the batch")
    split = (own, sizes[0], sizes[1] // own) if is_flat else sizes
    wanted = (count, *split[1:])
    if is_flat or split != wanted:
        return ctx.ref(gathered(ctx, node, [value], wanted, None))
    return ctx.ref(value)


@rule("RotaryEmbedding")
def rotary(ctx: Context, node: Node, inputs: Inputs) -> list[Value]:
    return [same_shape(ctx, node, "elementwise", given(inputs, 0), operation="multiplications")]
