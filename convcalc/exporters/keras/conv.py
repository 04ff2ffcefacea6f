"""Convolutions in Keras."""

from __future__ import annotations

from typing import Any

from convcalc.exporters.code.code import PLAIN, Code, Shapes, collapse
from convcalc.exporters.code.padding import conv_padding
from convcalc.exporters.keras.helpers import zero_padding
from convcalc.exporters.keras.table import CHANNELS_LAST, keras_code
from convcalc.kinds import Shape, require
from convcalc.kinds.conv import Conv, TransposedConv
from convcalc.kinds.sizes import is_fixed, spread
from convcalc.kinds.window import pairs


def _convolution(
    layer: Conv | TransposedConv, module: str, needs: dict[str, Any], axes: int, **more: tuple[Any, Any]
) -> Code:
    """Build Keras' layer without padding."""
    strides, kernels = spread(layer.stride, axes, "stride"), spread(layer.kernel, axes, "kernel")
    dilations = spread(layer.dilation, axes, "dilation")
    dilations = tuple(1 if kernel == 1 else dilation for kernel, dilation in zip(kernels, dilations, strict=True))
    require(
        max(strides) == 1 or max(dilations) == 1, "Keras has no convolution with both stride and dilation", "stride"
    )
    options = {
        "strides": (collapse(strides), 1),
        "dilation_rate": (collapse(dilations), 1),
        "use_bias": (layer.bias, True),
    }
    if is_fixed(layer.learned):
        require(not layer.bias, "Keras has no convolution with frozen weights and a trainable bias", "bias")
        options["trainable"] = (False, True)
    require(layer.learned in (0, "all"), "Keras has no layer whose weights are computed from other values", "learned")
    return Code(f"layers.{module}", {**needs, "kernel_size": collapse(kernels)}, {**options, **more})


@keras_code(Conv, order=CHANNELS_LAST)
def conv(layer: Conv, inputs: Shapes, output: Shape, channels_last: bool) -> Code:
    (channels, *spatial), axes = inputs[0], len(output) - 1
    groups, filters = layer.count_of(channels)
    if axes < 3 and groups == channels and channels > 1:
        code = _convolution(layer, f"DepthwiseConv{axes}D", {}, axes, depth_multiplier=(filters // channels, 1))
    else:
        code = _convolution(layer, f"Conv{axes}D", {"filters": filters}, axes, groups=(groups, 1))
    padding = conv_padding(layer, inputs[0], output, layer.padding)
    strides = spread(layer.stride, axes, "stride")
    rounded = tuple(-(-size // stride) for size, stride in zip(spatial, strides, strict=True))
    if not any(map(any, padding)):
        return code
    if rounded == output[1:] and padding == conv_padding(layer, inputs[0], output, "same"):
        return code._replace(options={**code.options, "padding": ("same", "valid")})
    return code._replace(call=f"{{module}}({zero_padding(padding)})")


@keras_code(TransposedConv, order=CHANNELS_LAST)
def transposed_conv(layer: TransposedConv, inputs: Shapes, output: Shape, channels_last: bool) -> Code:
    (channels, *spatial), axes = inputs[0], len(output) - 1
    groups, filters = layer.count_of(channels)
    require(groups == 1, "Keras has no grouped transposed convolution", "groups")
    code = _convolution(layer, f"Conv{axes}DTranspose", {"filters": filters}, axes)
    strides = spread(layer.stride, axes, "stride")
    multiplied = tuple(size * stride for size, stride in zip(spatial, strides, strict=True))
    if layer.padding == "same" and output[1:] == multiplied:
        return code._replace(options={**code.options, "padding": ("same", "valid")})
    spans = (
        dilation * (kernel - 1) + 1
        for kernel, dilation in zip(
            spread(layer.kernel, axes, "kernel"), spread(layer.dilation, axes, "dilation"), strict=True
        )
    )
    cropped, added = [], []
    for index, (size, stride, span, wanted) in enumerate(zip(spatial, strides, spans, output[1:], strict=True)):
        before = max(span - stride, 0) // 2 if layer.padding == "same" else pairs(layer.padding, axes)[index][0]
        after = size * stride + max(span - stride, 0) - before - wanted  # of what Keras returns without padding
        cropped.append((before, max(after, 0)))
        added.append((0, max(-after, 0)))
    call = zero_padding(added).replace("{0}", PLAIN)
    return code._replace(call=zero_padding(cropped, "Cropping").replace("{0}", call))
