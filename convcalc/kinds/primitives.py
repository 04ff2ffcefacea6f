"""Kinds for what has no layer of its own: arithmetic, reductions, moved elements, and operators without a rule.

Imported models hold them; a spec may.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import reduce
from typing import Any

from convcalc.kinds.fields import Choice, Flag, Integer, ShapeField, Sizes, Text
from convcalc.kinds.kind import Kind
from convcalc.kinds.sizes import UNKNOWN, Shape, Tally, axis_of, broadcast, elements

_WORK = ("comparisons", "additions", "multiplications", "divisions", "exponentials")


class Elementwise(Kind, name="elementwise"):
    """One operation on each element: a factor, a root, a comparison; several inputs stretch to a common shape.

    Roots, powers, logarithms, sines are exponentials; signs, rounding and logic are comparisons.

    >>> print_cost(Elementwise(operation="divisions"), "64x8x8")
    64x8x8
    divisions = C*H*W = 64*8*8 = 4,096
    """

    operation = Choice(*_WORK, bare=True, doc="what it counts as")
    inputs = (1, 3)
    has_branches = True
    example = ("64x8x8", {"operation": "multiplications"})
    torch = "exp sqrt pow log abs neg erf sin cos where"
    onnx = "Exp Sqrt Pow Log Abs Neg Erf Sin Cos Where Reciprocal Floor Ceil Round Sign Not And Or Equal Greater Less"

    def output(self, *inputs: Shape) -> Shape:
        return reduce(lambda first, second: broadcast(first, second, self.name), inputs)

    def tally(self, inputs: tuple[Shape, ...], output: Shape) -> Iterable[Tally]:
        yield self.operation, elements(output)


class Reduce(Kind, name="reduce"):
    """Sum, mean, largest or smallest over some axes, which go away, or stay as 1 with `keep`.

    >>> print_cost(Reduce(axes=[1, 2], keep=True), "64x8x8")
    64x1x1
    additions = C*H*W = 64*8*8 = 4,096
    """

    axes = Sizes[Any](at_least=0, most=8, bare=True, also="dim axis", doc="the axes, from 0: [1, 2]")
    operation = Choice(*_WORK, default="additions", doc="what it counts as: sums are additions, maxima comparisons")
    keep = Flag(False, also="keepdim keepdims keep_dims", doc="leave the axes in place, with size 1")
    example = ("64x8x8", {"axes": [1, 2]})
    torch = "sum amax amin argmax argmin prod norm std var"
    onnx = "ReduceSum ReduceMax ReduceMin ReduceProd ReduceL2 ReduceL1 ReduceSumSquare ArgMax ArgMin"

    def reduced_axes(self, shape: Shape) -> tuple[int, ...]:
        """Return the axes that the operation goes over, from 0, in order."""
        axes = self.axes if isinstance(self.axes, tuple) else (self.axes,)
        return tuple(sorted(axis_of(axis, shape) for axis in axes))

    def output(self, *inputs: Shape) -> Shape:
        shape = inputs[0]
        reduced = self.reduced_axes(shape)
        sizes = (1 if axis in reduced else size for axis, size in enumerate(shape) if self.keep or axis not in reduced)
        return tuple(sizes) or (1,)

    def tally(self, inputs: tuple[Shape, ...], output: Shape) -> Iterable[Tally]:
        yield self.operation, elements(inputs[0])


class Gather(Kind, name="gather"):
    """Elements of the inputs in a stated shape: looked up, tiled, rolled, sorted out. It moves, and computes nothing.

    >>> print_cost(Gather(shape=[3, 49, 49]), "169x3")
    3x49x49
    """

    shape = ShapeField(bare=True, doc="shape of the output")
    inputs = (1, None)
    reads_shapes = False
    example = ("169x3", {"shape": [3, 49, 49]})
    torch = "gather expand repeat roll index_put"
    onnx = "GatherElements GatherND ScatterND ScatterElements Tile Expand"

    def output(self, *inputs: Shape) -> Shape:
        return tuple(self.shape)


class Constant(Kind, name="constant"):
    """Values that stand for themselves and were never learned: zeros, a mask, sine positions. It has no input.

    >>> print_cost(Constant(shape=[64, 32, 32]))
    64x32x32
    """

    shape = ShapeField(bare=True, doc="its shape, for example [64, 32, 32]")
    inputs = (0, 0)
    example = ("", {"shape": [64, 32, 32]})

    def output(self, *inputs: Shape) -> Shape:
        return tuple(self.shape)


class Opaque(Kind, name="opaque"):
    """An operator without a rule. Its work is not known: every total that holds it is a lower bound.

    Shapes: as stated; a layer that reads one without a shape becomes opaque too. `params` are learned values in it.

    >>> print_cost(Opaque(operator="NonMaxSuppression", shape=[100, 3]), "1000x4")
    100x3
    other_params = n = 0 = 0
    """

    operator = Text(bare=True, doc="what the model calls it")
    shape = ShapeField((), doc="shape of the output, where it is known")
    params = Integer[int](0, at_least=0, at_most=10**18, doc="learned values that it holds")
    unknown_input = Flag(False, also="behind", doc="true where only the shape of its input is not known")
    reason = Text("", doc="why its work is not known, where other forms of the operator have a rule")
    ports = Integer[int](1, at_most=1024, doc="outputs that it has")
    inputs = (0, None)
    is_counted = False
    reads_shapes = False
    example = ("1000x4", {"operator": "NonMaxSuppression", "shape": [100, 3]})

    @property
    def output_count(self) -> int:
        return self.ports

    def output(self, *inputs: Shape) -> Shape:
        return tuple(self.shape) or UNKNOWN

    def outputs(self, *inputs: Shape) -> tuple[Shape, ...]:
        return (self.output(*inputs),) * self.ports

    def tally(self, inputs: tuple[Shape, ...], output: Shape) -> Iterable[Tally]:
        yield "other_params", {"n": self.params}
