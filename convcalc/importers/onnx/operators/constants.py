"""Rules for constants, for what is known of shapes, and for what passes through unchanged."""

from __future__ import annotations

from itertools import product
from math import ceil, prod

from convcalc.importers.onnx.context import Context, Inputs
from convcalc.importers.onnx.layer_names import is_parameter
from convcalc.importers.onnx.model import FLOATS, MOST_READ, Node, Tensor
from convcalc.importers.onnx.operators.registry import like, rule
from convcalc.importers.onnx.values import (
    Unsupported,
    Value,
    checked,
    converted,
    given,
)


@rule("Constant")
def constant_node(ctx: Context, node: Node, inputs: Inputs) -> list[Value]:
    for key, value in node.attributes.items():
        if isinstance(value, Tensor):
            return [Value(value.shape, value.values(), element=value.element)]
        if key in ("value_float", "value_int"):
            return [Value((), [value], element=1 if key == "value_float" else 7)]
        if key in ("value_floats", "value_ints"):
            return [Value((len(value),), value, element=1 if key == "value_floats" else 7)]
    raise Unsupported("a constant without a value")


@rule("ConstantOfShape")
def constant_of_shape(ctx: Context, node: Node, inputs: Inputs) -> list[Value]:
    shape = checked(given(inputs, 0).ints())
    tensor = node.get("value")
    element = tensor.element if isinstance(tensor, Tensor) else 1
    fill = (tensor.values() or [0])[0] if isinstance(tensor, Tensor) else 0.0
    data = [fill] * prod(shape) if prod(shape) <= MOST_READ else None
    # filled from a shape that is stored in the file: a stand-in for weights, as files without weights have it
    is_stored = node.inputs[0] in ctx.model.tensors and ctx.model.producer not in ("pytorch", "tf2onnx")
    is_stand_in = is_stored and element in FLOATS and prod(shape) > 1
    return [Value(shape, data, origins=(node.outputs[0],) if is_stand_in else (), element=element)]


@rule("Shape")
def shape_of(ctx: Context, node: Node, inputs: Inputs) -> list[Value]:
    shape = given(inputs, 0).sizes
    part = shape[slice(node.get("start", 0), node.get("end"))]
    return [Value((len(part),), list(part), element=7)]


@rule("Size")
def size_of(ctx: Context, node: Node, inputs: Inputs) -> list[Value]:
    return [Value((), [prod(given(inputs, 0).sizes)], element=7)]


@rule("Range")
def number_range(ctx: Context, node: Node, inputs: Inputs) -> list[Value]:
    start, stop, step = (given(inputs, at).scalar() for at in range(3))
    if start is None or stop is None or not step:
        raise Unsupported("a range of unknown length")
    count = max(0, ceil((stop - start) / step))
    data = [start + step * number for number in range(count)] if count <= MOST_READ else None
    return [Value(checked((count,)), data, element=given(inputs, 0).element)]


@rule("EyeLike")
def identity_matrix(ctx: Context, node: Node, inputs: Inputs) -> list[Value]:
    rows, columns = given(inputs, 0).sizes
    shift = node.get("k", 0)
    is_small = rows * columns <= MOST_READ
    data = [int(column - row == shift) for row in range(rows) for column in range(columns)] if is_small else None
    return [Value((rows, columns), data, element=node.get("dtype", 0) or given(inputs, 0).element)]


@rule("NonZero")
def non_zero(ctx: Context, node: Node, inputs: Inputs) -> list[Value]:
    value = given(inputs, 0)
    if value.data is None:
        raise Unsupported("how many there are, only running it would tell")
    places = [index for index, number in zip(product(*map(range, value.sizes)), value.data, strict=True) if number]
    data = [index[axis] for axis in range(len(value.sizes)) for index in places]
    return [Value((len(value.sizes), len(places)), data, element=7)]


@rule("Identity", "Dropout", "StopGradient", "Optional", "OptionalGetElement", "DequantizeLinear", "QuantizeLinear")
def passed(ctx: Context, node: Node, inputs: Inputs) -> list[Value]:
    value = given(inputs, 0)
    tensor = ctx.model.tensors.get(node.inputs[0])
    if node.operator == "Identity" and tensor is not None and value.origins and is_parameter(node.outputs[0]):
        # one stored tensor for several parameters that were equal when the file was written: PyTorch does this
        ctx.model.tensors.setdefault(node.outputs[0], tensor)
        return [Value(value.shape, value.data, origins=(node.outputs[0],), element=value.element)]
    return [value]


@rule("Cast", "CastLike")
def cast(ctx: Context, node: Node, inputs: Inputs) -> list[Value]:
    value = given(inputs, 0)
    element = node.get("to", 0) or given(inputs, 1).element
    if value.ref is not None:
        return [Value(value.shape, ref=value.ref, batch=value.batch, element=element)]
    return [like(value, value.sizes, converted(value.data, element), element)]
