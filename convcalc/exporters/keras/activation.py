"""Activations in Keras."""

from __future__ import annotations

from convcalc.exporters.code.code import Code, Shapes, expression, literal
from convcalc.exporters.keras.helpers import keras_axis, named_activation
from convcalc.exporters.keras.table import EITHER, keras_code
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


@keras_code(Selu, Sigmoid, LogSigmoid, Tanh, Silu, Mish, HardSwish, HardSigmoid, Softplus, Softsign, order=EITHER)
def activation(layer: Kind, inputs: Shapes, output: Shape, channels_last: bool) -> Code:
    return named_activation(layer.name)


@keras_code(Relu, order=EITHER)
def relu(layer: Relu, inputs: Shapes, output: Shape, channels_last: bool) -> Code:
    return Code("layers.ReLU")


@keras_code(Relu6, order=EITHER)
def relu6(layer: Relu6, inputs: Shapes, output: Shape, channels_last: bool) -> Code:
    return Code("layers.ReLU", {"max_value": 6})


@keras_code(LeakyRelu, order=EITHER)
def leaky_relu(layer: LeakyRelu, inputs: Shapes, output: Shape, channels_last: bool) -> Code:
    return Code("layers.LeakyReLU", {}, {"negative_slope": (layer.slope, None)})


@keras_code(Prelu, order=EITHER)
def prelu(layer: Prelu, inputs: Shapes, output: Shape, channels_last: bool) -> Code:
    channels = keras_axis(0, channels_last) % (len(output) + 1) if layer.slopes == "channels" else 0
    shared = [axis for axis in range(1, len(output) + 1) if axis != channels]
    return Code("layers.PReLU", {}, {"shared_axes": (shared, [])})


@keras_code(Elu, order=EITHER)
def elu(layer: Elu, inputs: Shapes, output: Shape, channels_last: bool) -> Code:
    return Code("layers.ELU", {}, {"alpha": (layer.alpha, 1)})


@keras_code(Gelu, order=EITHER)
def gelu(layer: Gelu, inputs: Shapes, output: Shape, channels_last: bool) -> Code:
    return named_activation("gelu") if layer.approximate == "none" else expression("ops.gelu({0}, approximate=True)")


@keras_code(HardTanh, order=EITHER)
def hard_tanh(layer: HardTanh, inputs: Shapes, output: Shape, channels_last: bool) -> Code:
    return expression(f"ops.clip({{0}}, {literal(layer.low)}, {literal(layer.high)})")
