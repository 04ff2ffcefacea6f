"""Kinds that hand their input on, in another shape or order: identity, dropout, flatten, reshape, permute, mean."""

from __future__ import annotations

from collections.abc import Iterable
from math import prod
from typing import Any

from convcalc.kinds.base import Kind, Shape, Tally, axis_of, elements, rank, require
from convcalc.kinds.code import DROP_PATH, Code, expression
from convcalc.kinds.code_keras import AS_IN_SPEC, EITHER, reshaped
from convcalc.kinds.fields import Integer, Number, ShapeField, Sizes

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

    def keras_order(self, inputs: tuple[Shape, ...]) -> str:
        return EITHER

    def to_keras(self, inputs: tuple[Shape, ...], output: Shape, is_behind: bool) -> Code:
        return Code("layers.Identity")


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

    def keras_order(self, inputs: tuple[Shape, ...]) -> str:
        return EITHER

    def to_keras(self, inputs: tuple[Shape, ...], output: Shape, is_behind: bool) -> Code:
        return Code("layers.Dropout", {"rate": self.rate})


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

    def keras_order(self, inputs: tuple[Shape, ...]) -> str:
        return EITHER

    def to_keras(self, inputs: tuple[Shape, ...], output: Shape, is_behind: bool) -> Code:
        return Code("layers.Dropout", {"rate": self.rate}, {"noise_shape": ((None, *(1 for _ in output)), None)})


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

    def keras_order(self, inputs: tuple[Shape, ...]) -> str:
        is_in_order = axis_of(self.start, inputs[0]) == 0 and sum(size > 1 for size in inputs[0]) <= 1
        return EITHER if is_in_order else AS_IN_SPEC

    def to_keras(self, inputs: tuple[Shape, ...], output: Shape, is_behind: bool) -> Code:
        start = axis_of(self.start, inputs[0])
        return Code("layers.Flatten") if start == 0 else reshaped("{0}", output)


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

    def to_keras(self, inputs: tuple[Shape, ...], output: Shape, is_behind: bool) -> Code:
        return reshaped("{0}", output)


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

    def to_keras(self, inputs: tuple[Shape, ...], output: Shape, is_behind: bool) -> Code:
        order = self.order if isinstance(self.order, tuple) else (self.order,)
        return Code("layers.Permute", {"dims": tuple(axis + 1 for axis in order)})


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

    def to_keras(self, inputs: tuple[Shape, ...], output: Shape, is_behind: bool) -> Code:
        return expression(f"ops.mean({{0}}, axis={axis_of(self.axis, inputs[0]) + 1})")
