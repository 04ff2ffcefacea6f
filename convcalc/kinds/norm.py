"""Normalisation, local response normalisation, and a trainable scale."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from convcalc.kinds.fields import Choice, Flag, Integer, Number
from convcalc.kinds.kind import Kind
from convcalc.kinds.sizes import Shape, Size, Tally, axis_of, elements, rank, require_groups

_EPSILON = "added to the variance; does not change any count"


class _Norm(Kind):
    """A trainable scale and shift for each of `features`, and work for each element."""

    affine = Flag(True, also="elementwise_affine scale center", doc="whether it has a trainable scale and shift")
    epsilon = Number[Any](1e-5, at_least=0, at_most=1, also="eps", doc=_EPSILON)
    example = ("64x8x8", {})

    def learned(self, letter: str, features: Size) -> Iterable[Tally]:
        if self.affine:
            yield "other_params", {"2": 2, letter: features}

    def statistics(self, output: Shape) -> Iterable[Tally]:
        """Yield the work of the input's mean and variance: two sums, a square; subtract, scale, the affine part."""
        yield "norm_elements", elements(output)
        yield "additions", {("4" if self.affine else "3"): 4 if self.affine else 3, **elements(output)}
        yield "multiplications", {("3" if self.affine else "2"): 3 if self.affine else 2, **elements(output)}


class BatchNorm(_Norm, name="batch_norm"):
    """Batch normalisation, as at inference: one multiplication and one addition for each element.

    `buffers` are the running mean and variance: stored, not trainable, not in params.
    Source: Ioffe and Szegedy, arXiv:1502.03167.

    >>> print_cost(BatchNorm(), "64x8x8")
    64x8x8
    other_params = 2*C = 2*64 = 128
    buffers = 2*C = 2*64 = 128
    norm_elements = C*H*W = 64*8*8 = 4,096
    multiplications = C*H*W = 64*8*8 = 4,096
    additions = C*H*W = 64*8*8 = 4,096
    """

    statistic = Choice(
        "running",
        "batch",
        default="running",
        also="track_running_stats",
        doc="the source of mean and variance: running ones, or the batch",
    )
    torch = "BatchNorm1d BatchNorm2d BatchNorm3d SyncBatchNorm"
    keras = "BatchNormalization"
    onnx = "BatchNormalization"

    def tally(self, inputs: tuple[Shape, ...], output: Shape) -> Iterable[Tally]:
        yield from self.learned("C", output[0])
        if self.statistic == "running":
            yield "buffers", {"2": 2, "C": output[0]}
        yield "norm_elements", elements(output)
        yield "multiplications", elements(output)
        yield "additions", elements(output)


class LayerNorm(_Norm, name="layer_norm"):
    """Layer normalisation: over the last axis (tokens), over the channels of each pixel, or over all axes.

    Source: Ba, Kiros and Hinton, arXiv:1607.06450.

    >>> print_cost(LayerNorm(), "197x768")
    197x768
    other_params = 2*D = 2*768 = 1,536
    norm_elements = L*D = 197*768 = 151,296
    additions = 4*L*D = 4*197*768 = 605,184
    multiplications = 3*L*D = 3*197*768 = 453,888
    """

    over = Choice(
        "last", "channels", "all", default="last", also="axis normalized_shape", doc="axes that are normalised"
    )
    bias = Flag(True, doc="whether the scale has a shift")
    example = ("197x768", {})
    torch = "LayerNorm"
    keras = "LayerNormalization"
    onnx = "LayerNormalization"

    def tally(self, inputs: tuple[Shape, ...], output: Shape) -> Iterable[Tally]:
        learned = elements(output)
        if self.over == "last":
            learned = dict([list(learned.items())[-1]])
        elif self.over == "channels":
            learned = {"C": output[0]}
        if self.affine:
            yield "other_params", {"2": 2, **learned} if self.bias else learned
        yield from self.statistics(output)


class RmsNorm(Kind, name="rms_norm"):
    """Root mean square normalisation over the last axis: a scale, without shift and mean.

    Source: Zhang and Sennrich, arXiv:1910.07467.

    >>> print_cost(RmsNorm(), "197x768")
    197x768
    other_params = D = 768 = 768
    norm_elements = L*D = 197*768 = 151,296
    additions = L*D = 197*768 = 151,296
    multiplications = 3*L*D = 3*197*768 = 453,888
    """

    epsilon = Number[Any](1e-6, at_least=0, at_most=1, also="eps", doc=_EPSILON)
    example = ("197x768", {})
    torch = "RMSNorm"
    keras = "RMSNormalization"
    onnx = "RMSNormalization"

    def tally(self, inputs: tuple[Shape, ...], output: Shape) -> Iterable[Tally]:
        letter, size = list(elements(output).items())[-1]
        yield "other_params", {letter: size}
        yield "norm_elements", elements(output)
        yield "additions", elements(output)
        yield "multiplications", {"3": 3, **elements(output)}


