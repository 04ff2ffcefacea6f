"""Pooling in PyTorch."""

from __future__ import annotations

from typing import Any

from convcalc.exporters.code.code import PLAIN, Code, Shapes, collapse, expression, literal
from convcalc.exporters.code.padding import pool_padding
from convcalc.exporters.torch.helpers import pad_call
from convcalc.exporters.torch.table import torch_code
from convcalc.kinds import Shape
from convcalc.kinds.pool import (
    AdaptiveAvgPool,
    AdaptiveMaxPool,
    AvgPool,
    GlobalAvgPool,
    GlobalMaxPool,
    MaxPool,
    MaxUnpool,
)
from convcalc.kinds.sizes import spread
from convcalc.kinds.window import pairs


def _pool(layer: MaxPool | AvgPool, options: dict[str, Any], fill: str, inputs: Shapes, output: Shape) -> Code:
    """Build the module. It pads symmetrically and by at most half a window; other padding becomes F.pad before it."""
    padding = pool_padding(layer, inputs[0], output)
    axes = len(padding)
    stated = padding if layer.padding == "same" else pairs(layer.padding, axes)
    kernels = spread(layer.kernel, axes, "kernel")
    is_plain = all(before == after <= size // 2 for (before, after), size in zip(stated, kernels, strict=True))
    if axes == 3:  # where it wants windows that fit the input without its padding
        is_plain &= all(size >= window for size, window in zip(inputs[0][1:], kernels, strict=True))
    kernel = collapse(kernels)
    own = {
        "stride": (kernel if layer.stride is None else collapse(spread(layer.stride, axes, "stride")), kernel),
        "padding": (collapse(before for before, _ in stated) if is_plain else 0, 0),
        "ceil_mode": (is_plain and layer.ceil_mode and layer.padding != "same", False),
    }
    call = PLAIN if is_plain else f"{{module}}({pad_call(padding, fill)})"
    return Code(f"nn.{layer.torch.split()[axes - 1]}", {"kernel_size": kernel}, {**own, **options}, call)


@torch_code(MaxPool)
def max_pool(layer: MaxPool, inputs: Shapes, output: Shape) -> Code:
    options = {"dilation": (collapse(spread(layer.dilation, len(output) - 1, "dilation")), 1)}
    return _pool(layer, options, ", value=-torch.inf", inputs, output)


@torch_code(MaxUnpool)
def max_unpool(layer: MaxUnpool, inputs: Shapes, output: Shape) -> Code:
    """Write it with the places of the largest elements, which PyTorch's pooling returns beside them."""
    axes = len(output) - 1
    fields = layer.kernel, layer.kernel if layer.stride is None else layer.stride, layer.padding
    window = ", ".join(literal(collapse(spread(value, axes, ""))) for value in fields)
    places = f"F.max_pool{axes}d({{1}}, {window}, return_indices=True)[1]"
    return expression(f"F.max_unpool{axes}d({{0}}, {places}, {window}, output_size={output[1:]})")


@torch_code(AvgPool)
def avg_pool(layer: AvgPool, inputs: Shapes, output: Shape) -> Code:
    axes = len(output) - 1
    if any(dilation != 1 for dilation in spread(layer.dilation, axes, "dilation")):
        padding = pool_padding(layer, inputs[0], output)
        code = _dilated_mean(layer, axes)
        if any(map(any, padding)):
            code = code._replace(call=code.call.replace("{0}", pad_call(padding)))
    else:
        code = _pool(layer, {"count_include_pad": (layer.include_padding, True)}, "", inputs, output)
    if layer.include_padding or "F.pad" not in code.call:
        return code
    counted = code.call.replace("{0}", "torch.ones_like({0})")
    return code._replace(
        call=f"{code.call} / {counted}",
        options={name: option for name, option in code.options.items() if name != "count_include_pad"},
    )


def _dilated_mean(layer: AvgPool, axes: int) -> Code:
    """Write the mean of a dilated window, which PyTorch has no module for."""
    call = "{0}"
    fields = layer.kernel, layer.kernel if layer.stride is None else layer.stride, layer.dilation
    sizes = zip(*(spread(value, axes, "") for value in fields), strict=True)
    for axis, (size, stride, dilation) in enumerate(sizes, 2):
        call += f".unfold({axis}, {dilation * (size - 1) + 1}, {stride})[..., ::{dilation}]"
    return expression(f"{call}.mean({tuple(range(-axes, 0))})")


@torch_code(AdaptiveMaxPool, AdaptiveAvgPool)
def adaptive_pool(layer: AdaptiveMaxPool | AdaptiveAvgPool, inputs: Shapes, output: Shape) -> Code:
    return Code(f"nn.{layer.torch.split()[len(output) - 2]}", {"output_size": collapse(output[1:])})


@torch_code(GlobalMaxPool, GlobalAvgPool)
def global_pool(layer: GlobalMaxPool | GlobalAvgPool, inputs: Shapes, output: Shape) -> Code:
    mean_or_max = "Max" if isinstance(layer, GlobalMaxPool) else "Avg"
    return Code(f"nn.Adaptive{mean_or_max}Pool{len(output) - 1}d", {"output_size": 1})
