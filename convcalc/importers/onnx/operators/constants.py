"""Constants, what is known of shapes, and operators that pass their input through."""

from __future__ import annotations

from itertools import product
from math import ceil, isfinite, prod

from convcalc.importers.onnx.constant_arithmetic import LARGEST_NUMBER, converted
from convcalc.importers.onnx.context import Context
from convcalc.importers.onnx.elements import Layout, Part
from convcalc.importers.onnx.layer_names import is_parameter
from convcalc.importers.onnx.model import FLOATS, MOST_READ, Node, Unsupported
from convcalc.importers.onnx.operators._layers import constant_like
from convcalc.importers.onnx.operators.registry import rule
from convcalc.importers.onnx.values import Inputs, Value, checked, given

_FLOAT, _UINT8, _INT64 = 1, 2, 7


@rule("Constant")
def constant_node(ctx: Context, node: Node, inputs: Inputs) -> list[Value]:
    tensor = node.tensor("value")
    if tensor is not None:
        return [Value(tensor.shape, tensor.values(), dtype=tensor.dtype)]
    if node.has("value_float"):
        return [Value((), [node.float("value_float")], dtype=_FLOAT)]
    if node.has("value_int"):
        return [Value((), [node.int("value_int")], dtype=_INT64)]
    if node.has("value_floats"):
        reals = node.floats("value_floats")
        return [Value((len(reals),), reals, dtype=_FLOAT)]
    if node.has("value_ints"):
        integers = node.ints("value_ints")
        return [Value((len(integers),), integers, dtype=_INT64)]
    raise Unsupported("no value that is a number")


@rule("ConstantOfShape")
def constant_of_shape(ctx: Context, node: Node, inputs: Inputs) -> list[Value]:
    shape, tensor = checked(given(inputs, 0).ints()), node.tensor("value")
    dtype = _FLOAT if tensor is None else tensor.dtype
    fill = 0.0 if tensor is None else (tensor.values() or [0])[0]
    data = [fill] * prod(shape) if prod(shape) <= MOST_READ else None
    # filled from a shape that is stored in the file: in place of weights, as files without weights have it
    name = node.inputs[0] if node.inputs else ""
    is_stored = name in ctx.model.tensors and ctx.model.producer not in ("pytorch", "tf2onnx")
    is_weights = is_stored and dtype in FLOATS and prod(shape) > 1
    parts = (Part(node.outputs[0], prod(shape)),) if is_weights and node.outputs else ()
    return [Value(shape, data, source_weights=parts, dtype=dtype, layout=Layout.contiguous(shape) if parts else None)]


@rule("Shape")
def shape_of(ctx: Context, node: Node, inputs: Inputs) -> list[Value]:
    shape = given(inputs, 0).sizes
    part = shape[slice(node.int("start"), node.int("end") if node.has("end") else None)]
    return [Value((len(part),), list(part), dtype=_INT64)]


@rule("Size")
def size_of(ctx: Context, node: Node, inputs: Inputs) -> list[Value]:
    return [Value((), [prod(checked(given(inputs, 0).sizes))], dtype=_INT64)]


@rule("Range")
def number_range(ctx: Context, node: Node, inputs: Inputs) -> list[Value]:
    start, stop, step = (given(inputs, at).scalar() for at in range(3))
    if start is None or stop is None or step is None:
        raise Unsupported("length that depends on the input's values")
    if not step or not all(isfinite(number) and abs(number) < LARGEST_NUMBER for number in (start, stop, step)):
        raise Unsupported("range without an end")
    difference = stop - start
    count = max(0, ceil(difference / step) if abs(difference) < LARGEST_NUMBER * abs(step) else LARGEST_NUMBER)
    data = [start + step * number for number in range(count)] if count <= MOST_READ else None
    return [Value(checked((count,)), data, dtype=given(inputs, 0).dtype)]


@rule("EyeLike")
def identity_matrix(ctx: Context, node: Node, inputs: Inputs) -> list[Value]:
    value = given(inputs, 0)
    rows, columns = value.sizes_of_rank(2)
    shift, dtype = node.int("k"), node.int("dtype") or value.dtype
    data = None
    if 0 < rows * columns <= MOST_READ:
        data = [int(column - row == shift) for row in range(rows) for column in range(columns)]
    return [Value((rows, columns), data, dtype=dtype)]


@rule("NonZero")
def non_zero(ctx: Context, node: Node, inputs: Inputs) -> list[Value]:
    value = given(inputs, 0)
    if value.data is None:
        raise Unsupported("the output's size depends on the input's values")
    indices = product(*map(range, value.sizes)) if value.data else ()
    places = [index for index, number in zip(indices, value.data, strict=True) if number]
    data = [index[axis] for axis in range(value.rank) for index in places]
    return [Value((value.rank, len(places)), data, dtype=_INT64)]


@rule("Identity", "Dropout", "StopGradient", "Optional", "OptionalGetElement", "DequantizeLinear", "QuantizeLinear")
def passed(ctx: Context, node: Node, inputs: Inputs) -> list[Value]:
    value = given(inputs, 0)
    tensor = ctx.model.tensors.get(node.inputs[0]) if node.operator == "Identity" and node.inputs else None
    if tensor is not None and value.source_weights and node.outputs and is_parameter(node.outputs[0]):
        # PyTorch stores several parameters once where they were equal when the file was written
        ctx.model.tensors.setdefault(node.outputs[0], tensor)
        parts = (Part(node.outputs[0], prod(value.sizes)),)
        return [Value(value.shape, value.data, source_weights=parts, dtype=value.dtype, layout=value.layout)]
    return [value]


@rule("DynamicQuantizeLinear")
def quantized(ctx: Context, node: Node, inputs: Inputs) -> list[Value]:
    return [given(inputs, 0), Value((), [1.0]), Value((), [0], dtype=_UINT8)]


@rule("Cast", "CastLike")
def cast(ctx: Context, node: Node, inputs: Inputs) -> list[Value]:
    value = given(inputs, 0)
    dtype = node.int("to") or given(inputs, 1).dtype
    if value.ref is not None:
        return [Value(value.shape, ref=value.ref, batch=value.batch, dtype=dtype)]
    return [constant_like(value, value.sizes, converted(value.data, dtype), dtype, value.layout)]
