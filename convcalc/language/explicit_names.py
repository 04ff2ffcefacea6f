"""The names that a list of layers gives out itself, so that the automatic ones keep clear of them."""

from __future__ import annotations

from convcalc.syntax.node import Node


def explicit_names(items: list[Node]) -> frozenset[str]:
    """Every `name:` among the layers and their branches.

    >>> from convcalc.syntax.yaml import read
    >>> sorted(explicit_names(read("- conv: {name: a}\\n- add: [[{relu: {name: b}}], []]").value))
    ['a', 'b']
    """
    found: set[str] = set()
    _collect(items, found)
    return frozenset(found)


def _collect(items: list[Node], found: set[str]) -> None:
    for item in items:
        if not isinstance(item.value, dict):
            continue
        for key, inner in item.value.items():
            value = inner.value
            if isinstance(value, dict):
                name = value.get("name")
                if name is not None and isinstance(name.value, (str, int)):
                    found.add(str(name.value))
                value = value["branches"].value if "branches" in value else None
            if isinstance(value, list) and key != "repeat":
                for branch in value:
                    if isinstance(branch.value, list):
                        _collect(branch.value, found)
