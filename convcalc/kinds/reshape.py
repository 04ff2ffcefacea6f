"""Kinds that move elements and compute nothing, or next to nothing: flatten, permute, pad, slice, upsample, ..."""

from __future__ import annotations

from collections.abc import Iterable
from math import prod
from typing import Any

from convcalc.errors import Misfit
from convcalc.kinds.base import Kind, Shape, Tally, axis_of, elements, rank, require, require_groups, spread
from convcalc.kinds.code import DROP_PATH, Code, expression, one, padded
from convcalc.kinds.fields import Choice, Integer, Number, ShapeField, Sizes
from convcalc.kinds.window import pairs, split

_AXIS = ("channels", "last")


class Identity(Kind, name="identity"):
    """Gives what it gets: a name for a point in the graph.

    >>> worked(Identity(), "64x8x8")
    64x8x8
    """

    example = ("64x8x8", {})
    torch = "Identity"
    keras = "Identity"
    onnx = "Identity"

    def to_torch(self, inputs: tuple[Shape, ...], output: Shape) -> Code:
        return Code("nn.Identity")


class Dropout(Kind, name="dropout"):
    """Sets a share of the elements to 0 in training; nothing at inference.

    >>> worked(Dropout(rate=0.4), "1024")
    1024
    """

    rate = Number[Any](0.5, at_least=0, at_most=1, bare=True, also="p ratio", doc="share of elements set to 0")
    example = ("1024", {"rate": 0.4})
    torch = "Dropout Dropout1d Dropout2d Dropout3d AlphaDropout"
    keras = "Dropout SpatialDropout2D"
    onnx = "Dropout"

    def to_torch(self, inputs: tuple[Shape, ...], output: Shape) -> Code:
        return Code("nn.Dropout", {"p": self.rate})


class DropPath(Kind, name="drop_path"):
    """Drops a whole branch for a sample in training ("stochastic depth", arXiv:1603.09382); nothing at inference.

    >>> worked(DropPath(rate=0.2), "96x56x56")
    96x56x56
    """

    rate = Number[Any](0.1, at_least=0, at_most=1, bare=True, also="p", doc="share of samples that skip the branch")
    example = ("96x56x56", {"rate": 0.2})
    torch = "StochasticDepth"

    def to_torch(self, inputs: tuple[Shape, ...], output: Shape) -> Code:
        return Code("DropPath", {"rate": self.rate}, helper=DROP_PATH)


class Flatten(Kind, name="flatten"):
    """All axes from `start` on as one.

    >>> worked(Flatten(), "256x6x6")
    9216
    >>> worked(Flatten(start=1), "768x14x14")
    768x196
    """

    start = Integer[int](0, at_least=-6, at_most=5, also="start_dim axis", doc="first axis that is merged, from 0")
    example = ("256x6x6", {})
    torch = "Flatten"
    keras = "Flatten"
    onnx = "Flatten"

    def output(self, *inputs: Shape) -> Shape:
        start = axis_of(self.start, inputs[0])
        return (*inputs[0][:start], prod(inputs[0][start:]))

    def to_torch(self, inputs: tuple[Shape, ...], output: Shape) -> Code:
        return expression(f"{{0}}.flatten({axis_of(self.start, inputs[0]) + 1})")


class Reshape(Kind, name="reshape"):
    """The same elements in another shape; one size may be -1: what is left over.

    >>> worked(Reshape(shape=[12, 64, -1]), "768x14x14")
    12x64x196
    """

    shape = ShapeField(free=True, bare=True, also="target_shape size", doc="the new shape, for example [768, -1]")
    example = ("768x14x14", {"shape": [768, -1]})
    torch = "reshape view Unflatten"
    keras = "Reshape"
    onnx = "Reshape"

    def output(self, *inputs: Shape) -> Shape:
        sizes = list(self.shape)
        have, facts = prod(inputs[0]), {"old": inputs[0], "new": tuple(sizes)}
        free = [at for at, size in enumerate(sizes) if isinstance(size, int) and size == -1]
        if free:
            others = prod(size for at, size in enumerate(sizes) if at != free[0])
            sizes[free[0]] = have // others
        require(
            prod(sizes) == have,
            "{old} cannot be reshaped to {new}: {have} elements into {want}",
            "shape",
            "one size may be -1: what is left over",
            **facts,
            have=have,
            want=prod(sizes),
        )
        return tuple(sizes)

    def to_torch(self, inputs: tuple[Shape, ...], output: Shape) -> Code:
        return expression(f"{{0}}.reshape(-1, {', '.join(map(str, output))})")


