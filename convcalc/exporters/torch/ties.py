"""Say which tensors of a layer are those of other layers, where each is a whole tensor of the same shape in PyTorch."""

from __future__ import annotations

from typing import NamedTuple

from convcalc.errors import UserError
from convcalc.graph import Graph, Layer, stored
from convcalc.kinds import Shape

_TENSORS = {"weights": "weight", "biases": "bias"}


class Tie(NamedTuple):
    """A tensor that a layer has from another one: `weight` or `bias`."""

    tensor: str
    owner: Layer


def ties(layer: Layer, graph: Graph) -> list[Tie]:
    """Return the tensors that a layer has from others. Raises UserError for elements that are no such tensor."""
    tied = []
    for tally, elements, index in layer.shared:
        owner = layer if index is None else graph.all[index]
        is_whole = elements == stored(layer).get(tally) == stored(owner).get(tally)
        fits = tally in _TENSORS and _shape(layer, tally) == _shape(owner, tally) != ()
        if index is None or not is_whole or not fits:
            other = "not counted" if index is None else f"those of '{owner.path}'"
            raise UserError(f"{elements:,} of its {tally} are {other}, and are no tensor of the same shape")
        tied.append(Tie(_TENSORS[tally], owner))
    return tied


def _shape(layer: Layer, tally: str) -> Shape:
    """The shape of a layer's weight or bias in PyTorch; () where it is not known to have one."""
    kind, output = layer.kind, layer.output
    fields = {name: getattr(kind, name) for name in kind.fields}
    if fields.get("learned", "all") != "all":
        return ()
    if kind.name == "embedding":
        return (fields["entries"], fields["features"]) if tally == "weights" else ()
    if kind.name == "linear" and fields["axis"] in (None, "last", -1):
        return (fields["features"], layer.shapes[0][-1]) if tally == "weights" else (fields["features"],)
    if kind.name not in ("conv", "transposed_conv"):
        return ()
    filters = output[0]
    if tally == "biases":
        return (filters,)
    channels, spatial = layer.shapes[0][0], len(output) - 1
    groups = channels if isinstance(fields["groups"], str) else fields["groups"]
    size = fields["kernel"]
    kernel = (size,) * spatial if isinstance(size, int) else tuple(size)
    first, second = (filters, channels) if kind.name == "conv" else (channels, filters)
    return (first, second // groups, *kernel)
