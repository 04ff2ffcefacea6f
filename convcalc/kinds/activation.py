"""Activations: element-wise functions, the non-linearities of a network.

A kind states the operations on one element; the shape stays. Counted as the function is defined, not as a
processor may compute it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

from convcalc.kinds.fields import Choice, Number
from convcalc.kinds.kind import Kind
from convcalc.kinds.sizes import Shape, Tally, elements


class _Activation(Kind):
    """`costs` is the work for one element: numbers by the name of a tally."""

    nonlinearities = 1
    costs: ClassVar[dict[str, int]] = {}
    example = ("64x8x8", {})

    def tally(self, inputs: tuple[Shape, ...], output: Shape) -> Iterable[Tally]:
        for name, times in self.costs.items():
            yield name, {**({str(times): times} if times > 1 else {}), **elements(output)}


class Relu(_Activation, name="relu"):
    """Rectified linear unit: max(x, 0).

    >>> print_cost(Relu(), "64x8x8")
    64x8x8
    comparisons = C*H*W = 64*8*8 = 4,096
    """

    costs = {"comparisons": 1}
    torch = "ReLU"
    keras = "ReLU"
    onnx = "Relu"


class Relu6(_Activation, name="relu6"):
    """min(max(x, 0), 6).

    >>> print_cost(Relu6(), "64x8x8")
    64x8x8
    comparisons = 2*C*H*W = 2*64*8*8 = 8,192
    """

    costs = {"comparisons": 2}
    torch = "ReLU6"
    onnx = "Clip"


class LeakyRelu(_Activation, name="leaky_relu"):
    """x where x > 0, else slope * x.

    >>> print_cost(LeakyRelu(slope=0.1), "64x8x8")
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


class Prelu(_Activation, name="prelu"):
    """x where x > 0, else a trainable slope times x: one slope for each channel, or one for all.

    >>> print_cost(Prelu(), "64x8x8")
    64x8x8
    comparisons = C*H*W = 64*8*8 = 4,096
    multiplications = C*H*W = 64*8*8 = 4,096
    other_params = C = 64 = 64
    """

    slopes = Choice(
        "channels", "one", default="channels", also="num_parameters", doc="a slope for each channel, or one for all"
    )
    costs = {"comparisons": 1, "multiplications": 1}
    torch = "PReLU"
    keras = "PReLU"
    onnx = "PRelu"

    def tally(self, inputs: tuple[Shape, ...], output: Shape) -> Iterable[Tally]:
        yield from super().tally(inputs, output)
        yield "other_params", {"C": output[0]} if self.slopes == "channels" else {"1": 1}


class Elu(_Activation, name="elu"):
    """x where x > 0, else alpha * (exp(x) - 1).

    >>> print_cost(Elu(), "10")
    10
    comparisons = C = 10 = 10
    exponentials = C = 10 = 10
    additions = C = 10 = 10
    multiplications = C = 10 = 10
    """

    alpha = Number[Any](1, at_least=-100, at_most=100, doc="factor of the negative part")
    costs = {"comparisons": 1, "exponentials": 1, "additions": 1, "multiplications": 1}
    torch = "ELU CELU"
    keras = "ELU"
    onnx = "Elu Celu"


class Selu(_Activation, name="selu"):
    """Scaled elu with the two constants of arXiv:1706.02515.

    >>> print_cost(Selu(), "10")
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

    >>> print_cost(Sigmoid(), "10")
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

    >>> print_cost(LogSigmoid(), "10")
    10
    exponentials = 2*C = 2*10 = 20
    additions = C = 10 = 10
    """

    costs = {"exponentials": 2, "additions": 1}
    torch = "LogSigmoid"


class Tanh(_Activation, name="tanh"):
    """(exp(2x) - 1) / (exp(2x) + 1).

    >>> print_cost(Tanh(), "10")
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

    >>> print_cost(Silu(), "10")
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

    >>> print_cost(Gelu(), "10")
    10
    exponentials = C = 10 = 10
    additions = C = 10 = 10
    multiplications = 3*C = 3*10 = 30
    """

    approximate = Choice("none", "tanh", default="none", doc="'tanh' for the approximation")
    costs = {"exponentials": 1, "additions": 1, "multiplications": 3}
    torch = "GELU"
    onnx = "Gelu"


class Mish(_Activation, name="mish"):
    """x * tanh(log(1 + exp(x))).

    >>> print_cost(Mish(), "10")
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

    >>> print_cost(HardSwish(), "10")
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

    >>> print_cost(HardSigmoid(), "10")
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

    >>> print_cost(HardTanh(), "10")
    10
    comparisons = 2*C = 2*10 = 20
    """

    low = Number[Any](-1, at_least=-1e9, also="min_val min", doc="smallest value")
    high = Number[Any](1, at_least=-1e9, also="max_val max", doc="largest value")
    costs = {"comparisons": 2}
    torch = "Hardtanh"


class Softplus(_Activation, name="softplus"):
    """log(1 + exp(x)).

    >>> print_cost(Softplus(), "10")
    10
    exponentials = 2*C = 2*10 = 20
    additions = C = 10 = 10
    """

    costs = {"exponentials": 2, "additions": 1}
    torch = "Softplus"
    onnx = "Softplus"


class Softsign(_Activation, name="softsign"):
    """x / (1 + |x|).

    >>> print_cost(Softsign(), "10")
    10
    comparisons = C = 10 = 10
    additions = C = 10 = 10
    divisions = C = 10 = 10
    """

    costs = {"comparisons": 1, "additions": 1, "divisions": 1}
    torch = "Softsign"
    onnx = "Softsign"
