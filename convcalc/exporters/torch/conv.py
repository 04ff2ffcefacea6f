"""Convolutions in PyTorch."""

from __future__ import annotations

from math import prod
from typing import Any

from convcalc.exporters.code.code import Code, Shapes, collapse, literal
from convcalc.exporters.code.padding import conv_padding
from convcalc.exporters.torch.helpers import BUFFER, pad_call, weight_norm
from convcalc.exporters.torch.table import torch_code
from convcalc.kinds import Shape, require
from convcalc.kinds.conv import Conv, TransposedConv
from convcalc.kinds.sizes import is_fixed, spread
from convcalc.kinds.window import pairs


def _convolution(
    layer: Conv | TransposedConv, shape: Shape, padding: Any, value: str = "{0}", output_padding: Any = 0
) -> Code:
    """Build the module for as many spatial axes as the input has; with fixed weights, the function on a buffer."""
    axes = len(shape) - 1
    is_transposed = isinstance(layer, TransposedConv)
    groups, filters = layer.count_of(shape[0])
    kernel, stride, dilation = (
        collapse(spread(getattr(layer, name), axes, name)) for name in ("kernel", "stride", "dilation")
    )
    needs = {"in_channels": shape[0], "out_channels": filters}
    options = {
        "kernel_size": (kernel, None),
        "stride": (stride, 1),
        "padding": (padding, 0),
        "output_padding": (output_padding, 0),
        "dilation": (dilation, 1),
        "groups": (groups, 1),
        "bias": (layer.bias, True),
    }
    code = Code(f"nn.Conv{'Transpose' if is_transposed else ''}{axes}d", needs, options, f"{{module}}({value})")
    if not is_fixed(layer.learned):
        return weight_norm(code, layer.learned, prod(layer.weights(shape).values()), filters)
    require(not layer.bias, "PyTorch has no convolution with frozen weights and a trainable bias", "bias")
    del options["kernel_size"], options["bias"]
    function = "F.conv_transpose" if is_transposed else "F.conv"
    arguments = "".join(f", {key}={literal(value)}" for key, (value, usual) in options.items() if value != usual)
    ends = (shape[0], filters // groups) if is_transposed else (filters, shape[0] // groups)
    call = f"{function}{axes}d({value}, {{module}}[0]{arguments})"
    return Code(BUFFER, {"shape": (*ends, *spread(layer.kernel, axes, "kernel"))}, {}, call)


@torch_code(Conv)
def conv(layer: Conv, inputs: Shapes, output: Shape) -> Code:
    shape, axes = inputs[0], len(inputs[0]) - 1
    if layer.padding == "same" and all(step == 1 for step in spread(layer.stride, axes, "stride")):
        return _convolution(layer, shape, "same")
    padding = conv_padding(layer, shape, output, layer.padding)
    if all(before == after for before, after in padding):
        return _convolution(layer, shape, collapse(before for before, _ in padding))
    return _convolution(layer, shape, 0, pad_call(padding))


@torch_code(TransposedConv)
def transposed_conv(layer: TransposedConv, inputs: Shapes, output: Shape) -> Code:
    axes = len(output) - 1
    sizes = (spread(getattr(layer, name), axes, name) for name in ("kernel", "stride", "dilation", "output_padding"))
    paddings, extras, rests = [], [], []
    for index, (kernel, stride, dilation, extra) in enumerate(zip(*sizes, strict=True)):
        if layer.padding == "same":
            over = dilation * (kernel - 1) + 1 - stride
            before, after, extra = max(over // 2, 0), max(over - over // 2, 0), extra + max(-over, 0)
        else:
            before, after = pairs(layer.padding, axes)[index]
        is_plain = before == after and extra < max(stride, dilation)  # what the module can do itself
        paddings.append(before if is_plain else 0)
        extras.append(extra if is_plain else 0)
        rests.append((0, 0) if is_plain else (-before, extra - after))
    code = _convolution(layer, inputs[0], collapse(paddings), output_padding=collapse(extras))
    if not any(map(any, rests)):
        return code
    # padding comes before cropping, which may leave nothing
    more, less = ([(edge(before, 0), edge(after, 0)) for before, after in rests] for edge in (max, min))
    call = pad_call(more).replace("{0}", code.call) if any(map(any, more)) else code.call
    return code._replace(call=pad_call(less).replace("{0}", call) if any(map(any, less)) else call)
