"""Fully connected layers, embedding, and the product of two activations."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from convcalc.kinds.fields import Flag, Integer, ShapeField
from convcalc.kinds.kind import Kind
from convcalc.kinds.sizes import (
    LEARNED,
    Shape,
    Size,
    Tally,
    axis_of,
    broadcast,
    elements,
    is_fixed,
    learned_weights,
    rank,
    require,
)


class Linear(Kind, name="linear"):
    """Fully connected layer: K sums over all C features.

    Shapes: C -> K; L x D -> L x K for each token. With `axis: channels`, C x H x W -> K x H x W for each pixel:
    the weights and MACs of a 1 x 1 convolution.

    >>> print_cost(Linear(features=1000), "4096")
    1000
    weights = C*K = 4,096*1,000 = 4,096,000
    linear_macs = C*K = 4,096*1,000 = 4,096,000
    biases = K = 1,000 = 1,000
    bias_adds = K = 1,000 = 1,000
    >>> print_cost(Linear(features=16, axis="channels", bias=False), "256x28x28")
    16x28x28
    weights = C*K = 256*16 = 4,096
    linear_macs = C*K*H*W = 256*16*28*28 = 3,211,264
    """

    features = Integer[int](
        bare=True, letter="K", also="out_features units filters num_output output_dim", doc="output features"
    )
    axis = Integer[Any](
        None,
        at_least=-6,
        words=("channels", "last"),
        doc="the axis that it sums over; required if the input has spatial axes",
    )
    bias = Flag(True, also="use_bias", doc="whether each output feature has a bias")
    learned = Integer[Any]("all", at_least=0, words=("all",), also="trainable requires_grad", doc=LEARNED)
    depth = 1
    example = ("4096", {"features": 1000})
    torch = "Linear LazyLinear"
    keras = "Dense"
    onnx = "Gemm fc fully_connected InnerProduct"

    def feature_axis(self, shape: Shape) -> int:
        require(
            self.axis is not None or len(shape) <= 2,
            "linear needs flat features, found {shape}",
            hint="put flatten or global_avg_pool before it, or apply it to every pixel: 'axis: channels'",
            shape=shape,
        )
        return axis_of("last" if self.axis is None else self.axis, shape)

    @property
    def weighted(self) -> int:
        return 0 if is_fixed(self.learned) else self.depth

    def output(self, *inputs: Shape) -> Shape:
        axis = self.feature_axis(inputs[0])
        return (*inputs[0][:axis], self.features, *inputs[0][axis + 1 :])

    def tally(self, inputs: tuple[Shape, ...], output: Shape) -> Iterable[Tally]:
        shape, axis = inputs[0], self.feature_axis(inputs[0])
        places = {name: size for at, (name, size) in enumerate(elements(output).items()) if at != axis}
        letter = next(letter for letter in ("C", "D", "M") if letter not in places and (letter != "C" or not axis))
        weights = {letter: shape[axis], "K": self.features}
        yield learned_weights(self.learned, weights)
        yield "linear_macs", {**weights, **places}
        if self.bias:
            yield "biases", {"K": self.features}
            yield "bias_adds", {"K": self.features, **places}

    def mixes(self, inputs: tuple[Shape, ...]) -> str:
        return "fully connected" if len(inputs[0]) == 1 else "cross-channel (1x1)"


class Embedding(Kind, name="embedding"):
    """A table of `entries` vectors: one is looked up for each token, without a multiplication.

    Shapes: L (token numbers) -> L x D.

    >>> print_cost(Embedding(entries=30522, features=768), "128")
    128x768
    weights = V*D = 30,522*768 = 23,440,896
    """

    entries = Integer[int](
        letter="V", also="num_embeddings input_dim vocabulary vocab_size", doc="rows of the table, V"
    )
    features = Integer[int](letter="D", also="embedding_dim output_dim dim", doc="length of a row, D")
    depth = 1
    example = ("128", {"entries": 30522, "features": 768})
    torch = "Embedding"
    keras = "Embedding"
    onnx = "Gather"

    def output(self, *inputs: Shape) -> Shape:
        return (*inputs[0], self.features)

    def tally(self, inputs: tuple[Shape, ...], output: Shape) -> Iterable[Tally]:
        yield "weights", {"V": self.entries, "D": self.features}


class Parameter(Kind, name="parameter"):
    """Trainable values without an input: a class token, position embeddings.

    Join it with `concat` or `add`.

    >>> print_cost(Parameter(shape=[197, 768]))
    197x768
    other_params = L*D = 197*768 = 151,296
    """

    shape = ShapeField(bare=True, doc="its shape, for example [197, 768]")
    inputs = (0, 0)
    example = ("", {"shape": [1, 768]})
    torch = "Parameter"

    def output(self, *inputs: Shape) -> Shape:
        return tuple(self.shape)

    def tally(self, inputs: tuple[Shape, ...], output: Shape) -> Iterable[Tally]:
        yield "other_params", elements(output)


class Matmul(Kind, name="matmul"):
    """Product of two activations: ... x L x M times ... x M x N.

    Shapes: the axes before the last two must be the same, or 1. `transpose` turns the second's last two round.

    >>> print_cost(Matmul(transpose=True), "12x197x64", "12x197x64")
    12x197x197
    matmul_macs = M*C*H*W = 64*12*197*197 = 29,805,312
    """

    transpose = Flag(False, also="transpose_b", doc="transpose the last two axes of the second input")
    inputs = (2, 2)
    has_branches = True
    mixing = "attention"
    example = ("12x197x64 12x64x197", {})
    torch = "matmul bmm"
    onnx = "MatMul"

    def output(self, *inputs: Shape) -> Shape:
        first, second = inputs
        rank(first, 2, 8, "matmul")
        rank(second, 2, 8, "matmul")
        second = (*second[:-2], second[-1], second[-2]) if self.transpose else second
        require(
            len(first) == len(second),
            "matmul of {first} and {second}: they differ in the number of axes",
            first=first,
            second=second,
        )
        require(
            first[-1] == second[-2],
            "matmul of {first} and {second}: {columns} columns, but {rows} rows",
            hint="the last axis of the first must equal the last but one of the second; see 'transpose'",
            first=first,
            second=second,
            columns=first[-1],
            rows=second[-2],
        )
        return (*broadcast(first[:-2], second[:-2], "matmul"), first[-2], second[-1])

    def tally(self, inputs: tuple[Shape, ...], output: Shape) -> Iterable[Tally]:
        yield "matmul_macs", {"M": inputs[0][-1], **elements(output)}


class Attention(Kind, name="attention"):
    """Multi-head attention: projections of queries, keys and values, two products, and an output projection.

    Shapes: L x D -> L x D; with axes before them (w windows of L tokens), each of these on its own.
    Inputs: one for queries, keys and values; or queries, and keys with values; or all three.
    E is heads times head_features (D if left out). Softmax over h*L*M scores. Counts as two weighted layers.
    Source: Vaswani et al., Attention Is All You Need, arXiv:1706.03762, section 3.2.

    >>> print_cost(Attention(heads=4), "7x32")
    7x32
    weights = D*E + D*E + D*E + E*D = 32*32 + 32*32 + 32*32 + 32*32 = 4,096
    linear_macs = D*E*L + D*E*M + D*E*M + E*D*L = 32*32*7 + 32*32*7 + 32*32*7 + 32*32*7 = 28,672
    biases = E + E + E + D = 32 + 32 + 32 + 32 = 128
    bias_adds = E*L + E*M + E*M + D*L = 32*7 + 32*7 + 32*7 + 32*7 = 896
    matmul_macs = L*M*E + L*M*E = 7*7*32 + 7*7*32 = 3,136
    multiplications = h*L*M = 4*7*7 = 196
    exponentials = h*L*M = 4*7*7 = 196
    additions = h*L*M = 4*7*7 = 196
    divisions = h*L*M = 4*7*7 = 196
    >>> print_cost(Attention(heads=2, bias=False), "4x7x32")  # four windows of 7 tokens
    4x7x32
    weights = D*E + D*E + D*E + E*D = 32*32 + 32*32 + 32*32 + 32*32 = 4,096
    linear_macs = D*E*w*L + D*E*w*M + D*E*w*M + E*D*w*L = 32*32*4*7 + 32*32*4*7 + 32*32*4*7 + 32*32*4*7 = 114,688
    matmul_macs = w*L*M*E + w*L*M*E = 4*7*7*32 + 4*7*7*32 = 12,544
    multiplications = h*w*L*M = 2*4*7*7 = 392
    exponentials = h*w*L*M = 2*4*7*7 = 392
    additions = h*w*L*M = 2*4*7*7 = 392
    divisions = h*w*L*M = 2*4*7*7 = 392
    """

    heads = Integer[int](bare=True, letter="h", also="num_heads", doc="heads")
    head_features = Integer[Any](
        None, also="head_dim key_dim dim_head", doc="features of one head; by default D / heads"
    )
    bias = Flag(True, also="qkv_bias", doc="whether the four projections have biases")
    inputs = (1, 3)
    depth = 2
    mixing = "attention"
    example = ("197x768", {"heads": 12})
    torch = "MultiheadAttention"
    keras = "MultiHeadAttention"
    onnx = "Attention MultiHeadAttention"

    def sizes(self, inputs: tuple[Shape, ...]) -> tuple[Shape, Shape, Shape, Size]:
        query, key, value = (*inputs, inputs[-1], inputs[-1])[:3]
        if self.head_features is not None:
            return query, key, value, self.heads * self.head_features
        require(
            query[-1] % self.heads == 0,
            "{features} features cannot be divided into {heads} heads",
            "heads",
            "heads must divide the features, or give head_features",
            features=query[-1],
            heads=self.heads,
        )
        return query, key, value, query[-1]

    def output(self, *inputs: Shape) -> Shape:
        for shape in inputs:
            rank(shape, 2, 5, "attention (tokens x features)")
            lead, ours = shape[:-2], inputs[0][:-2]
            facts: dict[str, Any] = {"first": inputs[0], "second": shape}
            require(len(lead) == len(ours), "{first} and {second} differ in the number of axes", **facts)
            for one, other in zip(lead, ours, strict=True):
                require(one == other, "{first} and {second} differ in an axis before the tokens", **facts)
        query, key, value, _ = self.sizes(inputs)
        require(key[-2] == value[-2], "{keys} keys, but {values} values", keys=key[-2], values=value[-2])
        return query

    def tally(self, inputs: tuple[Shape, ...], output: Shape) -> Iterable[Tally]:
        query, key, value, inner = self.sizes(inputs)
        windows = dict(zip("wvu", query[:-2], strict=False))
        tokens, others = {**windows, "L": query[-2]}, {"M": key[-2]}
        into = [{"D": shape[-1], "E": inner} for shape in (query, key, value)]
        keys = {**windows, **others}
        parts = [(into[0], tokens), (into[1], keys), (into[2], keys), ({"E": inner, "D": query[-1]}, tokens)]
        for weights, places in parts:
            yield "weights", weights
            yield "linear_macs", {**weights, **places}
            if self.bias:
                letter, size = list(weights.items())[-1]
                yield "biases", {letter: size}
                yield "bias_adds", {letter: size, **places}
        for _ in ("scores", "mixture"):
            yield "matmul_macs", {**tokens, **others, "E": inner}
        for name in ("multiplications", "exponentials", "additions", "divisions"):
            yield name, {"h": self.heads, **tokens, **others}
