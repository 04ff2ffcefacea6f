"""What an element of each kind of layer sees, from what its inputs see. Without a rule it is not known."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from itertools import accumulate
from typing import Any

from convcalc.analysis.sight import ALL, BLIND, UNKNOWN, Seen, Sight, joined, spatial_sizes
from convcalc.graph import Layer
from convcalc.kinds import KINDS
from convcalc.kinds.sizes import axis_of, is_known, spread
from convcalc.kinds.window import pairs

Rule = Callable[[Layer, Sequence[Sight], int], Sight]
ONE = Fraction(1)


def sight_of(layer: Layer, given: Sequence[Sight], port: int = 0) -> Sight:
    """What an element of one output of a layer sees."""
    if layer.is_input:
        axes = (None, *(Seen(ONE, 0 * ONE, 0 * ONE) for _ in layer.output[1:]))
        return Sight(axes) if len(axes) > 1 else UNKNOWN
    if not all(map(is_known, (*layer.shapes, *layer.outputs))):
        return UNKNOWN
    if given and all(sight.is_blind for sight in given):
        return BLIND
    rule = RULES.get(layer.kind.name)
    return UNKNOWN if rule is None else rule(layer, given, port)


def _same(layer: Layer, given: Sequence[Sight], port: int) -> Sight:
    return given[0]


def _union(layer: Layer, given: Sequence[Sight], port: int) -> Sight:
    return joined(given)


def _product(layer: Layer, given: Sequence[Sight], port: int) -> Sight:
    """A union without the factors that have one element for each channel."""
    factors = [(sight, all(size == 1 for size in shape[1:])) for sight, shape in zip(given, layer.shapes, strict=True)]
    if all(is_gate for _, is_gate in factors):
        return joined(given)
    kept = joined([sight for sight, is_gate in factors if not is_gate])
    has_gate = any(is_gate and not sight.is_blind for sight, is_gate in factors)
    return kept._replace(has_gate=kept.has_gate or has_gate) if kept.axes is not None else kept


def _concat(layer: Layer, given: Sequence[Sight], port: int) -> Sight:
    kind: Any = layer.kind
    axis = axis_of(kind.axis, layer.output)
    return joined(given) if all(_is_channel(sight, axis) for sight in given) else UNKNOWN


def _is_channel(sight: Sight, axis: int) -> bool:
    return sight.axes is None or sight.axes[axis] is None


def _through(sight: Sight, windows: Sequence[tuple[Any, Any, Any]]) -> Sight:
    """What windows over the spatial axes see: each a span, a stride and the padding before."""
    if sight.axes is None:
        return sight
    channels, *axes = sight.axes
    if channels is not None or len(axes) != len(windows) or None in axes:
        return UNKNOWN
    found = (axis.through(*window) for axis, window in zip(axes, windows, strict=True) if axis is not None)
    return sight.moved((None, *found))


def _window(layer: Layer, given: Sequence[Sight], port: int) -> Sight:
    return _through(given[0], layer.kind.window(layer.shapes[0]))


def _transposed(layer: Layer, given: Sequence[Sight], port: int) -> Sight:
    """Output o has element i where o = i*stride - before + dilation*r, with r from 0 to R - 1."""
    kind: Any = layer.kind
    count = len(layer.output) - 1
    windows = []
    for at in range(count):
        stride = spread(kind.stride, count, "stride")[at]
        reach = spread(kind.dilation, count, "dilation")[at] * (spread(kind.kernel, count, "kernel")[at] - 1)
        is_same = isinstance(kind.padding, str) and kind.padding == "same"
        before = max(reach + 1 - stride, 0) // 2 if is_same else pairs(kind.padding, count)[at][0]
        span = Fraction(reach, stride) + 1
        windows.append((span, Fraction(1, stride), Fraction(reach - before, stride)))
    return _through(given[0], windows)


def _unpool(layer: Layer, given: Sequence[Sight], port: int) -> Sight:
    """The element of the first input whose window contains it: as of a transposed convolution."""
    kind: Any = layer.kind
    count = len(layer.output) - 1
    strides = spread(kind.kernel if kind.stride is None else kind.stride, count, "stride")
    windows = []
    for span, stride, before in zip(
        spread(kind.kernel, count, "kernel"), strides, spread(kind.padding, count, "padding"), strict=True
    ):
        windows.append((Fraction(span - 1, stride) + 1, Fraction(1, stride), Fraction(span - 1 - before, stride)))
    return _through(given[0], windows)


def _upsample(layer: Layer, given: Sequence[Sight], port: int) -> Sight:
    """Nearest copies one element; bilinear lies between two, bicubic between the inner two of four."""
    taps = {"nearest": 1, "bilinear": 2, "bicubic": 4}[getattr(layer.kind, "mode", "nearest")]
    sizes = zip(layer.shapes[0][1:], layer.output[1:], strict=True)
    ratios = [Fraction(old, new) for old, new in sizes]
    beside = taps // 2 - 1  # of the taps before the two that an element lies between
    return _through(given[0], [(taps, ratio, beside + (1 - ratio) / 2 if taps > 1 else 0) for ratio in ratios])


def _pixel_shuffle(layer: Layer, given: Sequence[Sight], port: int) -> Sight:
    kind: Any = layer.kind
    return _through(given[0], [(1, Fraction(1, kind.factor), 0)] * 2)


def _pixel_unshuffle(layer: Layer, given: Sequence[Sight], port: int) -> Sight:
    kind: Any = layer.kind
    return _through(given[0], [(kind.factor, kind.factor, 0)] * 2)


def _pool(layer: Layer, given: Sequence[Sight], port: int) -> Sight:
    """Adaptive and global pooling: the widest of the windows; everything where one covers all of a larger input."""
    sizes = [*zip(layer.shapes[0][1:], layer.output[1:], strict=True)]
    if any(parts == 1 < size for size, parts in sizes):
        return ALL if not given[0].is_blind else BLIND
    spans = [max(-(-(at + 1) * size // parts) - at * size // parts for at in range(parts)) for size, parts in sizes]
    return _through(given[0], [(span, Fraction(*size), 0) for span, size in zip(spans, sizes, strict=True)])


def _shifted(sight: Sight, cuts: Sequence[int], steps: Sequence[int]) -> Sight:
    """What remains after the first elements of each axis were cut, and of the rest only each step-th taken."""
    if sight.axes is None:
        return sight
    axes = (
        None if axis is None else axis.through(1, step * ONE, -cut * ONE)
        for axis, cut, step in zip(sight.axes, cuts, steps, strict=True)
    )
    return sight.moved(tuple(axes))


def _cut(layer: Layer, given: Sequence[Sight], port: int) -> Sight:
    """Padding adds elements before, a crop removes them."""
    kind: Any = layer.kind
    axes = len(layer.output) - 1
    if kind.name == "center_crop":
        cuts = [(old - new) // 2 for old, new in zip(layer.shapes[0][1:], layer.output[1:], strict=True)]
    else:
        sign = -1 if kind.name == "pad" else 1
        cuts = [sign * before for before, _ in pairs(kind.amount, axes, "amount")]
    return _shifted(given[0], (0, *cuts), (1,) * (axes + 1))


def _slice(layer: Layer, given: Sequence[Sight], port: int) -> Sight:
    kind: Any = layer.kind
    shape = layer.shapes[0]
    axis = axis_of(kind.axis, shape)
    cuts, steps = [0] * len(shape), [1] * len(shape)
    if kind.name == "split":
        cuts[axis] = [0, *accumulate(output[axis] for output in layer.outputs)][port]
    else:
        cuts[axis], steps[axis] = kind.start + shape[axis] * (kind.start < 0), kind.step
    return _shifted(given[0], cuts, steps)


def _permute(layer: Layer, given: Sequence[Sight], port: int) -> Sight:
    kind: Any = layer.kind
    axes = given[0].axes
    order = kind.order if isinstance(kind.order, tuple) else (kind.order,)
    return given[0] if axes is None else given[0].moved(tuple(axes[axis] for axis in order))


def _reshape(layer: Layer, given: Sequence[Sight], port: int) -> Sight:
    """The channels may be divided and merged while the spatial axes stay the last ones."""
    sight, shape = given[0], layer.shapes[0]
    if sight.axes is None:
        return sight
    spatial = len(spatial_sizes(sight, shape))
    is_last = all(axis is not None for axis in sight.axes[len(shape) - spatial :])
    if not is_last or layer.output[-spatial:] != shape[-spatial:]:
        return UNKNOWN
    return sight.moved((*(None for _ in layer.output[:-spatial]), *sight.axes[-spatial:]))


def _linear(layer: Layer, given: Sequence[Sight], port: int) -> Sight:
    """For each pixel where it sums over the channels; everything where it sums over all that there is."""
    kind: Any = layer.kind
    if len(layer.shapes[0]) == 1:
        return ALL
    return given[0] if _is_channel(given[0], kind.feature_axis(layer.shapes[0])) else UNKNOWN


def _softmax(layer: Layer, given: Sequence[Sight], port: int) -> Sight:
    kind: Any = layer.kind
    return given[0] if _is_channel(given[0], axis_of(kind.axis, layer.output)) else UNKNOWN


def _reduced(layer: Layer, given: Sequence[Sight], port: int) -> Sight:
    """Over channels the axis goes; over all spatial axes an element sees everything."""
    kind: Any = layer.kind
    sight, shape = given[0], layer.shapes[0]
    if sight.axes is None:
        return sight
    axes = (axis_of(kind.axis, shape),) if kind.name == "mean" else kind.reduced_axes(shape)
    left = [at for at, axis in enumerate(sight.axes) if axis is not None and shape[at] > 1 and at not in axes]
    if not left:
        return ALL
    if not all(_is_channel(sight, axis) for axis in axes):
        return UNKNOWN
    keeps = getattr(kind, "keep", False)
    return sight.moved(tuple(axis for at, axis in enumerate(sight.axes) if keeps or at not in axes))


def _all(layer: Layer, given: Sequence[Sight], port: int) -> Sight:
    return ALL


def _blind(layer: Layer, given: Sequence[Sight], port: int) -> Sight:
    return BLIND


def _elementwise(layer: Layer, given: Sequence[Sight], port: int) -> Sight:
    kind: Any = layer.kind
    is_product = kind.operation in ("multiplications", "divisions")
    return (_product if is_product else _union)(layer, given, port)


def _unknown(layer: Layer, given: Sequence[Sight], port: int) -> Sight:
    return UNKNOWN


# every kind; norms are taken as identity
RULES: dict[str, Rule] = {
    **{name: _same for name, kind in KINDS.items() if kind.family in ("activation", "norm")},
    **dict.fromkeys(("identity", "dropout", "drop_path", "channel_shuffle"), _same),
    **dict.fromkeys(("conv", "max_pool", "avg_pool"), _window),
    "transposed_conv": _transposed,
    "max_unpool": _unpool,
    **dict.fromkeys(("adaptive_max_pool", "adaptive_avg_pool", "global_max_pool", "global_avg_pool"), _pool),
    "upsample": _upsample,
    "pixel_shuffle": _pixel_shuffle,
    "pixel_unshuffle": _pixel_unshuffle,
    **dict.fromkeys(("pad", "crop", "center_crop"), _cut),
    **dict.fromkeys(("slice", "split"), _slice),
    **dict.fromkeys(("add", "subtract", "maximum"), _union),
    **dict.fromkeys(("multiply", "divide"), _product),
    "elementwise": _elementwise,
    "concat": _concat,
    "permute": _permute,
    **dict.fromkeys(("flatten", "reshape"), _reshape),
    "linear": _linear,
    **dict.fromkeys(("softmax", "log_softmax"), _softmax),
    **dict.fromkeys(("mean", "reduce"), _reduced),
    **dict.fromkeys(("attention", "matmul", "lstm", "gru", "rnn"), _all),
    **dict.fromkeys(("parameter", "constant"), _blind),
    **dict.fromkeys(("gather", "embedding", "opaque", "custom"), _unknown),
}
