"""Attention: query, key and value by head, earlier keys and values before them, two products and a softmax."""

from __future__ import annotations

from itertools import accumulate
from typing import NamedTuple

from convcalc.importers.onnx.context import Context
from convcalc.importers.onnx.model import Node, Unsupported
from convcalc.importers.onnx.operators._layers import gathered, same_shape
from convcalc.importers.onnx.operators.elementwise import binary
from convcalc.importers.onnx.operators.linear import linear
from convcalc.importers.onnx.operators.registry import rule
from convcalc.importers.onnx.operators.slicing import cut_axis
from convcalc.importers.onnx.values import Inputs, Value, bias_of, given, optional


class _Operands(NamedTuple):
    """What one attention works on: its heads, the parts as they are given, and what comes before and on top."""

    heads: int
    key_heads: int
    query: Value
    key: Value
    value: Value
    past: tuple[Value | None, Value | None] = (None, None)
    mask: Value | None = None  # added to the scores


@rule("Attention")
def attention(ctx: Context, node: Node, inputs: Inputs) -> list[Value]:
    """The operator of ONNX; that of com.microsoft projects its input by packed weights."""
    if node.domain == "com.microsoft":
        return _attention_with_weights(ctx, node, inputs)
    query, key, value = (given(inputs, at) for at in range(3))
    heads = _heads(node, "q_num_heads") if query.rank == 3 else query.sizes_of_rank(4)[1]
    key_heads = node.int("kv_num_heads") or heads
    past = optional(inputs, 4), optional(inputs, 5)
    operands = _Operands(heads, key_heads, query, key, value, past, optional(inputs, 3))
    return _attend(ctx, node, operands)


