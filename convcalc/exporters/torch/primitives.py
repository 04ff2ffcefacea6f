"""Arithmetic, reductions, moved elements and constants in PyTorch."""

from __future__ import annotations

from math import prod

from convcalc.exporters.code.arithmetic import FIRST_ELEMENTS, ONE_OF
from convcalc.exporters.code.arithmetic import elementwise as one_operation
from convcalc.exporters.code.code import Code, Shapes, expression
from convcalc.exporters.torch.helpers import BUFFER
from convcalc.exporters.torch.table import torch_code
from convcalc.kinds import Shape
from convcalc.kinds.primitives import Constant, Elementwise, Gather, Reduce


@torch_code(Elementwise)
def elementwise(layer: Elementwise, inputs: Shapes, output: Shape) -> Code:
    return one_operation(layer, len(inputs), "torch", "torch.pow")


@torch_code(Reduce)
def reduce(layer: Reduce, inputs: Shapes, output: Shape) -> Code:
    over = tuple(axis + 1 for axis in layer.reduced_axes(inputs[0]))
    calls = {
        "comparisons": "{{0}}.amax({over}, keepdim={keep})",
        "maximum": "{{0}}.amax({over}, keepdim={keep})",
        "additions": "{{0}}.sum({over}, keepdim={keep})",
        "multiplications": "{{0}}.square().sum({over}, keepdim={keep})",
        "divisions": "{{0}}.mean({over}, keepdim={keep})",
        "exponentials": "{{0}}.logsumexp({over}, keepdim={keep})",
    }
    call = calls[layer.operation].format(over=over, keep=layer.keep).replace(", keepdim=False", "")
    if len(over) == len(inputs[0]) and not layer.keep:
        call += ".unsqueeze(1)"
    return expression(call, "" if layer.operation in ("additions", "maximum") else ONE_OF.format(layer.operation))


@torch_code(Gather)
def gather(layer: Gather, inputs: Shapes, output: Shape) -> Code:
    flat = [f"{{{number}}}.flatten(1)" for number in range(len(inputs))]
    elements = flat[0] if len(flat) == 1 else f"torch.cat([{', '.join(flat)}], 1)"
    indices = f"torch.arange({prod(output)}, device={{0}}.device) % {sum(map(prod, inputs))}"
    call = f"{elements}[:, {indices}].reshape(-1, {', '.join(map(str, output))})"
    return expression(call, FIRST_ELEMENTS)


@torch_code(Constant)
def constant(layer: Constant, inputs: Shapes, output: Shape) -> Code:
    return Code(BUFFER, {"shape": output}, call=f"{{module}}.expand({{batch}}{', -1' * len(output)})")
