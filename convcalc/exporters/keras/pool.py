"""Pooling in Keras."""

from __future__ import annotations

from convcalc.exporters.code.code import Code, Shapes, collapse
from convcalc.exporters.code.padding import pool_padding
from convcalc.exporters.keras.helpers import pad_call, zero_padding
from convcalc.exporters.keras.table import CHANNELS_LAST, keras_code
from convcalc.kinds import Shape, require
from convcalc.kinds.pool import AdaptiveAvgPool, AdaptiveMaxPool, AvgPool, GlobalAvgPool, GlobalMaxPool, MaxPool
from convcalc.kinds.sizes import spread
from convcalc.kinds.window import pairs


def _pool(layer: MaxPool | AvgPool, module: str, output: Shape) -> Code:
    """Build Keras' layer without padding."""
    axes = len(output) - 1
    require(max(spread(layer.dilation, axes, "dilation")) == 1, "Keras has no pooling with dilation", "dilation")
    kernel = collapse(spread(layer.kernel, axes, "kernel"))
    stride = kernel if layer.stride is None else collapse(spread(layer.stride, axes, "stride"))
    return Code(f"layers.{module}{axes}D", {"pool_size": kernel}, {"strides": (stride, kernel)})


@keras_code(MaxPool, order=CHANNELS_LAST)
def max_pool(layer: MaxPool, inputs: Shapes, output: Shape, channels_last: bool) -> Code:
    code, padding = _pool(layer, "MaxPooling", output), pool_padding(layer, inputs[0], output)
    if not any(map(any, padding)):
        return code
    if layer.padding == "same":
        return code._replace(options={**code.options, "padding": ("same", "valid")})
    padded = pad_call(padding, 'constant_values=-float("inf")')
    return code._replace(call=f"{{module}}({padded})")


@keras_code(AvgPool, order=CHANNELS_LAST)
def avg_pool(layer: AvgPool, inputs: Shapes, output: Shape, channels_last: bool) -> Code:
    code, padding = _pool(layer, "AveragePooling", output), pool_padding(layer, inputs[0], output)
    if not any(map(any, padding)):
        return code
    windows = zip(inputs[0][1:], spread(layer.kernel, len(padding), "kernel"), padding, strict=True)
    # for other windows Keras' backends disagree about `same`
    is_plain = all(size >= window and before == after for size, window, (before, after) in windows)
    if layer.padding == "same" and not layer.include_padding and is_plain:
        return code._replace(options={**code.options, "padding": ("same", "valid")})
    call = f"{{module}}({zero_padding(padding)})"
    # what ceil mode adds after the padding never counts in a mean
    is_extended = layer.padding != "same" and padding != pairs(layer.padding, len(padding))
    is_padded = is_extended and layer.padding != "valid" and any(map(any, pairs(layer.padding, len(padding))))
    require(
        not (is_padded and layer.ceil_mode and layer.include_padding),
        "Keras has no ceil mode with padding",
        "ceil_mode",
    )
    if not layer.include_padding or (layer.ceil_mode and is_extended):
        call += f" / {call.replace('{0}', 'ops.ones_like({0})')}"
    return code._replace(call=call)


def _adaptive_pool(module: str, inputs: Shapes, output: Shape) -> Code:
    """Build an adaptive pool; where it divides the input evenly, a sliding one."""
    axes, sizes = len(output) - 1, list(zip(inputs[0][1:], output[1:], strict=True))
    if all(size % parts == 0 for size, parts in sizes):
        return Code(f"layers.{module}{axes}D", {"pool_size": collapse(size // parts for size, parts in sizes)})
    return Code(f"layers.Adaptive{module}{axes}D", {"output_size": collapse(output[1:])})


@keras_code(AdaptiveMaxPool, order=CHANNELS_LAST)
def adaptive_max_pool(layer: AdaptiveMaxPool, inputs: Shapes, output: Shape, channels_last: bool) -> Code:
    return _adaptive_pool("MaxPooling", inputs, output)


@keras_code(AdaptiveAvgPool, order=CHANNELS_LAST)
def adaptive_avg_pool(layer: AdaptiveAvgPool, inputs: Shapes, output: Shape, channels_last: bool) -> Code:
    return _adaptive_pool("AveragePooling", inputs, output)


@keras_code(GlobalMaxPool, GlobalAvgPool, order=CHANNELS_LAST)
def global_pool(layer: GlobalMaxPool | GlobalAvgPool, inputs: Shapes, output: Shape, channels_last: bool) -> Code:
    return Code(f"layers.{layer.keras.split()[len(output) - 2]}", {}, {"keepdims": (True, False)})
