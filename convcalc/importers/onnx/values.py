"""The values of an ONNX graph during import: activations with a reference into our graph, and constants.

Shapes here are ONNX's, with the batch. The values of a constant are a flat list, kept for small constants alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import isfinite, prod
from typing import Any

from convcalc.graph import Ref
from convcalc.importers.onnx.elements import Layout, Part, View, distinct
from convcalc.importers.onnx.model import Node, Tensor, Unsupported

Shape = tuple[int, ...]
LARGEST_SHAPE = 2**48  # elements; no layer's figures overflow, but nothing real is larger
MOST_AXES = 16


class BatchAxis(int):
    """The axis that the batch is in, and how many elements of that axis are `outer`: before the batch in order.

    Steps and batch merged into one axis are (steps, batch): outer is the number of steps. Layers hand it on as it is.
    """

    outer: int

    def __new__(cls, axis: int, outer: int = 1) -> BatchAxis:
        made = super().__new__(cls, axis)
        made.outer = outer
        return made


def moved(batch: int, axis: int) -> int:
    """The batch at another axis, with the same elements before it."""
    return BatchAxis(axis, batch.outer) if isinstance(batch, BatchAxis) else axis


class Value:
    """What an edge of the graph carries.

    An activation has a `ref` into our graph; `batch` is the axis that holds the batch, if one does. A constant has
    `data` where its values are known, `source_weights`: the parts of learned tensors that it is computed from, and
    `layout`: where its elements are in the one tensor that it is a view of, if it is one. A product with learned
    values also has `made`: the node that computes it, the node's inputs, and the index of the output.
    """

    __slots__ = ("batch", "data", "dtype", "layout", "made", "ref", "shape", "source_weights")

    def __init__(
        self,
        shape: Shape | None,
        data: list[Any] | None = None,
        ref: Ref | None = None,
        batch: int | None = None,
        source_weights: tuple[Part, ...] = (),
        dtype: int = 1,
        layout: Layout | None = None,
    ) -> None:
        self.shape, self.data, self.ref, self.batch = shape, data, ref, batch
        self.source_weights, self.dtype, self.layout = source_weights, dtype, layout
        self.made: tuple[Node, list[Value | None], int] | None = None

    @property
    def is_constant(self) -> bool:
        return self.ref is None

    @property
    def sizes(self) -> Shape:
        """The shape. Raises Unsupported if it is not known."""
        if self.shape is None:
            raise Unsupported("input of unknown shape")
        return self.shape

    @property
    def rank(self) -> int:
        """The number of axes. Raises Unsupported if it is not known."""
        return len(self.sizes)

    @property
    def has_more_sources(self) -> bool:
        """Whether it is made from more learned values than it has elements, as a row after a softmax is."""
        if self.shape is None or sum(part.elements for part in self.source_weights) <= prod(self.shape):
            return False
        return distinct(self.source_weights) > prod(self.shape)

    def sizes_of_rank(self, least: int, most: int = 0) -> Shape:
        """The shape, of `least` axes, or of `least` to `most`. Raises Unsupported.

        >>> Value((8, 3, 5, 5)).sizes_of_rank(3, 5)
        (8, 3, 5, 5)
        """
        if not least <= self.rank <= (most or least):
            raise Unsupported(f"input of rank {self.rank}")
        return self.sizes

    def scalar(self) -> float | int | None:
        """The number that a constant of one element holds; None for anything else."""
        return self.data[0] if self.data is not None and len(self.data) == 1 else None

    def floats(self) -> list[float]:
        """The values of a constant. Raises Unsupported if they are not known, or not finite."""
        if self.data is None:
            raise Unsupported("sizes or indices that depend on the input's values")
        if not all(isfinite(number) for number in self.data):
            raise Unsupported("sizes or indices that are not finite")
        return [float(number) for number in self.data]

    def ints(self) -> list[int]:
        """The values of a constant as integers. Raises Unsupported if they are not known, or not finite."""
        self.floats()
        return [int(number) for number in self.data or ()]

    def integer(self) -> int:
        """The integer that a constant of one element holds. Raises Unsupported."""
        numbers = self.ints()
        if len(numbers) != 1:
            raise Unsupported(f"{len(numbers)} numbers instead of one")
        return numbers[0]

    def __repr__(self) -> str:
        return f"Value({self.shape}, {self.ref or self.data or self.source_weights}, batch={self.batch})"


Inputs = list["Value | None"]


def checked(shape: Sequence[int]) -> Shape:
    """The shape of a layer's output. Raises Unsupported if no layer can have it."""
    sizes = tuple(shape)
    if any(size < 0 for size in sizes) or prod(sizes) > LARGEST_SHAPE or len(sizes) > MOST_AXES:
        raise Unsupported("shape out of range")
    return sizes


