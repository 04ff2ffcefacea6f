"""Arrays in place of numbers: one entry for each point of a sweep. Only a sweep imports this module, and with it numpy.

Each variable of a sweep has an axis of its own (shapes (n, 1) and (1, m)), so numpy broadcasts a size only over the
axes it depends on. Whole numbers are int64 and become exact Python integers before a result could overflow.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from convcalc.errors import UserError

LARGEST = 2**62

# A sweep appends a function, which is called with each condition that fails at some points: the array of the condition,
# its message, and the facts that the message is formatted with at a point. Without one a failing condition is an error.
collectors: list[Callable[[Any, str, dict[str, Any]], None]] = []


class Points(np.ndarray[Any, Any]):
    """An int64 array that cannot overflow: a sum, difference or product that might is computed in Python integers.

    >>> wide = points([10**6, 10**9])
    >>> (wide * wide * wide).tolist()
    [1000000000000000000, 1000000000000000000000000000]
    """

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
        plain = [np.asarray(value) if isinstance(value, Points) else value for value in inputs]
        options.pop("out", None)
        if method == "__call__" and ufunc in _GROWTH and _GROWTH[ufunc](*map(largest, plain)) > LARGEST:
            plain = [np.asarray(value).astype(object) for value in plain]
        result = getattr(ufunc, method)(*plain, **options)
        return result.view(Points) if isinstance(result, np.ndarray) else result


def _sum(first: int, second: int) -> int:
    return first + second


_GROWTH: dict[Any, Callable[[int, int], int]] = {
    np.add: _sum,
    np.subtract: _sum,
    np.multiply: lambda first, second: first * second,
}
# what numpy computes on whole numbers as Python does; everything else is computed entry by entry
_NATIVE: dict[str, Any] = {
    "+": np.add,
    "-": np.subtract,
    "*": np.multiply,
    "//": np.floor_divide,
    "%": np.remainder,
    "==": np.equal,
    "!=": np.not_equal,
    "<": np.less,
    "<=": np.less_equal,
    ">": np.greater,
    ">=": np.greater_equal,
    "and": np.logical_and,
    "or": np.logical_or,
}


def largest(value: Any) -> int:
    """The largest absolute value in an array, or of a number; 0 for an empty array.

    >>> largest(points([3, -7])), largest(5)
    (7, 5)
    """
    if not hasattr(value, "dtype"):
        return abs(int(value))
    if not value.size:
        return 0
    return max(abs(int(value.max())), abs(int(value.min())))


def points(values: Sequence[Any], axis: int = 0, axes: int = 1) -> Any:
    """Make an array of values along one of `axes` axes.

    >>> points([1, 2, 3], axis=1, axes=2).shape
    (1, 3)
    """
    shape = [1] * axes
    shape[axis] = len(values)
    return _pack(values, tuple(shape))


def _pack(values: Sequence[Any], shape: tuple[int, ...]) -> Any:
    """Make an int64 array if every value is a whole number that fits, else an array of Python objects."""
    if all(isinstance(value, int) and -LARGEST <= value <= LARGEST for value in values):
        return np.array(values, dtype=np.int64).reshape(shape).view(Points)
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array.reshape(shape).view(Points)


def apply(function: Callable[..., Any], operands: Sequence[Any], sign: str = "") -> Any:
    """Apply `function` to each distinct combination of entries. Where it raises UserError, `report` the points.

    >>> from decimal import Decimal
    >>> apply(lambda a, b: a * b, [points([2, 3]), Decimal("0.5")]).tolist()
    [Decimal('1.0'), Decimal('1.5')]
    """
    if sign in _NATIVE and (result := _apply_native(sign, operands)) is not None:
        return result
    arrays = np.broadcast_arrays(*(np.asarray(operand, dtype=object) for operand in operands))
    known: dict[tuple[Any, ...], Any] = {}
    values: list[Any] = []
    failed: dict[str, list[int]] = {}
    for number, entry in enumerate(zip(*(array.ravel().tolist() for array in arrays), strict=True)):
        if entry not in known:
            try:
                known[entry] = function(*entry)
            except UserError as error:
                known[entry] = error
        value = known[entry]
        if isinstance(value, UserError):
            failed.setdefault(value.message, []).append(number)
            value = 1
        values.append(value)
    for message, numbers in failed.items():
        holds = np.ones(len(values), dtype=bool)
        holds[numbers] = False
        report(holds.reshape(arrays[0].shape), escape_braces(message), UserError(message), {})
    return _pack(values, arrays[0].shape)


def _apply_native(sign: str, operands: Sequence[Any]) -> Any:
    """Compute with numpy; None where Python must: decimals, a zero divisor, a result that does not fit int64."""
    for operand in operands:
        if not (isinstance(operand, int) or (hasattr(operand, "dtype") and operand.dtype.kind in "ib")):
            return None
    if any(largest(operand) > LARGEST for operand in operands):
        return None
    if sign in "//%" and not np.all(operands[1]):
        return None
    result = _NATIVE[sign](*(np.asarray(operand).view(Points) for operand in operands))
    if result.dtype == bool:
        result = result.astype(np.int64)
    return result if result.dtype == np.int64 and largest(result) <= LARGEST else None


def escape_braces(message: str) -> str:
    """Escape { and } so that str.format returns the message unchanged."""
    return message.replace("{", "{{").replace("}", "}}")


def check_values(values: Any, fits: Callable[[Any], bool], message: str, field: str = "", hint: str = "") -> Any:
    """Report the points of invalid values and replace these by a valid one, so that the computation continues.

    `message` may name the value as `{found}`.
    """
    entries = values.ravel().tolist()
    known = {value: fits(value) for value in set(entries)}
    if all(known.values()):
        return values
    holds = np.array([known[value] for value in entries]).reshape(values.shape)
    report(holds, message, UserError(message, field, hint), {"found": values})
    substitute = next((value for value, is_valid in known.items() if is_valid), 1)
    return _pack([value if known[value] else substitute for value in entries], values.shape)


def report(holds: Any, message: str, error: UserError, facts: dict[str, Any]) -> None:
    """Give the sweep's collector the points where `holds` is false; without a sweep raise `error`."""
    if not collectors:
        raise error
    collectors[-1](holds, message, facts)


def at(value: Any, point: tuple[int, ...]) -> Any:
    """Take the plain value of an array, or of the arrays in a tuple or list, at one point.

    >>> at((points([4, 5]), 7), (1,))
    (5, 7)
    """
    if isinstance(value, (tuple, list)):
        return type(value)(at(item, point) for item in value)
    if not hasattr(value, "dtype"):
        return value
    entry = value[tuple(0 if size == 1 else index for size, index in zip(value.shape, point, strict=True))]
    return entry.item() if hasattr(entry, "item") else entry
