"""Joins of branches: concatenation, element-wise arithmetic. A spec gives them their branches: `add: [[...], []]`."""

from __future__ import annotations

from collections.abc import Iterable
from functools import reduce
from typing import Any, ClassVar

from convcalc.kinds.fields import Integer
from convcalc.kinds.kind import Kind
from convcalc.kinds.sizes import Shape, Tally, axis_of, broadcast, distinct, elements, require


class Concat(Kind, name="concat"):
    """Concatenation: the outputs of the branches side by side along one axis, by default the channels.

    >>> print_cost(Concat(), "64x28x28", "128x28x28")
    192x28x28
    """

    axis = Integer[Any](
        "channels", at_least=-6, words=("channels", "last"), also="dim", doc="the axis of concatenation"
    )
    inputs = (1, None)
    has_branches = True
    example = ("64x28x28 128x28x28 32x28x28", {})
    torch = "cat concatenate"
    keras = "Concatenate"
    onnx = "Concat"

    def output(self, *inputs: Shape) -> Shape:
        first = inputs[0]
        axis = axis_of(self.axis, first)
        for shape, number in distinct(inputs):
            require(
                len(shape) == len(first),
                "concat: branch 1 is {first}, branch {number} is {shape}: they differ in the number of axes",
                first=first,
                number=number,
                shape=shape,
            )
            for at, (ours, theirs) in enumerate(zip(first, shape, strict=True)):
                require(
                    (at == axis) | (ours == theirs),
                    "concat: branch 1 is {first}, branch {number} is {shape}: only the {axis} may differ",
                    hint="give the branches the same stride and padding",
                    first=first,
                    number=number,
                    shape=shape,
                    axis="channels" if axis == 0 else f"axis {axis}",
                )
        return (*first[:axis], sum(shape[axis] for shape in inputs), *first[axis + 1 :])


class _Elementwise(Kind):
    """Element by element, with axes of size 1 broadcast."""

    operation: ClassVar[str] = ""
    inputs = (2, None)
    has_branches = True
    example = ("64x28x28 64x28x28", {})

    def output(self, *inputs: Shape) -> Shape:
        return reduce(lambda first, second: broadcast(first, second, self.name), inputs)

    def tally(self, inputs: tuple[Shape, ...], output: Shape) -> Iterable[Tally]:
        times = len(inputs) - 1
        yield self.operation, {**({"(n-1)": times} if times > 1 else {}), **elements(output)}


class Add(_Elementwise, name="add"):
    """Sum of the branches, as in a residual connection: `add: [[layers...], []]`.

    Source: He et al., Deep Residual Learning for Image Recognition, arXiv:1512.03385.

    >>> print_cost(Add(), "64x28x28", "64x28x28")
    64x28x28
    additions = C*H*W = 64*28*28 = 50,176
    """

    operation = "additions"
    torch = "add"
    keras = "Add"
    onnx = "Add Sum"


class Subtract(_Elementwise, name="subtract"):
    """The first branch minus the others.

    >>> print_cost(Subtract(), "64x28x28", "64x28x28")
    64x28x28
    additions = C*H*W = 64*28*28 = 50,176
    """

    operation = "additions"
    torch = "sub"
    keras = "Subtract"
    onnx = "Sub"


class Multiply(_Elementwise, name="multiply"):
    """Product of the branches; C x 1 x 1 scales each channel of C x H x W, as in squeeze-and-excite.

    Source: Hu, Shen and Sun, Squeeze-and-Excitation Networks, arXiv:1709.01507.

    >>> print_cost(Multiply(), "64x28x28", "64x1x1")
    64x28x28
    multiplications = C*H*W = 64*28*28 = 50,176
    """

    operation = "multiplications"
    example = ("64x28x28 64x1x1", {})
    torch = "mul"
    keras = "Multiply"
    onnx = "Mul"


class Divide(_Elementwise, name="divide"):
    """The first branch divided by the others.

    >>> print_cost(Divide(), "64x28x28", "64x28x28")
    64x28x28
    divisions = C*H*W = 64*28*28 = 50,176
    """

    operation = "divisions"
    torch = "div"
    onnx = "Div"


class Maximum(_Elementwise, name="maximum"):
    """The largest of the branches, as in maxout.

    >>> print_cost(Maximum(), "64x28x28", "64x28x28", "64x28x28")
    64x28x28
    comparisons = (n-1)*C*H*W = 2*64*28*28 = 100,352
    """

    operation = "comparisons"
    torch = "maximum"
    keras = "Maximum"
    onnx = "Max"
