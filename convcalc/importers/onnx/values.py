"""Values of an ONNX graph while it is walked: activations with a place in our graph, constants, and shape arithmetic.

Shapes here are ONNX's, with the batch. Values of constants are plain lists, and only of small ones.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Sequence
from itertools import product
from math import prod
from typing import Any

from convcalc.graph import Ref
from convcalc.importers.onnx.model import MOST_READ, Node, Tensor

Shape = tuple[int, ...]
LARGEST_SHAPE = 2**48  # elements; no layer's figures overflow, but nothing real is larger


class Unsupported(Exception):
    """A node that we have no rule for: it keeps its place as an opaque layer, with a `shape` where that is known."""

    def __init__(self, message: str, shape: Shape | None = None) -> None:
        super().__init__(message)
        self.shape = shape


class Value:
    """What flows along an edge.

    An activation has a `ref` into our graph, and `batch` says which axis the batch is in (None: in none). A constant
    has `data` where its values are known, `origins`: the learned tensors it is made from, and `part`: what was cut out.
    One that comes out of a product with learned values remembers the node that `made` it, its inputs, and which of the
    outputs it is.
    """

    __slots__ = ("batch", "data", "element", "made", "origins", "part", "ref", "shape")

    def __init__(
        self,
        shape: Shape | None,
        data: list[Any] | None = None,
        ref: Ref | None = None,
        batch: int | None = None,
        origins: tuple[str, ...] = (),
        element: int = 1,
        part: tuple[Any, ...] = (),
    ) -> None:
        self.shape, self.data, self.ref, self.batch = shape, data, ref, batch
        self.origins, self.element, self.part = origins, element, part
        self.made: tuple[Node, list[Value | None], int] | None = None

    @property
    def is_constant(self) -> bool:
        return self.ref is None

    @property
    def sizes(self) -> Shape:
        """The shape, where a rule needs one. Raises Unsupported."""
        if self.shape is None:
            raise Unsupported("its input's shape is not known")
        return self.shape

    def scalar(self) -> float | int | None:
        """The one number of a constant; None for anything else."""
        return self.data[0] if self.data is not None and len(self.data) == 1 else None

    def ints(self) -> list[int]:
        """The whole numbers of a constant. Raises Unsupported where they are not known."""
        if self.data is None:
            raise Unsupported("it depends on values that only running it would tell")
        return [int(number) for number in self.data]

    def __repr__(self) -> str:
        return f"Value({self.shape}, {self.ref or self.data or self.origins}, batch={self.batch})"


def checked(shape: Sequence[int]) -> Shape:
    """A shape that a layer can have. Raises Unsupported."""
    sizes = tuple(shape)
    if any(size < 0 for size in sizes) or prod(sizes) > LARGEST_SHAPE or len(sizes) > 16:
        raise Unsupported(f"the shape {sizes} is out of range")
    return sizes


def constant(tensor: Tensor, origins: tuple[str, ...]) -> Value:
    """The value of a constant of the file, made from these learned tensors."""
    data = tensor.values()
    return Value(tensor.shape, data, origins=origins, element=tensor.element)


def broadcast(*shapes: Shape) -> Shape:
    """ONNX's (numpy's) common shape. Raises Unsupported.

    >>> broadcast((8, 1, 3), (4, 1))
    (8, 4, 3)
    """
    rank = max(map(len, shapes), default=0)
    found = []
    for sizes in zip(*((1,) * (rank - len(shape)) + shape for shape in shapes), strict=True):
        wide = {size for size in sizes if size != 1}
        if len(wide) > 1:
            raise Unsupported(f"shapes {shapes} do not fit together")
        found.append(wide.pop() if wide else 1)
    return tuple(found)


def axis_at(axis: int, rank: int) -> int:
    """An axis counted from 0. Raises Unsupported."""
    if not -rank <= axis < rank:
        raise Unsupported(f"axis {axis} of {rank}")
    return axis % rank


def target_shape(shape: Shape, wanted: Sequence[int], allow_zero: bool = False) -> Shape:
    """The shape that Reshape gives: 0 keeps a size, -1 takes what is left over. Raises Unsupported.

    >>> target_shape((1, 48, 14, 14), [0, 48, -1])
    (1, 48, 196)
    """
    sizes = [shape[at] if size == 0 and not allow_zero and at < len(shape) else size for at, size in enumerate(wanted)]
    if sizes.count(-1) == 1:
        rest = prod(size for size in sizes if size != -1)
        if rest <= 0 or prod(shape) % rest:
            raise Unsupported(f"{shape} cannot be reshaped to {tuple(wanted)}")
        sizes[sizes.index(-1)] = prod(shape) // rest
    if prod(sizes) != prod(shape) or min(sizes, default=1) < 0:
        raise Unsupported(f"{shape} cannot be reshaped to {tuple(wanted)}")
    return tuple(sizes)


def sliced(size: int, start: int, stop: int, step: int) -> range:
    """The indices that Slice takes along an axis."""
    if step == 0:
        raise Unsupported("a slice with step 0")
    return range(size)[slice(start, stop if step > 0 or stop >= -size else None, step)]


def slices(node: Node, inputs: list[Value | None]) -> list[tuple[int, int, int, int]]:
    """Axis, start, stop, step of each axis that a Slice node cuts, whether given as attributes or as inputs."""
    rank = len(given(inputs, 0).sizes)
    if node.get("starts") is not None:
        starts, stops = node.get("starts"), node.get("ends")
        axes, steps = node.get("axes", list(range(len(starts)))), [1] * len(starts)
    else:
        starts, stops = given(inputs, 1).ints(), given(inputs, 2).ints()
        axes = optional(inputs, 3, list(range(len(starts))))
        steps = optional(inputs, 4, [1] * len(starts))
    return [
        (axis_at(axis, rank), start, stop, step)
        for axis, start, stop, step in zip(axes, starts, stops, steps, strict=True)
    ]


def given(inputs: list[Value | None], at: int) -> Value:
    """An input that must be there. Raises Unsupported."""
    found = inputs[at] if at < len(inputs) else None
    if found is None:
        raise Unsupported(f"input {at} is missing")
    return found


def bias_of(inputs: list[Value | None], at: int) -> Value | None:
    """A bias behind its weights, if there is one; zeros that stand in for none, as one of PyTorch's exporters writes
    them, are none."""
    found, weight = (inputs[at] if at < len(inputs) else None), inputs[at - 1]
    if found is None or found.ref is not None or any(found.data or ()) or weight is None:
        return found
    return None if set(found.origins) <= set(weight.origins) else found


def optional(inputs: list[Value | None], at: int, default: list[int]) -> list[int]:
    """The whole numbers of an input that may be missing."""
    found = inputs[at] if at < len(inputs) else None
    return default if found is None else found.ints()


def axes_of(node: Node, inputs: list[Value | None], at: int) -> list[int] | None:
    """`axes`, as an attribute (older opsets) or as an input; None where not given."""
    axes = node.get("axes")
    if isinstance(axes, list):
        return [int(axis) for axis in axes]
    if isinstance(axes, int):
        return [axes]
    found = inputs[at] if at < len(inputs) else None
    return None if found is None else found.ints()


# -- shape arithmetic on small constants ---------------------------------------------------------------------------


def _divide(a: Any, b: Any) -> Any:
    if isinstance(a, int) and isinstance(b, int):
        found = abs(a) // abs(b)
        return found if (a < 0) == (b < 0) else -found
    return a / b


_ARITHMETIC: dict[str, Callable[..., Any]] = {
    "Add": operator.add,
    "Sub": operator.sub,
    "Mul": operator.mul,
    "Div": _divide,
    "Mod": operator.mod,
    "Pow": lambda a, b: a**b if abs(b) <= 64 and abs(a) <= 2**32 else math.nan,
    "Min": min,
    "Max": max,
    "Equal": operator.eq,
    "Less": operator.lt,
    "LessOrEqual": operator.le,
    "Greater": operator.gt,
    "GreaterOrEqual": operator.ge,
    "And": lambda a, b: bool(a) and bool(b),
    "Or": lambda a, b: bool(a) or bool(b),
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
    "Where": lambda condition, a, b: a if condition else b,
}


def arithmetic(name: str, inputs: list[Value]) -> list[Any] | None:
    """The values of an element-wise operator on constants; None where they are not known."""
    function = _ARITHMETIC.get(name)
    if function is None or any(value.data is None for value in inputs):
        return None
    shape = broadcast(*(value.sizes for value in inputs))
    if prod(shape) > MOST_READ:
        return None
    columns = [spread(value.data or [], value.sizes, shape) for value in inputs]
    try:
        found = [function(*numbers) for numbers in zip(*columns, strict=True)]
    except (ArithmeticError, ValueError, TypeError):
        return None
    return None if any(isinstance(number, complex) or abs(number) > 2**70 for number in found) else found


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
    steps = strides(padded)
    places = [step if size > 1 else 0 for size, step in zip(padded, steps, strict=True)]
    return [data[sum(map(operator.mul, index, places))] for index in product(*map(range, wanted))]


def strides(shape: Shape) -> list[int]:
    """How far apart neighbours along each axis lie.

    >>> strides((2, 3, 4))
    [12, 4, 1]
    """
    found, step = [], 1
    for size in reversed(shape):
        found.append(step)
        step *= size
    return found[::-1]


def picked(value: Value, indices: Sequence[Sequence[int]]) -> list[Any] | None:
    """The values at the given indices of each axis."""
    if value.data is None or prod(map(len, indices)) > MOST_READ:
        return None
    steps = strides(value.sizes)
    data = value.data
    try:
        return [data[sum(map(operator.mul, index, steps))] for index in product(*indices)]
    except IndexError:
        raise Unsupported("an index is out of range") from None


def transposed(value: Value, order: Sequence[int]) -> list[Any] | None:
    """The values with the axes in another order."""
    if value.data is None:
        return None
    shape, steps = value.sizes, strides(value.sizes)
    places = [steps[axis] for axis in order]
    data = value.data
    return [data[sum(map(operator.mul, index, places))] for index in product(*(range(shape[axis]) for axis in order))]


def converted(data: list[Any] | None, element: int) -> list[Any] | None:
    """Values cast to another type."""
    if data is None:
        return None
    try:
        if element in (1, 10, 11, 16):
            return [float(number) for number in data]
        if element == 9:
            return [bool(number) for number in data]
        return [int(number) for number in data]
    except (ValueError, OverflowError):
        return None