class Permute(Kind, name="permute"):
    """The axes in another order: `order` lists the old axes, counted from 0.

    >>> worked(Permute(order=[1, 2, 0]), "96x56x28")
    56x28x96
    """

    order = Sizes[Any](
        at_least=0, most=8, bare=True, also="dims perm axes", doc="old axes in the new order, from 0: [1, 2, 0]"
    )
    example = ("96x56x28", {"order": [1, 2, 0]})
    torch = "permute transpose"
    keras = "Permute"
    onnx = "Transpose"

    def output(self, *inputs: Shape) -> Shape:
        order = self.order if isinstance(self.order, tuple) else (self.order,)
        require(
            sorted(order) == list(range(len(inputs[0]))),
            "order {order} does not name each axis of {shape} once",
            "order",
            "axes count from 0, without the batch",
            order=list(order),
            shape=inputs[0],
        )
        return tuple(inputs[0][axis] for axis in order)

    def to_torch(self, inputs: tuple[Shape, ...], output: Shape) -> Code:
        order = self.order if isinstance(self.order, tuple) else (self.order,)
        return expression(f"{{0}}.permute(0, {', '.join(str(axis + 1) for axis in order)})")


class Pad(Kind, name="pad"):
    """Adds a border to the grid: one width for all sides, one an axis, or [before, after] pairs.

    >>> worked(Pad(amount=[[0, 1], [2, 2]]), "64x7x7")
    64x8x11
    """

    amount = Sizes[Any](at_least=0, pairs=True, bare=True, also="padding pads", doc="width of the border")
    mode = Choice("zeros", "reflect", "replicate", "circular", default="zeros", doc="what the border holds")
    example = ("64x7x7", {"amount": 1})
    torch = "ZeroPad2d ReflectionPad2d ReplicationPad2d ConstantPad2d pad"
    keras = "ZeroPadding1D ZeroPadding2D ZeroPadding3D"
    onnx = "Pad"

    def output(self, *inputs: Shape) -> Shape:
        rank(inputs[0], 2, 4, "pad")
        channels, grid = split(inputs[0])
        borders = pairs(self.amount, len(grid), "amount")
        return (channels, *(size + before + after for size, (before, after) in zip(grid, borders, strict=True)))

    def to_torch(self, inputs: tuple[Shape, ...], output: Shape) -> Code:
        mode = "" if self.mode == "zeros" else f', mode="{self.mode}"'
        return expression(padded(pairs(self.amount, len(output) - 1, "amount"), mode))


class Crop(Kind, name="crop"):
    """Takes a border off the grid: one width for all sides, one an axis, or [before, after] pairs.

    >>> worked(Crop(amount=4), "64x64x64")
    64x56x56
    """

    amount = Sizes[Any](at_least=0, pairs=True, bare=True, also="cropping border", doc="width of what is cut off")
    example = ("64x64x64", {"amount": 4})
    keras = "Cropping1D Cropping2D Cropping3D"

    def output(self, *inputs: Shape) -> Shape:
        rank(inputs[0], 2, 4, "crop")
        channels, grid = split(inputs[0])
        found = []
        for size, (before, after) in zip(grid, pairs(self.amount, len(grid), "amount"), strict=True):
            left = size - before - after
            require(left >= 1, "nothing is left of {grid}", "amount", "crop less", grid=grid)
            found.append(left)
        return (channels, *found)

    def to_torch(self, inputs: tuple[Shape, ...], output: Shape) -> Code:
        borders = pairs(self.amount, len(output) - 1, "amount")
        return expression(padded((-before, -after) for before, after in borders))


