"""Activations: element-wise functions, the non-linearities of a network, and softmax.

A kind states the operations on one element; the shape stays. Counted as the function is defined, not as a
processor may compute it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

from convcalc.kinds.base import Kind, Shape, Tally, axis_of, elements
from convcalc.kinds.code import Code, expression, literal
from convcalc.kinds.code_keras import EITHER, activation, place
from convcalc.kinds.fields import Choice, Integer, Number


class _Activation(Kind):
    """`costs` is what one element costs: a tally's name and how often."""

    nonlinearities = 1
    costs: ClassVar[dict[str, int]] = {}
    example = ("64x8x8", {})

    def tally(self, inputs: tuple[Shape, ...], output: Shape) -> Iterable[Tally]:
        for name, times in self.costs.items():
            yield name, {**({str(times): times} if times > 1 else {}), **elements(output)}

    def to_torch(self, inputs: tuple[Shape, ...], output: Shape) -> Code:
        return Code(f"nn.{self.torch.split()[0]}")

    def keras_order(self, inputs: tuple[Shape, ...]) -> str:
        return EITHER

    def to_keras(self, inputs: tuple[Shape, ...], output: Shape, is_behind: bool) -> Code:
        return activation(self.name)


class Relu(_Activation, name="relu"):
    """Rectified linear unit: max(x, 0).

    >>> worked(Relu(), "64x8x8")
    64x8x8
    comparisons = C*H*W = 64*8*8 = 4,096
    """

    costs = {"comparisons": 1}
    torch = "ReLU"
    keras = "ReLU"
    onnx = "Relu"

    def to_keras(self, inputs: tuple[Shape, ...], output: Shape, is_behind: bool) -> Code:
        return Code("layers.ReLU")


class Relu6(_Activation, name="relu6"):
    """min(max(x, 0), 6).

    >>> worked(Relu6(), "64x8x8")
    64x8x8
    comparisons = 2*C*H*W = 2*64*8*8 = 8,192
    """

    costs = {"comparisons": 2}
    torch = "ReLU6"
    onnx = "Clip"

    def to_keras(self, inputs: tuple[Shape, ...], output: Shape, is_behind: bool) -> Code:
        return Code("layers.ReLU", {"max_value": 6})


class LeakyRelu(_Activation, name="leaky_relu"):
    """x where x > 0, else slope * x.

    >>> worked(LeakyRelu(slope=0.1), "64x8x8")
    64x8x8
    comparisons = C*H*W = 64*8*8 = 4,096
    multiplications = C*H*W = 64*8*8 = 4,096
    """

    slope = Number[Any](
        0.01, at_least=-100, at_most=100, bare=True, also="negative_slope alpha", doc="factor of negative x"
    )
    costs = {"comparisons": 1, "multiplications": 1}
    torch = "LeakyReLU"
    keras = "LeakyReLU"
    onnx = "LeakyRelu"

    def to_torch(self, inputs: tuple[Shape, ...], output: Shape) -> Code:
        return Code("nn.LeakyReLU", {}, {"negative_slope": (self.slope, 0.01)})

    def to_keras(self, inputs: tuple[Shape, ...], output: Shape, is_behind: bool) -> Code:
        return Code("layers.LeakyReLU", {}, {"negative_slope": (self.slope, None)})


class Prelu(_Activation, name="prelu"):
    """x where x > 0, else a learned slope times x: one slope a channel, or one for all.

    >>> worked(Prelu(), "64x8x8")
    64x8x8
    comparisons = C*H*W = 64*8*8 = 4,096
    multiplications = C*H*W = 64*8*8 = 4,096
    other_params = C = 64 = 64
    """

    slopes = Choice(
        "channels", "one", default="channels", also="num_parameters", doc="a slope for each channel, or one"
    )
    costs = {"comparisons": 1, "multiplications": 1}
    torch = "PReLU"
    keras = "PReLU"
    onnx = "PRelu"

    def tally(self, inputs: tuple[Shape, ...], output: Shape) -> Iterable[Tally]:
        yield from super().tally(inputs, output)
        yield "other_params", {"C": output[0]} if self.slopes == "channels" else {"1": 1}

    def to_torch(self, inputs: tuple[Shape, ...], output: Shape) -> Code:
        return Code("nn.PReLU", {}, {"num_parameters": (output[0] if self.slopes == "channels" else 1, 1)})

    def to_keras(self, inputs: tuple[Shape, ...], output: Shape, is_behind: bool) -> Code:
        own = place(0, is_behind) % (len(output) + 1) if self.slopes == "channels" else 0
        shared = [axis for axis in range(1, len(output) + 1) if axis != own]
        return Code("layers.PReLU", {}, {"shared_axes": (shared, [])})


