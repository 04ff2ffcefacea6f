"""Padding, cropping and slicing in Keras."""

from __future__ import annotations

from itertools import accumulate

from convcalc.exporters.code.code import Code, Shapes, expression, subscript
from convcalc.exporters.keras.helpers import keras_axis, pad_call, zero_padding
from convcalc.exporters.keras.table import CHANNELS_LAST, EITHER, keras_code
from convcalc.kinds import Shape, require
from convcalc.kinds.sizes import axis_of
from convcalc.kinds.slicing import CenterCrop, Crop, Pad, Slice, Split
from convcalc.kinds.window import pairs


@keras_code(Pad, order=CHANNELS_LAST)
def pad(layer: Pad, inputs: Shapes, output: Shape, channels_last: bool) -> Code:
    padding = pairs(layer.amount, len(output) - 1, "amount")
    require(layer.mode in ("zeros", "reflect"), f"Keras has no '{layer.mode}' padding", "mode")
    return expression(zero_padding(padding) if layer.mode == "zeros" else pad_call(padding, 'mode="reflect"'))


@keras_code(Crop, order=CHANNELS_LAST)
def crop(layer: Crop, inputs: Shapes, output: Shape, channels_last: bool) -> Code:
    return expression(zero_padding(pairs(layer.amount, len(output) - 1, "amount"), "Cropping"))


@keras_code(CenterCrop, order=CHANNELS_LAST)
def center_crop(layer: CenterCrop, inputs: Shapes, output: Shape, channels_last: bool) -> Code:
    cuts = [size - kept for size, kept in zip(inputs[0][1:], output[1:], strict=True)]
    return expression(zero_padding([(cut // 2, cut - cut // 2) for cut in cuts], "Cropping"))


@keras_code(Slice, order=EITHER)
def slice_(layer: Slice, inputs: Shapes, output: Shape, channels_last: bool) -> Code:
    axis = axis_of(layer.axis, inputs[0])
    index = keras_axis(axis, channels_last)
    other_axes = "..., " if index == -1 else ":, " * index
    part = subscript(layer.start, layer.stop, layer.step, inputs[0][axis])
    return expression(f"{{0}}[{other_axes}{part}]")


@keras_code(Split, order=EITHER)
def split(layer: Split, inputs: Shapes, output: Shape, channels_last: bool) -> Code:
    axis = axis_of(layer.axis, inputs[0])
    sizes = [shape[axis] for shape in layer.outputs(*inputs)]
    parts = len(sizes) if len(set(sizes)) == 1 else [*accumulate(sizes[:-1])]
    return expression(f"ops.split({{0}}, {parts}, axis={keras_axis(axis, channels_last)})")
