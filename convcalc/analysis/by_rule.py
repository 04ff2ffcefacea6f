"""Layers that a user's rules count: which, and by which rule."""

from __future__ import annotations

from collections.abc import Iterable

from convcalc.graph import Layer

_MOST_RULES = 6


def rule_of(layer: Layer) -> str:
    """Return the file and line of the rule that a layer is counted by; "" for one of ours."""
    return str(getattr(layer.kind, "rule", ""))


def counted_by_rules(layers: Iterable[Layer]) -> str:
    """Return which layers users' rules count, in one bounded line; "" for none.

    >>> from convcalc.kinds.primitives import Custom
    >>> roll = Custom(operator="com.example:Roll", shape=[8], rule="rules.yaml:3")
    >>> counted_by_rules(Layer(0, path, roll, (), (), ()) for path in ("Roll1", "Roll2"))
    'counted by rules.yaml:3: com.example:Roll (Roll1 and 1 more)'
    """
    groups: dict[tuple[str, str], list[str]] = {}
    for layer in layers:
        if rule := rule_of(layer):
            groups.setdefault((rule, str(getattr(layer.kind, "operator", ""))), []).append(layer.path)
    texts = []
    for (rule, operator), paths in list(groups.items())[:_MOST_RULES]:
        where = f"{paths[0]} and {len(paths) - 1:,} more" if len(paths) > 1 else paths[0]
        texts.append(f"{rule}: {operator} ({where})")
    if len(groups) > _MOST_RULES:
        texts.append(f"and {len(groups) - _MOST_RULES:,} more rules")
    return f"counted by {', '.join(texts)}" if texts else ""
