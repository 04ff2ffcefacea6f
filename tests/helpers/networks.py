"""Networks of one layer: each kind with other fields than its example has, and windows of every sort."""

import re

from hypothesis import strategies as st

from convcalc.graph import Graph
from convcalc.kinds import KINDS
from convcalc.kinds.conv import Conv, TransposedConv
from convcalc.kinds.pool import AdaptiveAvgPool, AvgPool, MaxPool
from convcalc.language.input_shapes import parse_shape
from convcalc.loader import read

OTHER_FIELDS = """
    layer_norm {over: channels} 8x4x5; layer_norm {over: channels, bias: false} 8x4
    layer_norm {over: all} 8x4x5; layer_norm {affine: false} 5x8; rms_norm {} 8
    group_norm {groups: 2, affine: false} 8; batch_norm {} 8x2x3x4x5; batch_norm {statistic: batch} 8x4x5
    instance_norm {affine: true} 8x4; lrn {} 8; lrn {alpha: 0.1, k: 2} 8x9; prelu {slopes: one} 8x4
    scale {axis: last, bias: true} 5x8; scale {axis: 1} 3x4x5; softmax {axis: last} 5x8
    linear {features: 3, axis: channels, bias: false} 8x4x5; linear {features: 3, axis: 1} 8x4x5; linear 3 5x8
    attention {heads: 3, head_features: 5} 7x32; attention {heads: 3, head_features: 5, bias: false} 7x9 5x8 5x6
    attention 2 3x5x8; attention {heads: 2, head_features: 3} 2x3x5x8 2x3x4x6; global_response_norm {} 8x6
    global_response_norm {} 8x2x3x4; max_unpool {kernel: 3, stride: 2, padding: 1} 8x4x4 8x8x8; max_unpool 2 3x2 3x5
    max_unpool [1, 2, 3] 4x2x2x2 4x2x5x7; elementwise square 8x4; elementwise root 8
    reduce {axes: 1, operation: maximum} 8x4
    attention {heads: 4, bias: false} 7x32 5x8; attention 4 7x32 5x8 5x6
    lstm {features: 4, layers: 2, bias: false} 3x7x8; gru {features: 4, bidirectional: true} 3x7x8
    rnn {features: 4, bidirectional: true, layers: 3} 7x8; flatten {start: 1} 8x4x5; flatten {start: 2} 8x4x5
    reshape [-1, 5] 8x4x5; permute [2, 0, 1] 8x4x5; pad {amount: [[0, 1], [2, 2]]} 8x4x5
    pad {amount: 1, mode: reflect} 8x4x5; pad {amount: 2, mode: circular} 8x4
    pad {amount: 1, mode: replicate} 8x4x5x6; crop {amount: [[1, 0], [0, 2]]} 8x4x5; center_crop 3 8x4x5
    slice {start: -3} 8x4; slice {axis: last, start: 1, stop: -1, step: 2} 8x9; slice {start: 2, stop: 8} 8x4
    split [3, 5] 8x4; split {parts: 2, axis: last} 8x4; upsample {scale: 3} 8x4
    upsample {size: 9, mode: bilinear} 8x4x4x4; upsample {scale: [2, 3], mode: bicubic} 8x4x5
    upsample {size: 7, mode: bilinear} 8x4; mean {axis: channels} 8x4x5; concat {axis: last} 8x4 8x5
    concat {} 8x4; add {} 8x4 8x1 1x4; subtract {} 8x4 8x4 8x4; maximum {} 8x4 8x1 8x4
    matmul {transpose: true} 3x7x4 1x9x4; elementwise comparisons 8x4 8x1; elementwise exponentials 8x4 8x4 8x4
    elementwise exponentials 8x4; elementwise additions 8; elementwise comparisons 8; elementwise divisions 8
    reduce {axes: [0, 1]} 8x4; reduce {axes: [0, 1], keep: true, operation: comparisons} 8x4
    gather [3, 3] 4 2x2; reduce {axes: 1, operation: multiplications} 8x4
    reduce {axes: [0], operation: divisions} 8x4; reduce {axes: 1, operation: exponentials} 8x4; constant 7
    parameter [2, 3, 4]; embedding {entries: 9, features: 2} 3x4; max_pool {kernel: 2, padding: same} 8x5x5
    max_pool {kernel: 3, stride: 1, padding: same} 8x5; leaky_relu 0.2 8
    avg_pool {kernel: 3, padding: 1, include_padding: false} 8x9; avg_pool {kernel: 3, dilation: 2} 8x9x9
    conv {kernel: 3, groups: channels, learned: 0, bias: false, padding: [[0, 1], [2, 2]]} 8x9x9
    conv {filters: 4, kernel: 3, groups: 2, stride: 2, learned: 0, bias: false} 8x9
    transposed_conv {filters: 4, kernel: 3, stride: 2, padding: [[0, 1]], learned: 0, bias: false} 8x9
    transposed_conv {filters: 4, kernel: 2, stride: 3, output_padding: 1, learned: 0, bias: false} 8x4x5
    gelu {approximate: tanh} 8; avg_pool {kernel: 3, padding: [[0, 1]], include_padding: false} 8x9
    hard_tanh {low: 0, high: 6.5} 8; elu {alpha: 0.5} 8
"""

