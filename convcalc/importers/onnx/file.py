"""Read an ONNX file as nodes, names and shapes. Weights are never read: only their shape and position are kept.

Field numbers are those of https://github.com/onnx/onnx/blob/main/onnx/onnx.proto.
"""

from __future__ import annotations

import mmap
import os
from array import array
from math import prod
from pathlib import Path
from typing import Any

from convcalc.errors import SpecError, quoted
from convcalc.importers.onnx.learned import names_in, says_bias, signature
from convcalc.importers.onnx.model import (
    MOST_READ,
    Attribute,
    Function,
    Model,
    Node,
    Reference,
    Subgraph,
    Tensor,
    ValueType,
)
from convcalc.importers.onnx.protobuf import (
    BYTES,
    FIXED32,
    VARINT,
    Data,
    Malformed,
    Span,
    fields,
    integers,
    name_of,
    signed,
    text,
)
from convcalc.storage import note_as_read

MOST_NODES = 250_000
MOST_ELEMENTS = 2**40  # of a tensor; the largest real ones have some 2**33
MOST_AXES = 64
MOST_NESTED = 8
MOST_METADATA = 4_000_000  # characters of PyTorch's metadata about a model's tensors
_MAGIC = {
    b"\x89PNG": "a PNG image",
    b"PK\x03\x04": "a zip archive (PyTorch, Keras)",
    b"\x89HDF": "an HDF5 file (Keras)",
    b"\xff\xd8\xff": "a JPEG image",
    b"%PDF": "a PDF file",
    b"\x1f\x8b": "gzip data",
    b"\x80\x02": "a Python pickle",
    b"\x80\x04": "a Python pickle",
    b"GGUF": "a GGUF file",
    b"\x7fELF": "a program",
    b"version https://git-lfs": "a Git LFS pointer: the model itself was not fetched",
}


def read_model(path: Path, shown: str = "") -> Model:
    """Read an ONNX file and no other: files with its weights need not be there. Raises SpecError."""
    name = shown or str(path)
    try:
        with path.open("rb") as stream:
            note_as_read(os.fstat(stream.fileno()))
            head = stream.read(64)
            if not head:
                raise SpecError(f"{quoted(name)} is empty")
            # mapped as long as one of its tensors is alive: values are read when shape arithmetic needs them
            return _Reader(mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ), name).model(head)
    except (OSError, ValueError) as error:
        raise SpecError(f"{quoted(name)} cannot be read: {getattr(error, 'strerror', None) or error}") from None


def read_bytes(data: bytes, shown: str) -> Model:
    """Read an ONNX model from memory. Raises SpecError."""
    return _Reader(data, shown).model(data[:64])


