"""Activations in PyTorch."""

from __future__ import annotations

from convcalc.exporters.code.code import Code, Shapes
from convcalc.exporters.torch.table import torch_code
from convcalc.kinds import Kind, Shape
from convcalc.kinds.activation import (
    Elu,
    Gelu,
    HardSigmoid,
    HardSwish,
    HardTanh,
    LeakyRelu,
    LogSigmoid,
    Mish,
    Prelu,
    Relu,
    Relu6,
    Selu,
    Sigmoid,
    Silu,
    Softplus,
    Softsign,
    Tanh,
)


@torch_code(Relu, Relu6, Selu, Sigmoid, LogSigmoid, Tanh, Silu, Mish, HardSwish, HardSigmoid, Softplus, Softsign)
def activation(layer: Kind, inputs: Shapes, output: Shape) -> Code:
    return Code(f"nn.{layer.torch.split()[0]}")


@torch_code(LeakyRelu)
def leaky_relu(layer: LeakyRelu, inputs: Shapes, output: Shape) -> Code:
    return Code("nn.LeakyReLU", {}, {"negative_slope": (layer.slope, 0.01)})


@torch_code(Prelu)
def prelu(layer: Prelu, inputs: Shapes, output: Shape) -> Code:
    return Code("nn.PReLU", {}, {"num_parameters": (output[0] if layer.slopes == "channels" else 1, 1)})


@torch_code(Elu)
def elu(layer: Elu, inputs: Shapes, output: Shape) -> Code:
    return Code("nn.ELU", {}, {"alpha": (layer.alpha, 1)})


@torch_code(Gelu)
def gelu(layer: Gelu, inputs: Shapes, output: Shape) -> Code:
    return Code("nn.GELU", {}, {"approximate": (layer.approximate, "none")})


@torch_code(HardTanh)
def hard_tanh(layer: HardTanh, inputs: Shapes, output: Shape) -> Code:
    return Code("nn.Hardtanh", {}, {"min_val": (layer.low, -1), "max_val": (layer.high, 1)})
