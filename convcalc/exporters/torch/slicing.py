"""Padding, cropping and slicing in PyTorch."""

from __future__ import annotations

from convcalc.exporters.code.code import Code, Shapes, expression, literal, subscript
from convcalc.exporters.torch.helpers import pad_call
from convcalc.exporters.torch.table import torch_code
from convcalc.kinds import Shape
from convcalc.kinds.sizes import axis_of
from convcalc.kinds.slicing import CenterCrop, Crop, Pad, Slice, Split
from convcalc.kinds.window import pairs


@torch_code(Pad)
def pad(layer: Pad, inputs: Shapes, output: Shape) -> Code:
    mode = "" if layer.mode == "zeros" else f", mode={literal(layer.mode)}"
    return expression(pad_call(pairs(layer.amount, len(output) - 1, "amount"), mode))


@torch_code(Crop)
def crop(layer: Crop, inputs: Shapes, output: Shape) -> Code:
    cropped = pairs(layer.amount, len(output) - 1, "amount")
    return expression(pad_call((-before, -after) for before, after in cropped))


@torch_code(CenterCrop)
def center_crop(layer: CenterCrop, inputs: Shapes, output: Shape) -> Code:
    cuts = [size - kept for size, kept in zip(inputs[0][1:], output[1:], strict=True)]
    return expression(pad_call((-(cut // 2), -(cut - cut // 2)) for cut in cuts))


@torch_code(Slice)
def slice_(layer: Slice, inputs: Shapes, output: Shape) -> Code:
    axis = axis_of(layer.axis, inputs[0])
    part = subscript(layer.start, layer.stop, layer.step, inputs[0][axis])
    return expression(f"{{0}}[{':, ' * (axis + 1)}{part}]")


@torch_code(Split)
def split(layer: Split, inputs: Shapes, output: Shape) -> Code:
    axis = axis_of(layer.axis, inputs[0])
    sizes = [shape[axis] for shape in layer.outputs(*inputs)]
    return expression(f"{{0}}.split({sizes[0] if len(set(sizes)) == 1 else sizes}, {axis + 1})")
