"""Kinds that pass their input on, in another shape or order: identity, dropout, flatten, reshape, permute, mean."""

from __future__ import annotations

from collections.abc import Iterable
from math import prod
from typing import Any

from convcalc.kinds.fields import Integer, Number, ShapeField, Sizes
from convcalc.kinds.kind import Kind
from convcalc.kinds.sizes import Shape, Tally, axis_of, elements, rank, require

_AXIS = ("channels", "last")


class Identity(Kind, name="identity"):
    """Its output is its input: a name for a point in the graph.

    >>> print_cost(Identity(), "64x8x8")
    64x8x8
    """

    example = ("64x8x8", {})
    torch = "Identity"
    keras = "Identity"
    onnx = "Identity"


class Dropout(Kind, name="dropout"):
    """Sets a share of the elements to 0 in training; nothing at inference.

    >>> print_cost(Dropout(rate=0.4), "1024")
    1024
    """

    rate = Number[Any](0.5, at_least=0, at_most=1, bare=True, also="p ratio", doc="share of elements set to 0")
    example = ("1024", {"rate": 0.4})
    torch = "Dropout Dropout1d Dropout2d Dropout3d AlphaDropout"
    keras = "Dropout SpatialDropout2D"
    onnx = "Dropout"


class DropPath(Kind, name="drop_path"):
    """Drops a whole branch for a sample in training ("stochastic depth", arXiv:1603.09382); nothing at inference.

    >>> print_cost(DropPath(rate=0.2), "96x56x56")
    96x56x56
    """

    rate = Number[Any](0.1, at_least=0, at_most=1, bare=True, also="p", doc="share of samples that skip the branch")
    example = ("96x56x56", {"rate": 0.2})
    torch = "StochasticDepth"


class Flatten(Kind, name="flatten"):
    """Merges all axes from `start` on into one.

    >>> print_cost(Flatten(), "256x6x6")
    9216
    >>> print_cost(Flatten(start=1), "768x14x14")
    768x196
    """

    start = Integer[int](0, at_least=-6, at_most=5, also="start_dim axis", doc="the first merged axis, from 0")
    example = ("256x6x6", {})
    torch = "Flatten"
    keras = "Flatten"
    onnx = "Flatten"

    def output(self, *inputs: Shape) -> Shape:
        start = axis_of(self.start, inputs[0])
        return (*inputs[0][:start], prod(inputs[0][start:]))


class Reshape(Kind, name="reshape"):
    """The same elements in another shape; one size may be -1, which is computed.

    >>> print_cost(Reshape(shape=[12, 64, -1]), "768x14x14")
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
            "one size may be -1, which is computed",
            **facts,
            have=have,
            want=prod(sizes),
        )
        return tuple(sizes)


class Permute(Kind, name="permute"):
    """The axes in another order: `order` lists the old axes, counted from 0.

    >>> print_cost(Permute(order=[1, 2, 0]), "96x56x28")
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


class Mean(Kind, name="mean"):
    """The mean over one axis, which is removed.

    >>> print_cost(Mean(axis=0), "196x768")
    768
    additions = L*D = 196*768 = 150,528
    divisions = C = 768 = 768
    """

    axis = Integer[Any](
        "last", at_least=-6, words=_AXIS, bare=True, also="dim", doc="the axis of the mean, which is removed"
    )
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
