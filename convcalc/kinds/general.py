"""Kinds for what has no layer of its own: arithmetic, reductions, moved elements, and operators without a rule.

Imported models hold them; a spec may.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import reduce
from math import prod
from typing import Any

from convcalc.errors import UserError
from convcalc.kinds.base import Kind, Shape, Tally, axis_of, broadcast, elements
from convcalc.kinds.code import BUFFER, Code, chained, expression
from convcalc.kinds.code_keras import CONSTANT, EITHER, reshaped
from convcalc.kinds.fields import Choice, Flag, Integer, ShapeField, Sizes, Text

_WORK = ("comparisons", "additions", "multiplications", "divisions", "exponentials")
_ONE_OF = "one of the functions that count as {}"
_FIRST = "the spec does not say which elements: the first ones, again and again"


class Elementwise(Kind, name="elementwise"):
    """One operation on each element: a factor, a root, a comparison; several inputs stretch to a common shape.

    Roots, powers, logarithms, sines are exponentials; signs, rounding and logic are comparisons.

    >>> worked(Elementwise(operation="divisions"), "64x8x8")
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

    def to_torch(self, inputs: tuple[Shape, ...], output: Shape) -> Code:
        note = _ONE_OF.format(self.operation)
        if len(inputs) > 1:
            signs = {"additions": " + ", "multiplications": " * ", "divisions": " / "}
            functions = {"comparisons": "torch.maximum", "exponentials": "torch.pow"}
            return chained(len(inputs), signs.get(self.operation, ""), functions.get(self.operation, ""), note)
        calls = {
            "comparisons": "torch.sign({0})",
            "additions": "{0} + 1",
            "multiplications": "{0} * 2",
            "divisions": "1 / {0}",
            "exponentials": "torch.exp({0})",
        }
        return expression(calls[self.operation], note)

    def keras_order(self, inputs: tuple[Shape, ...]) -> str:
        return EITHER

    def to_keras(self, inputs: tuple[Shape, ...], output: Shape, is_behind: bool) -> Code:
        code = self.to_torch(inputs, output)
        return code._replace(call=code.call.replace("torch.pow(", "ops.power(").replace("torch.", "ops."))


class Reduce(Kind, name="reduce"):
    """Sum, mean, largest or smallest over some axes, which go away, or stay as 1 with `keep`.

    >>> worked(Reduce(axes=[1, 2], keep=True), "64x8x8")
    64x1x1
    additions = C*H*W = 64*8*8 = 4,096
    """

    axes = Sizes[Any](at_least=0, most=8, bare=True, also="dim axis", doc="the axes, from 0: [1, 2]")
    operation = Choice(*_WORK, default="additions", doc="what it counts as: sums are additions, maxima comparisons")
    keep = Flag(False, also="keepdim keepdims keep_dims", doc="leave the axes in place, with size 1")
    example = ("64x8x8", {"axes": [1, 2]})
    torch = "sum amax amin argmax argmin prod norm std var"
    onnx = "ReduceSum ReduceMax ReduceMin ReduceProd ReduceL2 ReduceL1 ReduceSumSquare ArgMax ArgMin"

    def _over(self, shape: Shape) -> tuple[int, ...]:
        """The axes that are gone over, from 1: the batch is axis 0 elsewhere."""
        axes = self.axes if isinstance(self.axes, tuple) else (self.axes,)
        return tuple(sorted(axis_of(axis, shape) + 1 for axis in axes))

    def output(self, *inputs: Shape) -> Shape:
        shape = inputs[0]
        gone = [axis - 1 for axis in self._over(shape)]
        found = tuple(1 if at in gone else size for at, size in enumerate(shape) if self.keep or at not in gone)
        return found or (1,)

    def tally(self, inputs: tuple[Shape, ...], output: Shape) -> Iterable[Tally]:
        yield self.operation, elements(inputs[0])

    def to_torch(self, inputs: tuple[Shape, ...], output: Shape) -> Code:
        over = self._over(inputs[0])
        calls = {
            "comparisons": "{{0}}.amax({over}, keepdim={keep})",
            "additions": "{{0}}.sum({over}, keepdim={keep})",
            "multiplications": "{{0}}.square().sum({over}, keepdim={keep})",
            "divisions": "{{0}}.mean({over}, keepdim={keep})",
            "exponentials": "{{0}}.logsumexp({over}, keepdim={keep})",
        }
        call = calls[self.operation].format(over=over, keep=self.keep).replace(", keepdim=False", "")
        if len(over) == len(inputs[0]) and not self.keep:
            call += ".unsqueeze(1)"
        return expression(call, "" if self.operation == "additions" else _ONE_OF.format(self.operation))

    def to_keras(self, inputs: tuple[Shape, ...], output: Shape, is_behind: bool) -> Code:
        over = self._over(inputs[0])
        functions = {
            "comparisons": "ops.max({{0}}, {over})",
            "additions": "ops.sum({{0}}, {over})",
            "multiplications": "ops.sum(ops.square({{0}}), {over})",
            "divisions": "ops.mean({{0}}, {over})",
            "exponentials": "ops.logsumexp({{0}}, {over})",
        }
        is_alone = len(over) == len(inputs[0]) and not self.keep
        more = ", keepdims=True" if self.keep else ""
        call = functions[self.operation].format(over=f"axis={over}{more}")
        note = "" if self.operation == "additions" else _ONE_OF.format(self.operation)
        return expression(f"ops.expand_dims({call}, 1)" if is_alone else call, note)


