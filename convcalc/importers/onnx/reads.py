"""What a rule has read of its node: an input or an attribute that it does not know must not pass in silence."""

from __future__ import annotations

from collections.abc import Iterator
from typing import SupportsIndex, overload

from convcalc.importers.onnx.model import Node, Unsupported
from convcalc.importers.onnx.values import Value
from convcalc.importers.onnx.without_effect import ATTRIBUTES, ATTRIBUTES_OF_ALL, INPUTS


class RecordedInputs(list["Value | None"]):
    """The inputs of a node, which remember which of them were read."""

    def __init__(self, inputs: list[Value | None]) -> None:
        super().__init__(inputs)
        self.were_read: set[int] = set()

    @overload
    def __getitem__(self, at: SupportsIndex) -> Value | None: ...
    @overload
    def __getitem__(self, at: slice) -> list[Value | None]: ...
    def __getitem__(self, at: SupportsIndex | slice) -> Value | list[Value | None] | None:
        self.were_read.update(range(len(self))[at] if isinstance(at, slice) else (range(len(self))[at],))
        return super().__getitem__(at)

    def __iter__(self) -> Iterator[Value | None]:
        self.were_read.update(range(len(self)))
        return super().__iter__()


def require_all_read(node: Node, inputs: RecordedInputs) -> None:
    """Raise Unsupported if a rule has left out an input that holds something, or an attribute that may matter."""
    for at, value in enumerate(list.__iter__(inputs)):
        if at in inputs.were_read or value is None or (node.operator, str(at)) in INPUTS:
            continue
        if value.shape is None or 0 not in value.shape:
            raise Unsupported(f"input {at} ({node.inputs[at]}) is not read")
    for name in node.unread():
        if name not in ATTRIBUTES_OF_ALL and (node.operator, name) not in ATTRIBUTES:
            raise Unsupported(f"attribute {name!r} is not read")