class Elu(_Activation, name="elu"):
    """x where x > 0, else alpha * (exp(x) - 1).

    >>> worked(Elu(), "10")
    10
    comparisons = C = 10 = 10
    exponentials = C = 10 = 10
    additions = C = 10 = 10
    multiplications = C = 10 = 10
    """

    alpha = Number[Any](1, at_least=-100, at_most=100, doc="size of the negative part")
    costs = {"comparisons": 1, "exponentials": 1, "additions": 1, "multiplications": 1}
    torch = "ELU CELU"
    keras = "ELU"
    onnx = "Elu Celu"

    def to_torch(self, inputs: tuple[Shape, ...], output: Shape) -> Code:
        return Code("nn.ELU", {}, {"alpha": (self.alpha, 1)})

    def to_keras(self, inputs: tuple[Shape, ...], output: Shape, is_behind: bool) -> Code:
        return Code("layers.ELU", {}, {"alpha": (self.alpha, 1)})


class Selu(_Activation, name="selu"):
    """Scaled elu with the two constants of arXiv:1706.02515.

    >>> worked(Selu(), "10")
    10
    comparisons = C = 10 = 10
    exponentials = C = 10 = 10
    additions = C = 10 = 10
    multiplications = 2*C = 2*10 = 20
    """

    costs = {"comparisons": 1, "exponentials": 1, "additions": 1, "multiplications": 2}
    torch = "SELU"
    onnx = "Selu"


class Sigmoid(_Activation, name="sigmoid"):
    """1 / (1 + exp(-x)).

    >>> worked(Sigmoid(), "10")
    10
    exponentials = C = 10 = 10
    additions = C = 10 = 10
    divisions = C = 10 = 10
    """

    costs = {"exponentials": 1, "additions": 1, "divisions": 1}
    torch = "Sigmoid"
    onnx = "Sigmoid"


class LogSigmoid(_Activation, name="log_sigmoid"):
    """log(sigmoid(x)).

    >>> worked(LogSigmoid(), "10")
    10
    exponentials = 2*C = 2*10 = 20
    additions = C = 10 = 10
    """

    costs = {"exponentials": 2, "additions": 1}
    torch = "LogSigmoid"


class Tanh(_Activation, name="tanh"):
    """(exp(2x) - 1) / (exp(2x) + 1).

    >>> worked(Tanh(), "10")
    10
    multiplications = C = 10 = 10
    exponentials = C = 10 = 10
    additions = 2*C = 2*10 = 20
    divisions = C = 10 = 10
    """

    costs = {"multiplications": 1, "exponentials": 1, "additions": 2, "divisions": 1}
    torch = "Tanh"
    onnx = "Tanh"


class Silu(_Activation, name="silu"):
    """x * sigmoid(x), also called swish.

    >>> worked(Silu(), "10")
    10
    exponentials = C = 10 = 10
    additions = C = 10 = 10
    divisions = C = 10 = 10
    multiplications = C = 10 = 10
    """

    costs = {"exponentials": 1, "additions": 1, "divisions": 1, "multiplications": 1}
    torch = "SiLU Swish"
    onnx = "Swish"


class Gelu(_Activation, name="gelu"):
    """x * (1 + erf(x / sqrt(2))) / 2; the error function counts as one exponential.

    Source: Hendrycks and Gimpel, arXiv:1606.08415.

    >>> worked(Gelu(), "10")
    10
    exponentials = C = 10 = 10
    additions = C = 10 = 10
    multiplications = 3*C = 3*10 = 30
    """

    approximate = Choice("none", "tanh", default="none", doc="'tanh' for the approximation")
    costs = {"exponentials": 1, "additions": 1, "multiplications": 3}
    torch = "GELU"
    onnx = "Gelu"

    def to_torch(self, inputs: tuple[Shape, ...], output: Shape) -> Code:
        return Code("nn.GELU", {}, {"approximate": (self.approximate, "none")})

    def to_keras(self, inputs: tuple[Shape, ...], output: Shape, is_behind: bool) -> Code:
        return activation("gelu") if self.approximate == "none" else expression("ops.gelu({0}, approximate=True)")


class Mish(_Activation, name="mish"):
    """x * tanh(log(1 + exp(x))).

    >>> worked(Mish(), "10")
    10
    exponentials = 3*C = 3*10 = 30
    additions = 3*C = 3*10 = 30
    multiplications = 2*C = 2*10 = 20
    divisions = C = 10 = 10
    """

    costs = {"exponentials": 3, "additions": 3, "multiplications": 2, "divisions": 1}
    torch = "Mish"
    onnx = "Mish"


