"""Sequences of values: each known by the name that the graph has for it."""

from __future__ import annotations

from convcalc.importers.onnx.context import Context
from convcalc.importers.onnx.model import MOST_READ, Node, Unsupported
from convcalc.importers.onnx.operators.registry import rule
from convcalc.importers.onnx.operators.reshape import reshaped
from convcalc.importers.onnx.operators.slicing import concat, parts_of
from convcalc.importers.onnx.values import Inputs, Value, axis_at, given, index_at, optional


class _Sequences(dict[str, list[Value]]):
    """Name of a sequence -> its values."""


@rule("SplitToSequence")
def split_to_sequence(ctx: Context, node: Node, inputs: Inputs) -> list[Value]:
    value = given(inputs, 0)
    axis = axis_at(node.int("axis"), value.rank)
    size, lengths = value.sizes[axis], optional(inputs, 1)
    keeps_axis = bool(node.int("keepdims", 1))  # without meaning where there are lengths
    if lengths is None and not keeps_axis:
        raise Unsupported("split that removes the axis")
    if lengths is None or not lengths.sizes:
        each = 1 if lengths is None else lengths.integer()
        if each < 1 or size > each * MOST_READ:
            raise Unsupported(f"split of {size} elements into parts of {each}")
        parts = [min(each, size - start) for start in range(0, size, each)]
    else:
        parts = lengths.ints()
    if not node.outputs:
        raise Unsupported("split without outputs")
    ctx.memo(_Sequences)[node.outputs[0]] = parts_of(ctx, node, value, axis, parts)
    return [Value(None)]


@rule("SequenceAt")
def sequence_at(ctx: Context, node: Node, inputs: Inputs) -> list[Value]:
    index = given(inputs, 1).integer()
    parts = _sequence(ctx, node, inputs)
    return [parts[index_at(index, len(parts))]]


def _sequence(ctx: Context, node: Node, inputs: Inputs) -> list[Value]:
    """The values of the sequence that is the first input. Raises Unsupported if they are not known."""
    value = optional(inputs, 0)
    parts = ctx.memo(_Sequences).get(node.inputs[0]) if node.inputs else None
    if parts is None or value is None or value.ref is not None:  # what its rule made was taken back
        raise Unsupported("sequence of unknown values")
    return parts


def _kept(ctx: Context, node: Node, parts: list[Value]) -> list[Value]:
    """The node's output: a sequence of these values."""
    if not node.outputs:
        raise Unsupported("sequence without a name")
    ctx.memo(_Sequences)[node.outputs[0]] = parts
    return [Value(None)]


@rule("SequenceConstruct")
def sequence(ctx: Context, node: Node, inputs: Inputs) -> list[Value]:
    return _kept(ctx, node, [value for value in inputs if value is not None])


@rule("SequenceEmpty")
def empty_sequence(ctx: Context, node: Node, inputs: Inputs) -> list[Value]:
    return _kept(ctx, node, [])


@rule("SequenceInsert")
def sequence_insert(ctx: Context, node: Node, inputs: Inputs) -> list[Value]:
    parts, value, place = [*_sequence(ctx, node, inputs)], given(inputs, 1), optional(inputs, 2)
    at = len(parts) if place is None else place.integer()
    if not -len(parts) <= at <= len(parts):
        raise Unsupported(f"place {at} in a sequence of {len(parts)}")
    parts.insert(at, value)
    return _kept(ctx, node, parts)


@rule("SequenceErase")
def sequence_erase(ctx: Context, node: Node, inputs: Inputs) -> list[Value]:
    parts, place = [*_sequence(ctx, node, inputs)], optional(inputs, 1)
    del parts[index_at(-1 if place is None else place.integer(), len(parts))]
    return _kept(ctx, node, parts)


@rule("SequenceLength")
def sequence_length(ctx: Context, node: Node, inputs: Inputs) -> list[Value]:
    return [Value((), [len(_sequence(ctx, node, inputs))], dtype=7)]


@rule("ConcatFromSequence")
def concat_from_sequence(ctx: Context, node: Node, inputs: Inputs) -> list[Value]:
    """The values along one axis, or along a new one."""
    axis, is_new = node.int("axis"), bool(node.int("new_axis"))
    parts = [*_sequence(ctx, node, inputs)]
    if is_new and parts:
        at = axis_at(axis, parts[0].rank + 1)
        shapes = [(*part.sizes[:at], 1, *part.sizes[at:]) for part in parts]
        batches = [None if part.batch is None else part.batch + (part.batch >= at) for part in parts]
        wide = zip(parts, shapes, batches, strict=True)
        parts = [reshaped(ctx, node, part, shape, batch) for part, shape, batch in wide]
    return concat(ctx, node, [*parts])
