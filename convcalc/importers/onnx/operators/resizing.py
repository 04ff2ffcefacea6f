"""Rules for grids side by side, enlarged, or folded into channels."""

from __future__ import annotations

from math import floor, prod
from typing import Any

from convcalc.graph import Ref
from convcalc.importers.onnx.context import Context, Inputs
from convcalc.importers.onnx.model import MOST_READ, Node
from convcalc.importers.onnx.operators.registry import like, rule, single
from convcalc.importers.onnx.operators.reshaping import permuted
from convcalc.importers.onnx.operators.slicing import moved
from convcalc.importers.onnx.values import (
    Shape,
    Unsupported,
    Value,
    axis_at,
    checked,
    given,
)


@rule("DepthToSpace", "SpaceToDepth")
def shuffle_pixels(ctx: Context, node: Node, inputs: Inputs) -> list[Value]:
    value, factor = given(inputs, 0), node.get("blocksize", 0)
    count, channels, height, width = value.sizes
    if node.operator == "DepthToSpace":
        shape, name = (count, channels // factor**2, height * factor, width * factor), "pixel_shuffle"
    else:
        shape, name = (count, channels * factor**2, height // factor, width // factor), "pixel_unshuffle"
    if value.batch != 0:
        return [moved(ctx, node, [value], shape, value.batch)]  # TensorFlow cuts grids into more images so
    return [ctx.layer(node, name, [value], shape, value.batch, factor=factor)]


@rule("ResizeBilinear", "ResizeNearestNeighbor")
def resize_channels_last(ctx: Context, node: Node, inputs: Inputs) -> list[Value]:
    """TensorFlow's own operators, which tf2onnx leaves as they are in old opsets."""
    value = given(inputs, 0)
    count, *_, channels = value.sizes
    turned = permuted(ctx, node, value, (0, 3, 1, 2))
    mode = {} if node.operator == "ResizeNearestNeighbor" else {"mode": "bilinear"}
    shape = (count, channels, *given(inputs, 1).ints())
    made = ctx.layer(node, "upsample", [turned], shape, turned.batch, size=single(shape[2:]), **mode)
    return [permuted(ctx, node, made, (0, 2, 3, 1))]


@rule("Resize", "Upsample")
def resize(ctx: Context, node: Node, inputs: Inputs) -> list[Value]:
    value = given(inputs, 0)
    shape, scales = _resized(node, inputs, value.sizes)
    if shape == value.sizes:
        return [value]
    if value.ref is None:
        return [like(value, shape)]
    if value.batch != 0 or shape[:2] != value.sizes[:2] or len(shape) < 3:
        return [moved(ctx, node, [value], shape, value.batch)]
    mode = {"linear": "bilinear", "cubic": "bicubic"}.get(str(node.get("mode", "nearest")), "nearest")
    fields: dict[str, Any] = {"scale": single(scales)} if scales else {"size": single(shape[2:])}
    fields.update({"mode": mode} if mode != "nearest" else {})
    return [ctx.layer(node, "upsample", [value], shape, value.batch, **fields)]


def _resized(node: Node, inputs: Inputs, old: Shape) -> tuple[Shape, tuple[int, ...]]:
    """The new shape, and the whole factors of the grid where there are such."""
    places = (1, None) if len(inputs) == 2 else (2, 3)
    factors = node.get("scales")
    if factors is None:
        found = inputs[places[0]] if places[0] is not None and places[0] < len(inputs) else None
        factors = None if found is None or 0 in found.sizes else found.data
        if factors is None and found is not None and 0 not in found.sizes:
            raise Unsupported("its scale is not known")
    if factors:
        factors = [float(factor) for factor in factors]
        # a factor is rounded as it is stored, in 24 bits: 0.4 times 50 is 20
        shape = tuple(
            floor(size * factor * (1 + 2**-23)) for size, factor in zip(old[-len(factors) :], factors, strict=True)
        )
        shape = old[: len(old) - len(shape)] + shape
    else:
        sizes = given(inputs, 3).ints()
        axes = node.get("axes") or list(range(len(old) - len(sizes), len(old)))
        new = dict(zip((axis_at(axis, len(old)) for axis in axes), sizes, strict=True))
        shape = tuple(new.get(at, size) for at, size in enumerate(old))
    if any(size < 1 for size in shape):
        raise Unsupported("nothing is left")
    whole = tuple(new // size for new, size in zip(shape[2:], old[2:], strict=True))
    exact = all(size * times == new and times >= 1 for size, times, new in zip(old[2:], whole, shape[2:], strict=True))
    return checked(shape), whole if exact else ()


@rule("Concat")
def concat(ctx: Context, node: Node, inputs: Inputs) -> list[Value]:
    values = [value for value in inputs if value is not None]
    axis = axis_at(node.get("axis", 1), len(values[0].sizes))
    values = [value for value in values if value.sizes[axis]]  # an empty part adds nothing
    shape = list(values[0].sizes)
    shape[axis] = sum(value.sizes[axis] for value in values)
    if all(value.ref is None for value in values):
        return [joined(values, tuple(shape), axis)]
    if len(values) == 1:
        return [values[0]]
    batch = next((value.batch for value in values if value.batch is not None), None)
    if batch == axis:
        if ctx.batch != 1:
            raise Unsupported("it works across the batch")
        batch = None
    refs = [ctx.view(node, value, ctx.inner(value.sizes, batch)) for value in values]
    at = axis if batch is None or shape[batch] != ctx.batch else axis - (axis > batch)
    place, known = -1 - at, None
    for count, ref in enumerate(refs, 1):
        place = ctx.prefixes.setdefault((place, ref), len(ctx.prefixes))
        if 1 < count < len(refs) and place in ctx.concats:
            known = count, ctx.concats[place]
    if known is not None:  # the first of them stand side by side already: say so, and dense blocks are chains
        refs[: known[0]] = [known[1]]
    frames = 0 if axis == 0 and any(value.batch == 0 for value in values) else batch  # beside each other in the batch
    found = ctx.layer(node, "concat", refs, shape, frames, **({"axis": at} if at else {}))
    ctx.concats[place] = found.ref or Ref(0)
    return [found]


def joined(values: list[Value], shape: Shape, axis: int) -> Value:
    """Constants side by side."""
    origins = tuple(dict.fromkeys(name for value in values for name in value.origins))
    data: list[Any] | None = None
    if all(value.data is not None for value in values) and prod(shape) <= MOST_READ:
        data = []
        for outer in range(prod(shape[:axis])):
            for value in values:
                size = prod(value.sizes[axis:])
                data.extend((value.data or [])[outer * size : (outer + 1) * size])
    return Value(checked(shape), data, origins=origins, element=values[0].element)