CASES = [case.strip() for line in OTHER_FIELDS.split("\n") for case in line.split(";") if case.strip()]


def alone(kind, *shapes):
    """A network of one layer."""
    graph = Graph(kind.name)
    inputs = [graph.add_input(f"input{number}", shape) for number, shape in enumerate(shapes or ((1,),))]
    graph.add(kind.name, kind, inputs[: len(shapes)])
    graph.batch = 2
    return graph


def example(kind):
    """The network of one layer that is the example of a kind."""
    shapes, fields = kind.example
    return alone(kind(**fields), *map(parse_shape, shapes.split()))


def network(case):
    """The network of one layer that one of CASES is: a kind, fields, shapes of the inputs."""
    name, fields, shapes = re.fullmatch(r"(\w+) ?(\{.*\}|\[.*\]|[a-z]+|[\d.]+)?((?: \d+(?:x\d+)*)*)", case).groups()
    if name in ("constant", "parameter") and not shapes:
        shapes = " 1"
    inputs = shapes.split() or ["1"]
    many = ", ".join(f"i{number}: {shape}" for number, shape in enumerate(inputs))
    origin = "" if KINDS[name].inputs == (0, 0) else f", from: [{', '.join(f'i{at}' for at in range(len(inputs)))}]"
    bare = next((key for key, field in KINDS[name].fields.items() if field.bare), "")
    body = fields[1:-1] if (fields or "").startswith("{") else f"{bare}: {fields}" if fields else ""
    own = ", ".join(part for part in (body, "name: it") if part) + origin
    return read(f"input: {{{many}}}\nlayers: [{name}: {{{own}}}]")


def per_axis(count, least, most):
    return st.one_of(st.integers(least, most), st.lists(st.integers(least, most), min_size=count, max_size=count))


@st.composite
def windows(draw):
    """A layer with a window, and a shape that it may fit."""
    axes = draw(st.integers(1, 3))
    kind = draw(st.sampled_from([Conv, TransposedConv, MaxPool, AvgPool, AdaptiveAvgPool]))
    shape = (draw(st.integers(1, 6)), *(draw(st.integers(1, 9)) for _ in range(axes)))
    if kind is AdaptiveAvgPool:
        return kind, {"size": draw(per_axis(axes, 1, 5))}, shape
    side = st.one_of(st.integers(0, 4), st.lists(st.integers(0, 4), min_size=2, max_size=2))
    padding = st.one_of(
        st.sampled_from(["same", "valid"]), st.integers(0, 4), st.lists(side, min_size=axes, max_size=axes)
    )
    fields = {
        "kernel": draw(per_axis(axes, 1, 4)),
        "stride": draw(per_axis(axes, 1, 4)),
        "padding": draw(padding),
        "dilation": draw(per_axis(axes, 1, 3)),
    }
    if kind in (Conv, TransposedConv):
        fields["groups"] = draw(st.sampled_from([1, 2, 3, "channels"]))
        fields["filters"] = draw(st.sampled_from([1, 2, 6]))
        fields["bias"] = draw(st.booleans())
        if kind is TransposedConv:
            fields["output_padding"] = draw(per_axis(axes, 0, 3))
    else:
        fields["ceil_mode"] = draw(st.booleans())
        if kind is AvgPool:
            fields["include_padding"] = draw(st.booleans())
    return kind, fields, shape
