"""Values that are arrays: one entry for each point of a sweep. Only a sweep loads this module, and with it numpy.

A variable of a sweep has an axis of its own (shapes (n, 1) and (1, m)), so numpy stretches a size over no more axes
than it depends on. Whole numbers are int64 and turn into exact Python integers before a result could overflow.
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
    """An array that knows its range: a sum, difference or product that might leave int64 is worked out in Python ints.

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
# what numpy does to whole numbers as Python does; everything else is worked out entry by entry
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
    """The largest magnitude in an array or a number; 0 for an empty array.

    >>> largest(points([3, -7])), largest(5)
    (7, 5)
    """
    if not hasattr(value, "dtype"):
        return abs(int(value))
    if not value.size:
        return 0
    return max(abs(int(value.max())), abs(int(value.min())))


def points(values: Sequence[Any], axis: int = 0, axes: int = 1) -> Any:
    """Values along one of `axes` axes.

    >>> points([1, 2, 3], axis=1, axes=2).shape
    (1, 3)
    """
    shape = [1] * axes
    shape[axis] = len(values)
    return _packed(values, tuple(shape))


def _packed(values: Sequence[Any], shape: tuple[int, ...]) -> Any:
    """An int64 array where every value is a whole number that fits, else an array of Python objects."""
    if all(isinstance(value, int) and -LARGEST <= value <= LARGEST for value in values):
        return np.array(values, dtype=np.int64).reshape(shape).view(Points)
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array.reshape(shape).view(Points)


def apply(function: Callable[..., Any], operands: Sequence[Any], sign: str = "") -> Any:
    """`function` of each entry, exactly; each distinct combination once. An entry with a UserError is noted as failing.

    >>> from decimal import Decimal
    >>> apply(lambda a, b: a * b, [points([2, 3]), Decimal("0.5")]).tolist()
    [Decimal('1.0'), Decimal('1.5')]
    """
    if sign in _NATIVE and (found := _native(sign, operands)) is not None:
        return found
    arrays = np.broadcast_arrays(*(np.asarray(operand, dtype=object) for operand in operands))
    known: dict[tuple[Any, ...], Any] = {}
    values: list[Any] = []
    failed: dict[str, list[int]] = {}
    for number, entry in enumerate(zip(*(array.ravel().tolist() for array in arrays), strict=True)):
        if entry not in known:
            try:
                known[entry] = function(*entry)
            except UserError as misfit:
                known[entry] = misfit
        found = known[entry]
        if isinstance(found, UserError):
            failed.setdefault(found.message, []).append(number)
            found = 1
        values.append(found)
    for message, places in failed.items():
        holds = np.ones(len(values), dtype=bool)
        holds[places] = False
        note(holds.reshape(arrays[0].shape), verbatim(message), UserError(message), {})
    return _packed(values, arrays[0].shape)


def _native(sign: str, operands: Sequence[Any]) -> Any:
    """What numpy gives, or None where Python must do it: decimals, a zero divisor, a result past int64."""
    for operand in operands:
        if not (isinstance(operand, int) or (hasattr(operand, "dtype") and operand.dtype.kind in "ib")):
            return None
    if any(largest(operand) > LARGEST for operand in operands):
        return None
    if sign in "//%" and not np.all(operands[1]):
        return None
    found = _NATIVE[sign](*(np.asarray(operand).view(Points) for operand in operands))
    if found.dtype == bool:
        found = found.astype(np.int64)
    return found if found.dtype == np.int64 and largest(found) <= LARGEST else None


def verbatim(message: str) -> str:
    """`message` as a text that formats to itself."""
    return message.replace("{", "{{").replace("}", "}}")


def checked(values: Any, fits: Callable[[Any], bool], message: str, field: str = "", hint: str = "") -> Any:
    """`values` with those that do not fit noted as failing and replaced by one that does, so that work goes on.

    `message` may name the value as `{found}`.
    """
    entries = values.ravel().tolist()
    known = {value: fits(value) for value in set(entries)}
    if all(known.values()):
        return values
    holds = np.array([known[value] for value in entries]).reshape(values.shape)
    note(holds, message, UserError(message, field, hint), {"found": values})
    stand_in = next((value for value, is_good in known.items() if is_good), 1)
    return _packed([value if known[value] else stand_in for value in entries], values.shape)


def note(holds: Any, message: str, misfit: UserError, facts: dict[str, Any]) -> None:
    """Tell whoever sweeps where `holds` is false; without a sweep that is an error."""
    if not collectors:
        raise misfit
    collectors[-1](holds, message, facts)


def at(value: Any, place: tuple[int, ...]) -> Any:
    """The plain value of an array, or of the arrays in a tuple or list, at one point.

    >>> at((points([4, 5]), 7), (1,))
    (5, 7)
    """
    if isinstance(value, (tuple, list)):
        return type(value)(at(item, place) for item in value)
    if not hasattr(value, "dtype"):
        return value
    entry = value[tuple(0 if size == 1 else index for size, index in zip(value.shape, place, strict=True))]
    return entry.item() if hasattr(entry, "item") else entry
