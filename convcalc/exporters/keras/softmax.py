"""Softmax in Keras."""

from __future__ import annotations

from convcalc.exporters.code.code import Code, Shapes, expression
from convcalc.exporters.keras.helpers import keras_axis
from convcalc.exporters.keras.table import EITHER, keras_code
from convcalc.kinds import Shape
from convcalc.kinds.sizes import axis_of
from convcalc.kinds.softmax import LogSoftmax, Softmax


@keras_code(Softmax, LogSoftmax, order=EITHER)
def softmax(layer: Softmax | LogSoftmax, inputs: Shapes, output: Shape, channels_last: bool) -> Code:
    axis = keras_axis(axis_of(layer.axis, output), channels_last)
    axis = -1 if axis == len(output) else axis
    if isinstance(layer, Softmax):
        return Code("layers.Softmax", {}, {"axis": (axis, -1)})
    return expression(f"ops.log_softmax({{0}}, axis={axis})")
