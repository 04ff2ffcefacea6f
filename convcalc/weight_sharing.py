"""Weights that two layers share: whether they can."""

from __future__ import annotations

from convcalc.errors import Problem
from convcalc.graph import Layer
from convcalc.kinds import tallied, total
from convcalc.kinds.sizes import STORED


def stored(layer: Layer) -> dict[str, int]:
    """The sizes of what a layer stores."""
    tallies = tallied(layer.kind, layer.shapes, layer.output)
    return {name: total(products) for name, products in tallies.items() if name in STORED}


def same_weights(one: Layer, other: Layer) -> bool:
    """Whether two layers can be one in what they store.

    They must store the same sizes; in kinds that differ (an embedding and the linear layer that turns it round) as much
    in all.
    """
    ours, theirs = stored(one), stored(other)
    if one.kind.name == other.kind.name:
        return ours == theirs
    return bool(ours) and sum(ours.values()) == sum(theirs.values())


def cannot_share(layer: Layer, other: Layer) -> Problem:
    """What is wrong where a spec lets two layers share weights that are not the same."""
    notes = tuple(
        f"'{one.path}': {', '.join(f'{name} {size:,}' for name, size in stored(one).items()) or 'no weights'}"
        for one in (layer, other)
    )
    what = f"'{layer.path}' shares the weights of '{other.path}', which has others"
    return Problem(what, layer.place, notes, "fields and input channels must be the same")
