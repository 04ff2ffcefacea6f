"""The params of a layer held against the tensors of its rule: a mistaken shape is noticed here."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from convcalc.importers.onnx.model import Node, Unsupported
from convcalc.importers.onnx.values import Value
from convcalc.kinds import Kind, Shape

_FIELDS = ("affine", "bias", "entries", "epsilon", "slopes")  # one at least has every kind that has weights
_PARAMS = ("weights", "biases", "other_params")


def require_params_of_weights(node: Node, kind: Kind, inputs: Sequence[Shape], weights: Sequence[Value | None]) -> None:
    """Raise Unsupported where a layer counts another number of params than its weights have elements.

    Weights that are not learned may count or not. A bias of zeros that the exporter left out counts (`has_bias`). A
    layer whose `learned` says how many values its weights are made from is taken at its word.
    """
    stored = [value for value in weights if value is not None and value.ref is None]
    has_params = stored or any(hasattr(kind, name) for name in _FIELDS)
    if not has_params or isinstance(getattr(kind, "learned", None), int):
        return
    tallies = _params(kind, inputs)
    counted = sum(tallies.values())
    every, learned = (
        sum(prod(value.sizes) for value in values)
        for values in (stored, [value for value in stored if value.source_weights])
    )
    left_out = tallies["biases"] if node.has_bias else 0
    if counted - left_out not in (every, learned) and counted not in (every, learned):
        raise Unsupported(f"{kind.name} would count {counted:,} params, its weights have {learned or every:,} elements")


def _params(kind: Kind, inputs: Sequence[Shape]) -> dict[str, int]:
    """The params of a layer by tally."""
    found = dict.fromkeys(_PARAMS, 0)
    for name, sizes in kind.tally(tuple(inputs), kind.output(*inputs)):
        if name in found:
            found[name] += prod(sizes.values())
    return found
