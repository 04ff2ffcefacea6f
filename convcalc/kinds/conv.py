"""Convolution and transposed convolution, with as many spatial axes (1 to 3) as the input has."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from convcalc.kinds.fields import Flag, Integer, Sizes
from convcalc.kinds.kind import Kind
from convcalc.kinds.sizes import (
    LEARNED,
    Shape,
    Size,
    Tally,
    axes,
    is_fixed,
    learned_weights,
    rank,
    require,
    require_groups,
    spread,
)
from convcalc.kinds.window import pairs, reach, slide, split

_GROUPS = "groups of channels; 'channels' for depthwise"


class _Convolution(Kind):
    """The fields of both kinds, and their weights C/g*K*R*S."""

    filters = Integer[Any](
        None,
        letter="K",
        also="out_channels units features channels num_output depth_multiplier",
        doc="output channels; may be left out when groups is 'channels'",
    )
    kernel = Sizes[Any](
        letters="TRS", also="kernel_size kernel_shape size k ksize", doc="kernel size, for example 3 or [1, 7]"
    )
    stride = Sizes[Any](1, letters="s", also="strides s", doc="stride of the kernel")
    padding = Sizes[Any](
        0,
        at_least=0,
        words=("same", "valid"),
        pairs=True,
        letters="p",
        also="pad pads p",
        doc="zeros before and after the input; 'same': output = input / stride, rounded up",
    )
    dilation = Sizes[Any](
        1,
        letters="d",
        also="dilations dilation_rate atrous rate",
        doc="dilation: distance between the kernel's elements",
    )
    groups = Integer[Any](1, letter="g", words=("channels",), also="group num_groups", doc=_GROUPS)
    bias = Flag(True, also="use_bias", doc="whether each filter has a bias")
    learned = Integer[Any]("all", at_least=0, words=("all",), also="trainable requires_grad", doc=LEARNED)
    depth = 1

    def check(self) -> None:
        require(
            self.filters is not None or isinstance(self.groups, str),
            "{name} needs 'filters' (output channels)",
            hint="it may be left out only with 'groups: channels'",
            name=self.name,
        )

    def count_of(self, channels: Size) -> tuple[Size, Size]:
        """Return groups and filters for this many input channels."""
        groups = channels if isinstance(self.groups, str) else self.groups
        filters = channels if self.filters is None else self.filters
        require_groups(channels, groups, "input channels")
        require_groups(filters, groups, "filters")
        return groups, filters

    @property
    def weighted(self) -> int:
        return 0 if is_fixed(self.learned) else self.depth

    def weights(self, shape: Shape) -> dict[str, Size]:
        channels, spatial = split(shape)
        groups, filters = self.count_of(channels)
        return {"C/g": channels // groups, "K": filters, **axes("TRS", spread(self.kernel, len(spatial), "kernel"))}

    def mixes(self, inputs: tuple[Shape, ...]) -> str:
        channels, spatial = split(inputs[0])
        if all(size == 1 for size in spread(self.kernel, len(spatial), "kernel")):
            return "cross-channel (1x1)"
        return "spatial (depthwise)" if channels // self.count_of(channels)[0] == 1 else "both (kxk)"


class Conv(_Convolution, name="conv"):
    """Convolution: each of K filters sums over C/g channels and an R x S kernel.

    Shapes: C x H x W -> K x P x Q; 1-D and 3-D alike (kernel T R S, output Z P Q).
    MACs: C/g*R*S for each output element.
    Source: Dumoulin and Visin, A guide to convolution arithmetic for deep learning, arXiv:1603.07285.

    >>> print_cost(Conv(filters=32, kernel=5, padding="same"), "256x28x28")
    32x28x28
    weights = C/g*K*R*S = 256*32*5*5 = 204,800
    conv_macs = C/g*K*R*S*P*Q = 256*32*5*5*28*28 = 160,563,200
    biases = K = 32 = 32
    bias_adds = K*P*Q = 32*28*28 = 25,088
    """

    example = ("256x28x28", {"filters": 32, "kernel": 5, "padding": "same"})
    torch = "Conv1d Conv2d Conv3d"
    keras = "Conv1D Conv2D Conv3D Convolution2D DepthwiseConv2D"
    onnx = "Conv"
    known_as = {
        "depthwise": "write a depthwise convolution as 'conv: {kernel: 3, groups: channels}'",
        "separable": "write a separable convolution as two: 'conv: {kernel: 3, groups: channels}', then "
        "'conv: {filters: 64, kernel: 1}'",
        "pointwise": "write a pointwise convolution as 'conv: {filters: 64, kernel: 1}'",
        "dilated": "write a dilated convolution as 'conv: {filters: 64, kernel: 3, dilation: 2}'",
        "grouped": "write a grouped convolution as 'conv: {filters: 64, kernel: 3, groups: 4}'",
    }

    def output(self, *inputs: Shape) -> Shape:
        shape = inputs[0]
        rank(shape, 2, 4, "conv")
        channels, spatial = split(shape)
        _, filters = self.count_of(channels)
        return (filters, *slide(spatial, self.kernel, self.stride, self.padding, self.dilation))

    def window(self, shape: Shape) -> tuple[tuple[Size, Size, Size], ...]:
        return reach(shape[1:], self.kernel, self.stride, self.padding, self.dilation)

    def tally(self, inputs: tuple[Shape, ...], output: Shape) -> Iterable[Tally]:
        weights, (filters, *spatial) = self.weights(inputs[0]), output
        places = axes("ZPQ", spatial)
        yield learned_weights(self.learned, weights)
        yield "conv_macs", {**weights, **places}
        if self.bias:
            yield "biases", {"K": filters}
            yield "bias_adds", {"K": filters, **places}


class TransposedConv(_Convolution, name="transposed_conv"):
    """Transposed convolution: each input element adds an R x S kernel to the output.

    Shapes: C x H x W -> K x P x Q with P = (H-1)*stride - before - after + dilation*(R-1) + output_padding + 1;
    `same` gives P = H*stride. MACs are counted on the input grid: C/g*K*R*S*H*W. Counting them on the output grid,
    as several counters do, is stride x stride times too high.

    >>> print_cost(TransposedConv(filters=8, kernel=2, stride=2, bias=False), "16x5x5")
    8x10x10
    weights = C/g*K*R*S = 16*8*2*2 = 512
    conv_macs = C/g*K*R*S*H*W = 16*8*2*2*5*5 = 12,800
    """

    output_padding = Sizes[Any](0, at_least=0, letters="o", also="adj", doc="rows and columns added after the output")
    example = ("16x5x5", {"filters": 8, "kernel": 2, "stride": 2})
    torch = "ConvTranspose1d ConvTranspose2d ConvTranspose3d"
    keras = "Conv1DTranspose Conv2DTranspose Conv3DTranspose Deconvolution2D"
    onnx = "ConvTranspose deconv deconvolution conv_transpose"

    def output(self, *inputs: Shape) -> Shape:
        shape = inputs[0]
        rank(shape, 2, 4, "transposed_conv")
        channels, spatial = split(shape)
        _, filters = self.count_of(channels)
        strides = spread(self.stride, len(spatial), "stride")
        extra = spread(self.output_padding, len(spatial), "output_padding")
        if isinstance(self.padding, str) and self.padding == "same":
            return (filters, *(size * step + more for size, step, more in zip(spatial, strides, extra, strict=True)))
        kernels, dilations = (
            spread(self.kernel, len(spatial), "kernel"),
            spread(self.dilation, len(spatial), "dilation"),
        )
        spans = [dilation * (kernel - 1) + 1 for kernel, dilation in zip(kernels, dilations, strict=True)]
        sizes = zip(spatial, strides, pairs(self.padding, len(spatial)), spans, extra, strict=True)
        spatial_output = tuple((size - 1) * step - sum(pad) + span + more for size, step, pad, span, more in sizes)
        for size in spatial_output:
            require(
                size >= 1,
                "padding {padding} leaves no output ({output})",
                "padding",
                "use less padding",
                padding=self.padding,
                output=spatial_output,
            )
        return (filters, *spatial_output)

    def tally(self, inputs: tuple[Shape, ...], output: Shape) -> Iterable[Tally]:
        (_, *spatial), (filters, *places) = inputs[0], output
        weights = self.weights(inputs[0])
        yield learned_weights(self.learned, weights)
        yield "conv_macs", {**weights, **axes("DHW", spatial)}
        if self.bias:
            yield "biases", {"K": filters}
            yield "bias_adds", {"K": filters, **axes("ZPQ", places)}
