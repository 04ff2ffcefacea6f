"""Softmax along one axis, and its logarithm."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from convcalc.kinds.fields import Integer
from convcalc.kinds.kind import Kind
from convcalc.kinds.sizes import Shape, Tally, axis_of, elements


class _Softmax(Kind):
    axis = Integer[Any](
        "channels", at_least=-6, words=("channels", "last"), bare=True, also="dim", doc="the axis that sums to 1"
    )
    example = ("1000", {})

    def output(self, *inputs: Shape) -> Shape:
        axis_of(self.axis, inputs[0])
        return inputs[0]


class Softmax(_Softmax, name="softmax"):
    """exp(x) over the sum of exp(x) along one axis: by default the first. Not counted as a non-linearity.

    >>> print_cost(Softmax(), "1000")
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

    >>> print_cost(LogSoftmax(), "1000")
    1000
    exponentials = C = 1,000 = 1,000
    additions = 2*C = 2*1,000 = 2,000
    """

    torch = "LogSoftmax"
    onnx = "LogSoftmax"

    def tally(self, inputs: tuple[Shape, ...], output: Shape) -> Iterable[Tally]:
        yield "exponentials", elements(output)
        yield "additions", {"2": 2, **elements(output)}
