"""Changes of resolution and of the order of channels in PyTorch."""

from __future__ import annotations

from convcalc.exporters.code.code import Code, Shapes, collapse, expression
from convcalc.exporters.torch.table import torch_code
from convcalc.kinds import Shape, require
from convcalc.kinds.resample import ChannelShuffle, PixelShuffle, PixelUnshuffle, Upsample
from convcalc.kinds.sizes import spread


@torch_code(Upsample)
def upsample(layer: Upsample, inputs: Shapes, output: Shape) -> Code:
    axes = len(output) - 1
    modes = {
        "nearest": "nearest",
        "bilinear": ("linear", "bilinear", "trilinear")[axes - 1],
        "bicubic": "bicubic",
    }
    require(layer.mode != "bicubic" or axes == 2, "PyTorch has bicubic interpolation only for two spatial axes", "mode")
    options = {"mode": (modes[layer.mode], "nearest")}
    if layer.size is None:
        return Code(
            "nn.Upsample", {}, {"scale_factor": (collapse(spread(layer.scale, axes, "scale")), None), **options}
        )
    return Code("nn.Upsample", {}, {"size": (collapse(output[1:]), None), **options})


@torch_code(PixelShuffle)
def pixel_shuffle(layer: PixelShuffle, inputs: Shapes, output: Shape) -> Code:
    return Code("nn.PixelShuffle", {"upscale_factor": layer.factor})


@torch_code(PixelUnshuffle)
def pixel_unshuffle(layer: PixelUnshuffle, inputs: Shapes, output: Shape) -> Code:
    return Code("nn.PixelUnshuffle", {"downscale_factor": layer.factor})


@torch_code(ChannelShuffle)
def channel_shuffle(layer: ChannelShuffle, inputs: Shapes, output: Shape) -> Code:
    return expression(f"{{0}}.unflatten(1, ({layer.groups}, -1)).transpose(1, 2).flatten(1, 2)")
