"""A network as it is deployed: batch norms folded into the convolutions before them, dropout gone."""

from __future__ import annotations

from copy import copy

from convcalc.graph import Graph, Group, Layer, Ref, joined_notes

_INTO = ("conv", "transposed_conv", "linear")
_IDLE = ("dropout", "drop_path", "identity")


def deploy(graph: Graph) -> Graph:
    """The same network with its batch norms folded and what only training needs left out.

    A batch norm folds where it alone reads a convolution or linear layer, with running statistics and weights that no
    other layer uses; that layer then has a bias. Others stay, and the graph's note says how many.

    >>> from convcalc.kinds.conv import Conv
    >>> from convcalc.kinds.norm import BatchNorm
    >>> before = Graph("tiny")
    >>> wide = before.add("wide", Conv(filters=4, kernel=3, bias=False), (before.add_input("image", (3, 8, 8)),))
    >>> _ = before.add("norm", BatchNorm(), (wide,))
    >>> deploy(before).layers
    [Layer('wide', Conv(filters=4, kernel=3, bias=True))]
    """
    folded = _foldable(graph)
    into = {graph.all[index].inputs[0].layer for index in folded}
    found = Graph(graph.name)
    found.batch, found.has_bits = graph.batch, graph.has_bits
    where: dict[Ref, Ref] = {}
    starts = []
    dropped = 0
    for layer in graph.all:
        starts.append(len(found.all))
        inputs = tuple(where[ref] for ref in layer.inputs)
        if layer.index in folded or layer.kind.name in _IDLE:
            dropped += layer.index not in folded
            where[Ref(layer.index)] = inputs[0]
            continue
        kind = layer.kind
        if layer.index in into:
            kind = copy(kind)
            kind.__dict__["bias"] = True
        shares = None if layer.shares is None else starts[layer.shares]
        new = Layer(len(found.all), layer.path, kind, inputs, layer.shapes, layer.outputs, shares, layer.place)
        new.via, new.bits = layer.via, layer.bits
        new.shared = tuple(
            item._replace(layer=None if item.layer is None else starts[item.layer]) for item in layer.shared
        )
        found.all.append(new)
        where.update({Ref(layer.index, port): Ref(new.index, port) for port in range(len(layer.outputs))})
    starts.append(len(found.all))
    if graph.stated_outputs is not None:
        ends = (where[Ref(index)].layer for index in graph.stated_outputs)
        found.stated_outputs = tuple(index for index in dict.fromkeys(ends) if not found.all[index].is_input) or None
    found.groups = [_moved(group, starts) for group in graph.groups]
    left = sum(layer.kind.name == "batch_norm" for layer in found.all)
    norms, layers = (f"{len(folded)} batch norm{'s'[: len(folded) != 1]}", f"layer{'s'[: dropped != 1]}")
    note = f"as deployed: {norms} folded, {dropped} dropout and identity {layers} removed"
    if left:
        unfolded = "1 batch norm has" if left == 1 else f"{left} batch norms have"
        note += f"; {unfolded} no convolution before to fold into"
    found.provenance = graph.provenance._replace(expect=None, note=joined_notes(graph.provenance.note, note))
    return found


def _moved(group: Group, starts: list[int]) -> Group:
    return group._replace(start=starts[group.start], stop=starts[group.stop])


def _foldable(graph: Graph) -> set[int]:
    """The batch norms that fold, by index."""
    readers: dict[int, int] = {}
    for layer in graph.all:
        for ref in layer.inputs:
            readers[ref.layer] = readers.get(ref.layer, 0) + 1
    shared = {layer.shares for layer in graph.all if layer.shares is not None}
    shared |= {item.layer for layer in graph.all for item in layer.shared if item.layer is not None}
    found = set()
    for layer in graph.all:
        if layer.kind.name != "batch_norm" or getattr(layer.kind, "statistic", "running") != "running":
            continue
        before = graph.all[layer.inputs[0].layer]
        is_own = all(one.shares is None and not one.shared for one in (before, layer)) and before.index not in shared
        if before.kind.name in _INTO and readers[before.index] == 1 and is_own and layer.index not in shared:
            found.add(layer.index)
    return found