class GroupNorm(_Norm, name="group_norm"):
    """Group normalisation: over groups of channels and all spatial axes.

    Source: Wu and He, arXiv:1803.08494.

    >>> print_cost(GroupNorm(groups=32), "64x8x8")
    64x8x8
    other_params = 2*C = 2*64 = 128
    norm_elements = C*H*W = 64*8*8 = 4,096
    additions = 4*C*H*W = 4*64*8*8 = 16,384
    multiplications = 3*C*H*W = 3*64*8*8 = 12,288
    """

    groups = Integer[int](bare=True, letter="g", also="num_groups", doc="groups of channels")
    example = ("64x8x8", {"groups": 32})
    torch = "GroupNorm"
    keras = "GroupNormalization"
    onnx = "GroupNormalization"

    def output(self, *inputs: Shape) -> Shape:
        require_groups(inputs[0][0], self.groups)
        return inputs[0]

    def tally(self, inputs: tuple[Shape, ...], output: Shape) -> Iterable[Tally]:
        yield from self.learned("C", output[0])
        yield from self.statistics(output)


class InstanceNorm(_Norm, name="instance_norm"):
    """Instance normalisation: over the spatial axes of each channel; trainable values only with `affine`.

    Source: Ulyanov, Vedaldi and Lempitsky, arXiv:1607.08022.

    >>> print_cost(InstanceNorm(), "64x8x8")
    64x8x8
    norm_elements = C*H*W = 64*8*8 = 4,096
    additions = 3*C*H*W = 3*64*8*8 = 12,288
    multiplications = 2*C*H*W = 2*64*8*8 = 8,192
    """

    affine = Flag(False, doc="whether it has a trainable scale and shift")
    torch = "InstanceNorm1d InstanceNorm2d InstanceNorm3d"
    onnx = "InstanceNormalization"

    def tally(self, inputs: tuple[Shape, ...], output: Shape) -> Iterable[Tally]:
        yield from self.learned("C", output[0])
        yield from self.statistics(output)


class GlobalResponseNorm(Kind, name="global_response_norm"):
    """Global response normalisation: x + scale * x * (length of the channel / mean length) + shift.

    The length of a channel is the root of the sum of its squares.
    Source: Woo et al., ConvNeXt V2, arXiv:2301.00808, section 3.2.

    >>> print_cost(GlobalResponseNorm(), "64x8x8")
    64x8x8
    other_params = 2*C = 2*64 = 128
    norm_elements = C*H*W = 64*8*8 = 4,096
    additions = 3*C*H*W + C = 3*64*8*8 + 64 = 12,352
    multiplications = 3*C*H*W = 3*64*8*8 = 12,288
    exponentials = C = 64 = 64
    divisions = C = 64 = 64
    """

    epsilon = Number[Any](1e-6, at_least=0, at_most=1, also="eps", doc="added to the mean; does not change any count")
    example = ("64x8x8", {})
    torch = "GlobalResponseNorm GRN"

    def tally(self, inputs: tuple[Shape, ...], output: Shape) -> Iterable[Tally]:
        channels = {"C": output[0]}
        yield "other_params", {"2": 2, **channels}
        yield "norm_elements", elements(output)
        yield "additions", {"3": 3, **elements(output)}
        yield "additions", channels
        yield "multiplications", {"3": 3, **elements(output)}
        yield "exponentials", channels
        yield "divisions", channels


class Lrn(Kind, name="lrn"):
    """Local response normalisation across n neighbouring channels: x / (k + alpha * sum of squares) ^ beta.

    For each element a square, n sums, a power and a division. Source: Krizhevsky et al., AlexNet, section 3.3.

    >>> print_cost(Lrn(size=5), "96x55x55")
    96x55x55
    norm_elements = C*H*W = 96*55*55 = 290,400
    multiplications = 2*C*H*W = 2*96*55*55 = 580,800
    additions = n*C*H*W = 5*96*55*55 = 1,452,000
    exponentials = C*H*W = 96*55*55 = 290,400
    divisions = C*H*W = 96*55*55 = 290,400
    """

    size = Integer[int](5, bare=True, letter="n", also="n local_size depth_radius", doc="channels in a neighbourhood")
    alpha = Number[Any](1e-4, at_least=0, doc="factor of the sum of squares")
    beta = Number[Any](0.75, at_least=0, doc="power")
    k = Number[Any](1, at_least=0, also="bias", doc="added to the sum")
    example = ("96x55x55", {"size": 5})
    torch = "LocalResponseNorm"
    onnx = "LRN"

    def tally(self, inputs: tuple[Shape, ...], output: Shape) -> Iterable[Tally]:
        yield "norm_elements", elements(output)
        yield "multiplications", {"2": 2, **elements(output)}
        yield "additions", {"n": self.size, **elements(output)}
        yield "exponentials", elements(output)
        yield "divisions", elements(output)


class Scale(Kind, name="scale"):
    """A trainable factor for each channel (or each entry of another axis); with `bias`, an offset too.

    >>> print_cost(Scale(), "96x56x56")
    96x56x56
    other_params = C = 96 = 96
    multiplications = C*H*W = 96*56*56 = 301,056
    """

    axis = Integer[Any]("channels", at_least=-6, words=("channels", "last"), also="dim", doc="the axis of the factors")
    bias = Flag(False, also="shift", doc="whether it has a trainable offset")
    example = ("96x56x56", {})
    torch = "LayerScale"
    onnx = "scale"

    def output(self, *inputs: Shape) -> Shape:
        rank(inputs[0], 1, 8, "scale")
        axis_of(self.axis, inputs[0])
        return inputs[0]

    def tally(self, inputs: tuple[Shape, ...], output: Shape) -> Iterable[Tally]:
        letter, size = list(elements(output).items())[axis_of(self.axis, output)]
        yield "other_params", {letter: size}
        yield "multiplications", elements(output)
        if self.bias:
            yield "other_params", {letter: size}
            yield "additions", elements(output)
