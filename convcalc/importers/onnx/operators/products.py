"""Rules for products: fully connected layers, matrix products, equations, attention, recurrence."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

from convcalc.graph import Ref
from convcalc.importers.onnx.context import Context, Inputs
from convcalc.importers.onnx.learned import is_buffer
from convcalc.importers.onnx.model import FLOATS, Node
from convcalc.importers.onnx.operators.registry import like, rule
from convcalc.importers.onnx.operators.slicing import cut_axis
from convcalc.importers.onnx.values import (
    Shape,
    Unsupported,
    Value,
    bias_of,
    broadcast,
    checked,
    given,
)


def bias_after(ctx: Context, node: Node, bias: Value | None, features: int, behind: int) -> tuple[Any, Node, bool]:
    """The bias of a layer, which may stand in an Add of its own; that Add's output is then the layer's."""
    if bias is not None or len(node.outputs) != 1:
        return bias, node, False
    add = ctx.only_reader(node.outputs[0], ("Add",))
    if add is None:
        return None, node, False
    (other,) = [name for name in add.inputs if name != node.outputs[0]]
    value = ctx.values.get(other)
    if value is None or value.ref is not None or value.shape is None or prod(value.shape) != features:
        return None, node, False
    rank = len(value.shape)
    at = rank - 1 if behind == 0 else rank - (len(node.get("kernel_shape") or (0, 0)) + 1)
    if not 0 <= at < rank or value.shape[at] != features or (not value.origins and prod(value.shape) == 1):
        return None, node, False
    renamed = Node()
    renamed.operator, renamed.name, renamed.module = node.operator, node.name, node.module
    renamed.inputs, renamed.outputs, renamed.attributes = node.inputs, add.outputs, node.attributes
    ctx.fuse(node, add)
    return value, renamed, True


def initial(ctx: Context, value: Value) -> Value:
    """A state before the first step of a recurrence: filled, and yet an activation as the states after it are."""
    is_state = value.ref is None and not value.origins and value.element in FLOATS and len(value.sizes) > 1
    if not is_state or prod(value.sizes) < 2:
        return value
    batch = 0 if value.sizes[0] == ctx.batch else None
    return Value(value.shape, ref=ctx.parameter(value, ctx.inner(value.sizes, batch)), batch=batch)


def is_fixed(ctx: Context, name: str, weight: Value) -> bool:
    """Whether weights are known to be some that nobody trains, such as a kernel that blurs."""
    if weight.ref is not None or weight.origins:
        return False
    model = ctx.model
    is_told = model.producer == "pytorch" and (name in model.made_from or name not in model.tensors)
    return is_told or name in model.buffers or is_buffer(name)


@rule("Gemm")
def gemm(ctx: Context, node: Node, inputs: Inputs) -> list[Value]:
    value, weight = given(inputs, 0), given(inputs, 1)
    bias = bias_of(inputs, 2)
    if node.get("transA", 0) or weight.ref is not None:
        raise Unsupported("a product that is not by weights")
    features, entries = weight.sizes if node.get("transB", 0) else weight.sizes[::-1]
    if value.ref is None and _is_zero(value) and weight.origins:
        value = initial(ctx, value)
    if value.ref is None:
        return [like(value, (value.sizes[0], features))]
    if value.sizes[-1] != entries:
        raise Unsupported("the sizes do not meet")
    if bias is None or bias.ref is None:
        return [_linear(ctx, node, value, features, weight, bias)]
    return [_with_offset(ctx, node, _linear_layer(ctx, node, value, features, weight, None, False), bias)]


def _linear(ctx: Context, node: Node, value: Value, features: int, weight: Value, bias: Value | None) -> Value:
    """A fully connected layer on the last axis."""
    bias, node, is_fused = bias_after(ctx, node, bias, features, 0)
    if bias is not None and ctx.weights.learned_values(bias) not in (None, features):
        return _with_offset(ctx, node, _linear_layer(ctx, node, value, features, weight, None, False), bias)
    return _linear_layer(ctx, node, value, features, weight, bias, is_fused)


def _with_offset(ctx: Context, node: Node, made: Value, bias: Value) -> Value:
    """A layer and a bias that is learned in part, as where keys have none, or that is an activation."""
    batch, refs = aligned(ctx, node, [made, bias], [made.sizes, bias.sizes], made.sizes)
    return ctx.layer(node, "add", refs, made.sizes, batch)


def _linear_layer(
    ctx: Context, node: Node, value: Value, features: int, weight: Value, bias: Value | None, is_fused: bool
) -> Value:
    shape = (*value.sizes[:-1], features)
    inner = ctx.inner(value.sizes, value.batch)
    fields: dict[str, Any] = {"features": features}
    if len(inner) > 2:
        fields["axis"] = "last"
    if bias is None and not is_fused and not node.has_bias:
        fields["bias"] = False
    fields.update(ctx.weights.learned_field(weight))
    source: Value | Ref = value
    if value.batch == len(value.sizes) - 1:
        batch = None if value.sizes[value.batch] != ctx.batch else value.batch
        if batch is not None:
            raise Unsupported("it sums over the batch")
        return ctx.layer(node, "linear", [source], shape, None, [weight, bias], **fields)
    return ctx.layer(node, "linear", [source], shape, value.batch, [weight, bias], **fields)


@rule("MatMul", "FusedMatMul", "MatMulInteger", "QLinearMatMul")
def matmul(ctx: Context, node: Node, inputs: Inputs) -> list[Value]:
    first, second = given(inputs, 0), given(inputs, 3 if node.operator == "QLinearMatMul" else 1)
    if first.ref is None and second.ref is None and _is_zero(first) and second.origins:
        first = initial(ctx, first)
    if first.ref is None and second.ref is None:
        return [_constant_product(first, second)]
    is_plain = len(second.sizes) == 2 and not node.get("transB", 0)
    if second.ref is None and is_plain and not is_fixed(ctx, node.inputs[1], second):
        if first.sizes[-1] != second.sizes[0]:
            raise Unsupported("the sizes do not meet")
        return [_linear(ctx, node, first, second.sizes[1], second, None)]
    if first.ref is None and len(first.sizes) == 2:
        features, entries = first.sizes
        if second.sizes[-2] != entries:
            raise Unsupported("the sizes do not meet")
        shape = (*second.sizes[:-2], features, second.sizes[-1])
        at = ctx.inner_axis(second, len(shape) - 2) - len(ctx.inner(second.sizes, second.batch))
        return [
            ctx.layer(node, "linear", [second], shape, second.batch, [first], features=features, axis=at, bias=False)
        ]
    return [multiplied(ctx, node, first, second, bool(node.get("transB", 0)))]


def _is_zero(value: Value) -> bool:
    return bool(value.data) and not any(value.data or ())


def _constant_product(first: Value, second: Value) -> Value:
    columns = second.sizes[-1:] if len(second.sizes) > 1 else ()
    shape = (*broadcast(first.sizes[:-2], second.sizes[:-2]), *first.sizes[-2:-1], *columns)
    origins = tuple(dict.fromkeys((*first.origins, *second.origins)))
    return Value(checked(shape), None, origins=origins)


def multiplied(ctx: Context, node: Node, first: Value, second: Value, transpose: bool = False) -> Value:
    """The product of two activations."""
    left = first.sizes if len(first.sizes) > 1 else (1, *first.sizes)
    right = second.sizes if len(second.sizes) > 1 else (*second.sizes, 1)
    columns = right[-2] if transpose else right[-1]
    shape = (*broadcast(left[:-2], right[:-2]), left[-2], columns)
    batch, refs = aligned(ctx, node, [first, second], [left, right], shape)
    return ctx.layer(node, "matmul", refs, shape, batch, **({"transpose": True} if transpose else {}))


def aligned(
    ctx: Context, node: Node, values: Sequence[Value], shapes: Sequence[Shape], shape: Shape
) -> tuple[int | None, list[Ref]]:
    """The batch axis of a joint output, and each value with as many axes as it has there."""
    rank = len(shape)
    places = {
        value.batch + rank - len(own) for value, own in zip(values, shapes, strict=True) if value.batch is not None
    }
    batch = min(places) if len(places) == 1 else None
    if len(places) > 1 and ctx.batch > 1:
        raise Unsupported("the batch is in different places")
    gone = batch is not None and shape[batch] == ctx.batch
    refs = []
    for value, own in zip(values, shapes, strict=True):
        full = (1,) * (rank - len(own)) + own
        if batch is not None and gone:
            inner = (*full[:batch], *full[batch + 1 :])
        elif batch is not None:
            inner = (*full[:batch], max(1, full[batch] // ctx.batch), *full[batch + 1 :])
        else:
            inner = full
        refs.append(ctx.view(node, value, inner or (1,)))
    return batch, refs


@rule("Einsum")
def einsum(ctx: Context, node: Node, inputs: Inputs) -> list[Value]:
    first, second = given(inputs, 0), given(inputs, 1)
    terms, _, output = spelt(str(node.get("equation", "")), [len(first.sizes), len(second.sizes)]).partition("->")
    letters = terms.split(",")
    if len(inputs) != 2 or "." in terms or not output or any(len(set(term)) < len(term) for term in letters):
        raise Unsupported("an equation without a rule")
    sizes: dict[str, int] = {}
    for term, value in zip(letters, (first, second), strict=True):
        sizes.update(zip(term, value.sizes, strict=True))
    shared = [letter for letter in letters[0] if letter in letters[1]]
    summed = [letter for letter in shared if letter not in output]
    kept = [letter for letter in shared if letter in output]
    rows = [letter for letter in letters[0] if letter not in shared]
    columns = [letter for letter in letters[1] if letter not in shared]
    if {*rows, *columns} - set(output):
        raise Unsupported("an equation without a rule")
    batch_letters = {t[v.batch] for t, v in zip(letters, (first, second), strict=True) if v.batch is not None}
    if not summed:
        return [_outer(ctx, node, [first, second], letters, output, sizes)]
    outer = [letter for letter in kept if letter not in batch_letters]
    shape = tuple(sizes[letter] for letter in output)
    batch = next((at for at, letter in enumerate(output) if letter in batch_letters), None)
    if second.ref is None and not kept and letters[0].endswith("".join(summed)):
        straight = tuple(sizes[letter] for letter in rows + columns)
        summed_up = _einsum_linear(ctx, node, first, second, len(rows), straight)
        if list(output) == rows + columns:
            return [summed_up]
        return [ctx.layer(node, "gather", [summed_up], shape, batch, shape=ctx.inner(shape, batch))]

    def side(value: Value, term: str, order: Sequence[Sequence[str]]) -> Ref:
        inside = [letter for letter in term if letter not in batch_letters or sizes[letter] != ctx.batch]
        wanted = tuple(prod(sizes[letter] for letter in group if letter in inside) for group in order)
        flat = [letter for group in order for letter in group if letter in inside]
        if flat == inside:
            return ctx.view(node, value, wanted)
        return ctx.layer(node, "gather", [value], wanted, None, shape=wanted).ref or Ref(0)

    left = side(first, letters[0], [outer, rows, summed])
    right = side(second, letters[1], [outer, summed, columns])
    made = tuple(
        prod(sizes[letter] for letter in group if letter not in batch_letters or sizes[letter] != ctx.batch)
        for group in (outer, rows, columns)
    )
    weights = [value for value in (first, second) if value.ref is None]
    result = ctx.layer(node, "matmul", [left, right], made, None, weights)
    wanted = ctx.inner(shape, batch)
    order = [*outer, *rows, *columns]
    if [letter for letter in output if letter in order] == order:
        return [Value(shape, ref=ctx.view(node, result, wanted), batch=batch)]
    return [ctx.layer(node, "gather", [result], shape, batch, shape=wanted)]


def spelt(equation: str, ranks: Sequence[int]) -> str:
    """An equation with letters in the place of dots.

    >>> spelt("...ij, ...jk -> ...ik", [4, 3])
    'ABij,Bjk->ABik'
    """
    terms, arrow, output = equation.replace(" ", "").partition("->")
    letters = terms.split(",")
    free = [rank - len(term) + 3 for term, rank in zip(letters, ranks, strict=False) if "..." in term]
    names = "ABCDEFGH"[: max(free, default=0)]
    for at, (term, rank) in enumerate(zip(letters, ranks, strict=False)):
        letters[at] = term.replace("...", names[len(names) - (rank - len(term) + 3) :] if "..." in term else "")
    return ",".join(letters) + arrow + output.replace("...", names)


def _outer(
    ctx: Context, node: Node, values: Sequence[Value], terms: Sequence[str], output: str, sizes: dict[str, int]
) -> Value:
    """An equation that sums nothing: element by element, over what each has not."""
    shape = tuple(sizes[letter] for letter in output)
    turned: list[Value] = []
    for value, term in zip(values, terms, strict=True):
        order = [term.index(letter) for letter in output if letter in term]
        own = tuple(sizes[letter] if letter in term else 1 for letter in output)
        if order != sorted(order):
            raise Unsupported("an equation without a rule")
        batch = None if value.batch is None else output.index(term[value.batch])
        ref = ctx.view(node, value, ctx.inner(own, batch))
        turned.append(Value(own, ref=ref, batch=batch))
    batch, refs = aligned(ctx, node, turned, [value.sizes for value in turned], shape)
    return ctx.layer(node, "multiply", refs, shape, batch)


def _einsum_linear(ctx: Context, node: Node, value: Value, weight: Value, rows: int, shape: Shape) -> Value:
    """An equation that sums over the last axes with learned weights: a fully connected layer, and its axes in shape."""
    flat = (*value.sizes[:rows], prod(value.sizes[rows:]))
    merged = Value(flat, ref=ctx.view(node, value, ctx.inner(flat, value.batch)), batch=value.batch)
    made = _linear(ctx, node, merged, prod(shape[rows:]), weight, None)
    return Value(shape, ref=ctx.view(node, made, ctx.inner(shape, value.batch)), batch=value.batch)


@rule("Attention", "MultiHeadAttention")
def attention(ctx: Context, node: Node, inputs: Inputs) -> list[Value]:
    """The fused operator as two products and a softmax; com.microsoft's first projects its input by packed weights."""
    if node.domain == "com.microsoft" and node.operator == "Attention":
        value, weight, bias = given(inputs, 0), given(inputs, 1), bias_of(inputs, 2)
        packed = _linear(ctx, node, value, weight.sizes[1], weight, bias)
        third = weight.sizes[1] // 3
        parts = [cut_axis(ctx, node, packed, 2, at * third, (at + 1) * third) for at in range(3)]
        heads = (node.get("num_heads", 1),) * 2
    else:
        parts = [given(inputs, at) for at in range(3)]
        heads = (
            node.get("q_num_heads") or node.get("num_heads", 1),
            node.get("kv_num_heads") or node.get("num_heads", 1),
        )
    query, key, mixed = parts
    if len(query.sizes) not in (3, 4) or query.batch != 0:
        raise Unsupported("an attention without a rule")
    is_flat = len(query.sizes) == 3
    count = heads[0] if is_flat else query.sizes[1]

    def side(value: Value, own: int) -> Ref:
        sizes = ctx.inner(value.sizes, 0)
        split = (own, sizes[0], sizes[1] // own) if is_flat else sizes
        wanted = (count, *split[1:])
        if is_flat or split != wanted:
            return ctx.layer(node, "gather", [value], wanted, None, shape=wanted).ref or Ref(0)
        return ctx.ref(value)

    q, k, v = side(query, heads[0]), side(key, heads[1]), side(mixed, heads[1])
    tokens, others, width = ctx.graph.shape(q)[1], ctx.graph.shape(k)[1], ctx.graph.shape(v)[2]
    scores = ctx.layer(node, "matmul", [q, k], (count, tokens, others), None, transpose=True)
    scores = ctx.layer(node, "softmax", [scores], (count, tokens, others), None, axis="last")
    found = ctx.layer(node, "matmul", [scores, v], (count, tokens, width), None)
    shape = (query.sizes[0], tokens, count * width) if is_flat else (query.sizes[0], count, tokens, width)
    if is_flat:
        return [ctx.layer(node, "gather", [found], shape, 0, shape=(tokens, count * width))]
    return [Value(shape, ref=found.ref, batch=0)]
