"""Kinds for what has no layer of its own: arithmetic, reductions, moved elements, operators of one's own or unknown.

Imported models contain them; a spec may.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import reduce
from typing import Any, ClassVar

from convcalc.kinds.fields import Choice, Flag, Integer, ShapeField, Sizes, Text
from convcalc.kinds.kind import Kind
from convcalc.kinds.sizes import TALLIES, UNKNOWN, Shape, Tally, axis_of, broadcast, elements, require

_WORK = ("comparisons", "additions", "multiplications", "divisions", "exponentials")
_WORDS = {"square": "multiplications", "root": "exponentials", "maximum": "comparisons"}


class Elementwise(Kind, name="elementwise"):
    """One operation on each element: a factor, a root, a comparison; several inputs are broadcast.

    Roots, powers, logarithms and sines count as exponentials; signs, rounding and logic as comparisons.

    >>> print_cost(Elementwise(operation="divisions"), "64x8x8")
    64x8x8
    divisions = C*H*W = 64*8*8 = 4,096
    >>> print_cost(Elementwise(operation="root"), "64")
    64
    exponentials = C = 64 = 64
    """

    operation = Choice(*_WORK, "square", "root", bare=True, doc="the operation that it counts as, or is")
    inputs = (1, 3)
    has_branches = True
    example = ("64x8x8", {"operation": "multiplications"})
    torch = "exp sqrt pow log abs neg erf sin cos where"
    onnx = "Exp Sqrt Pow Log Abs Neg Erf Sin Cos Where Reciprocal Floor Ceil Round Sign Not And Or Equal Greater Less"

    def output(self, *inputs: Shape) -> Shape:
        require(
            len(inputs) == 1 or self.operation not in _WORDS,
            "elementwise {operation} takes one input, found {count}",
            operation=self.operation,
            count=len(inputs),
        )
        return reduce(lambda first, second: broadcast(first, second, self.name), inputs)

    def tally(self, inputs: tuple[Shape, ...], output: Shape) -> Iterable[Tally]:
        yield _WORDS.get(self.operation, self.operation), elements(output)


class Reduce(Kind, name="reduce"):
    """Sum, mean, largest or smallest over some axes, which are removed, or have size 1 with `keep`.

    >>> print_cost(Reduce(axes=[1, 2], keep=True), "64x8x8")
    64x1x1
    additions = C*H*W = 64*8*8 = 4,096
    """

    axes = Sizes[Any](at_least=0, most=8, bare=True, also="dim axis", doc="the axes, from 0: [1, 2]")
    operation = Choice(
        *_WORK, "maximum", default="additions", doc="the operation that it counts as, additions for sums; or maximum"
    )
    keep = Flag(False, also="keepdim keepdims keep_dims", doc="whether the axes stay, with size 1")
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
        yield _WORDS.get(self.operation, self.operation), elements(inputs[0])


class Gather(Kind, name="gather"):
    """Elements of the inputs in another shape: looked up, tiled, rolled. They are moved, nothing is computed.

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
    """Values that are not trainable, without an input: zeros, a mask, sine positions.

    >>> print_cost(Constant(shape=[64, 32, 32]))
    64x32x32
    """

    shape = ShapeField(bare=True, doc="its shape, for example [64, 32, 32]")
    inputs = (0, 0)
    example = ("", {"shape": [64, 32, 32]})

    def output(self, *inputs: Shape) -> Shape:
        return tuple(self.shape)


class Opaque(Kind, name="opaque"):
    """An operator without a rule. Its work is not known, so every total that includes it is a lower bound.

    Shapes: as stated; layers after one without a shape are opaque too. `params` counts its trainable values.

    >>> print_cost(Opaque(operator="NonMaxSuppression", shape=[100, 3]), "1000x4")
    100x3
    other_params = n = 0 = 0
    """

    operator = Text(bare=True, doc="the operator's name in the model")
    shape = ShapeField((), doc="shape of the output, if it is known")
    params = Integer[int](0, at_least=0, at_most=10**18, doc="number of trainable values")
    unknown_input = Flag(False, also="behind", doc="true if only the shape of its input is not known")
    reason = Text("", doc="why this form of the operator has no rule")
    ports = Integer[int](1, at_most=1024, doc="number of outputs")
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


def _stated(tally: str) -> Integer[int]:
    """A field that states a tally."""
    return Integer[int](0, at_least=0, at_most=10**18, doc=TALLIES[tally])


class Custom(Kind, name="custom"):
    """An operator of one's own: the shape of its output, and what it costs for one input.

    Imported models contain it where a user's rule (`--rules`) counts an operator: `rule` is the file and line.

    >>> print_cost(Custom(operator="com.example:Roll", shape=[64, 8, 8], additions=4096), "64x8x8")
    64x8x8
    additions = n = 4,096 = 4,096
    """

    operator = Text(doc="the operator's name")
    shape = ShapeField(doc="shape of the output, without the batch")
    rule = Text("", doc="the file and line of the rule that counts it")
    weights = _stated("weights")
    biases = _stated("biases")
    other_params = _stated("other_params")
    buffers = _stated("buffers")
    conv_macs = _stated("conv_macs")
    linear_macs = _stated("linear_macs")
    matmul_macs = _stated("matmul_macs")
    bias_adds = _stated("bias_adds")
    norm_elements = _stated("norm_elements")
    comparisons = _stated("comparisons")
    additions = _stated("additions")
    multiplications = _stated("multiplications")
    divisions = _stated("divisions")
    exponentials = _stated("exponentials")
    window_elements = _stated("window_elements")
    inputs = (0, None)
    reads_shapes = False
    own_letters = True
    example = ("64x8x8", {"operator": "com.example:Roll", "shape": [64, 8, 8], "additions": 4096})
    # the products of tallies, as a rule gives them; of a tally without one the number alone is known
    products: tuple[tuple[str, tuple[tuple[str, int], ...]], ...] = ()
    _mixing: ClassVar[Mapping[str, str]] = {
        "conv_macs": "both (kxk)", "linear_macs": "fully connected", "matmul_macs": "attention",
    }  # fmt: skip

    @property
    def weighted(self) -> int:
        return int("weights" in self.__dict__)

    def output(self, *inputs: Shape) -> Shape:
        return tuple(self.shape)

    def tally(self, inputs: tuple[Shape, ...], output: Shape) -> Iterable[Tally]:
        for name in TALLIES:
            if name in self.__dict__:
                products = [dict(product) for tally, product in self.products if tally == name]
                yield from ((name, product) for product in products or [{"n": getattr(self, name)}])

    def mixes(self, inputs: tuple[Shape, ...]) -> str:
        return next((mixing for name, mixing in self._mixing.items() if name in self.__dict__), "")
