"""Which outputs are one storage: views share that of their input, and what is kept twice is counted once."""

from __future__ import annotations

from math import prod
from typing import Any, NamedTuple

from convcalc.graph import Graph, Layer, Ref
from convcalc.kinds.sizes import axis_of, is_known

_VIEWS = ("identity", "flatten", "reshape", "permute", "crop", "center_crop", "slice", "split")
_STORED = ("parameter", "constant")


class Storage(NamedTuple):
    """The memory of an output: the output that it was made for, and its elements with the batch.

    `is_stored` is that of a parameter or constant, which is not an activation; `elements` is None where not known.
    """

    owner: Ref
    elements: int | None
    is_stored: bool = False


def storages(graph: Graph) -> dict[Ref, Storage]:
    """The storage of every output.

    A reshape of what was permuted is a copy.

    >>> from convcalc.loader import read
    >>> network = read("{input: 4x8x8, layers: [permute: [1, 2, 0], reshape: [-1, 4], reshape: [8, 8, 4]]}")
    >>> [found.owner.layer for found in storages(network).values()]
    [0, 0, 2, 2]
    """
    found: dict[Ref, Storage] = {}
    is_moved: dict[Ref, bool] = {}
    for layer in graph.all:
        is_view = _is_view(layer) and not (
            layer.kind.name in ("flatten", "reshape") and is_moved.get(layer.inputs[0], False)
        )
        for port, shape in enumerate(layer.outputs):
            ref = Ref(layer.index, port)
            if is_view:
                found[ref] = found[layer.inputs[0]]
                is_moved[ref] = is_moved.get(layer.inputs[0], False) or _moves(layer)
            else:
                elements = graph.batch * prod(shape) if is_known(shape) else None
                found[ref] = Storage(ref, elements, layer.kind.name in _STORED)
    return found


def _is_view(layer: Layer) -> bool:
    kind: Any = layer.kind
    if kind.name in ("dropout", "drop_path"):
        return bool(kind.rate == 0)
    return kind.name in _VIEWS


def _moves(layer: Layer) -> bool:
    """Whether the elements of a view no longer lie in the order of its axes; parts of the channels still do."""
    kind: Any = layer.kind
    if kind.name in ("crop", "center_crop"):
        return True
    if kind.name in ("slice", "split"):
        return axis_of(kind.axis, layer.shapes[0]) > 0 or getattr(kind, "step", 1) > 1
    return bool(kind.name == "permute")
