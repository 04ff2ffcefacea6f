"""Read `share` where it is a mapping: the elements of one layer that others count."""

from __future__ import annotations

from collections.abc import Iterator

from convcalc.errors import LocatedError, did_you_mean
from convcalc.graph import Layer, Shared, learned
from convcalc.kinds import require
from convcalc.language.scope import Names, Use
from convcalc.language.variables import AlreadyReported
from convcalc.syntax.node import Node, describe

UNCOUNTED = "not_counted"  # stands for elements that no layer counts: frozen, or used twice by this one


def shared_elements(layer: Layer, names: Names, use: Use) -> tuple[Shared, ...]:
    """Return what a layer shares: for each tally a layer, or layers with the number of elements that each counts.

    Raises LocatedError, and UserError for more elements than there are.
    """
    node = use.entry.fields.get("share")
    if node is None or not isinstance(node.value, dict):
        return ()
    left = learned(layer)
    shared = []
    for tally, item in _entries(node, names, use):
        if tally not in left:
            what = f"{layer.kind.name} has no '{tally}' to share"
            raise LocatedError(what, item[0].key_place, did_you_mean(tally, [*left, UNCOUNTED]))
        _, owner, elements = item
        elements = left[tally] if elements is None else elements
        require(elements <= left[tally], "it shares more {tally} than it has", "share", tally=tally)
        require(elements >= 1, "it shares all of its {tally} already", "share", tally=tally)
        left[tally] -= elements
        if owner is not None:
            most = sum(learned(names.graph.all[owner]).values())
            require(elements <= most, "it shares more {tally} than the other layer has", "share", tally=tally)
        shared.append(Shared(tally, elements, owner))
    return tuple(shared)


def _entries(node: Node, names: Names, use: Use) -> Iterator[tuple[str, tuple[Node, int | None, int | None]]]:
    """Yield each tally with the layer that counts its elements, and how many (None: all)."""
    if not node.value:
        raise LocatedError("'share' is empty", node.place, "name a layer, or what it shares: {weights: NAME}")
    for tally, value in node.items():
        if (tally == UNCOUNTED and not isinstance(value.value, dict)) or value.value in ({}, []):
            hint = f"for example {tally}: {{weights: 100}}" if tally == UNCOUNTED else ""
            raise LocatedError(
                f"a number of elements for each of its sizes was expected, found {describe(value)}", value.place, hint
            )
        if tally == UNCOUNTED:
            for own, count in value.items():
                yield own, (count, None, _elements(count, names, use))
        elif isinstance(value.value, dict):
            for _, count in value.items():
                if count.key is not None:
                    yield tally, (count, _owner(count.key, names, use), _elements(count, names, use))
        else:
            yield tally, (value, _owner(value, names, use), None)


def _owner(node: Node, names: Names, use: Use) -> int:
    refs = names.find(node, use)
    if not refs:
        raise AlreadyReported
    return refs[0].layer


def _elements(node: Node, names: Names, use: Use) -> int:
    count = names.value(node, use)
    if isinstance(count, bool) or not isinstance(count, int) or count < 1:
        raise LocatedError(f"a number of elements was expected, found {describe(node)}", node.place)
    return count
