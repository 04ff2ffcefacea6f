"""Kinds that change the resolution, or the order of channels: upsampling, pixel shuffle, channel shuffle."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from convcalc.errors import UserError
from convcalc.kinds.fields import Choice, Integer, Sizes
from convcalc.kinds.kind import Kind
from convcalc.kinds.sizes import Shape, Tally, rank, require, require_groups, spread
from convcalc.kinds.window import split


class Upsample(Kind, name="upsample"):
    """Enlarges the spatial axes by a whole `scale`, or to a `size`, by copying or interpolating elements.

    Shapes: C x H x W -> C x P x Q. Bilinear: 2^axes products and sums for each output element; bicubic: 4^axes.

    >>> print_cost(Upsample(scale=2), "64x14x14")
    64x28x28
    >>> print_cost(Upsample(size=[20, 20], mode="bilinear"), "8x10x10")
    8x20x20
    multiplications = t*C*P*Q = 4*8*20*20 = 12,800
    additions = t*C*P*Q = 4*8*20*20 = 12,800
    """

    scale = Sizes[Any](None, bare=True, also="scale_factor factor", doc="how many times larger")
    size = Sizes[Any](None, also="output_size", doc="spatial size of the output, instead of scale")
    mode = Choice("nearest", "bilinear", "bicubic", default="nearest", also="interpolation", doc="interpolation")
    like_field = "size"
    example = ("8x10x10", {"scale": 2, "mode": "bilinear"})
    torch = "Upsample UpsamplingNearest2d UpsamplingBilinear2d interpolate"
    keras = "UpSampling1D UpSampling2D UpSampling3D"
    onnx = "Resize Upsample"

    def check(self) -> None:
        if (self.scale is None) == (self.size is None):
            raise UserError(
                "upsample needs either 'scale' or 'size'",
                hint="for example upsample: {scale: 2}, or upsample: {like: NAME}",
            )

    def output(self, *inputs: Shape) -> Shape:
        rank(inputs[0], 2, 4, "upsample")
        channels, spatial = split(inputs[0])
        if self.size is not None:
            return (channels, *spread(self.size, len(spatial), "size"))
        scales = spread(self.scale, len(spatial), "scale")
        return (channels, *(size * scale for size, scale in zip(spatial, scales, strict=True)))

    def tally(self, inputs: tuple[Shape, ...], output: Shape) -> Iterable[Tally]:
        taps = {"nearest": 0, "bilinear": 2, "bicubic": 4}[self.mode] ** (len(output) - 1)
        if taps:
            letters = dict(zip(("C", *"ZPQ"[5 - len(output) - 1 :]), output, strict=True))
            yield "multiplications", {"t": taps, **letters}
            yield "additions", {"t": taps, **letters}


class PixelShuffle(Kind, name="pixel_shuffle"):
    """Moves r*r channels into r times larger spatial axes: C*r*r x H x W -> C x H*r x W*r.

    Source: Shi et al., arXiv:1609.05158.

    >>> print_cost(PixelShuffle(factor=2), "64x14x14")
    16x28x28
    """

    factor = Integer[int](
        bare=True, letter="r", also="upscale_factor blocksize block_size", doc="how many times larger"
    )
    example = ("64x14x14", {"factor": 2})
    torch = "PixelShuffle"
    onnx = "DepthToSpace"

    def output(self, *inputs: Shape) -> Shape:
        rank(inputs[0], 3, 3, "pixel_shuffle")
        channels, height, width = inputs[0]
        area = self.factor * self.factor
        require(
            channels % area == 0,
            "{channels} channels cannot be divided into {area} parts",
            "factor",
            "factor*factor must divide the channels",
            channels=channels,
            area=area,
        )
        return (channels // area, height * self.factor, width * self.factor)


class PixelUnshuffle(Kind, name="pixel_unshuffle"):
    """Moves r x r pixels into r*r channels: C x H*r x W*r -> C*r*r x H x W.

    >>> print_cost(PixelUnshuffle(factor=2), "3x640x640")
    12x320x320
    """

    factor = Integer[int](bare=True, letter="r", also="downscale_factor blocksize", doc="how many times smaller")
    example = ("3x640x640", {"factor": 2})
    torch = "PixelUnshuffle"
    onnx = "SpaceToDepth focus reorg"

    def output(self, *inputs: Shape) -> Shape:
        rank(inputs[0], 3, 3, "pixel_unshuffle")
        channels, height, width = inputs[0]
        require(
            (height % self.factor == 0) & (width % self.factor == 0),
            "{height}x{width} cannot be divided into {factor}x{factor} squares",
            "factor",
            height=height,
            width=width,
            factor=self.factor,
        )
        return (channels * self.factor * self.factor, height // self.factor, width // self.factor)


class ChannelShuffle(Kind, name="channel_shuffle"):
    """Interleaves the channels of g groups, so that the next grouped convolution reads all of them.

    Source: Zhang et al., ShuffleNet, arXiv:1707.01083.

    >>> print_cost(ChannelShuffle(groups=2), "116x28x28")
    116x28x28
    """

    groups = Integer[int](bare=True, letter="g", doc="groups of channels")
    example = ("116x28x28", {"groups": 2})
    torch = "ChannelShuffle"

    def output(self, *inputs: Shape) -> Shape:
        require_groups(inputs[0][0], self.groups)
        return inputs[0]
