"""Normalisation and learned scales in Keras."""

from __future__ import annotations

from typing import Any

from convcalc.exporters.code.code import PLAIN, Code, Shapes, expression, literal
from convcalc.exporters.keras.helpers import NEIGHBOURS, RESPONSE_NORM, SCALE, keras_axis
from convcalc.exporters.keras.table import AS_IN_SPEC, CHANNELS_LAST, EITHER, keras_code
from convcalc.kinds import Shape
from convcalc.kinds.norm import BatchNorm, GlobalResponseNorm, GroupNorm, InstanceNorm, LayerNorm, Lrn, RmsNorm, Scale
from convcalc.kinds.sizes import axis_of


def _options(
    layer: BatchNorm | LayerNorm | GroupNorm | InstanceNorm, output: Shape, axis: Any
) -> dict[str, tuple[Any, Any]]:
    """Return the arguments that all of Keras' norms take; their default epsilon differs from PyTorch's."""
    axis = -1 if axis == len(output) else axis
    return {
        "axis": (axis, -1),
        "epsilon": (layer.epsilon, 1e-3),
        "center": (layer.affine, True),
        "scale": (layer.affine, True),
    }


@keras_code(BatchNorm, order=EITHER)
def batch_norm(layer: BatchNorm, inputs: Shapes, output: Shape, channels_last: bool) -> Code:
    call = PLAIN if layer.statistic == "running" else "{module}({0}, training=True)"
    return Code("layers.BatchNormalization", {}, _options(layer, output, keras_axis(0, channels_last)), call)


def _layer_norm_order(layer: LayerNorm, inputs: Shapes) -> str:
    return {"last": AS_IN_SPEC, "channels": CHANNELS_LAST, "all": EITHER}[layer.over]


@keras_code(LayerNorm, order=_layer_norm_order)
def layer_norm(layer: LayerNorm, inputs: Shapes, output: Shape, channels_last: bool) -> Code:
    axis: Any = keras_axis(0 if layer.over == "channels" else len(output) - 1, channels_last)
    if layer.over == "all" and len(output) > 1:
        axis = [*range(1, len(output) + 1)]
    options = _options(layer, output, axis)
    return Code("layers.LayerNormalization", {}, {**options, "center": (layer.affine and layer.bias, True)})


@keras_code(RmsNorm)
def rms_norm(layer: RmsNorm, inputs: Shapes, output: Shape, channels_last: bool) -> Code:
    return Code("layers.RMSNormalization", {}, {"epsilon": (layer.epsilon, None)})


@keras_code(GroupNorm, order=EITHER)
def group_norm(layer: GroupNorm, inputs: Shapes, output: Shape, channels_last: bool) -> Code:
    options = _options(layer, output, keras_axis(0, channels_last))
    return Code("layers.GroupNormalization", {}, {"groups": (layer.groups, 32), **options})


@keras_code(InstanceNorm, order=EITHER)
def instance_norm(layer: InstanceNorm, inputs: Shapes, output: Shape, channels_last: bool) -> Code:
    options = _options(layer, output, keras_axis(0, channels_last))
    return Code("layers.GroupNormalization", {}, {"groups": (-1, 32), **options})


@keras_code(GlobalResponseNorm, order=CHANNELS_LAST)
def global_response_norm(layer: GlobalResponseNorm, inputs: Shapes, output: Shape, channels_last: bool) -> Code:
    options = {"epsilon": (layer.epsilon, layer.fields["epsilon"].default)}
    return Code("GlobalResponseNorm", {}, options, helper=RESPONSE_NORM)


@keras_code(Lrn, order=CHANNELS_LAST)
def lrn(layer: Lrn, inputs: Shapes, output: Shape, channels_last: bool) -> Code:
    values = ", ".join(literal(value) for value in (layer.size, layer.alpha, layer.beta, layer.k))
    return expression(f"local_response_norm({{0}}, {values})")._replace(helper=NEIGHBOURS)


@keras_code(Scale, order=EITHER)
def scale(layer: Scale, inputs: Shapes, output: Shape, channels_last: bool) -> Code:
    axis = keras_axis(axis_of(layer.axis, output), channels_last)
    options = {"axis": (-1 if axis == len(output) else axis, -1), "bias": (layer.bias, False)}
    return Code("Scale", {}, options, helper=SCALE)
