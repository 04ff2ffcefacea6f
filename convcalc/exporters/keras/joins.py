"""Joins of branches in Keras."""

from __future__ import annotations

from convcalc.exporters.code.arithmetic import SIGNS, chain
from convcalc.exporters.code.code import Code, Shapes
from convcalc.exporters.keras.helpers import keras_axis, merge
from convcalc.exporters.keras.table import EITHER, keras_code
from convcalc.kinds import Kind, Shape
from convcalc.kinds.joins import Add, Concat, Divide, Maximum, Multiply, Subtract
from convcalc.kinds.sizes import axis_of


@keras_code(Concat, order=EITHER)
def concat(layer: Concat, inputs: Shapes, output: Shape, channels_last: bool) -> Code:
    axis = keras_axis(axis_of(layer.axis, output), channels_last)
    is_last = axis in (-1, len(output))
    return merge("Concatenate", len(inputs), "" if is_last else f"axis={axis}")


@keras_code(Add, Subtract, Multiply, Divide, Maximum, order=EITHER)
def elementwise(layer: Kind, inputs: Shapes, output: Shape, channels_last: bool) -> Code:
    if layer.keras and (not isinstance(layer, Subtract) or len(inputs) == 2):  # Keras subtracts one
        return merge(layer.keras, len(inputs))
    return chain(len(inputs), SIGNS[type(layer)])
