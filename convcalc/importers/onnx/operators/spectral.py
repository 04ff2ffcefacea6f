"""Fourier transforms, and the windows and filters that signals are multiplied by.

A transform of N complex numbers counts 5 N log2(N) operations, 2 of 5 multiplications, and one of N real numbers half
of that, as FFTW's benchmarks do (M. Frigo and S. Johnson, The Design and Implementation of FFTW3, 2005) after the
butterflies of J. Cooley and J. Tukey, 1965. The logarithm is rounded up, N / 2 too. There are no MACs and no params.
"""

from __future__ import annotations

from math import prod

from convcalc.importers.onnx.context import Context
from convcalc.importers.onnx.model import Node, Unsupported
from convcalc.importers.onnx.operators.registry import rule
from convcalc.importers.onnx.values import MOST_AXES, Inputs, Shape, Value, axis_at, checked, given, optional
from convcalc.kinds.primitives import Custom

_CONVENTION = "5 N log2(N) operations (FFTW)"


@rule("DFT")
def transform(ctx: Context, node: Node, inputs: Inputs) -> list[Value]:
    """A transform along one axis; the last axis has one number for real values, two for complex ones."""
    value, length, axis = given(inputs, 0), optional(inputs, 1), optional(inputs, 2)
    sizes = value.sizes_of_rank(2, MOST_AXES)
    default = -2 if ctx.model.opsets.get("", 17) >= 20 else 1
    at = axis_at(axis.integer() if axis is not None else node.int("axis", default), value.rank)
    if at == value.rank - 1:
        raise Unsupported("transform of the real and imaginary part")
    is_half, is_real = bool(node.int("onesided")), _is_real(sizes[-1])
    is_back = is_half and bool(node.int("inverse"))  # from half of the frequencies to real values
    points = length.integer() if length is not None else 2 * (sizes[at] - 1) if is_back else sizes[at]
    kept = points // 2 + 1 if is_half and not is_back else points
    shape = checked((*sizes[:at], kept, *sizes[at + 1 : -1], 1 if is_back else 2))
    ctx.inner_axis(value, at)  # not the batch
    return [_transformed(ctx, node, [value], shape, at, points, is_real or is_back)]


@rule("STFT")
def short_time_transform(ctx: Context, node: Node, inputs: Inputs) -> list[Value]:
    """A transform of each frame of a signal, times a window."""
    signal, step, window, length = (
        given(inputs, 0),
        given(inputs, 1).integer(),
        optional(inputs, 2),
        optional(inputs, 3),
    )
    sizes = signal.sizes_of_rank(2, 3)
    if length is None and window is None:
        raise Unsupported("neither a window nor the length of a frame")
    points = length.integer() if length is not None else prod(window.sizes if window is not None else ())
    if step < 1 or not 0 < points <= sizes[1]:
        raise Unsupported(f"frames of {points} every {step} in {sizes[1]}")
    ctx.inner_axis(signal, 1)
    bins = points // 2 + 1 if node.int("onesided", 1) else points
    shape = checked((sizes[0], (sizes[1] - points) // step + 1, bins, 2))
    sources = [signal, *([window] if window is not None and (window.ref is not None or window.source_weights) else [])]
    is_real = len(sizes) == 2 or _is_real(sizes[2])
    return [_transformed(ctx, node, sources, shape, 2, points, is_real, window is not None)]


def _is_real(parts: int) -> bool:
    if parts not in (1, 2):
        raise Unsupported(f"{parts} numbers for a complex one")
    return parts == 1


def _transformed(
    ctx: Context,
    node: Node,
    sources: list[Value],
    shape: Shape,
    axis: int,
    points: int,
    is_real: bool,
    is_windowed: bool = False,
) -> Value:
    """The layer of a transform of `points` along an axis of its output."""
    if points < 1:
        raise Unsupported(f"transform of {points} points")
    batch = sources[0].batch
    others = prod(size for at, size in enumerate(shape[:-1]) if at != axis)
    count = others // (ctx.batch if batch is not None else 1)
    butterflies = {"transforms": count, "N/2" if is_real else "N": (points + 1) // 2 if is_real else points}
    butterflies["log2(N)"] = (points - 1).bit_length()
    by_window = {"transforms": count, "N": points, **({} if is_real else {"parts": 2})}
    products = {"additions": [{"3": 3, **butterflies}], "multiplications": [{"2": 2, **butterflies}]}
    products["multiplications"] += [by_window] if is_windowed else []
    kind = Custom(
        operator=node.operator,
        shape=ctx.inner(shape, batch),
        rule=_CONVENTION,
        **{tally: sum(prod(each.values()) for each in terms) for tally, terms in products.items()},
    )
    kind.products = tuple((tally, tuple(each.items())) for tally, terms in products.items() for each in terms)
    return ctx.layer(node, kind, sources, shape, batch)


@rule("HannWindow", "HammingWindow", "BlackmanWindow")
def window(ctx: Context, node: Node, inputs: Inputs) -> list[Value]:
    """Numbers that the size of the window gives, and nobody trains."""
    return [Value(checked((given(inputs, 0).integer(),)))]


@rule("MelWeightMatrix")
def mel_weights(ctx: Context, node: Node, inputs: Inputs) -> list[Value]:
    """Filters from frequencies to bands, that five numbers give and nobody trains: an activation, not a weight."""
    bands, points, *_ = (given(inputs, at) for at in range(5))
    shape = checked((points.integer() // 2 + 1, bands.integer()))
    return [Value(shape, ref=ctx.parameter(Value(shape), shape))]