class HardSwish(_Activation, name="hard_swish"):
    """x * relu6(x + 3) / 6, as in MobileNet v3, arXiv:1905.02244.

    >>> worked(HardSwish(), "10")
    10
    additions = C = 10 = 10
    comparisons = 2*C = 2*10 = 20
    multiplications = C = 10 = 10
    divisions = C = 10 = 10
    """

    costs = {"additions": 1, "comparisons": 2, "multiplications": 1, "divisions": 1}
    torch = "Hardswish"
    onnx = "HardSwish"


class HardSigmoid(_Activation, name="hard_sigmoid"):
    """relu6(x + 3) / 6.

    >>> worked(HardSigmoid(), "10")
    10
    additions = C = 10 = 10
    comparisons = 2*C = 2*10 = 20
    divisions = C = 10 = 10
    """

    costs = {"additions": 1, "comparisons": 2, "divisions": 1}
    torch = "Hardsigmoid"
    onnx = "HardSigmoid"


class HardTanh(_Activation, name="hard_tanh"):
    """min(max(x, low), high).

    >>> worked(HardTanh(), "10")
    10
    comparisons = 2*C = 2*10 = 20
    """

    low = Number[Any](-1, at_least=-1e9, also="min_val min", doc="smallest value")
    high = Number[Any](1, at_least=-1e9, also="max_val max", doc="largest value")
    costs = {"comparisons": 2}
    torch = "Hardtanh"

    def to_torch(self, inputs: tuple[Shape, ...], output: Shape) -> Code:
        return Code("nn.Hardtanh", {}, {"min_val": (self.low, -1), "max_val": (self.high, 1)})

    def to_keras(self, inputs: tuple[Shape, ...], output: Shape, is_behind: bool) -> Code:
        return expression(f"ops.clip({{0}}, {literal(self.low)}, {literal(self.high)})")


class Softplus(_Activation, name="softplus"):
    """log(1 + exp(x)).

    >>> worked(Softplus(), "10")
    10
    exponentials = 2*C = 2*10 = 20
    additions = C = 10 = 10
    """

    costs = {"exponentials": 2, "additions": 1}
    torch = "Softplus"
    onnx = "Softplus"


class Softsign(_Activation, name="softsign"):
    """x / (1 + |x|).

    >>> worked(Softsign(), "10")
    10
    comparisons = C = 10 = 10
    additions = C = 10 = 10
    divisions = C = 10 = 10
    """

    costs = {"comparisons": 1, "additions": 1, "divisions": 1}
    torch = "Softsign"
    onnx = "Softsign"


class _Softmax(Kind):
    axis = Integer[Any](
        "channels", at_least=-6, words=("channels", "last"), bare=True, also="dim", doc="the axis that sums to 1"
    )
    example = ("1000", {})

    def output(self, *inputs: Shape) -> Shape:
        axis_of(self.axis, inputs[0])
        return inputs[0]

    def to_torch(self, inputs: tuple[Shape, ...], output: Shape) -> Code:
        return Code(f"nn.{self.torch.split()[0]}", {}, {"dim": (axis_of(self.axis, output) + 1, None)})

    def keras_order(self, inputs: tuple[Shape, ...]) -> str:
        return EITHER

    def to_keras(self, inputs: tuple[Shape, ...], output: Shape, is_behind: bool) -> Code:
        axis = place(axis_of(self.axis, output), is_behind)
        axis = -1 if axis == len(output) else axis
        if self.name == "softmax":
            return Code("layers.Softmax", {}, {"axis": (axis, -1)})
        return expression(f"ops.log_softmax({{0}}, axis={axis})")


class Softmax(_Softmax, name="softmax"):
    """exp(x) over the sum of exp(x) along one axis: the first unless said otherwise. Not counted as a non-linearity.

    >>> worked(Softmax(), "1000")
    1000
    exponentials = C = 1,000 = 1,000
    additions = C = 1,000 = 1,000
    divisions = C = 1,000 = 1,000
    """

    torch = "Softmax Softmax2d"
    keras = "Softmax"
    onnx = "Softmax"

    def tally(self, inputs: tuple[Shape, ...], output: Shape) -> Iterable[Tally]:
        for name in ("exponentials", "additions", "divisions"):
            yield name, elements(output)


class LogSoftmax(_Softmax, name="log_softmax"):
    """x minus the logarithm of the sum of exp(x) along one axis.

    >>> worked(LogSoftmax(), "1000")
    1000
    exponentials = C = 1,000 = 1,000
    additions = 2*C = 2*1,000 = 2,000
    """

    torch = "LogSoftmax"
    onnx = "LogSoftmax"

    def tally(self, inputs: tuple[Shape, ...], output: Shape) -> Iterable[Tally]:
        yield "exponentials", elements(output)
        yield "additions", {"2": 2, **elements(output)}
