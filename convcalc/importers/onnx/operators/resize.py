"""Resizing of spatial axes, and moves between them and the channels."""

from __future__ import annotations

from fractions import Fraction
from math import floor
from typing import Any

from convcalc.importers.onnx.context import Context
from convcalc.importers.onnx.model import Node, Unsupported
from convcalc.importers.onnx.operators._layers import constant_like, gathered_at_runtime, one_or_all
from convcalc.importers.onnx.operators.registry import rule
from convcalc.importers.onnx.operators.reshape import permuted
from convcalc.importers.onnx.values import (
    LARGEST_SHAPE,
    Inputs,
    Shape,
    Value,
    axis_at,
    checked,
    given,
    optional,
)

_MODES = {"linear": "bilinear", "cubic": "bicubic"}  # nearest for any other


@rule("DepthToSpace", "SpaceToDepth")
def shuffle_pixels(ctx: Context, node: Node, inputs: Inputs) -> list[Value]:
    value, factor = given(inputs, 0), node.int("blocksize")
    if factor < 1:
        raise Unsupported(f"blocksize {factor}")
    count, channels, height, width = value.sizes_of_rank(4)
    if node.operator == "DepthToSpace":
        shape, name = (count, channels // factor**2, height * factor, width * factor), "pixel_shuffle"
    else:
        shape, name = (count, channels * factor**2, height // factor, width // factor), "pixel_unshuffle"
    if value.batch != 0:
        # TensorFlow cuts images into more images of the batch so
        return [gathered_at_runtime(ctx, node, [value], shape, value.batch)]
    return [ctx.layer(node, name, [value], shape, value.batch, factor=factor)]


@rule("ResizeBilinear", "ResizeNearestNeighbor")
def resize_channels_last(ctx: Context, node: Node, inputs: Inputs) -> list[Value]:
    """TensorFlow's own operators, which tf2onnx keeps in old opsets."""
    value = given(inputs, 0)
    count, *_, channels = value.sizes_of_rank(4)
    spatial = given(inputs, 1).ints()
    if len(spatial) != 2:
        raise Unsupported(f"{len(spatial)} sizes of two axes")
    channels_first = permuted(ctx, node, value, (0, 3, 1, 2))
    mode = {} if node.operator == "ResizeNearestNeighbor" else {"mode": "bilinear"}
    shape, batch = (count, channels, *spatial), channels_first.batch
    resized = ctx.layer(node, "upsample", [channels_first], shape, batch, size=one_or_all(spatial), **mode)
    return [permuted(ctx, node, resized, (0, 2, 3, 1))]


@rule("Resize", "Upsample")
def resize(ctx: Context, node: Node, inputs: Inputs) -> list[Value]:
    value = given(inputs, 0)
    shape, mode = checked(_resized(node, inputs, value.sizes)), _MODES.get(node.text("mode", "nearest"))
    if any(size < 1 for size in shape) or any(size < 1 for size in value.sizes):
        raise Unsupported("output without elements")
    if shape == value.sizes:
        return [value]
    if value.ref is None:
        return [constant_like(value, shape)]
    if value.batch != 0 or shape[:2] != value.sizes[:2] or len(shape) < 3:
        return [gathered_at_runtime(ctx, node, [value], shape, value.batch)]
    is_exact = all(new % old == 0 for old, new in zip(value.sizes[2:], shape[2:], strict=True))
    factors = [new // old for old, new in zip(value.sizes[2:], shape[2:], strict=True)]
    fields: dict[str, Any] = {"scale": one_or_all(factors)} if is_exact else {"size": one_or_all(shape[2:])}
    return [ctx.layer(node, "upsample", [value], shape, value.batch, **fields, **({"mode": mode} if mode else {}))]


def _resized(node: Node, inputs: Inputs, old: Shape) -> Shape:
    """The new shape, from factors or sizes."""
    factors, sizes = _factors(node, inputs)
    policy, is_cut = node.text("keep_aspect_ratio_policy", "stretch"), _cuts_out_a_region(node, inputs)
    numbers = sizes or factors
    axes = node.ints("axes") or list(range(max(0, len(old) - len(numbers)), len(old)))
    if len(axes) != len(numbers):
        raise Unsupported(f"{len(numbers)} scales or sizes of {len(axes)} axes")
    axes = [axis_at(axis, len(old)) for axis in axes]
    if sizes and policy in ("not_larger", "not_smaller"):
        ratios = [Fraction(size, old[axis]) for size, axis in zip(sizes, axes, strict=True) if old[axis]]
        ratio = (min if policy == "not_larger" else max)(ratios)
        sizes = [floor(ratio * old[axis] + Fraction(1, 2)) for axis in axes]
    elif not sizes:
        if is_cut or not all(0 <= factor <= LARGEST_SHAPE for factor in factors):
            raise Unsupported("factors of a region that is cut out" if is_cut else "scale out of range")
        # a factor is rounded as it is stored, in 24 bits: 0.4 times 50 is 20
        sizes = [floor(old[axis] * factor * (1 + 2**-23)) for axis, factor in zip(axes, factors, strict=True)]
    new = dict(zip(axes, sizes, strict=True))
    return tuple(new.get(at, size) for at, size in enumerate(old))


def _cuts_out_a_region(node: Node, inputs: Inputs) -> bool:
    """Whether the factors are of a region of the input, which an input of its own gives."""
    region = optional(inputs, 1) if len(inputs) > 2 else None
    mode = node.text("coordinate_transformation_mode")
    return region is not None and mode == "tf_crop_and_resize"


def _factors(node: Node, inputs: Inputs) -> tuple[list[float], list[int]]:
    """The scales and the sizes, of which one is given: attributes in older opsets, inputs in newer ones."""
    if node.has("scales"):
        return node.floats("scales"), []
    if node.has("height_scale"):
        return [node.float("height_scale"), node.float("width_scale", 1.0)], []
    scales, sizes = optional(inputs, 1 if len(inputs) == 2 else 2), optional(inputs, 3)
    factors = [] if scales is None or 0 in scales.sizes else scales.floats()
    if sizes is None or 0 in sizes.sizes:
        if not factors:
            raise Unsupported("neither scales nor sizes")
        return factors, []
    return [], sizes.ints()
