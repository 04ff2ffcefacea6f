"""Changes of resolution and of the order of channels in Keras."""

from __future__ import annotations

from convcalc.exporters.code.code import Code, Shapes, collapse
from convcalc.exporters.keras.helpers import reshape_call
from convcalc.exporters.keras.table import CHANNELS_LAST, keras_code
from convcalc.kinds import Shape, require
from convcalc.kinds.resample import ChannelShuffle, PixelShuffle, PixelUnshuffle, Upsample
from convcalc.kinds.sizes import spread


@keras_code(Upsample, order=CHANNELS_LAST)
def upsample(layer: Upsample, inputs: Shapes, output: Shape, channels_last: bool) -> Code:
    axes = len(output) - 1
    fill = {"interpolation": (layer.mode, "nearest" if layer.size is None else "bilinear")}
    require(
        axes == 2 or layer.mode == "nearest", f"Keras has {layer.mode} interpolation only for two spatial axes", "mode"
    )
    if layer.size is None:
        size = collapse(spread(layer.scale, axes, "scale"))
        return Code(f"layers.UpSampling{axes}D", {"size": size}, fill if axes == 2 else {})
    require(axes == 2, "Keras resizes only two spatial axes to a size", "size", "use a whole scale")
    return Code("layers.Resizing", {"height": output[1], "width": output[2]}, fill)


@keras_code(PixelShuffle, order=CHANNELS_LAST)
def pixel_shuffle(layer: PixelShuffle, inputs: Shapes, output: Shape, channels_last: bool) -> Code:
    _, height, width = inputs[0]
    factor, channels = layer.factor, output[0]
    squares = (height, width, channels, factor, factor)
    return reshape_call("{0}", squares, (1, 4, 2, 5, 3), (*output[1:], channels))


@keras_code(PixelUnshuffle, order=CHANNELS_LAST)
def pixel_unshuffle(layer: PixelUnshuffle, inputs: Shapes, output: Shape, channels_last: bool) -> Code:
    channels, height, width = inputs[0]
    factor = layer.factor
    squares = (height // factor, factor, width // factor, factor, channels)
    return reshape_call("{0}", squares, (1, 3, 5, 2, 4), (*output[1:], output[0]))


@keras_code(ChannelShuffle, order=CHANNELS_LAST)
def channel_shuffle(layer: ChannelShuffle, inputs: Shapes, output: Shape, channels_last: bool) -> Code:
    channels, *spatial = inputs[0]
    axes = len(spatial)
    swapped = (*range(1, axes + 1), axes + 2, axes + 1)
    return reshape_call("{0}", (*spatial, layer.groups, channels // layer.groups), swapped, (*spatial, channels))
