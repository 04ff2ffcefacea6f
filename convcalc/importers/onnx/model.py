"""An ONNX model in memory: nodes, names, shapes. Of a tensor only its shape is known, and where its values lie."""

from __future__ import annotations

from array import array
from math import prod
from typing import Any

from convcalc.importers.onnx.protobuf import VARINT, Data, Span, integers

MOST_READ = 4096  # elements of a constant whose values are read: shape arithmetic and scalars, never weights
FLOATS = (1, 10, 11, 16)
# data type -> letter of the array module
_LETTERS = {1: "f", 2: "B", 3: "b", 4: "H", 5: "h", 6: "i", 7: "q", 9: "b", 11: "d", 12: "I", 13: "Q"}


class Tensor:
    """A constant of the file: name, shape, data type, and where its values lie."""

    __slots__ = ("data", "element", "name", "packed", "raw", "shape")

    def __init__(self, data: Data) -> None:
        self.data = data
        self.name = ""
        self.shape: tuple[int, ...] = ()
        self.element = 0
        self.raw: Span | None = None
        self.packed: list[tuple[int, int, Any]] = []

    def values(self) -> list[Any] | None:
        """The values, flat; None where there are many, or none in this file."""
        count = prod(self.shape)
        if count > MOST_READ:
            return None
        if count == 0:
            return []
        found = self._raw() if self.raw else self._packed()
        return found if found is not None and len(found) == count else None

    def is_mask(self) -> bool:
        """Whether its first values are two in turn, as those of a mask are and weights never."""
        if self.element != 1 or not self.raw or prod(self.shape) < 3:
            return False
        start, stop = self.raw
        numbers = array("f")
        numbers.frombytes(bytes(self.data[start : min(stop, start + 4 * MOST_READ)])[: (stop - start) // 4 * 4])
        return len(set(numbers)) == 2

    def _raw(self) -> list[Any] | None:
        letter = _LETTERS.get(self.element)
        if letter is None or self.raw is None:
            return None
        start, stop = self.raw
        numbers = array(letter)
        if stop - start != prod(self.shape) * numbers.itemsize:
            return None
        numbers.frombytes(bytes(self.data[start:stop]))
        return numbers.tolist()

    def _packed(self) -> list[Any] | None:
        found: list[Any] = []
        for number, wire, value in self.packed:
            if number in (5, 7, 11):
                found.extend(integers(self.data, wire, value))
            elif wire != VARINT:
                letter = "f" if number == 4 else "d"
                numbers = array(letter)
                size = value[1] - value[0]
                if size % numbers.itemsize or size > MOST_READ * 8:
                    return None
                numbers.frombytes(bytes(self.data[value[0] : value[1]]))
                found.extend(numbers.tolist())
        return found


class Node:
    """An operator: what it is called, its inputs and outputs by name, its attributes, and the module it comes from."""

    __slots__ = ("attributes", "domain", "has_bias", "inputs", "module", "name", "operator", "outputs", "overload")

    def __init__(self) -> None:
        self.operator = self.domain = self.name = self.module = self.overload = ""
        self.inputs: list[str] = []
        self.outputs: list[str] = []
        self.attributes: dict[str, Any] = {}
        self.has_bias = False  # the module has one, zeros that the exporter may have left out

    def get(self, name: str, default: Any = None) -> Any:
        """An attribute, or what it is where it is not given."""
        return self.attributes.get(name, default)

    def __repr__(self) -> str:
        return f"{self.operator}({', '.join(self.inputs)}) -> {', '.join(self.outputs)}"


class ValueType:
    """The stated type of a value: its element type, and its shape with names for what is free (None: not stated)."""

    __slots__ = ("element", "name", "shape")

    def __init__(self) -> None:
        self.name = ""
        self.element = 0
        self.shape: tuple[int | str, ...] | None = None


class Function:
    """A function of the model: nodes that stand for one."""

    def __init__(self) -> None:
        self.name = self.domain = self.overload = ""
        self.inputs: list[str] = []
        self.outputs: list[str] = []
        self.nodes: list[Node] = []
        self.defaults: dict[str, Any] = {}


class Model:
    """An ONNX file, read."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.producer = self.graph_name = ""
        self.opsets: dict[str, int] = {}
        self.nodes: list[Node] = []
        self.tensors: dict[str, Tensor] = {}
        self.inputs: list[ValueType] = []
        self.outputs: list[str] = []
        self.stated: dict[str, ValueType] = {}
        self.functions: dict[tuple[str, str, str], Function] = {}
        self.parameters: frozenset[str] = frozenset()  # tensors that are known to be learned
        self.buffers: frozenset[str] = frozenset()  # and not to be
        self.made_from: dict[str, tuple[str, ...]] = {}  # tensors that the exporter worked out, and from which


class Reference(str):
    """An attribute of a function's node that is the function's own, by name."""
