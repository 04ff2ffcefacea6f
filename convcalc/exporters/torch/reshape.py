"""Kinds that keep their elements, in another shape or order, in PyTorch."""

from __future__ import annotations

from convcalc.exporters.code.code import Code, Shapes, expression
from convcalc.exporters.torch.helpers import DROP_PATH
from convcalc.exporters.torch.table import torch_code
from convcalc.kinds import Shape
from convcalc.kinds.reshape import Dropout, DropPath, Flatten, Identity, Mean, Permute, Reshape
from convcalc.kinds.sizes import axis_of


@torch_code(Identity)
def identity(layer: Identity, inputs: Shapes, output: Shape) -> Code:
    return Code("nn.Identity")


@torch_code(Dropout)
def dropout(layer: Dropout, inputs: Shapes, output: Shape) -> Code:
    return Code("nn.Dropout", {"p": layer.rate})


@torch_code(DropPath)
def drop_path(layer: DropPath, inputs: Shapes, output: Shape) -> Code:
    return Code("DropPath", {"rate": layer.rate}, helper=DROP_PATH)


@torch_code(Flatten)
def flatten(layer: Flatten, inputs: Shapes, output: Shape) -> Code:
    return expression(f"{{0}}.flatten({axis_of(layer.start, inputs[0]) + 1})")


@torch_code(Reshape)
def reshape(layer: Reshape, inputs: Shapes, output: Shape) -> Code:
    return expression(f"{{0}}.reshape(-1, {', '.join(map(str, output))})")


@torch_code(Permute)
def permute(layer: Permute, inputs: Shapes, output: Shape) -> Code:
    order = layer.order if isinstance(layer.order, tuple) else (layer.order,)
    return expression(f"{{0}}.permute(0, {', '.join(str(axis + 1) for axis in order)})")


@torch_code(Mean)
def mean(layer: Mean, inputs: Shapes, output: Shape) -> Code:
    return expression(f"{{0}}.mean({axis_of(layer.axis, inputs[0]) + 1})")