def _attention_with_weights(ctx: Context, node: Node, inputs: Inputs) -> list[Value]:
    value, weight, bias = given(inputs, 0), given(inputs, 1), bias_of(inputs, 2)
    heads, past, _ = _heads(node, "num_heads"), optional(inputs, 4), optional(inputs, 3)
    count = value.sizes_of_rank(3)[0]
    _, features = weight.sizes_of_rank(2)
    sizes = node.ints("qkv_hidden_sizes") or [features // 3] * 3
    if sum(sizes) != features or len(sizes) != 3:
        raise Unsupported(f"weights of {features} columns for query, key and value of {sizes}")
    packed = linear(ctx, node, value, features, weight, bias)
    query, key, part = _cut(ctx, node, packed, sizes)
    before = None
    if past is not None:
        shape = (count, heads, past.sizes_of_rank(5)[3], sizes[1] // heads)
        before = gathered(ctx, node, [past], shape, 0)
    operands = _Operands(heads, heads, query, key, part, (before, before), optional(inputs, 5))
    output, *present = _attend(ctx, node, operands)
    if not present:
        return [output]
    return [output, gathered(ctx, node, present, (2, *present[0].sizes), None if present[0].batch is None else 1)]


@rule("QAttention")
def quantized_attention(ctx: Context, node: Node, inputs: Inputs) -> list[Value]:
    """The operator of com.microsoft with quantised weights, whose scales and zero points are among the inputs."""
    return _attention_with_weights(ctx, node, [optional(inputs, at) for at in (0, 1, 2, 5, 8)])


@rule("MultiHeadAttention")
def multi_head_attention(ctx: Context, node: Node, inputs: Inputs) -> list[Value]:
    """The operator of com.microsoft: without its projections, but with their biases, one after the other."""
    heads, bias, _ = _heads(node, "num_heads"), optional(inputs, 3), optional(inputs, 4)
    query, key, value = _unpacked(ctx, node, given(inputs, 0), optional(inputs, 1), optional(inputs, 2))
    if bias is not None:
        sizes = [part.sizes_of_rank(3)[2] for part in (query, key, value)]
        biases = zip((query, key, value), _cut(ctx, node, bias, sizes), strict=True)
        query, key, value = (binary(ctx, node, "Add", [part, own]) for part, own in biases)
    past = optional(inputs, 6), optional(inputs, 7)
    return _attend(ctx, node, _Operands(heads, heads, query, key, value, past, optional(inputs, 5)))


def _unpacked(ctx: Context, node: Node, query: Value, key: Value | None, value: Value | None) -> list[Value]:
    """Query, key and value, of which the first or the second may hold what follows: batch x tokens x heads x n x D."""
    given_parts = [part for part in (query, key, value) if part is not None]
    parts = [part for part in given_parts if part.rank != 5]
    for packed in (part for part in given_parts if part.rank == 5):
        count, tokens, heads, copies, width = packed.sizes
        parts += [gathered(ctx, node, [packed], (count, heads, tokens, width), 0) for _ in range(copies)]
    if len(parts) != 3:
        raise Unsupported(f"{len(parts)} of query, key and value")
    return parts


@rule("GroupQueryAttention")
def group_query_attention(ctx: Context, node: Node, inputs: Inputs) -> list[Value]:
    """The operator of com.microsoft for decoders: keys and values of fewer heads, after those of earlier steps."""
    heads, key_heads = _heads(node, "num_heads"), _heads(node, "kv_num_heads")
    query, key, value = given(inputs, 0), optional(inputs, 1), optional(inputs, 2)
    if (key is None) != (value is None):
        raise Unsupported("keys without values, or values without keys")
    if key is None or value is None:
        width = query.sizes_of_rank(3)[2] // (heads + 2 * key_heads)
        query, key, value = _cut(ctx, node, query, [heads * width, key_heads * width, key_heads * width])
    if node.int("do_rotary"):
        query, key = (same_shape(ctx, node, "elementwise", part, operation="multiplications") for part in (query, key))
    past = optional(inputs, 3), optional(inputs, 4)
    return _attend(ctx, node, _Operands(heads, key_heads, query, key, value, past, optional(inputs, 10)))


def _cut(ctx: Context, node: Node, packed: Value, sizes: list[int]) -> list[Value]:
    """The parts of these sizes along the last axis."""
    stops = list(accumulate(sizes))
    return [
        cut_axis(ctx, node, packed, packed.rank - 1, stop - size, stop) for size, stop in zip(sizes, stops, strict=True)
    ]


def _heads(node: Node, name: str) -> int:
    heads = node.int(name)
    if heads < 1:
        raise Unsupported(f"{heads} heads")
    return heads


def _attend(ctx: Context, node: Node, operands: _Operands) -> list[Value]:
    """The output, and where they are read the keys and values of all steps."""
    heads, key_heads, query, key, value, past, mask = operands
    if heads % key_heads:
        raise Unsupported(f"{heads} heads of queries for {key_heads} of keys")
    count = query.sizes_of_rank(3, 4)[0]
    keeps = any(node.outputs[1:])
    q = _by_head(ctx, node, query, heads)
    (k, all_keys), (v, all_values) = (
        _with_past(ctx, node, part, before, heads, key_heads, keeps)
        for part, before in zip((key, value), past, strict=True)
    )
    tokens, others, width = q.sizes[2], k.sizes[2], v.sizes[3]
    scores = ctx.layer(node, "matmul", [q, k], (count, heads, tokens, others), 0, transpose=True)
    if mask is not None and mask.rank > 1 and (mask.ref is not None or mask.source_weights):
        scores = binary(ctx, node, "Add", [scores, mask])
    scores = ctx.layer(node, "softmax", [scores], scores.sizes, 0, axis="last")
    mixed = ctx.layer(node, "matmul", [scores, v], (count, heads, tokens, width), 0)
    if query.rank == 3 or node.domain == "com.microsoft":
        mixed = gathered(ctx, node, [mixed], (count, tokens, heads * width), 0)
    return [mixed, all_keys, all_values] if keeps else [mixed]


def _with_past(
    ctx: Context, node: Node, value: Value, past: Value | None, heads: int, own: int, keeps: bool
) -> tuple[Value, Value]:
    """Keys or values of all steps for each head of the queries, and for each head of their own."""
    if past is None and not keeps and value.rank == 3:
        return (made := _by_head(ctx, node, value, own, heads)), made
    every = _by_head(ctx, node, value, own)
    if past is not None and past.sizes_of_rank(4)[2]:
        before = _by_head(ctx, node, past, own)
        shape = (*every.sizes[:2], before.sizes[2] + every.sizes[2], every.sizes[3])
        every = ctx.layer(node, "concat", [before, every], shape, 0, axis=1)
    if own == heads:
        return every, every
    wanted = (every.sizes[0], heads, *every.sizes[2:])
    return gathered(ctx, node, [every], wanted, 0), every


def _by_head(ctx: Context, node: Node, value: Value, own: int, count: int = 0) -> Value:
    """A value of tokens x features, or of heads x tokens x features, as heads x tokens x features, after the batch."""
    sizes = value.sizes_of_rank(3, 4)
    if value.batch is None and sizes[0] == ctx.batch == 1:
        value = Value(sizes, ref=ctx.view(node, value, ctx.inner(sizes, 0)), batch=0)
    if value.batch != 0 or sizes[0] != ctx.batch:
        raise Unsupported("input whose first axis is not the batch")
    if value.rank == 4:
        if sizes[1] != own:
            raise Unsupported(f"{sizes[1]} heads instead of {own}")
        return value
    if sizes[2] % own:
        raise Unsupported(f"{sizes[2]} features for {own} heads")
    return gathered(ctx, node, [value], (sizes[0], count or own, sizes[1], sizes[2] // own), 0)


@rule("RotaryEmbedding")
def rotary(ctx: Context, node: Node, inputs: Inputs) -> list[Value]:
    return [same_shape(ctx, node, "elementwise", given(inputs, 0), operation="multiplications")]
