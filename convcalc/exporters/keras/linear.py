"""Fully connected layers, embedding, parameters and attention in Keras."""

from __future__ import annotations

from convcalc.exporters.code.code import PLAIN, Code, Shapes, expression
from convcalc.exporters.keras.helpers import PARAMETER
from convcalc.exporters.keras.table import AS_IN_SPEC, CHANNELS_LAST, keras_code
from convcalc.kinds import Shape, require
from convcalc.kinds.linear import Attention, Embedding, Linear, Matmul, Parameter


def _linear_order(layer: Linear, inputs: Shapes) -> str:
    return CHANNELS_LAST if layer.feature_axis(inputs[0]) == 0 else AS_IN_SPEC


@keras_code(Linear, order=_linear_order)
def linear(layer: Linear, inputs: Shapes, output: Shape, channels_last: bool) -> Code:
    require(layer.learned == "all", "Keras has no layer whose weights are computed from other values", "learned")
    axis = layer.feature_axis(inputs[0])
    call = PLAIN
    if 0 < axis < len(output) - 1:
        call = f"ops.moveaxis({{module}}(ops.moveaxis({{0}}, {axis + 1}, -1)), -1, {axis + 1})"
    return Code("layers.Dense", {"units": layer.features}, {"use_bias": (layer.bias, True)}, call)


@keras_code(Embedding)
def embedding(layer: Embedding, inputs: Shapes, output: Shape, channels_last: bool) -> Code:
    return Code("layers.Embedding", {"input_dim": layer.entries, "output_dim": layer.features})


@keras_code(Parameter)
def parameter(layer: Parameter, inputs: Shapes, output: Shape, channels_last: bool) -> Code:
    return Code("Parameter", {"shape": output}, call="{module}({batch})", helper=PARAMETER)


@keras_code(Matmul)
def matmul(layer: Matmul, inputs: Shapes, output: Shape, channels_last: bool) -> Code:
    return expression(f"ops.matmul({{0}}, {'ops.swapaxes({1}, -2, -1)' if layer.transpose else '{1}'})")


@keras_code(Attention)
def attention(layer: Attention, inputs: Shapes, output: Shape, channels_last: bool) -> Code:
    shape, *_, inner = layer.sizes(inputs)
    query, key, value = (f"{{{min(index, len(inputs) - 1)}}}" for index in range(3))
    arguments = [query, value] if key == value else [query, value, key]
    needs = {"num_heads": layer.heads, "key_dim": inner // layer.heads}
    call = f"{{module}}({', '.join(arguments)})"
    options = {"use_bias": (layer.bias, True), "attention_axes": ((len(shape) - 1,), (1,))}
    return Code("layers.MultiHeadAttention", needs, options, call)
