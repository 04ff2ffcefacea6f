"""An ONNX model in memory: nodes, names, shapes; of a tensor, its shape and where in the file its values are."""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from math import prod
from typing import Any, TypeAlias

from convcalc.importers.onnx.elements import View
from convcalc.importers.onnx.protobuf import VARINT, Data, Malformed, Span, integers

MOST_READ = 4096  # values of a constant that are read: shape arithmetic and scalars, never weights
FLOATS = (1, 10, 11, 16)
# data type -> letter of the array module
_LETTERS = {1: "f", 2: "B", 3: "b", 4: "H", 5: "h", 6: "i", 7: "q", 9: "b", 11: "d", 12: "I", 13: "Q"}


Attribute = Any  # int, float, str, Tensor, Subgraph, Reference, or a list: read through Node's typed methods alone
Whole: TypeAlias = int  # the types in Node, where methods have their names
Real: TypeAlias = float


class Tensor:
    """A constant of the file: name, shape, dtype, and where its values are stored."""

    __slots__ = ("data", "dtype", "name", "packed", "raw", "shape")

    def __init__(self, data: Data) -> None:
        self.data = data
        self.name = ""
        self.shape: tuple[int, ...] = ()
        self.dtype = 0
        self.raw: Span | None = None
        self.packed: list[tuple[int, int, Any]] = []

    def values(self) -> list[Any] | None:
        """The values, flat; None where there are many, or none in this file that can be read."""
        count = prod(self.shape)
        if count > MOST_READ:
            return None
        if count == 0:
            return []
        try:
            found = self._raw() if self.raw else self._packed()
        except Malformed:
            return None
        return found if found is not None and len(found) == count else None

    def is_mask(self) -> bool:
        """Whether its first values are of two kinds only, as those of a mask are and weights never."""
        if self.dtype != 1 or not self.raw or prod(self.shape) < 3:
            return False
        start, stop = self.raw
        numbers = array("f")
        numbers.frombytes(bytes(self.data[start : min(stop, start + 4 * MOST_READ)])[: (stop - start) // 4 * 4])
        return len(set(numbers)) == 2

    def _raw(self) -> list[Any] | None:
        letter = _LETTERS.get(self.dtype)
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
            if len(found) > MOST_READ or (wire != VARINT and value[1] - value[0] > MOST_READ * 10):
                return None
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


class Unsupported(Exception):
    """The form of a node that no rule covers, as a noun phrase; `shape` is the output's where that is known anyway."""

    def __init__(self, reason: str, shape: tuple[int, ...] | None = None) -> None:
        super().__init__(reason)
        self.shape = shape


class Node:
    """An operator: what it is called, its inputs and outputs by name, and the module it comes from.

    Attributes are read by type: one of another type than the operator defines raises Unsupported. What was read is
    remembered, so that an attribute that a rule does not know is noticed.
    """

    __slots__ = (
        *("_attributes", "domain", "has_bias", "inputs", "module", "name"),
        *("operator", "outputs", "overload", "were_read"),
    )

    def __init__(
        self, operator: str = "", inputs: Sequence[str] = (), outputs: Sequence[str] = (), **attributes: Attribute
    ) -> None:
        self.operator = operator
        self.domain = self.name = self.module = self.overload = ""
        self.inputs, self.outputs = [*inputs], [*outputs]
        self._attributes = attributes
        self.were_read: set[str] = set()  # attributes that were read, of this node or of a copy
        self.has_bias = False  # the module has a bias: if the file has none, it was all zeros and left out

    def copy(self) -> Node:
        """Another node with the same operator, names and attributes."""
        node = Node(self.operator, self.inputs, self.outputs)
        node._attributes, node.were_read = {**self._attributes}, self.were_read
        node.domain, node.overload, node.name, node.module = self.domain, self.overload, self.name, self.module
        return node

    def set_attribute(self, name: str, value: Attribute) -> None:
        """Set an attribute; of several with one name the first counts."""
        if name:
            self._attributes.setdefault(name, value)

    @property
    def size(self) -> int:
        """How much a copy of it takes: its names and attributes."""
        return 1 + len(self.inputs) + len(self.outputs) + len(self._attributes)

    def resolve(self, call: Node, defaults: Mapping[str, Attribute]) -> None:
        """Replace references to the attributes of a function by those of its `call`."""
        given = call._attributes  # not merged with the defaults: a call may have thousands, for each of many nodes
        resolved = {
            name: given.get(str(value), defaults.get(str(value))) if isinstance(value, Reference) else value
            for name, value in self._attributes.items()
        }
        self._attributes = {name: value for name, value in resolved.items() if value is not None}

    def has(self, name: str) -> bool:
        """Whether an attribute is given."""
        return name in self._attributes

    def unread(self) -> dict[str, Attribute]:
        """The attributes that were not read.

        >>> node = Node("Softmax", axis=2, beta=0.5)
        >>> node.int("axis"), node.unread()
        (2, {'beta': 0.5})
        """
        return {name: value for name, value in self._attributes.items() if name not in self.were_read}

    def _read(self, name: str, default: Attribute = None) -> Attribute:
        self.were_read.add(name)
        return self._attributes.get(name, default)

    def int(self, name: str, default: Whole = 0) -> Whole:
        """A whole number.

        >>> Node("Softmax", axis=2).int("axis", -1), Node("Softmax").int("axis", -1)
        (2, -1)
        """
        value = self._read(name, default)
        if not isinstance(value, int):
            raise Unsupported(f"attribute {name!r} is not a whole number")
        return value

    def float(self, name: str, default: Real = 0.0) -> Real:
        """A number, which may be infinite."""
        value = self._read(name, default)
        if not isinstance(value, (int, float)):
            raise Unsupported(f"attribute {name!r} is not a number")
        return value

    def ints(self, name: str, default: Sequence[Whole] = ()) -> list[Whole]:
        """A list of whole numbers.

        >>> Node("Transpose", perm=[1, 0]).ints("perm")
        [1, 0]
        """
        value = self._read(name, default)
        if not isinstance(value, (list, tuple)) or not all(isinstance(number, int) for number in value):
            raise Unsupported(f"attribute {name!r} is not a list of integers")
        return [*value]

    def floats(self, name: str, default: Sequence[Real] = ()) -> list[Real]:
        """A list of numbers, which may be infinite."""
        value = self._read(name, default)
        if not isinstance(value, (list, tuple)) or not all(isinstance(number, (int, float)) for number in value):
            raise Unsupported(f"attribute {name!r} is not a list of numbers")
        return [*value]

    def text(self, name: str, default: str = "") -> str:
        """A text."""
        value = self._read(name, default)
        if not isinstance(value, str) or isinstance(value, Reference):
            raise Unsupported(f"attribute {name!r} is not a text")
        return value

    def texts(self, name: str) -> list[str]:
        """A list of texts."""
        value = self._read(name, ())
        if not isinstance(value, (list, tuple)) or not all(isinstance(text, str) for text in value):
            raise Unsupported(f"attribute {name!r} is not a list of texts")
        return [*value]

    def tensor(self, name: str) -> Tensor | None:
        """A tensor, if it is given."""
        value = self._read(name)
        if value is not None and not isinstance(value, Tensor):
            raise Unsupported(f"attribute {name!r} is not a tensor")
        return value

    def subgraph(self, name: str) -> Subgraph:
        """A graph: the branch of a condition, the body of a loop."""
        value = self._read(name)
        if not isinstance(value, Subgraph):
            raise Unsupported(f"attribute {name!r} is not a graph")
        return value

    def subgraphs(self) -> list[Subgraph]:
        """Every attribute that is a graph."""
        return [value for value in self._attributes.values() if isinstance(value, Subgraph)]

    def __repr__(self) -> str:
        return f"{self.operator}({', '.join(self.inputs)}) -> {', '.join(self.outputs)}"


class Subgraph:
    """The graph of a branch or of a loop's body."""

    __slots__ = ("inputs", "nodes", "outputs", "tensors")

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self.tensors: dict[str, Tensor] = {}
        self.inputs: list[str] = []
        self.outputs: list[str] = []


class ValueType:
    """The stated type of a value: its dtype, and its shape with names for free sizes (None: not stated)."""

    __slots__ = ("dtype", "name", "shape")

    def __init__(self) -> None:
        self.name = ""
        self.dtype = 0
        self.shape: tuple[int | str, ...] | None = None


class Function:
    """A function of the model: nodes that replace the node that calls it."""

    def __init__(self) -> None:
        self.name = self.domain = self.overload = ""
        self.inputs: list[str] = []
        self.outputs: list[str] = []
        self.nodes: list[Node] = []
        self.defaults: dict[str, Attribute] = {}


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
        self.parameters: frozenset[str] = frozenset()  # tensors that the file calls learned
        self.buffers: frozenset[str] = frozenset()  # and those that it calls not learned
        self.views: dict[str, View] = {}  # tensor -> the parameter of a module that it is, or is a view of
        self.sizes: dict[str, int] = {}  # of all parameters of a module
        self.read_in_vain: frozenset[str] = frozenset()  # parameters of a module that work reads which no output needs
        self.unwritten: tuple[str, ...] = ()  # results that no output needs, which PyTorch cannot write, by name
        # how the code of a module calls each of its operations, by PyTorch's name: module, function or operator
        self.calls: dict[str, str] | None = None
        self.folded_from: dict[str, tuple[str, ...]] = {}  # tensor that the exporter computed -> its sources


class Reference(str):
    """The name of a function's attribute, as the attribute of a node inside the function."""
