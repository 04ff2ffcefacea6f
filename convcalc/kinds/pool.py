"""Pooling: sliding (max, average), adaptive, global. One comparison or addition for each element that a window covers.

No trainable values; the channels stay the same; there are 1 to 3 spatial axes.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from convcalc.kinds.fields import Flag, Sizes
from convcalc.kinds.kind import Kind
from convcalc.kinds.sizes import Shape, Size, Tally, axes, rank, require, spread
from convcalc.kinds.window import reach, slide, split


class _SlidingPool(Kind):
    """A window that slides over each channel; by default the stride is the window size."""

    kernel = Sizes[Any](letters="TRS", bare=True, also="kernel_size kernel_shape pool_size size", doc="window size")
    stride = Sizes[Any](None, letters="s", also="strides", doc="stride of the window; by default its size")
    padding = Sizes[Any](
        0,
        at_least=0,
        words=("same", "valid"),
        pairs=True,
        letters="p",
        also="pad pads",
        doc="padding before and after the input",
    )
    dilation = Sizes[Any](1, letters="d", also="dilations", doc="dilation: distance between the window's elements")
    ceil_mode = Flag(False, also="ceil", doc="round the output size up, not down")

    def output(self, *inputs: Shape) -> Shape:
        rank(inputs[0], 2, 4, self.name)
        channels, spatial = split(inputs[0])
        stride = self.kernel if self.stride is None else self.stride
        return (channels, *slide(spatial, self.kernel, stride, self.padding, self.dilation, self.ceil_mode, "window"))

    def window(self, shape: Shape) -> tuple[tuple[Size, Size, Size], ...]:
        return reach(
            shape[1:], self.kernel, self.kernel if self.stride is None else self.stride, self.padding, self.dilation
        )

    def covered(self, output: Shape) -> dict[str, Size]:
        """Return the elements under all windows: R*S for each output element, those in the padding too."""
        channels, spatial = split(output)
        return {**axes("TRS", spread(self.kernel, len(spatial), "kernel")), "C": channels, **axes("ZPQ", spatial)}


class MaxPool(_SlidingPool, name="max_pool"):
    """Max pooling: the largest element of each R x S window.

    Shapes: C x H x W -> C x P x Q.

    >>> print_cost(MaxPool(kernel=3, stride=2, ceil_mode=True), "64x112x112")
    64x56x56
    window_elements = R*S*C*P*Q = 3*3*64*56*56 = 1,806,336
    comparisons = R*S*C*P*Q = 3*3*64*56*56 = 1,806,336
    """

    example = ("64x112x112", {"kernel": 3, "stride": 2, "padding": 1})
    torch = "MaxPool1d MaxPool2d MaxPool3d"
    keras = "MaxPooling1D MaxPooling2D MaxPooling3D MaxPool2D"
    onnx = "MaxPool"

    def tally(self, inputs: tuple[Shape, ...], output: Shape) -> Iterable[Tally]:
        yield "window_elements", self.covered(output)
        yield "comparisons", self.covered(output)


class MaxUnpool(Kind, name="max_unpool"):
    """Max unpooling: each element goes back to where a max pooling took the largest from; all others are 0.

    Shapes: C x P x Q and C x H x W -> C x H x W. The second input is the one that was pooled; it says where the largest
    elements are. Nothing is computed: the pooling has found them. Source: Zeiler et al., ICCV 2011; as in PyTorch.

    >>> print_cost(MaxUnpool(kernel=2), "64x28x28", "64x56x56")
    64x56x56
    """

    kernel = Sizes[Any](letters="RS", bare=True, also="kernel_size pool_size size", doc="window size of the pooling")
    stride = Sizes[Any](None, letters="s", also="strides", doc="stride of the pooling; by default the window size")
    padding = Sizes[Any](0, at_least=0, letters="p", also="pad pads", doc="padding of the pooling")
    inputs = (2, 2)
    example = ("64x28x28 64x56x56", {"kernel": 2})
    torch = "MaxUnpool1d MaxUnpool2d MaxUnpool3d"
    onnx = "MaxUnpool"

    def output(self, *inputs: Shape) -> Shape:
        small, large = inputs
        rank(large, 2, 4, self.name)
        channels, spatial = split(large)
        stride = self.kernel if self.stride is None else self.stride
        pooled = (channels, *slide(spatial, self.kernel, stride, self.padding, 1, what="window"))
        require(len(small) == len(pooled), "{small} and {large} differ in the number of axes", small=small, large=large)
        for ours, theirs in zip(small, pooled, strict=True):
            require(
                ours == theirs,
                "max_unpool: {large} was pooled to {pooled}, found {small}",
                hint="the first input is what is enlarged, the second what was pooled, with as many channels",
                large=large,
                pooled=pooled,
                small=small,
            )
        return large


class AvgPool(_SlidingPool, name="avg_pool"):
    """Average pooling: the mean of each R x S window.

    Shapes: C x H x W -> C x P x Q.

    >>> print_cost(AvgPool(kernel=2), "64x8x8")
    64x4x4
    window_elements = R*S*C*P*Q = 2*2*64*4*4 = 4,096
    additions = R*S*C*P*Q = 2*2*64*4*4 = 4,096
    divisions = C*P*Q = 64*4*4 = 1,024
    """

    include_padding = Flag(True, also="count_include_pad", doc="whether padding counts in the mean")
    example = ("64x8x8", {"kernel": 2})
    torch = "AvgPool1d AvgPool2d AvgPool3d"
    keras = "AveragePooling1D AveragePooling2D AveragePooling3D"
    onnx = "AveragePool"

    def tally(self, inputs: tuple[Shape, ...], output: Shape) -> Iterable[Tally]:
        channels, spatial = split(output)
        yield "window_elements", self.covered(output)
        yield "additions", self.covered(output)
        yield "divisions", {"C": channels, **axes("ZPQ", spatial)}


class _AdaptivePool(Kind):
    """Windows that divide each axis of the input into `output` parts, and overlap if it does not divide evenly."""

    size = Sizes[Any](letters="ZPQ", bare=True, also="output_size output", doc="spatial size of the output")
    like_field = "size"

    def output(self, *inputs: Shape) -> Shape:
        rank(inputs[0], 2, 4, self.name)
        channels, spatial = split(inputs[0])
        return (channels, *spread(self.size, len(spatial), "size"))

    def covered(self, shape: Shape, output: Shape) -> dict[str, Size]:
        """Return the elements under all windows: along an axis H + P - gcd(H, P), since window i runs from floor(i*H/P)
        to ceil((i+1)*H/P) and two neighbours share an element at each cut that is not a whole number."""
        channels, spatial = split(shape)
        windows = [size + parts - common(size, parts) for size, parts in zip(spatial, output[1:], strict=True)]
        return {"C": channels, **axes(("d", "h", "w"), windows)}


class AdaptiveMaxPool(_AdaptivePool, name="adaptive_max_pool"):
    """Adaptive max pooling: windows of varying size give the stated output size.

    >>> print_cost(AdaptiveMaxPool(size=4), "8x6x8")
    8x4x4
    window_elements = C*h*w = 8*8*8 = 512
    comparisons = C*h*w = 8*8*8 = 512
    """

    example = ("8x6x8", {"size": 4})
    torch = "AdaptiveMaxPool1d AdaptiveMaxPool2d AdaptiveMaxPool3d"

    def tally(self, inputs: tuple[Shape, ...], output: Shape) -> Iterable[Tally]:
        yield "window_elements", self.covered(inputs[0], output)
        yield "comparisons", self.covered(inputs[0], output)


class AdaptiveAvgPool(_AdaptivePool, name="adaptive_avg_pool"):
    """Adaptive average pooling: windows of varying size give the stated output size.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.AdaptiveAvgPool2d.html

    >>> print_cost(AdaptiveAvgPool(size=7), "512x14x14")
    512x7x7
    window_elements = C*h*w = 512*14*14 = 100,352
    additions = C*h*w = 512*14*14 = 100,352
    divisions = C*P*Q = 512*7*7 = 25,088
    """

    example = ("512x14x14", {"size": 7})
    torch = "AdaptiveAvgPool1d AdaptiveAvgPool2d AdaptiveAvgPool3d"

    def tally(self, inputs: tuple[Shape, ...], output: Shape) -> Iterable[Tally]:
        yield "window_elements", self.covered(inputs[0], output)
        yield "additions", self.covered(inputs[0], output)
        yield "divisions", {"C": output[0], **axes("ZPQ", output[1:])}


class _GlobalPool(Kind):
    """One window over all spatial axes: C x H x W -> C x 1 x 1. `flatten` after it gives C."""

    def output(self, *inputs: Shape) -> Shape:
        rank(inputs[0], 2, 4, self.name)
        return (inputs[0][0], *(1 for _ in inputs[0][1:]))

    def covered(self, shape: Shape) -> dict[str, Size]:
        return {"C": shape[0], **axes("DHW", shape[1:])}


class GlobalMaxPool(_GlobalPool, name="global_max_pool"):
    """Global max pooling: the largest element of each channel.

    >>> print_cost(GlobalMaxPool(), "1024x7x7")
    1024x1x1
    window_elements = C*H*W = 1,024*7*7 = 50,176
    comparisons = C*H*W = 1,024*7*7 = 50,176
    """

    example = ("1024x7x7", {})
    keras = "GlobalMaxPooling1D GlobalMaxPooling2D GlobalMaxPooling3D"
    onnx = "GlobalMaxPool"

    def tally(self, inputs: tuple[Shape, ...], output: Shape) -> Iterable[Tally]:
        yield "window_elements", self.covered(inputs[0])
        yield "comparisons", self.covered(inputs[0])


class GlobalAvgPool(_GlobalPool, name="global_avg_pool"):
    """Global average pooling: the mean of each channel, instead of fully connected layers.

    Source: Lin, Chen and Yan, Network In Network, arXiv:1312.4400, section 3.2.

    >>> print_cost(GlobalAvgPool(), "1024x7x7")
    1024x1x1
    window_elements = C*H*W = 1,024*7*7 = 50,176
    additions = C*H*W = 1,024*7*7 = 50,176
    divisions = C = 1,024 = 1,024
    """

    example = ("1024x7x7", {})
    keras = "GlobalAveragePooling1D GlobalAveragePooling2D GlobalAveragePooling3D"
    onnx = "GlobalAveragePool"

    def tally(self, inputs: tuple[Shape, ...], output: Shape) -> Iterable[Tally]:
        yield "window_elements", self.covered(inputs[0])
        yield "additions", self.covered(inputs[0])
        yield "divisions", {"C": output[0]}


def common(first: Size, second: Size) -> Size:
    """Return the greatest common divisor, of ints or of int64 arrays.

    >>> common(14, 4)
    2
    """
    if hasattr(first, "dtype") or hasattr(second, "dtype"):
        from numpy import gcd

        return gcd(first, second)  # type: ignore[no-any-return]
    from math import gcd as whole_gcd

    return whole_gcd(first, second)
