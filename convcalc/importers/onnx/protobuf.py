"""Read the protocol buffer encoding of an ONNX file, field by field, without copies.

The onnx package is not used, so that a model of any size is cheap and safe: weights are skipped, a tensor that claims
2 GB costs nothing, and no path in a file is ever opened.
Source: https://protobuf.dev/programming-guides/encoding/
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
MOST_NAME = 10_000  # bytes
Span = tuple[int, int]  # start and end of a length-delimited value
Data = Any  # bytes, or a file mapped into memory


class Malformed(Exception):
    """The bytes are not a message: what is wrong, and at which byte."""

    def __init__(self, message: str, at: int) -> None:
        super().__init__(f"{message} (byte {at:,})")


def varint(data: Data, at: int, stop: int) -> tuple[int, int]:
    """A number of 7 bits in each byte, lowest first, and the position after it.

    >>> varint(b"\\x96\\x01", 0, 2)
    (150, 2)
    """
    value = shift = 0
    start = at
    while at < stop:
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
        shift += 7
        if shift > 63:
            break
    raise Malformed("a number does not end", start)


def fields(data: Data, span: Span) -> Iterator[tuple[int, int, Any]]:
    """The fields of a message: number, wire type, and value (a whole number, or the Span of its bytes).

    >>> list(fields(b"\\x08\\x96\\x01\\x12\\x02hi", (0, 7)))
    [(1, 0, 150), (2, 2, (5, 7))]
    """
    at, stop = span
    while at < stop:
        start = at
        key = data[at]
        if key < 128:
            at += 1
        else:
            key, at = varint(data, at, stop)
        wire = key & 7
        if wire == BYTES:
            size = data[at] if at < stop else 128
            if size < 128:
                at += 1
            else:
                size, at = varint(data, at, stop)
            if size > stop - at:
                raise Malformed(f"a field claims {size:,} bytes, {max(0, stop - at):,} are left", start)
            yield key >> 3, wire, (at, at + size)
            at += size
        elif wire == VARINT:
            value, at = varint(data, at, stop)
            yield key >> 3, wire, value
        elif wire in (FIXED32, FIXED64):
            size = 4 if wire == FIXED32 else 8
            if size > stop - at:
                raise Malformed("a number is cut off", start)
            yield key >> 3, wire, (at, at + size)
            at += size
        else:
            raise Malformed(f"wire type {wire} has no meaning", start)
        if not key >> 3:
            raise Malformed("a field has the number 0", start)


def name_of(data: Data, span: Any) -> str:
    """A name, which must never be cut: two that begin alike would be one. Raises Malformed for one that is too long."""
    if isinstance(span, tuple) and span[1] - span[0] > MOST_NAME:
        raise Malformed(f"a name has {span[1] - span[0]:,} bytes, and {MOST_NAME:,} is the limit", span[0])
    return text(data, span, MOST_NAME)


def text(data: Data, span: Any, most: int) -> str:
    """The text of a field; what is longer than `most` bytes is cut, and ends in dots. Raises Malformed."""
    if not isinstance(span, tuple):
        raise Malformed("text was expected", 0)
    start, stop = span
    if stop - start <= most:
        return bytes(data[start:stop]).decode("utf-8", "replace")
    return bytes(data[start : start + most]).decode("utf-8", "replace") + "..."


def signed(value: int) -> int:
    """A 64-bit number in two's complement.

    >>> signed(2**64 - 1)
    -1
    """
    value &= 2**64 - 1
    return value - 2**64 if value >= 2**63 else value


def integers(data: Data, wire: int, value: Any) -> list[int]:
    """The numbers of a repeated field's entry: one, or all of them packed."""
    if wire == VARINT:
        return [signed(value)]
    at, stop = value
    found = []
    while at < stop:
        number, at = varint(data, at, stop)
        found.append(signed(number))
    return found
