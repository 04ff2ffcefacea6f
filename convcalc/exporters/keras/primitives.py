"""Arithmetic, reductions, moved elements and constants in Keras."""

from __future__ import annotations

from math import prod

from convcalc.exporters.code.arithmetic import FIRST_ELEMENTS, ONE_OF
from convcalc.exporters.code.arithmetic import elementwise as one_operation
from convcalc.exporters.code.code import Code, Shapes, expression
from convcalc.exporters.keras.helpers import CONSTANT, reshape_call
from convcalc.exporters.keras.table import EITHER, keras_code
from convcalc.kinds import Shape
from convcalc.kinds.primitives import Constant, Elementwise, Gather, Reduce


@keras_code(Elementwise, order=EITHER)
def elementwise(layer: Elementwise, inputs: Shapes, output: Shape, channels_last: bool) -> Code:
    return one_operation(layer, len(inputs), "ops", "ops.power")


@keras_code(Reduce)
def reduce(layer: Reduce, inputs: Shapes, output: Shape, channels_last: bool) -> Code:
    over = tuple(axis + 1 for axis in layer.reduced_axes(inputs[0]))
    functions = {
        "comparisons": "ops.max({{0}}, {over})",
        "maximum": "ops.max({{0}}, {over})",
        "additions": "ops.sum({{0}}, {over})",
        "multiplications": "ops.sum(ops.square({{0}}), {over})",
        "divisions": "ops.mean({{0}}, {over})",
        "exponentials": "ops.logsumexp({{0}}, {over})",
    }
    is_scalar = len(over) == len(inputs[0]) and not layer.keep
    keep = ", keepdims=True" if layer.keep else ""
    call = functions[layer.operation].format(over=f"axis={over}{keep}")
    note = "" if layer.operation in ("additions", "maximum") else ONE_OF.format(layer.operation)
    return expression(f"ops.expand_dims({call}, 1)" if is_scalar else call, note)


@keras_code(Gather)
def gather(layer: Gather, inputs: Shapes, output: Shape, channels_last: bool) -> Code:
    flat = [f"layers.Flatten()({{{number}}})" if len(s) > 1 else f"{{{number}}}" for number, s in enumerate(inputs)]
    elements = flat[0] if len(flat) == 1 else f"layers.Concatenate()([{', '.join(flat)}])"
    taken = f"ops.take({elements}, ops.arange({prod(output)}) % {sum(map(prod, inputs))}, axis=1)"
    return (reshape_call(taken, output) if len(output) > 1 else expression(taken))._replace(note=FIRST_ELEMENTS)


@keras_code(Constant)
def constant(layer: Constant, inputs: Shapes, output: Shape, channels_last: bool) -> Code:
    return Code("Constant", {"shape": output}, call="{module}({batch})", helper=CONSTANT)
