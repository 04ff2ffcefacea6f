"""Kinds that add to their input or take parts of it: pad, crop, slice, split. They compute nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from convcalc.kinds.fields import Choice, Integer, Sizes
from convcalc.kinds.kind import Kind
from convcalc.kinds.sizes import Shape, Size, axis_of, rank, require, spread
from convcalc.kinds.window import differences, pairs, split

_AXIS = ("channels", "last")
_MOST_PARTS = 1024


class Pad(Kind, name="pad"):
    """Adds padding to the spatial axes: one width for all, one for each axis, or [before, after] pairs.

    >>> print_cost(Pad(amount=[[0, 1], [2, 2]]), "64x7x7")
    64x8x11
    """

    amount = Sizes[Any](
        at_least=0, pairs=True, bare=True, also="padding pads", doc="padding before and after the input"
    )
    mode = Choice("zeros", "reflect", "replicate", "circular", default="zeros", doc="the values of the padding")
    like_field = "amount"
    example = ("64x7x7", {"amount": 1})

    def like(self, ours: Shape, theirs: Shape, fields: Mapping[str, Any]) -> list[list[Size]]:
        """Zeros on both sides, an odd one after."""
        return differences(ours, theirs, "{ours} is larger than {theirs}: there is nothing to pad")

    torch = "ZeroPad2d ReflectionPad2d ReplicationPad2d ConstantPad2d pad"
    keras = "ZeroPadding1D ZeroPadding2D ZeroPadding3D"
    onnx = "Pad"

    def output(self, *inputs: Shape) -> Shape:
        rank(inputs[0], 2, 4, "pad")
        channels, spatial = split(inputs[0])
        padding = pairs(self.amount, len(spatial), "amount")
        return (channels, *(size + before + after for size, (before, after) in zip(spatial, padding, strict=True)))


class Crop(Kind, name="crop"):
    """Crops the spatial axes: one width for all, one for each axis, or [before, after] pairs.

    >>> print_cost(Crop(amount=4), "64x64x64")
    64x56x56
    """

    amount = Sizes[Any](
        at_least=0, pairs=True, bare=True, also="cropping border", doc="elements that are removed before and after"
    )
    like_field = "amount"
    example = ("64x64x64", {"amount": 4})

    def like(self, ours: Shape, theirs: Shape, fields: Mapping[str, Any]) -> list[list[Size]]:
        """The middle; an odd element is removed after it."""
        return differences(theirs, ours, "{theirs} is smaller than {ours}: there is nothing to crop")

    keras = "Cropping1D Cropping2D Cropping3D"

    def output(self, *inputs: Shape) -> Shape:
        rank(inputs[0], 2, 4, "crop")
        channels, spatial = split(inputs[0])
        sizes = []
        for size, (before, after) in zip(spatial, pairs(self.amount, len(spatial), "amount"), strict=True):
            left = size - before - after
            require(left >= 1, "the crop leaves nothing of the {grid} input", "amount", "crop less", grid=spatial)
            sizes.append(left)
        return (channels, *sizes)


class CenterCrop(Kind, name="center_crop"):
    """The middle of the input, in a given spatial size (U-Net's copy and crop).

    >>> print_cost(CenterCrop(size=56), "64x64x64")
    64x56x56
    """

    size = Sizes[Any](bare=True, also="output_size", doc="spatial size of the output")
    like_field = "size"
    example = ("64x64x64", {"size": 56})
    torch = "CenterCrop"
    keras = "CenterCrop"

    def output(self, *inputs: Shape) -> Shape:
        rank(inputs[0], 2, 4, "center_crop")
        channels, spatial = split(inputs[0])
        sizes = spread(self.size, len(spatial), "size")
        for ours, theirs in zip(sizes, spatial, strict=True):
            require(
                ours <= theirs,
                "a {size} crop does not fit the {grid} input",
                "size",
                size=sizes,
                grid=spatial,
            )
        return (channels, *sizes)


class Slice(Kind, name="slice"):
    """Part of one axis: from `start` up to, not including, `stop`; negative numbers count from the end.

    >>> print_cost(Slice(stop=58), "116x28x28")
    58x28x28
    >>> print_cost(Slice(axis=0, start=0, stop=1), "197x768")
    1x768
    """

    axis = Integer[Any]("channels", at_least=-6, words=_AXIS, also="dim", doc="the axis")
    start = Integer[int](0, at_least=-(10**9), doc="first element")
    stop = Integer[Any](None, at_least=-(10**9), also="end", doc="the element after the last one; by default the end")
    step = Integer[int](1, doc="step between elements")
    like_field = "stop"
    example = ("116x28x28", {"stop": 58})

    def like(self, ours: Shape, theirs: Shape, fields: Mapping[str, Any]) -> Size:
        """As many elements of the axis, from the first on."""
        return theirs[axis_of(fields.get("axis", "channels"), theirs)]

    torch = "narrow index_select select"
    onnx = "Slice"

    def output(self, *inputs: Shape) -> Shape:
        axis = axis_of(self.axis, inputs[0])
        size = inputs[0][axis]
        start = self.start + size * (self.start < 0)
        stop = size if self.stop is None else self.stop + size * (self.stop < 0)
        require(
            (start >= 0) & (start < stop) & (stop <= size),
            "{start} to {stop} is not a part of {size} elements",
            "stop" if self.stop is not None else "start",
            start=start,
            stop=stop,
            size=size,
        )
        return (*inputs[0][:axis], (stop - start + self.step - 1) // self.step, *inputs[0][axis + 1 :])


class Split(Kind, name="split"):
    """Splits one axis into equal `parts` (a number), or into parts of the listed sizes; it has several outputs.

    A later layer names the output that it reads: `from: halves.0`.

    >>> print_cost(Split(parts=2), "116x28x28")
    58x28x28 and 58x28x28
    """

    parts = Sizes[Any](
        most=64,
        bare=True,
        also="chunks split_size sections num_outputs",
        doc="the number of parts, or their sizes: [24, 92]",
    )
    axis = Integer[Any]("channels", at_least=-6, words=_AXIS, also="dim", doc="the axis")
    example = ("116x28x28", {"parts": 2})
    torch = "chunk split tensor_split"
    onnx = "Split"

    @property
    def output_count(self) -> int:
        return len(self.parts) if isinstance(self.parts, tuple) else int(min(self.parts, _MOST_PARTS))

    def outputs(self, *inputs: Shape) -> tuple[Shape, ...]:
        shape = inputs[0]
        axis = axis_of(self.axis, shape)
        facts: dict[str, Any] = {"size": shape[axis], "parts": self.parts}
        if isinstance(self.parts, tuple):
            require(sum(self.parts) == shape[axis], "parts {parts} do not add up to {size}", "parts", **facts)
            sizes = self.parts
        else:
            require(shape[axis] % self.parts == 0, "{size} cannot be divided into {parts} parts", "parts", **facts)
            require(self.parts <= _MOST_PARTS, "more than {most} parts", "parts", most=_MOST_PARTS)
            sizes = (shape[axis] // self.parts,) * self.parts
        return tuple((*shape[:axis], size, *shape[axis + 1 :]) for size in sizes)

    def output(self, *inputs: Shape) -> Shape:
        return self.outputs(*inputs)[0]