class CenterCrop(Kind, name="center_crop"):
    """The middle of the grid, in a given size (U-Net's copy and crop).

    >>> worked(CenterCrop(size=56), "64x64x64")
    64x56x56
    """

    size = Sizes[Any](bare=True, also="output_size", doc="size of what is kept")
    example = ("64x64x64", {"size": 56})
    torch = "CenterCrop"
    keras = "CenterCrop"

    def output(self, *inputs: Shape) -> Shape:
        rank(inputs[0], 2, 4, "center_crop")
        channels, grid = split(inputs[0])
        sizes = spread(self.size, len(grid), "size")
        for ours, theirs in zip(sizes, grid, strict=True):
            require(
                ours <= theirs,
                "a {size} crop does not fit the {grid} input",
                "size",
                size=sizes,
                grid=grid,
            )
        return (channels, *sizes)

    def to_torch(self, inputs: tuple[Shape, ...], output: Shape) -> Code:
        cuts = [size - kept for size, kept in zip(inputs[0][1:], output[1:], strict=True)]
        return expression(padded((-(cut // 2), -(cut - cut // 2)) for cut in cuts))


class Slice(Kind, name="slice"):
    """Part of one axis: from `start` up to, not including, `stop`; negative numbers count from the end.

    >>> worked(Slice(stop=58), "116x28x28")
    58x28x28
    >>> worked(Slice(axis=0, start=0, stop=1), "197x768")
    1x768
    """

    axis = Integer[Any]("channels", at_least=-6, words=_AXIS, also="dim", doc="the axis")
    start = Integer[int](0, at_least=-(10**9), doc="first element")
    stop = Integer[Any](None, at_least=-(10**9), also="end", doc="behind the last element; to the end if left out")
    step = Integer[int](1, doc="every how many")
    example = ("116x28x28", {"stop": 58})
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

    def to_torch(self, inputs: tuple[Shape, ...], output: Shape) -> Code:
        axis = axis_of(self.axis, inputs[0])
        size = inputs[0][axis]
        start, stop = (None if at in (None, edge) else at for at, edge in ((self.start, 0), (self.stop, size)))
        part = f"{'' if start is None else start}:{'' if stop is None else stop}"
        part += f":{self.step}" if self.step != 1 else ""
        return expression(f"{{0}}[{':, ' * (axis + 1)}{part}]")


class Split(Kind, name="split"):
    """Cuts one axis into equal `parts` (a number) or into parts of the sizes listed. It has several outputs.

    A later layer names the one it reads: `from: halves.0`.

    >>> worked(Split(parts=2), "116x28x28")
    58x28x28 and 58x28x28
    """

    parts = Sizes[Any](
        most=64, bare=True, also="chunks split_size sections num_outputs", doc="how many, or their sizes: [24, 92]"
    )
    axis = Integer[Any]("channels", at_least=-6, words=_AXIS, also="dim", doc="the axis")
    example = ("116x28x28", {"parts": 2})
    torch = "chunk split tensor_split"
    onnx = "Split"

    def outputs(self, *inputs: Shape) -> tuple[Shape, ...]:
        shape = inputs[0]
        axis = axis_of(self.axis, shape)
        facts: dict[str, Any] = {"size": shape[axis], "parts": self.parts}
        if isinstance(self.parts, tuple):
            require(sum(self.parts) == shape[axis], "parts {parts} do not add up to {size}", "parts", **facts)
            sizes = self.parts
        else:
            require(shape[axis] % self.parts == 0, "{size} cannot be cut into {parts} parts", "parts", **facts)
            require(self.parts <= 1024, "more than 1024 parts", "parts")
            sizes = (shape[axis] // self.parts,) * self.parts
        return tuple((*shape[:axis], size, *shape[axis + 1 :]) for size in sizes)

    def output(self, *inputs: Shape) -> Shape:
        return self.outputs(*inputs)[0]

    def to_torch(self, inputs: tuple[Shape, ...], output: Shape) -> Code:
        axis = axis_of(self.axis, inputs[0])
        sizes = [shape[axis] for shape in self.outputs(*inputs)]
        return expression(f"{{0}}.split({sizes[0] if len(set(sizes)) == 1 else sizes}, {axis + 1})")


class Upsample(Kind, name="upsample"):
    """Enlarges the grid by a whole `scale`, or to a `size`: nearest copies, bilinear weighs 2 neighbours an axis.

    Shapes: C x H x W -> C x P x Q. Bilinear: 2^axes products and sums an output element; bicubic: 4^axes.

    >>> worked(Upsample(scale=2), "64x14x14")
    64x28x28
    >>> worked(Upsample(size=[20, 20], mode="bilinear"), "8x10x10")
    8x20x20
    multiplications = t*C*P*Q = 4*8*20*20 = 12,800
    additions = t*C*P*Q = 4*8*20*20 = 12,800
    """

    scale = Sizes[Any](None, bare=True, also="scale_factor factor", doc="how many times larger")
    size = Sizes[Any](None, also="output_size", doc="size of the output, in place of scale")
    mode = Choice("nearest", "bilinear", "bicubic", default="nearest", also="interpolation", doc="how to fill in")
    example = ("8x10x10", {"scale": 2, "mode": "bilinear"})
    torch = "Upsample UpsamplingNearest2d UpsamplingBilinear2d interpolate"
    keras = "UpSampling1D UpSampling2D UpSampling3D"
    onnx = "Resize Upsample"

    def check(self) -> None:
        if (self.scale is None) == (self.size is None):
            raise Misfit("upsample needs 'scale' or 'size', one of them", hint="for example upsample: {scale: 2}")

    def output(self, *inputs: Shape) -> Shape:
        rank(inputs[0], 2, 4, "upsample")
        channels, grid = split(inputs[0])
        if self.size is not None:
            return (channels, *spread(self.size, len(grid), "size"))
        scales = spread(self.scale, len(grid), "scale")
        return (channels, *(size * scale for size, scale in zip(grid, scales, strict=True)))

    def tally(self, inputs: tuple[Shape, ...], output: Shape) -> Iterable[Tally]:
        taps = {"nearest": 0, "bilinear": 2, "bicubic": 4}[self.mode] ** (len(output) - 1)
        if taps:
            letters = dict(zip(("C", *"ZPQ"[5 - len(output) - 1 :]), output, strict=True))
            yield "multiplications", {"t": taps, **letters}
            yield "additions", {"t": taps, **letters}

    def to_torch(self, inputs: tuple[Shape, ...], output: Shape) -> Code:
        grid = len(output) - 1
        modes = {
            "nearest": "nearest",
            "bilinear": ("linear", "bilinear", "trilinear")[grid - 1],
            "bicubic": "bicubic",
        }
        require(self.mode != "bicubic" or grid == 2, "PyTorch has bicubic only for grids of two axes", "mode")
        options = {"mode": (modes[self.mode], "nearest")}
        if self.size is None:
            return Code("nn.Upsample", {}, {"scale_factor": (one(spread(self.scale, grid, "scale")), None), **options})
        return Code("nn.Upsample", {}, {"size": (one(output[1:]), None), **options})


class PixelShuffle(Kind, name="pixel_shuffle"):
    """Turns r*r channels into an r times larger grid: C*r*r x H x W -> C x H*r x W*r.

    Source: Shi et al., arXiv:1609.05158.

    >>> worked(PixelShuffle(factor=2), "64x14x14")
    16x28x28
    """

    factor = Integer[int](
        bare=True, letter="r", also="upscale_factor blocksize block_size", doc="how many times larger"
    )
    example = ("64x14x14", {"factor": 2})
    torch = "PixelShuffle"
    onnx = "DepthToSpace"

    def output(self, *inputs: Shape) -> Shape:
        rank(inputs[0], 3, 3, "pixel_shuffle")
        channels, height, width = inputs[0]
        area = self.factor * self.factor
        require(
            channels % area == 0,
            "{channels} channels cannot be cut into {area} parts",
            "factor",
            "factor*factor must divide the channels",
            channels=channels,
            area=area,
        )
        return (channels // area, height * self.factor, width * self.factor)

    def to_torch(self, inputs: tuple[Shape, ...], output: Shape) -> Code:
        return Code("nn.PixelShuffle", {"upscale_factor": self.factor})


class PixelUnshuffle(Kind, name="pixel_unshuffle"):
    """Turns r x r pixels into r*r channels: C x H*r x W*r -> C*r*r x H x W.

    >>> worked(PixelUnshuffle(factor=2), "3x640x640")
    12x320x320
    """

    factor = Integer[int](bare=True, letter="r", also="downscale_factor blocksize", doc="how many times smaller")
    example = ("3x640x640", {"factor": 2})
    torch = "PixelUnshuffle"
    onnx = "SpaceToDepth focus reorg"

    def output(self, *inputs: Shape) -> Shape:
        rank(inputs[0], 3, 3, "pixel_unshuffle")
        channels, height, width = inputs[0]
        require(
            (height % self.factor == 0) & (width % self.factor == 0),
            "{height}x{width} cannot be cut into {factor}x{factor} squares",
            "factor",
            height=height,
            width=width,
            factor=self.factor,
        )
        return (channels * self.factor * self.factor, height // self.factor, width // self.factor)

    def to_torch(self, inputs: tuple[Shape, ...], output: Shape) -> Code:
        return Code("nn.PixelUnshuffle", {"downscale_factor": self.factor})


class ChannelShuffle(Kind, name="channel_shuffle"):
    """Takes the channels of g groups in turn, so that the next grouped convolution sees all of them.

    Source: Zhang et al., ShuffleNet, arXiv:1707.01083.

    >>> worked(ChannelShuffle(groups=2), "116x28x28")
    116x28x28
    """

    groups = Integer[int](bare=True, letter="g", doc="groups of channels")
    example = ("116x28x28", {"groups": 2})
    torch = "ChannelShuffle"

    def output(self, *inputs: Shape) -> Shape:
        require_groups(inputs[0][0], self.groups)
        return inputs[0]

    def to_torch(self, inputs: tuple[Shape, ...], output: Shape) -> Code:
        return expression(f"{{0}}.unflatten(1, ({self.groups}, -1)).transpose(1, 2).flatten(1, 2)")


class Mean(Kind, name="mean"):
    """The mean over one axis, which goes away.

    >>> worked(Mean(axis=0), "196x768")
    768
    additions = L*D = 196*768 = 150,528
    divisions = C = 768 = 768
    """

    axis = Integer[Any]("last", at_least=-6, words=_AXIS, bare=True, also="dim", doc="the axis that goes away")
    example = ("196x768", {"axis": 0})
    torch = "mean"
    onnx = "ReduceMean"

    def output(self, *inputs: Shape) -> Shape:
        rank(inputs[0], 2, 8, "mean")
        axis = axis_of(self.axis, inputs[0])
        return (*inputs[0][:axis], *inputs[0][axis + 1 :])

    def tally(self, inputs: tuple[Shape, ...], output: Shape) -> Iterable[Tally]:
        yield "additions", elements(inputs[0])
        yield "divisions", elements(output)

    def to_torch(self, inputs: tuple[Shape, ...], output: Shape) -> Code:
        return expression(f"{{0}}.mean({axis_of(self.axis, inputs[0]) + 1})")
