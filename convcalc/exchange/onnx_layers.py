"""Rules for ONNX operators that compute: convolution, linear, pooling, normalisation, recurrence, arithmetic."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import TYPE_CHECKING, Any

from convcalc.errors import Misfit
from convcalc.exchange.onnx_file import Node
from convcalc.exchange.onnx_moves import Inputs, cut_axis, dropped, like, rule
from convcalc.exchange.onnx_values import (
    NoRule,
    Shape,
    Value,
    arithmetic,
    axes_of,
    axis_at,
    broadcast,
    checked,
    given,
    optional,
)
from convcalc.graph import Ref
from convcalc.kinds import KINDS

if TYPE_CHECKING:
    from convcalc.exchange.read_onnx import Walk


# -- windows -------------------------------------------------------------------------------------------------------


def _one(sizes: Sequence[Any]) -> Any:
    return sizes[0] if len(set(sizes)) == 1 else tuple(sizes)


def _window(node: Node, kernel: Sequence[int]) -> dict[str, Any]:
    """Kernel, stride, padding and dilation as our fields, those that are the default left out."""
    axes = len(kernel)
    fields: dict[str, Any] = {"kernel": _one(kernel)}
    strides = node.get("strides") or [1] * axes
    fields.update({"stride": _one(strides)} if set(strides) != {1} else {})
    fields.update(_padding(node, axes))
    dilations = node.get("dilations") or [1] * axes
    fields.update({"dilation": _one(dilations)} if set(dilations) != {1} else {})
    return fields


def _padding(node: Node, axes: int) -> dict[str, Any]:
    automatic = node.get("auto_pad", "NOTSET") or "NOTSET"
    if automatic in ("SAME_UPPER", "SAME_LOWER"):
        return {"padding": "same"}
    pads = node.get("pads") or [0] * (2 * axes)
    if automatic == "VALID" or not any(pads):
        return {}
    sides = list(zip(pads[:axes], pads[axes:], strict=True))
    both = tuple(before if before == after else (before, after) for before, after in sides)
    return {"padding": both[0] if len(set(both)) == 1 and isinstance(both[0], int) else both}


def channels_first(walk: Walk, node: Node, value: Value) -> Value:
    """The value as N x C x ..., with the batch in front, which our graph leaves out. Raises NoRule."""
    if value.batch == 0 and value.sizes[0] == walk.batch:
        return value
    if value.batch is None and value.sizes[0] == 1 == walk.batch:
        return Value(value.shape, ref=walk.view(node, value, walk.inner(value.sizes, 0)), batch=0)
    raise NoRule("the batch is not in front")


@rule("Conv", "FusedConv", "ConvInteger", "QLinearConv")
def conv(walk: Walk, node: Node, inputs: Inputs) -> list[Value]:
    if node.operator == "QLinearConv":
        inputs = [inputs[0], inputs[3], inputs[8] if len(inputs) > 8 else None]
    elif node.operator == "ConvInteger":
        inputs = inputs[:2]
    value, weight = given(inputs, 0), given(inputs, 1)
    bias = inputs[2] if len(inputs) > 2 else None
    filters, _, *kernel = weight.sizes
    groups = node.get("group", 1)
    channels = value.sizes[1]
    if weight.ref is not None:
        raise NoRule("its weights are computed")
    if weight.sizes[1] * groups != channels:
        raise Misfit(f"{channels} channels meet weights for {weight.sizes[1] * groups}", "filters")
    fields: dict[str, Any] = {}
    if groups == channels and groups > 1:
        fields = {"groups": "channels", **({"filters": filters} if filters != channels else {})}
    else:
        fields = {"filters": filters, **({"groups": groups} if groups > 1 else {})}
    window = _window(node, kernel)
    bias, node, is_fused = _bias_after(walk, node, bias, filters, 1)
    fields = {**fields, **window, **({} if bias is not None or is_fused else {"bias": False})}
    if value.batch == 0 and value.sizes[0] != walk.batch and len(kernel) == 2:
        return [_conv_frames(walk, node, value, fields, [weight, bias])]
    value = channels_first(walk, node, value)
    kind = KINDS["conv"](**fields)
    inner = kind.output(walk.inner(value.sizes, 0))
    return [walk.layer(node, kind, [value], (value.sizes[0], *inner), 0, [weight, bias])]


def _conv_frames(
    walk: Walk, node: Node, value: Value, fields: dict[str, Any], weights: Sequence[Value | None]
) -> Value:
    """A 2-D convolution over frames that lie in the batch axis: the same as one in 3-D that never mixes them."""
    frames, channels, height, width = value.sizes
    frames //= walk.batch
    wide = dict(fields)
    for key, one in (("kernel", 1), ("stride", 1), ("padding", 0), ("dilation", 1)):
        if key in fields and fields[key] != "same":
            size = fields[key]
            wide[key] = (one, *(size if isinstance(size, tuple) else (size, size)))
    first = walk.layer(node, "permute", [value], (walk.batch, channels, frames, height, width), 0, order=(1, 0, 2, 3))
    kind = KINDS["conv"](**wide)
    inner = kind.output((channels, frames, height, width))
    made = walk.layer(node, kind, [first], (walk.batch, *inner), 0, weights)
    shape = (walk.batch * frames, inner[0], *inner[2:])
    return walk.layer(node, "permute", [made], shape, 0, order=(1, 0, 2, 3))


def _bias_after(walk: Walk, node: Node, bias: Value | None, features: int, behind: int) -> tuple[Any, Node, bool]:
    """The bias of a layer, which may stand in an Add of its own; that Add's output is then the layer's."""
    if bias is not None or len(node.outputs) != 1:
        return bias, node, False
    add = walk.only_reader(node.outputs[0], ("Add",))
    if add is None:
        return None, node, False
    (other,) = [name for name in add.inputs if name != node.outputs[0]]
    value = walk.values.get(other)
    if value is None or value.ref is not None or value.shape is None or prod(value.shape) != features:
        return None, node, False
    rank = len(value.shape)
    at = rank - 1 if behind == 0 else rank - (len(node.get("kernel_shape") or (0, 0)) + 1)
    if not 0 <= at < rank or value.shape[at] != features or (not value.origins and prod(value.shape) == 1):
        return None, node, False
    walk.skip.add(id(add))
    renamed = Node()
    renamed.operator, renamed.name, renamed.module = node.operator, node.name, node.module
    renamed.inputs, renamed.outputs, renamed.attributes = node.inputs, add.outputs, node.attributes
    walk.renamed[id(node)] = add.outputs[0]
    return value, renamed, True


@rule("ConvTranspose")
def transposed_conv(walk: Walk, node: Node, inputs: Inputs) -> list[Value]:
    value, weight = given(inputs, 0), given(inputs, 1)
    bias = inputs[2] if len(inputs) > 2 else None
    value = channels_first(walk, node, value)
    groups = node.get("group", 1)
    _, per_group, *kernel = weight.sizes
    fields = {"filters": per_group * groups, **_window(node, kernel), **({"groups": groups} if groups > 1 else {})}
    extra = node.get("output_padding") or [0] * len(kernel)
    fields.update({"output_padding": _one(extra)} if any(extra) else {})
    fields.update({} if bias is not None else {"bias": False})
    sizes = node.get("output_shape")
    if sizes:
        strides = node.get("strides") or [1] * len(kernel)
        exact = all(
            size * step == new for size, step, new in zip(value.sizes[2:], strides, sizes[-len(kernel) :], strict=True)
        )
        if not exact:
            raise NoRule("an output size of its own")
        fields["padding"] = "same"
    kind = KINDS["transposed_conv"](**fields)
    inner = kind.output(walk.inner(value.sizes, 0))
    return [walk.layer(node, kind, [value], (value.sizes[0], *inner), 0, [weight, bias])]


@rule("MaxPool", "AveragePool", "LpPool")
def pool(walk: Walk, node: Node, inputs: Inputs) -> list[Value]:
    value = given(inputs, 0)
    kernel = node.get("kernel_shape") or []
    fields = _window(node, kernel)
    if "stride" not in fields:
        fields["stride"] = 1
    if fields["stride"] == fields["kernel"]:
        del fields["stride"]
    fields.update({"ceil_mode": True} if node.get("ceil_mode", 0) else {})
    name = "max_pool" if node.operator == "MaxPool" else "avg_pool"
    if name == "avg_pool" and "padding" in fields and not node.get("count_include_pad", 0):
        fields["include_padding"] = False
    value = channels_first(walk, node, value)
    kind = KINDS[name](**fields)
    inner = kind.output(walk.inner(value.sizes, 0))
    return [walk.layer(node, kind, [value], (value.sizes[0], *inner), 0)]


@rule("GlobalAveragePool", "GlobalMaxPool", "GlobalLpPool")
def global_pool(walk: Walk, node: Node, inputs: Inputs) -> list[Value]:
    value = given(inputs, 0)
    value = channels_first(walk, node, value)
    name = "global_max_pool" if node.operator == "GlobalMaxPool" else "global_avg_pool"
    shape = (*value.sizes[:2], *(1 for _ in value.sizes[2:]))
    if len(value.sizes) < 3:
        return [value]
    return [walk.layer(node, name, [value], shape, 0)]


# -- products ------------------------------------------------------------------------------------------------------


@rule("Gemm")
def gemm(walk: Walk, node: Node, inputs: Inputs) -> list[Value]:
    value, weight = given(inputs, 0), given(inputs, 1)
    bias = inputs[2] if len(inputs) > 2 else None
    if node.get("transA", 0) or weight.ref is not None:
        raise NoRule("a product that is not by weights")
    features, entries = weight.sizes if node.get("transB", 0) else weight.sizes[::-1]
    if value.ref is None:
        return [like(value, (value.sizes[0], features))]
    if value.sizes[-1] != entries:
        raise NoRule("the sizes do not meet")
    return [_linear(walk, node, value, features, weight, bias)]


def _linear(walk: Walk, node: Node, value: Value, features: int, weight: Value, bias: Value | None) -> Value:
    """A fully connected layer on the last axis."""
    bias, node, is_fused = _bias_after(walk, node, bias, features, 0)
    shape = (*value.sizes[:-1], features)
    inner = walk.inner(value.sizes, value.batch)
    fields: dict[str, Any] = {"features": features}
    if len(inner) > 2:
        fields["axis"] = "last"
    if bias is None and not is_fused:
        fields["bias"] = False
    source: Value | Ref = value
    if value.batch == len(value.sizes) - 1:
        batch = None if value.sizes[value.batch] != walk.batch else value.batch
        if batch is not None:
            raise NoRule("it sums over the batch")
        return walk.layer(node, "linear", [source], shape, None, [weight, bias], **fields)
    return walk.layer(node, "linear", [source], shape, value.batch, [weight, bias], **fields)


@rule("MatMul", "FusedMatMul", "MatMulInteger", "QLinearMatMul")
def matmul(walk: Walk, node: Node, inputs: Inputs) -> list[Value]:
    first, second = given(inputs, 0), given(inputs, 3 if node.operator == "QLinearMatMul" else 1)
    if first.ref is None and second.ref is None:
        return [_constant_product(first, second)]
    if second.ref is None and len(second.sizes) == 2 and not node.get("transB", 0):
        if first.sizes[-1] != second.sizes[0]:
            raise NoRule("the sizes do not meet")
        return [_linear(walk, node, first, second.sizes[1], second, None)]
    if first.ref is None and len(first.sizes) == 2:
        features, entries = first.sizes
        if second.sizes[-2] != entries:
            raise NoRule("the sizes do not meet")
        shape = (*second.sizes[:-2], features, second.sizes[-1])
        at = walk.inner_axis(second, len(shape) - 2) - len(walk.inner(second.sizes, second.batch))
        return [
            walk.layer(node, "linear", [second], shape, second.batch, [first], features=features, axis=at, bias=False)
        ]
    return [multiplied(walk, node, first, second, bool(node.get("transB", 0)))]


def _constant_product(first: Value, second: Value) -> Value:
    shape = (*broadcast(first.sizes[:-2], second.sizes[:-2]), *first.sizes[-2:-1], *second.sizes[-1:])
    origins = tuple(dict.fromkeys((*first.origins, *second.origins)))
    return Value(checked(shape), None, origins=origins)


def multiplied(walk: Walk, node: Node, first: Value, second: Value, transpose: bool = False) -> Value:
    """The product of two activations."""
    left = first.sizes if len(first.sizes) > 1 else (1, *first.sizes)
    right = second.sizes if len(second.sizes) > 1 else (*second.sizes, 1)
    columns = right[-2] if transpose else right[-1]
    shape = (*broadcast(left[:-2], right[:-2]), left[-2], columns)
    batch, refs = aligned(walk, node, [first, second], [left, right], shape)
    return walk.layer(node, "matmul", refs, shape, batch, **({"transpose": True} if transpose else {}))


def aligned(
    walk: Walk, node: Node, values: Sequence[Value], shapes: Sequence[Shape], shape: Shape
) -> tuple[int | None, list[Ref]]:
    """The batch axis of a joint output, and each value with as many axes as it has there."""
    rank = len(shape)
    places = {
        value.batch + rank - len(own) for value, own in zip(values, shapes, strict=True) if value.batch is not None
    }
    batch = min(places) if len(places) == 1 else None
    if len(places) > 1 and walk.batch > 1:
        raise NoRule("the batch is in different places")
    gone = batch is not None and shape[batch] == walk.batch
    refs = []
    for value, own in zip(values, shapes, strict=True):
        full = (1,) * (rank - len(own)) + own
        if batch is not None and gone:
            inner = (*full[:batch], *full[batch + 1 :])
        elif batch is not None:
            inner = (*full[:batch], max(1, full[batch] // walk.batch), *full[batch + 1 :])
        else:
            inner = full
        refs.append(walk.view(node, value, inner or (1,)))
    return batch, refs


@rule("Einsum")
def einsum(walk: Walk, node: Node, inputs: Inputs) -> list[Value]:
    terms, _, output = str(node.get("equation", "")).replace(" ", "").partition("->")
    first, second = given(inputs, 0), given(inputs, 1)
    letters = terms.split(",")
    if len(inputs) != 2 or "." in terms or not output or any(len(set(term)) < len(term) for term in letters):
        raise NoRule("an equation without a rule")
    sizes: dict[str, int] = {}
    for term, value in zip(letters, (first, second), strict=True):
        sizes.update(zip(term, value.sizes, strict=True))
    shared = [letter for letter in letters[0] if letter in letters[1]]
    summed = [letter for letter in shared if letter not in output]
    kept = [letter for letter in shared if letter in output]
    rows = [letter for letter in letters[0] if letter not in shared]
    columns = [letter for letter in letters[1] if letter not in shared]
    if {*rows, *columns} - set(output):
        raise NoRule("an equation without a rule")
    batch_letters = {t[v.batch] for t, v in zip(letters, (first, second), strict=True) if v.batch is not None}
    outer = [letter for letter in kept if letter not in batch_letters]
    shape = tuple(sizes[letter] for letter in output)
    batch = next((at for at, letter in enumerate(output) if letter in batch_letters), None)
    if second.ref is None and not kept and letters[0].endswith("".join(summed)):
        straight = tuple(sizes[letter] for letter in rows + columns)
        summed_up = _einsum_linear(walk, node, first, second, len(rows), straight)
        if list(output) == rows + columns:
            return [summed_up]
        return [walk.layer(node, "gather", [summed_up], shape, batch, shape=walk.inner(shape, batch))]

    def side(value: Value, term: str, order: Sequence[Sequence[str]]) -> Ref:
        inside = [letter for letter in term if letter not in batch_letters or sizes[letter] != walk.batch]
        wanted = tuple(prod(sizes[letter] for letter in group if letter in inside) for group in order)
        flat = [letter for group in order for letter in group if letter in inside]
        if flat == inside:
            return walk.view(node, value, wanted)
        return walk.layer(node, "gather", [value], wanted, None, shape=wanted).ref or Ref(0)

    left = side(first, letters[0], [outer, rows, summed])
    right = side(second, letters[1], [outer, summed, columns])
    made = tuple(
        prod(sizes[letter] for letter in group if letter not in batch_letters or sizes[letter] != walk.batch)
        for group in (outer, rows, columns)
    )
    weights = [value for value in (first, second) if value.ref is None]
    result = walk.layer(node, "matmul", [left, right], made, None, weights)
    wanted = walk.inner(shape, batch)
    order = [*outer, *rows, *columns]
    if [letter for letter in output if letter in order] == order:
        return [Value(shape, ref=walk.view(node, result, wanted), batch=batch)]
    return [walk.layer(node, "gather", [result], shape, batch, shape=wanted)]


def _einsum_linear(walk: Walk, node: Node, value: Value, weight: Value, rows: int, shape: Shape) -> Value:
    """An equation that sums over the last axes with learned weights: a fully connected layer, and its axes in shape."""
    flat = (*value.sizes[:rows], prod(value.sizes[rows:]))
    merged = Value(flat, ref=walk.view(node, value, walk.inner(flat, value.batch)), batch=value.batch)
    made = _linear(walk, node, merged, prod(shape[rows:]), weight, None)
    return Value(shape, ref=walk.view(node, made, walk.inner(shape, value.batch)), batch=value.batch)


# -- attention, recurrence -----------------------------------------------------------------------------------------


@rule("Attention", "MultiHeadAttention")
def attention(walk: Walk, node: Node, inputs: Inputs) -> list[Value]:
    """The fused operator as two products and a softmax; com.microsoft's first projects its input by packed weights."""
    if node.domain == "com.microsoft" and node.operator == "Attention":
        value, weight, bias = given(inputs, 0), given(inputs, 1), inputs[2] if len(inputs) > 2 else None
        packed = _linear(walk, node, value, weight.sizes[1], weight, bias)
        third = weight.sizes[1] // 3
        parts = [cut_axis(walk, node, packed, 2, at * third, (at + 1) * third) for at in range(3)]
        heads = (node.get("num_heads", 1),) * 2
    else:
        parts = [given(inputs, at) for at in range(3)]
        heads = (
            node.get("q_num_heads") or node.get("num_heads", 1),
            node.get("kv_num_heads") or node.get("num_heads", 1),
        )
    query, key, mixed = parts
    if len(query.sizes) not in (3, 4) or query.batch != 0:
        raise NoRule("an attention without a rule")
    is_flat = len(query.sizes) == 3
    count = heads[0] if is_flat else query.sizes[1]

    def side(value: Value, own: int) -> Ref:
        sizes = walk.inner(value.sizes, 0)
        split = (own, sizes[0], sizes[1] // own) if is_flat else sizes
        wanted = (count, *split[1:])
        if is_flat or split != wanted:
            return walk.layer(node, "gather", [value], wanted, None, shape=wanted).ref or Ref(0)
        return walk.ref(value)

    q, k, v = side(query, heads[0]), side(key, heads[1]), side(mixed, heads[1])
    tokens, others, width = walk.graph.shape(q)[1], walk.graph.shape(k)[1], walk.graph.shape(v)[2]
    scores = walk.layer(node, "matmul", [q, k], (count, tokens, others), None, transpose=True)
    scores = walk.layer(node, "softmax", [scores], (count, tokens, others), None, axis="last")
    found = walk.layer(node, "matmul", [scores, v], (count, tokens, width), None)
    shape = (query.sizes[0], tokens, count * width) if is_flat else (query.sizes[0], count, tokens, width)
    if is_flat:
        return [walk.layer(node, "gather", [found], shape, 0, shape=(tokens, count * width))]
    return [Value(shape, ref=found.ref, batch=0)]


@rule("LSTM", "GRU", "RNN")
def recurrent(walk: Walk, node: Node, inputs: Inputs) -> list[Value]:
    value, weight, states = given(inputs, 0), given(inputs, 1), given(inputs, 2)
    bias = inputs[3] if len(inputs) > 3 else None
    directions, _, features = states.sizes
    if node.get("layout", 0):
        raise NoRule("batch in front")
    steps, count, entries = value.sizes
    if count != walk.batch:
        raise NoRule("the batch is not in the middle")
    sequence = walk.view(node, value, (steps, entries))
    fields: dict[str, Any] = {"features": features, **({"bidirectional": True} if directions == 2 else {})}
    fields.update({} if bias is not None else {"bias": False})
    flat = walk.layer(
        node,
        node.operator.lower(),
        [sequence],
        (steps, count, directions * features),
        1,
        [weight, states, bias],
        **fields,
    )
    found = [flat]
    if node.outputs[0]:
        shape = (steps, directions, count, features)
        split = Value(
            (steps, count, directions, features),
            ref=walk.view(node, flat, (steps, directions, features)) if directions > 1 else flat.ref,
            batch=1,
        )
        found = [
            Value(shape, ref=split.ref if directions > 1 else walk.view(node, flat, (steps, 1, features)), batch=2)
        ]
    if any(node.outputs[1:]):
        last = cut_axis(walk, node, flat, 0, steps - 1, steps)
        state = Value((directions, count, features), ref=walk.view(node, last, (directions, features)), batch=1)
        found += [state] * (len(node.outputs) - 1)
    return found


# -- normalisation -------------------------------------------------------------------------------------------------


@rule("BatchNormalization", "SpatialBN")
def batch_norm(walk: Walk, node: Node, inputs: Inputs) -> list[Value]:
    value = given(inputs, 0)
    rank = len(value.sizes)
    if value.batch == 0 and value.sizes[0] != walk.batch and rank > 1:
        # what lies in the batch axis beside the batch is one more axis behind the channels
        swap = [1, 0, *range(2, rank)]
        turned = (value.sizes[1], value.sizes[0] // walk.batch, *value.sizes[2:])
        first = walk.layer(node, "permute", [value], turned, None, order=tuple(swap))
        made = walk.layer(node, "batch_norm", [first], turned, None, inputs[1:3])
        return [walk.layer(node, "permute", [made], value.sizes, 0, order=tuple(swap))]
    return [walk.layer(node, "batch_norm", [value], value.sizes, value.batch, inputs[1:3])]


@rule("InstanceNormalization")
def instance_norm(walk: Walk, node: Node, inputs: Inputs) -> list[Value]:
    value, scale = given(inputs, 0), given(inputs, 1)
    fields = {"affine": True} if scale.origins else {}
    return [walk.layer(node, "instance_norm", [value], value.sizes, value.batch, inputs[1:3], **fields)]


@rule("GroupNormalization", "GroupNorm")
def group_norm(walk: Walk, node: Node, inputs: Inputs) -> list[Value]:
    value = given(inputs, 0)
    groups = node.get("num_groups") or node.get("groups") or 1
    fields = {} if given(inputs, 1).origins else {"affine": False}
    return [walk.layer(node, "group_norm", [value], value.sizes, value.batch, inputs[1:3], groups=groups, **fields)]


@rule("LayerNormalization", "SkipLayerNormalization", "RMSNormalization", "SimplifiedLayerNormalization")
def layer_norm(walk: Walk, node: Node, inputs: Inputs) -> list[Value]:
    value = given(inputs, 0)
    if node.operator == "SkipLayerNormalization":
        value = binary(walk, node, "Add", [value, given(inputs, 1)])
        inputs = [value, *inputs[2:4]]
    weights = [found for found in inputs[1:3] if found is not None and found.ref is None]
    axis = axis_at(node.get("axis", -1), len(value.sizes))
    inner = len(walk.inner(value.sizes, value.batch))
    over = len(value.sizes) - axis
    if node.operator in ("RMSNormalization", "SimplifiedLayerNormalization"):
        return [walk.layer(node, "rms_norm", [value], value.sizes, value.batch, weights)]
    fields: dict[str, Any] = {} if any(found.origins for found in weights) else {"affine": False}
    if fields == {} and len(weights) < 2:
        fields = {"bias": False}
    if over > 1 and over == inner:
        fields["over"] = "all"
    elif over > 1:
        raise NoRule("it normalises some axes")
    channels = node.get("channels", 0)
    if channels:
        fields["over"] = "channels"
    return [walk.layer(node, "layer_norm", [value], value.sizes, value.batch, weights, **fields)]


@rule("LRN")
def lrn(walk: Walk, node: Node, inputs: Inputs) -> list[Value]:
    value = given(inputs, 0)
    return [walk.layer(node, "lrn", [value], value.sizes, value.batch, size=node.get("size", 5))]


@rule("LpNormalization", "MeanVarianceNormalization")
def norm_without_weights(walk: Walk, node: Node, inputs: Inputs) -> list[Value]:
    value = given(inputs, 0)
    return [walk.layer(node, "layer_norm", [value], value.sizes, value.batch, affine=False)]


# -- element by element --------------------------------------------------------------------------------------------

_ACTIVATIONS = {
    "Relu": "relu", "Sigmoid": "sigmoid", "Tanh": "tanh", "Elu": "elu", "Celu": "elu", "Selu": "selu", "Gelu": "gelu",
    "HardSwish": "hard_swish", "HardSigmoid": "hard_sigmoid", "Mish": "mish", "Softplus": "softplus", "Silu": "silu",
    "Softsign": "softsign", "LeakyRelu": "leaky_relu", "Swish": "silu", "BiasGelu": "gelu", "FastGelu": "gelu",
    "QuickGelu": "gelu", "ThresholdedRelu": "relu",
}  # fmt: skip
_WORK = {
    "exponentials": "Exp Sqrt Pow Log Erf Sin Cos Tan Asin Acos Atan Sinh Cosh Asinh Acosh Atanh",
    "comparisons": "Abs Neg Floor Ceil Round Sign Not And Or Xor Equal Greater Less GreaterOrEqual LessOrEqual Where "
    "IsNaN IsInf BitwiseAnd BitwiseOr BitwiseNot",
    "divisions": "Reciprocal Mod",
    "additions": "CumSum",
}


@rule(*_ACTIVATIONS)
def activation(walk: Walk, node: Node, inputs: Inputs) -> list[Value]:
    value = given(inputs, 0)
    if value.ref is None:
        return [like(value, value.sizes)]
    fields = {}
    if node.operator == "LeakyRelu":
        fields = {"slope": round(node.get("alpha", 0.01), 7)}
    return [walk.layer(node, _ACTIVATIONS[node.operator], [value], value.sizes, value.batch, **fields)]


@rule("PRelu")
def prelu(walk: Walk, node: Node, inputs: Inputs) -> list[Value]:
    value, slope = given(inputs, 0), given(inputs, 1)
    fields = {"slopes": "one"} if prod(slope.sizes) == 1 else {}
    return [walk.layer(node, "prelu", [value], value.sizes, value.batch, [slope], **fields)]


@rule("Softmax", "LogSoftmax", "Hardmax")
def softmax(walk: Walk, node: Node, inputs: Inputs) -> list[Value]:
    value = given(inputs, 0)
    newest = walk.model.opsets.get("", 13)
    axis = axis_at(node.get("axis", -1 if newest >= 13 else 1), len(value.sizes))
    inner = walk.inner(value.sizes, value.batch)
    at = min(walk.inner_axis(value, axis), len(inner) - 1)
    fields: dict[str, Any] = {"axis": "last"} if len(inner) > 1 and at == len(inner) - 1 else {"axis": at} if at else {}
    name = "log_softmax" if node.operator == "LogSoftmax" else "softmax"
    return [walk.layer(node, name, [value], value.sizes, value.batch, **fields)]


@rule("Clip")
def clip(walk: Walk, node: Node, inputs: Inputs) -> list[Value]:
    value = given(inputs, 0)
    bounds = [
        node.get(name) if len(inputs) <= at or inputs[at] is None else given(inputs, at).scalar()
        for at, name in ((1, "min"), (2, "max"))
    ]
    if value.ref is None:
        return [like(value, value.sizes, value.data)]
    low, high = bounds
    if low == 0 and high is not None and abs(high - 6) < 1e-6:
        return [walk.layer(node, "relu6", [value], value.sizes, value.batch)]
    if low == 0 and (high is None or high > 1e30):
        return [walk.layer(node, "relu", [value], value.sizes, value.batch)]
    fields = {
        name: round(bound, 7)
        for name, bound in (("low", low), ("high", high))
        if bound is not None and abs(bound) < 1e8 and bound != {"low": -1, "high": 1}[name]
    }
    return [walk.layer(node, "hard_tanh", [value], value.sizes, value.batch, **fields)]


@rule(*" ".join(_WORK.values()).split())
def elementwise(walk: Walk, node: Node, inputs: Inputs) -> list[Value]:
    values = [value for value in inputs if value is not None]
    if node.operator == "CumSum":
        values = values[:1]
    if all(value.ref is None for value in values):
        return [_computed(node.operator, values)]
    work = next(work for work, names in _WORK.items() if node.operator in names.split())
    return [_together(walk, node, work, values)]


def _computed(name: str, values: list[Value]) -> Value:
    """An element-wise operator on constants."""
    shape = broadcast(*(value.sizes for value in values))
    origins = tuple(dict.fromkeys(origin for value in values for origin in value.origins))
    is_logic = name in ("Equal", "Less", "Greater", "LessOrEqual", "GreaterOrEqual", "And", "Or", "Not")
    element = 9 if is_logic else values[-1].element
    return Value(checked(shape), arithmetic(name, values), origins=origins, element=element)


def _together(walk: Walk, node: Node, work: str, values: Sequence[Value]) -> Value:
    """One operation over activations; constants that nobody learned only give their shape."""
    shape = broadcast(*(value.sizes for value in values))
    real = [value for value in values if value.ref is not None or (value.origins and prod(value.sizes) > 1)]
    batch, refs = aligned(walk, node, real, [value.sizes for value in real], shape)
    inner = walk.inner(shape, batch)
    if all(walk.graph.shape(ref) != inner for ref in refs) and len(refs) < len(values):
        gather = walk.layer(node, "gather", [refs[0]], shape, batch, shape=inner)
        refs[0] = walk.ref(gather)
    return walk.layer(node, "elementwise", refs[:3], shape, batch, operation=work)


@rule("Sum", "Max", "Min", "Mean")
def several(walk: Walk, node: Node, inputs: Inputs) -> list[Value]:
    values = [value for value in inputs if value is not None]
    if len(values) == 1:
        return values
    if all(value.ref is None for value in values):
        return [_computed(node.operator, values)]
    if node.operator == "Sum":
        return [binary(walk, node, "Add", values)]
    real = [value for value in values if value.ref is not None]
    if len(real) < len(values) or node.operator == "Mean":
        return [_together(walk, node, "comparisons" if node.operator != "Mean" else "additions", values[:3])]
    shape = broadcast(*(value.sizes for value in values))
    batch, refs = aligned(walk, node, values, [value.sizes for value in values], shape)
    return [walk.layer(node, "maximum", refs, shape, batch)]


@rule("Add", "Sub", "Mul", "Div")
def arithmetics(walk: Walk, node: Node, inputs: Inputs) -> list[Value]:
    values = [given(inputs, 0), given(inputs, 1)]
    if all(value.ref is None for value in values):
        return [_computed(node.operator, values)]
    return [binary(walk, node, node.operator, values)]


_JOINS = {"Add": "add", "Sub": "subtract", "Mul": "multiply", "Div": "divide"}
_JOIN_WORK = {"Add": "additions", "Sub": "additions", "Mul": "multiplications", "Div": "divisions"}


def binary(walk: Walk, node: Node, name: str, values: list[Value]) -> Value:
    """Arithmetic of activations, with learned constants among them: a scale, a parameter beside it, or a number."""
    # the old form of broadcasting: the second's axes stand at `axis` of the first
    if node.get("broadcast", 0) and len(values) == 2 and node.get("axis") is not None:
        first, second = values
        behind = len(first.sizes) - node.get("axis") - len(second.sizes)
        if behind > 0 and second.ref is None:
            values = [first, like(second, (*second.sizes, *(1 for _ in range(behind))), second.data)]
    learned = [value for value in values if value.ref is None and value.origins]
    real = [value for value in values if value.ref is not None]
    if len(values) == 2 and len(real) + len(learned) < 2:
        return _together(walk, node, _JOIN_WORK[name], values)
    if len(values) == 2 and learned and name == "Mul":
        scale = _scale(walk, node, real[0], learned[0])
        if scale is not None:
            return scale
    shape = broadcast(*(value.sizes for value in values))
    batch, refs = aligned(walk, node, values, [value.sizes for value in values], shape)
    return walk.layer(node, _JOINS[name], refs, shape, batch)


def _scale(walk: Walk, node: Node, value: Value, factor: Value) -> Value | None:
    """Learned factors along one axis, with the offsets that an Add behind it may hold."""
    shape = broadcast(value.sizes, factor.sizes)
    wide = [at for at, size in enumerate((1,) * (len(shape) - len(factor.sizes)) + factor.sizes) if size > 1]
    if shape != value.sizes or len(wide) != 1 or wide[0] == value.batch:
        return None
    axis = walk.inner_axis(value, wide[0])
    inner = walk.inner(value.sizes, value.batch)
    fields: dict[str, Any] = {}
    if axis:
        fields["axis"] = "last" if axis == len(inner) - 1 else axis
    add = walk.only_reader(node.outputs[0], ("Add",)) if node.operator == "Mul" else None
    weights = [factor]
    if add is not None:
        (other,) = [name for name in add.inputs if name != node.outputs[0]]
        offset = walk.values.get(other)
        if offset is not None and offset.ref is None and offset.origins and offset.sizes == factor.sizes:
            walk.skip.add(id(add))
            walk.renamed[id(node)] = add.outputs[0]
            weights.append(offset)
            fields["bias"] = True
    return walk.layer(node, "scale", [value], value.sizes, value.batch, weights, **fields)


# -- over axes -----------------------------------------------------------------------------------------------------


@rule(
    "ReduceMean", "ReduceSum", "ReduceMax", "ReduceMin", "ReduceProd", "ReduceL1", "ReduceL2", "ReduceSumSquare",
    "ReduceLogSumExp", "ReduceLogSum", "ArgMax", "ArgMin",
)  # fmt: skip
def reduce_axes(walk: Walk, node: Node, inputs: Inputs) -> list[Value]:
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
    is_grid = value.batch == 0 and value.sizes[0] == walk.batch and axes == list(range(2, rank)) and rank > 2
    if is_grid and node.operator in ("ReduceMean", "ReduceMax"):
        name = "global_avg_pool" if node.operator == "ReduceMean" else "global_max_pool"
        pooled = walk.layer(node, name, [value], kept, 0)
        return [pooled if keep else dropped(walk, node, pooled, set(axes))]
    if value.batch in axes and value.sizes[value.batch] == 1:
        axes = [axis for axis in axes if axis != value.batch]
        if not axes:
            return [value if keep else dropped(walk, node, value, {value.batch})]
    inner = tuple(walk.inner_axis(value, axis) for axis in axes)
    batch = (
        value.batch
        if keep or value.batch is None
        else None
        if value.batch in axes
        else value.batch - sum(axis < value.batch for axis in axes)
    )
    work = "comparisons" if node.operator in ("ReduceMax", "ReduceMin", "ArgMax", "ArgMin") else "additions"
    fields: dict[str, Any] = {"axes": _one(inner) if len(inner) == 1 else inner}
    fields.update({"operation": work} if work != "additions" else {})
    fields.update({"keep": True} if keep else {})
    return [walk.layer(node, "reduce", [value], shape, batch, **fields)]


def _reduced(name: str, value: Value) -> list[Any] | None:
    """The one number that a small constant reduces to, where all of it does."""
    if value.data is None or len(value.sizes) != 1 or not value.data:
        return None
    function: Any = {"ReduceProd": prod, "ReduceSum": sum, "ReduceMax": max, "ReduceMin": min}.get(name)
    return [function(value.data)] if function else None


@rule("If")
def branch(walk: Walk, node: Node, inputs: Inputs) -> list[Value]:
    """The branch that a known condition takes."""
    condition = given(inputs, 0).scalar()
    body = node.get("then_branch" if condition else "else_branch")
    if condition is None or body is None:
        raise NoRule("which branch runs, only running it would tell")
    from convcalc.exchange.onnx_values import constant

    for name, tensor in body.tensors.items():
        walk.model.tensors.setdefault(name, tensor)
        walk.values.setdefault(name, constant(tensor, tensor.element in (1, 10, 11, 16) and prod(tensor.shape) > 1))
    for inner in body.nodes:
        walk.node(inner)
    return [walk.values[name] for name in body.outputs]


@rule("TopK")
def top(walk: Walk, node: Node, inputs: Inputs) -> list[Value]:
    value = given(inputs, 0)
    (count,) = optional(inputs, 1, [node.get("k", 1)])
    axis = axis_at(node.get("axis", -1), len(value.sizes))
    shape = (*value.sizes[:axis], count, *value.sizes[axis + 1 :])
    work = walk.layer(node, "elementwise", [value], value.sizes, value.batch, operation="comparisons")
    found = walk.layer(node, "gather", [work], shape, value.batch, shape=walk.inner(shape, value.batch))
    return [found, found]
