"""Layers whose work is not known: which operators they are, where, and why."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from convcalc.graph import Graph, Layer
from convcalc.kinds import Kind

_MOST_GROUPS = 6


def operator_of(kind: Kind) -> str:
    """Return the name of the operator that a layer without a rule stands for."""
    return str(getattr(kind, "operator", kind.name))


def has_unknown_input(layer: Layer) -> bool:
    """Return whether a layer's work is unknown only because the shape of its input is, after another such layer."""
    return bool(getattr(layer.kind, "unknown_input", False))


def reason_for(layer: Layer) -> str:
    """Return why a layer's work is not known, in words.

    >>> from convcalc.kinds.primitives import Opaque
    >>> def reason(**fields):
    ...     return reason_for(Layer(0, "Gemm1", Opaque(operator="Gemm", **fields), (), (), ()))
    >>> reason(), reason(reason="a product that is not by weights"), reason(unknown_input=True)
    ('no rule for Gemm', 'a product that is not by weights', 'the shape of its input is not known')
    """
    if has_unknown_input(layer):
        return "the shape of its input is not known"
    return getattr(layer.kind, "reason", "") or f"no rule for {operator_of(layer.kind)}"


def uncounted_layers(graph: Graph) -> list[Layer]:
    """Return the layers of a network whose work is not known."""
    return [layer for layer in graph.layers if not layer.kind.is_counted]


def why_uncounted(layers: Sequence[Layer]) -> str:
    """Return why some layers are not counted, in one bounded line: which operators have no rule, and what is after.

    >>> from convcalc.kinds.primitives import Opaque
    >>> why_uncounted([Layer(1, "odd", Opaque(operator="Odd"), (), (), ())])
    'no rule for Odd (odd)'
    """
    after = [layer for layer in layers if has_unknown_input(layer)]
    named = operators_without_rule(layer for layer in layers if not has_unknown_input(layer))
    parts = [f"no rule for {named}"] * bool(named)
    if after:
        plural = len(after) > 1
        them = f"{len(after):,} layer{'s' * plural} after {'them' if named else 'others'}"
        parts.append(f"{them} {'have inputs' if plural else 'has an input'} of unknown shape")
    return "; ".join(parts)


def operators_without_rule(layers: Iterable[Layer]) -> str:
    """Return the operators of layers in one bounded line, those of one operator and reason together.

    >>> from convcalc.kinds.primitives import Opaque
    >>> gemm, magic = Opaque(operator="Gemm", reason="its input is transposed"), Opaque(operator="my.own:Magic")
    >>> kinds = {"fc1": gemm, "fc2": gemm, "Magic1": magic}
    >>> operators_without_rule(Layer(0, path, kind, (), (), ()) for path, kind in kinds.items())
    'Gemm (fc1 and 1 more: its input is transposed), my.own:Magic (Magic1)'
    """
    groups: dict[tuple[str, str], list[str]] = {}
    for layer in layers:
        groups.setdefault((operator_of(layer.kind), getattr(layer.kind, "reason", "")), []).append(layer.path)
    texts = []
    for (operator, reason), paths in list(groups.items())[:_MOST_GROUPS]:
        where = f"{paths[0]} and {len(paths) - 1:,} more" if len(paths) > 1 else paths[0]
        texts.append(f"{operator} ({where}: {reason})" if reason else f"{operator} ({where})")
    rest = sum(len(paths) for paths in list(groups.values())[_MOST_GROUPS:])
    if rest:
        texts.append(f"and {rest:,} more layer{'s' if rest > 1 else ''}")
    return ", ".join(texts)
