"""Arithmetic on small constants: what exporters compute shapes and indices with.

Values are flat lists in row-major order, as long as the product of their shape.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Sequence
from itertools import product
from math import prod
from typing import Any

from convcalc.importers.onnx.model import FLOATS, MOST_READ, Unsupported
from convcalc.importers.onnx.values import Shape, Value, broadcast

_BOOL = 9
LARGEST_NUMBER = 2**70  # sizes and indices of real models stay far below


def _divide(a: Any, b: Any) -> Any:
    if isinstance(a, int) and isinstance(b, int):
        quotient = abs(a) // abs(b)
        return quotient if (a < 0) == (b < 0) else -quotient
    return a / b


_UNARY: dict[str, Callable[[Any], Any]] = {
    "Not": operator.not_,
    "Neg": operator.neg,
    "Abs": abs,
    "Floor": math.floor,
    "Ceil": math.ceil,
    "Round": round,
    "Sqrt": math.sqrt,
    "Exp": math.exp,
    "Log": math.log,
    "Reciprocal": lambda a: 1 / a,
}
_BINARY: dict[str, Callable[[Any, Any], Any]] = {
    "Add": operator.add,
    "Sub": operator.sub,
    "Mul": operator.mul,
    "Div": _divide,
    "Mod": operator.mod,
    "Pow": lambda a, b: a**b if abs(b) <= 64 and abs(a) <= 2**32 else math.nan,
    "Equal": operator.eq,
    "Less": operator.lt,
    "LessOrEqual": operator.le,
    "Greater": operator.gt,
    "GreaterOrEqual": operator.ge,
    "And": lambda a, b: bool(a) and bool(b),
    "Or": lambda a, b: bool(a) or bool(b),
}
_TERNARY: dict[str, Callable[[Any, Any, Any], Any]] = {"Where": lambda condition, a, b: a if condition else b}
_ANY_NUMBER: dict[str, Callable[..., Any]] = {
    "Min": lambda *numbers: min(numbers),
    "Max": lambda *numbers: max(numbers),
}
_FUNCTIONS: tuple[dict[str, Callable[..., Any]], ...] = (_ANY_NUMBER, _UNARY, _BINARY, _TERNARY)  # by number of inputs


def arithmetic(name: str, inputs: list[Value]) -> list[Any] | None:
    """The values of an elementwise operator on constants; None where they are not known."""
    by_inputs = _FUNCTIONS[len(inputs)] if len(inputs) < len(_FUNCTIONS) else _ANY_NUMBER
    function = by_inputs.get(name) or _ANY_NUMBER.get(name)
    if function is None or any(value.data is None for value in inputs):
        return None
    shape = broadcast(*(value.sizes for value in inputs))
    if prod(shape) > MOST_READ:
        return None
    columns = [spread(value.data or [], value.sizes, shape) for value in inputs]
    try:
        results = [function(*numbers) for numbers in zip(*columns, strict=True)]
    except (ArithmeticError, ValueError):  # division by zero, a root of -1, exp(1000): no number, so not known
        return None
    return None if any(isinstance(number, complex) or abs(number) > LARGEST_NUMBER for number in results) else results


def spread(data: list[Any], shape: Shape, wanted: Shape) -> list[Any]:
    """Values broadcast to a shape.

    >>> spread([1, 2], (2, 1), (2, 3))
    [1, 1, 1, 2, 2, 2]
    """
    if len(data) == 1:
        return data * prod(wanted)
    if shape == wanted:
        return data
    padded = (1,) * (len(wanted) - len(shape)) + shape
    steps = [step if size > 1 else 0 for size, step in zip(padded, strides(padded), strict=True)]
    return _at(data, steps, wanted)


def strides(shape: Shape) -> list[int]:
    """The distance between neighbours along each axis.

    >>> strides((2, 3, 4))
    [12, 4, 1]
    """
    steps, step = [], 1
    for size in reversed(shape):
        steps.append(step)
        step *= size
    return steps[::-1]


def picked(value: Value, indices: Sequence[Sequence[int]]) -> list[Any] | None:
    """The values at the given indices of each axis. Raises Unsupported for an index out of range."""
    count = prod(map(len, indices))
    if value.data is None or count > MOST_READ:
        return None
    if not count:
        return []
    if any(not 0 <= index < size for taken, size in zip(indices, value.sizes, strict=True) for index in taken):
        raise Unsupported("index out of range")
    steps, data = strides(value.sizes), value.data
    return [data[sum(map(operator.mul, index, steps))] for index in product(*indices)]


def transposed(value: Value, order: Sequence[int]) -> list[Any] | None:
    """The values with the axes in another order."""
    if value.data is None:
        return None
    return _at(value.data, [strides(value.sizes)[axis] for axis in order], [value.sizes[axis] for axis in order])


def _at(data: list[Any], steps: Sequence[int], sizes: Sequence[int]) -> list[Any]:
    if 0 in sizes:  # product() would write out the other axes, which may be long
        return []
    return [data[sum(map(operator.mul, index, steps))] for index in product(*map(range, sizes))]


def converted(data: list[Any] | None, dtype: int) -> list[Any] | None:
    """Values cast to another dtype; None where it cannot hold them."""
    if data is None:
        return None
    if dtype == _BOOL:
        return [bool(number) for number in data]
    try:
        return [float(number) if dtype in FLOATS else int(number) for number in data]
    except (ValueError, OverflowError):  # an infinity as an integer, an integer beyond every float
        return None
