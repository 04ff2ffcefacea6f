"""Joins of branches in PyTorch."""

from __future__ import annotations

from convcalc.exporters.code.arithmetic import SIGNS, chain
from convcalc.exporters.code.code import Code, Shapes, expression
from convcalc.exporters.torch.table import torch_code
from convcalc.kinds import Kind, Shape
from convcalc.kinds.joins import Add, Concat, Divide, Maximum, Multiply, Subtract
from convcalc.kinds.sizes import axis_of


@torch_code(Concat)
def concat(layer: Concat, inputs: Shapes, output: Shape) -> Code:
    parts = ", ".join(f"{{{number}}}" for number in range(len(inputs)))
    return expression(f"torch.cat([{parts}], {axis_of(layer.axis, inputs[0]) + 1})")


@torch_code(Add, Subtract, Multiply, Divide, Maximum)
def elementwise(layer: Kind, inputs: Shapes, output: Shape) -> Code:
    sign = SIGNS.get(type(layer), "")
    return chain(len(inputs), sign, "" if sign else f"torch.{layer.torch}")