def constant(tensor: Tensor, source_weights: tuple[Part, ...], view: View | None = None) -> Value:
    """The value of a constant of the file, which may be a view of a learned tensor of another name."""
    if view is not None:
        part = view.layout.part(view.name, view.size, tensor.shape)
        return Value(tensor.shape, source_weights=(part,), dtype=tensor.dtype, layout=view.layout)
    is_view = [part.name for part in source_weights] == [tensor.name]
    layout = Layout.contiguous(tensor.shape) if is_view else None
    return Value(tensor.shape, tensor.values(), source_weights=source_weights, dtype=tensor.dtype, layout=layout)


def sources_of(values: Iterable[Value | None]) -> tuple[Part, ...]:
    """The parts of learned tensors that a constant is computed from, given those it is computed from directly."""
    return tuple(dict.fromkeys(part for value in values if value is not None for part in value.source_weights))


def broadcast(*shapes: Shape) -> Shape:
    """The shape that shapes broadcast to, by numpy's rules. Raises Unsupported.

    >>> broadcast((8, 1, 3), (4, 1))
    (8, 4, 3)
    """
    rank = max(map(len, shapes), default=0)
    common = []
    for sizes in zip(*((1,) * (rank - len(shape)) + shape for shape in shapes), strict=True):
        wide = {size for size in sizes if size != 1}
        if len(wide) > 1:
            raise Unsupported(f"shapes {', '.join(map(str, shapes))} do not broadcast")
        common.append(wide.pop() if wide else 1)
    return tuple(common)


def axis_at(axis: int, rank: int) -> int:
    """An axis counted from 0, where negative ones count from the end. Raises Unsupported."""
    if not -rank <= axis < rank:
        raise Unsupported(f"axis {axis} of {rank} axes")
    return axis % rank


def index_at(index: int, size: int) -> int:
    """An index counted from 0, where negative ones count from the end. Raises Unsupported."""
    if not -size <= index < size:
        raise Unsupported(f"index {index} of {size} elements")
    return index % size


def target_shape(shape: Shape, wanted: Sequence[int], allow_zero: bool = False) -> Shape:
    """The shape that Reshape gives: 0 keeps a size, -1 is computed from the others. Raises Unsupported.

    >>> target_shape((1, 48, 14, 14), [0, 48, -1])
    (1, 48, 196)
    """
    sizes = [shape[at] if size == 0 and not allow_zero and at < len(shape) else size for at, size in enumerate(wanted)]
    if sizes.count(-1) == 1:
        rest = prod(size for size in sizes if size != -1)
        if rest <= 0 or prod(shape) % rest:
            raise Unsupported(f"reshape of {shape} to {tuple(wanted)}")
        sizes[sizes.index(-1)] = prod(shape) // rest
    if prod(sizes) != prod(shape) or min(sizes, default=1) < 0:
        raise Unsupported(f"reshape of {shape} to {tuple(wanted)}")
    return tuple(sizes)


# -- the inputs and attributes of a node ---------------------------------------------------------------------------


def optional(inputs: Inputs, at: int) -> Value | None:
    """An input, or None where it is left out."""
    return inputs[at] if at < len(inputs) else None


def given(inputs: Inputs, at: int) -> Value:
    """An input that must be there. Raises Unsupported."""
    value = optional(inputs, at)
    if value is None:
        raise Unsupported(f"input {at} is missing")
    return value


def optional_ints(inputs: Inputs, at: int, default: list[int]) -> list[int]:
    """The integers of an input, or `default` where it is left out."""
    value = optional(inputs, at)
    return default if value is None else value.ints()


def bias_of(inputs: Inputs, at: int) -> Value | None:
    """The bias at an index, after its weights. Zeros that the exporter wrote for a missing bias count as none."""
    bias, weight = optional(inputs, at), optional(inputs, at - 1)
    if bias is None or bias.ref is not None or weight is None or bias.data is None or any(bias.data):
        return bias
    return None if set(bias.source_weights) <= set(weight.source_weights) else bias


def axes_of(node: Node, inputs: Inputs, at: int) -> list[int] | None:
    """`axes`, an attribute in older opsets and an input in newer ones; None where not given."""
    if node.has("axes"):
        return node.ints("axes")
    value = optional(inputs, at)
    return None if value is None else value.ints()


def per_axis(node: Node, name: str, axes: int, default: int) -> list[int]:
    """An attribute with a number for each axis, `default` where it is left out or empty. Raises Unsupported."""
    numbers = node.ints(name) or [default] * axes
    if len(numbers) != axes:
        raise Unsupported(f"attribute {name!r} has {len(numbers)} numbers for {axes} axes")
    return numbers
