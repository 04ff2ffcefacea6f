"""Kinds that keep their elements, in another shape or order, in Keras."""

from __future__ import annotations

from convcalc.exporters.code.code import Code, Shapes, expression
from convcalc.exporters.keras.helpers import reshape_call
from convcalc.exporters.keras.table import AS_IN_SPEC, EITHER, keras_code
from convcalc.kinds import Shape
from convcalc.kinds.reshape import Dropout, DropPath, Flatten, Identity, Mean, Permute, Reshape
from convcalc.kinds.sizes import axis_of


@keras_code(Identity, order=EITHER)
def identity(layer: Identity, inputs: Shapes, output: Shape, channels_last: bool) -> Code:
    return Code("layers.Identity")


@keras_code(Dropout, order=EITHER)
def dropout(layer: Dropout, inputs: Shapes, output: Shape, channels_last: bool) -> Code:
    return Code("layers.Dropout", {"rate": layer.rate})


@keras_code(DropPath, order=EITHER)
def drop_path(layer: DropPath, inputs: Shapes, output: Shape, channels_last: bool) -> Code:
    return Code("layers.Dropout", {"rate": layer.rate}, {"noise_shape": ((None, *(1 for _ in output)), None)})


def _flatten_order(layer: Flatten, inputs: Shapes) -> str:
    is_in_order = axis_of(layer.start, inputs[0]) == 0 and sum(size > 1 for size in inputs[0]) <= 1
    return EITHER if is_in_order else AS_IN_SPEC


@keras_code(Flatten, order=_flatten_order)
def flatten(layer: Flatten, inputs: Shapes, output: Shape, channels_last: bool) -> Code:
    start = axis_of(layer.start, inputs[0])
    return Code("layers.Flatten") if start == 0 else reshape_call("{0}", output)


@keras_code(Reshape)
def reshape(layer: Reshape, inputs: Shapes, output: Shape, channels_last: bool) -> Code:
    return reshape_call("{0}", output)


@keras_code(Permute)
def permute(layer: Permute, inputs: Shapes, output: Shape, channels_last: bool) -> Code:
    order = layer.order if isinstance(layer.order, tuple) else (layer.order,)
    return Code("layers.Permute", {"dims": tuple(axis + 1 for axis in order)})


@keras_code(Mean)
def mean(layer: Mean, inputs: Shapes, output: Shape, channels_last: bool) -> Code:
    return expression(f"ops.mean({{0}}, axis={axis_of(layer.axis, inputs[0]) + 1})")