class _Reader:
    """Reads the messages of one file."""

    def __init__(self, data: Data, name: str) -> None:
        self.data = data
        self.name = name
        self.count = 0

    def model(self, head: bytes) -> Model:
        model = Model(self.name)
        graph: Span | None = None
        try:
            for number, wire, value in fields(self.data, (0, len(self.data))):
                if number == 7 and wire == BYTES:
                    graph = value
                elif number == 2:
                    model.producer = text(self.data, value, 100)
                elif number == 8 and wire == BYTES:
                    self._opset(model, value)
                elif number == 25 and wire == BYTES:
                    found = self._function(value)
                    model.functions[(found.domain, found.name, found.overload)] = found
            if graph is None:
                raise Malformed("it contains no graph", 0)
            self._graph(model, graph)
        except Malformed as error:
            self._refuse(head, str(error))
        if not model.nodes and not model.outputs:
            self._refuse(head, "its graph is empty")
        return model

    def _refuse(self, head: bytes, reason: str) -> None:
        what = next((known for magic, known in _MAGIC.items() if head.startswith(magic)), "")
        if not what and all(32 <= byte < 127 or byte in (9, 10, 13) for byte in head):
            what = "text"
        if what:
            hint = "a spec ends in .yaml" if what == "text" else ""
            raise SpecError(f"{quoted(self.name)} is not an ONNX model but {what}", hint)
        raise SpecError(
            f"{quoted(self.name)} is not an ONNX model, or truncated: {reason}", "export or download it again"
        )

    def _opset(self, model: Model, span: Span) -> None:
        domain, version = "", 0
        for number, wire, value in fields(self.data, span):
            if number == 1 and wire == BYTES:
                domain = name_of(self.data, value)
            elif number == 2 and wire == VARINT:
                version = signed(value)
        model.opsets["" if domain == "ai.onnx" else domain] = version

    def _graph(self, model: Model, span: Span) -> None:
        if sum(number == 1 for number, _, _ in fields(self.data, span)) > MOST_NODES:
            raise SpecError(f"{quoted(self.name)} has more than {MOST_NODES:,} nodes")
        for number, wire, value in fields(self.data, span):
            if wire != BYTES:
                continue
            if number == 1:
                model.nodes.append(self.node(value))
            elif number == 2:
                model.graph_name = name_of(self.data, value)
            elif number == 5:
                tensor = self.tensor(value)
                model.tensors[tensor.name] = tensor
            elif number == 11:
                model.inputs.append(self._value(value))
            elif number == 12:
                model.outputs.append(self._value(value).name)
            elif number == 13:
                stated = self._value(value)
                model.stated[stated.name] = stated
                self._made(model, stated.name, value)
            elif number == 15:
                self._sparse(model, value)
            elif number == 16:
                key, what = self._pair(value, MOST_METADATA)
                if key.endswith("graph_signature"):
                    model.parameters, model.buffers = signature(what)

    def _made(self, model: Model, name: str, span: Span) -> None:
        """Keep the tensors that PyTorch computed a value from, as its metadata names them."""
        for number, wire, value in fields(self.data, span):
            if number == 4 and wire == BYTES:
                key, what = self._pair(value, MOST_METADATA)
                if key.endswith("folded_from"):
                    model.folded_from[name] = names_in(what)

    def _sparse(self, model: Model, span: Span) -> None:
        """Keep a sparse constant: the tensor of its values has the name, its own dims are the shape."""
        shape: list[int] = []
        tensor = Tensor(self.data)
        for number, wire, value in fields(self.data, span):
            if number == 1 and wire == BYTES:
                tensor = self.tensor(value)
            elif number == 3:
                if len(shape) > MOST_AXES or (wire == BYTES and value[1] - value[0] > MOST_AXES * 10):
                    raise Malformed(f"a tensor has more than {MOST_AXES} axes", span[0])
                shape.extend(integers(self.data, wire, value))
        tensor.raw, tensor.packed, tensor.shape = None, [], _sizes(shape)
        model.tensors[tensor.name] = tensor

    def node(self, span: Span, depth: int = 0) -> Node:
        self.count += 1
        if self.count > MOST_NODES:
            raise SpecError(f"{quoted(self.name)} has more than {MOST_NODES:,} nodes")
        node, data = Node(), self.data
        for number, wire, value in fields(data, span):
            if wire != BYTES:
                continue
            if number == 1:
                node.inputs.append(name_of(data, value))
            elif number == 2:
                node.outputs.append(name_of(data, value))
            elif number == 3:
                node.name = text(data, value, 1000)
            elif number == 4:
                node.operator = name_of(data, value)
            elif number == 5:
                node.set_attribute(*self._attribute(value, depth))
            elif number == 7:
                domain = name_of(data, value)
                node.domain = "" if domain == "ai.onnx" else domain
            elif number == 8:
                node.overload = name_of(data, value)
            elif number == 9:
                key, what = self._pair(value)
                if key == "pkg.torch.onnx.name_scopes":
                    node.module = what
                elif key == "pkg.torch.onnx.fx_node":
                    node.has_bias = says_bias(what)
        return node

    def _pair(self, span: Span, most: int = 4000) -> tuple[str, str]:
        key = what = ""
        for number, _, value in fields(self.data, span):
            if number == 1:
                key = name_of(self.data, value)
            elif number == 2:
                what = text(self.data, value, most)
        return key, what

    def _attribute(self, span: Span, depth: int) -> tuple[str, Attribute]:
        """The name and value of an attribute; a reference to a function's attribute is kept as Reference."""
        name = reference = ""
        what: Any = None
        data = self.data
        numbers: list[Any] = []
        for number, wire, value in fields(data, span):
            if number == 1 and wire == BYTES:
                name = name_of(data, value)
            elif number == 21 and wire == BYTES:
                reference = name_of(data, value)
            elif number == 2 and wire == FIXED32:
                what = _float(data, value)
            elif number == 3 and wire == VARINT:
                what = signed(value)
            elif number == 4 and wire == BYTES:
                what = text(data, value, 1000)
            elif number == 5 and wire == BYTES:
                what = self.tensor(value)
            elif number == 6 and wire == BYTES:
                what = self._subgraph(value, depth)
            elif number == 7:
                numbers.extend(_floats(data, wire, value))
            elif number == 8:
                if wire == BYTES and value[1] - value[0] > MOST_READ * 10:
                    raise Malformed("a list of numbers is too long", value[0])
                numbers.extend(integers(data, wire, value))
            elif number == 9 and wire == BYTES:
                numbers.append(text(data, value, 1000))
        return name, Reference(reference) if reference else what if what is not None else numbers

    def tensor(self, span: Span) -> Tensor:
        tensor, data = Tensor(self.data), self.data
        dims: list[int] = []
        for number, wire, value in fields(data, span):
            if number == 1:
                if wire == BYTES and value[1] - value[0] > MOST_AXES * 10:
                    raise Malformed(f"a tensor has more than {MOST_AXES} axes", value[0])
                dims.extend(integers(data, wire, value))
                if len(dims) > MOST_AXES:
                    raise Malformed(f"a tensor has more than {MOST_AXES} axes", span[0])
            elif number == 2 and wire == VARINT:
                tensor.dtype = value
            elif number == 8 and wire == BYTES:
                tensor.name = name_of(data, value)
            elif number == 9 and wire == BYTES:
                tensor.raw = value
            elif number in (4, 5, 7, 10, 11) and len(tensor.packed) <= MOST_READ:
                tensor.packed.append((number, wire, value))
        tensor.shape = _sizes(dims)
        if prod(tensor.shape) > MOST_ELEMENTS:
            shape = "x".join(map(str, tensor.shape))
            raise SpecError(f"{quoted(self.name)}: the tensor {quoted(tensor.name)} claims {shape[:200]} elements")
        return tensor

    def _value(self, span: Span) -> ValueType:
        found = ValueType()
        for number, wire, value in fields(self.data, span):
            if number == 1 and wire == BYTES:
                found.name = name_of(self.data, value)
            elif number == 2 and wire == BYTES:
                for kind, kind_wire, inner in fields(self.data, value):
                    if kind in (1, 8) and kind_wire == BYTES:
                        self._tensor_type(found, inner)
        return found

    def _tensor_type(self, found: ValueType, span: Span) -> None:
        for number, wire, value in fields(self.data, span):
            if number == 1 and wire == VARINT:
                found.dtype = value
            elif number == 2 and wire == BYTES:
                sizes: list[int | str] = []
                for axis, axis_wire, inner in fields(self.data, value):
                    if axis == 1 and axis_wire == BYTES and len(sizes) < MOST_AXES:
                        sizes.append(self._size(inner))
                found.shape = tuple(sizes)

    def _size(self, span: Span) -> int | str:
        size: int | str = ""
        for number, wire, value in fields(self.data, span):
            if number == 1 and wire == VARINT:
                size = signed(value)
            elif number == 2 and wire == BYTES:
                size = name_of(self.data, value)
        return size if not isinstance(size, int) or size > 0 else ""

    def _subgraph(self, span: Span, depth: int) -> Subgraph:
        if depth >= MOST_NESTED:
            raise Malformed(f"graphs nest deeper than {MOST_NESTED}", span[0])
        found = Subgraph()
        for number, wire, value in fields(self.data, span):
            if wire == BYTES and number == 1:
                found.nodes.append(self.node(value, depth + 1))
            elif wire == BYTES and number == 5:
                tensor = self.tensor(value)
                found.tensors[tensor.name] = tensor
            elif wire == BYTES and number == 11:
                found.inputs.append(self._value(value).name)
            elif wire == BYTES and number == 12:
                found.outputs.append(self._value(value).name)
        return found

    def _function(self, span: Span) -> Function:
        found, data = Function(), self.data
        for number, wire, value in fields(data, span):
            if wire != BYTES:
                continue
            if number == 1:
                found.name = name_of(data, value)
            elif number == 4:
                found.inputs.append(name_of(data, value))
            elif number == 5:
                found.outputs.append(name_of(data, value))
            elif number == 7:
                found.nodes.append(self.node(value))
            elif number == 10:
                domain = name_of(data, value)
                found.domain = "" if domain == "ai.onnx" else domain
            elif number == 11:
                found.defaults.setdefault(*self._attribute(value, 0))
            elif number == 13:
                found.overload = name_of(data, value)
        return found


def _sizes(dims: list[int]) -> tuple[int, ...]:
    for size in dims:
        if size < 0:
            raise Malformed(f"a tensor has {size} elements along an axis", 0)
    return tuple(dims)


def _float(data: Data, span: Span) -> float:
    numbers = array("f")
    numbers.frombytes(bytes(data[span[0] : span[1]]))
    return float(numbers[0])


def _floats(data: Data, wire: int, value: Any) -> list[float]:
    if wire == VARINT:
        raise Malformed("a number was expected", 0)
    start, stop = value
    if (stop - start) % 4 or stop - start > MOST_READ * 4:
        raise Malformed("a list of numbers is cut off, or too long", start)
    numbers = array("f")
    numbers.frombytes(bytes(data[start:stop]))
    return numbers.tolist()