class Gather(Kind, name="gather"):
    """Elements of the inputs in a stated shape: looked up, tiled, rolled, sorted out. It moves, and computes nothing.

    >>> worked(Gather(shape=[3, 49, 49]), "169x3")
    3x49x49
    """

    shape = ShapeField(bare=True, doc="shape of the output")
    inputs = (1, None)
    example = ("169x3", {"shape": [3, 49, 49]})
    torch = "gather expand repeat roll index_put"
    onnx = "GatherElements GatherND ScatterND ScatterElements Tile Expand"

    def output(self, *inputs: Shape) -> Shape:
        return tuple(self.shape)

    def to_torch(self, inputs: tuple[Shape, ...], output: Shape) -> Code:
        every = (
            "{0}"
            if len(inputs) == 1
            else f"torch.cat([{', '.join(f'{{{i}}}.flatten(1)' for i in range(len(inputs)))}], 1)"
        )
        taken = f"torch.arange({prod(output)}, device={{0}}.device) % {sum(map(prod, inputs))}"
        flat = ".flatten(1)" if len(inputs) == 1 else ""
        call = f"{every}{flat}[:, {taken}].reshape(-1, {', '.join(map(str, output))})"
        return expression(call, _FIRST)

    def to_keras(self, inputs: tuple[Shape, ...], output: Shape, is_behind: bool) -> Code:
        flat = [f"layers.Flatten()({{{number}}})" if len(s) > 1 else f"{{{number}}}" for number, s in enumerate(inputs)]
        every = flat[0] if len(flat) == 1 else f"layers.Concatenate()([{', '.join(flat)}])"
        taken = f"ops.take({every}, ops.arange({prod(output)}) % {sum(map(prod, inputs))}, axis=1)"
        return (reshaped(taken, output) if len(output) > 1 else expression(taken))._replace(note=_FIRST)


class Constant(Kind, name="constant"):
    """Values that stand for themselves and were never learned: zeros, a mask, sine positions. It has no input.

    >>> worked(Constant(shape=[64, 32, 32]))
    64x32x32
    """

    shape = ShapeField(bare=True, doc="its shape, for example [64, 32, 32]")
    inputs = (0, 0)
    example = ("", {"shape": [64, 32, 32]})

    def output(self, *inputs: Shape) -> Shape:
        return tuple(self.shape)

    def to_torch(self, inputs: tuple[Shape, ...], output: Shape) -> Code:
        return Code(BUFFER, {"shape": output}, call=f"{{module}}.expand({{batch}}{', -1' * len(output)})")

    def to_keras(self, inputs: tuple[Shape, ...], output: Shape, is_behind: bool) -> Code:
        return Code("Constant", {"shape": output}, call="{module}({batch})", helper=CONSTANT)


class Opaque(Kind, name="opaque"):
    """An operator without a rule. Its work is not known: every total that holds it is a lower bound.

    Shapes: as stated; what reads a layer without one is opaque too. `params` are the learned values it holds.

    >>> worked(Opaque(operator="NonMaxSuppression", shape=[100, 3]), "1000x4")
    100x3
    other_params = n = 0 = 0
    """

    operator = Text(bare=True, doc="what the model calls it")
    shape = ShapeField((), doc="shape of the output, where it is known")
    params = Integer[int](0, at_least=0, at_most=10**18, doc="learned values that it holds")
    unknown_input = Flag(False, also="behind", doc="true where only the shape of its input is not known")
    reason = Text("", doc="why its work is not known, where other forms of the operator have a rule")
    inputs = (0, None)
    is_counted = False
    example = ("1000x4", {"operator": "NonMaxSuppression", "shape": [100, 3]})

    def output(self, *inputs: Shape) -> Shape:
        return tuple(self.shape)

    def tally(self, inputs: tuple[Shape, ...], output: Shape) -> Iterable[Tally]:
        yield "other_params", {"n": self.params}

    def to_torch(self, inputs: tuple[Shape, ...], output: Shape) -> Code:
        raise UserError(f"nobody knows what {self.operator} computes")

    def to_keras(self, inputs: tuple[Shape, ...], output: Shape, is_behind: bool) -> Code:
        return self.to_torch(inputs, output)
