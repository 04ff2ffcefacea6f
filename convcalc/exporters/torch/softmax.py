"""Softmax in PyTorch."""

from __future__ import annotations

from convcalc.exporters.code.code import Code, Shapes
from convcalc.exporters.torch.table import torch_code
from convcalc.kinds import Shape
from convcalc.kinds.sizes import axis_of
from convcalc.kinds.softmax import LogSoftmax, Softmax


@torch_code(Softmax, LogSoftmax)
def softmax(layer: Softmax | LogSoftmax, inputs: Shapes, output: Shape) -> Code:
    return Code(f"nn.{layer.torch.split()[0]}", {}, {"dim": (axis_of(layer.axis, output) + 1, None)})
