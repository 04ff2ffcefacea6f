"""A node that no rule covers keeps its place in the graph: its inputs, its learned tensors, its shape where known."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

from convcalc.errors import printable
from convcalc.graph import Ref
from convcalc.importers.onnx.context import Context
from convcalc.importers.onnx.elements import Part, distinct
from convcalc.importers.onnx.model import FLOATS, Node, Subgraph, Unsupported
from convcalc.importers.onnx.values import Shape, Value
from convcalc.kinds import KINDS
from convcalc.kinds.fields import LARGEST

_MOST_AXES = 6
_MOST_TEXT = 100  # characters that a spec's text may have


def keep_place(
    ctx: Context, node: Node, inputs: list[Value | None], error: Unsupported | None, outputs: Sequence[str] = ()
) -> None:
    """Add opaque layers for the outputs of a node whose rule raised `error`, or that has no rule; for all or some."""
    refs = [value.ref for value in inputs if value is not None and value.ref is not None]
    parts = {part for value in inputs if value is not None and value.is_constant for part in value.source_weights}
    for subgraph in node.subgraphs():
        parts |= _read_inside(ctx, subgraph, refs)
    fields = _fields(node, inputs, error)
    has_batch = any(value is not None and value.batch == 0 for value in inputs)
    names = outputs or node.outputs
    used = [n for n, name in enumerate(node.outputs) if name in names and (name in ctx.readers or name in ctx.outputs)]
    first = used[0] if used else 0  # this output's layer has the learned tensors
    for number, name in enumerate(node.outputs):
        if not name or (outputs and name not in outputs) or (number != first and number not in used):
            continue
        shape = _stated_shape(ctx, name) or (error.shape if error is not None and number == 0 else None)
        batch = 0 if has_batch and shape and shape[0] == ctx.batch else None
        inner = () if shape is None else ctx.inner(shape, batch)
        is_known = 0 < len(inner) <= _MOST_AXES and all(0 < size <= LARGEST for size in inner)
        learned = distinct(parts) if number == first else 0
        kind = KINDS["opaque"](
            **fields, **({"shape": inner} if is_known else {}), **({"params": learned} if learned else {})
        )
        ref = ctx.graph.add(ctx.names.path(node, kind, sorted({part.name for part in parts})), kind, refs)
        ctx.values[name] = Value(shape if is_known else None, ref=ref, batch=batch)
        if number == first:
            ctx.weights.use(ref.layer, [tuple(sorted(parts))])


def _fields(node: Node, inputs: list[Value | None], error: Unsupported | None) -> dict[str, Any]:
    """Return the fields that say which operator a layer is, and why its work is not known."""
    operator = f"{node.domain}:{node.operator}" if node.domain else node.operator
    fields: dict[str, Any] = {"operator": _cut(operator) or "?"}
    given = [value for name, value in zip(node.inputs, inputs, strict=True) if name]
    if error is not None and any(value is None or value.shape is None for value in given):
        fields["unknown_input"] = True
    elif error is not None and str(error):
        fields["reason"] = _cut(str(error))
    return fields


def _cut(text: str) -> str:
    """Return a text as a spec's field can hold it, which would compute a ${...}."""
    text = printable(text).replace("${", "$ {")
    return text if len(text) <= _MOST_TEXT else f"{text[: _MOST_TEXT - 3]}..."


def _read_inside(ctx: Context, subgraph: Subgraph, refs: list[Ref]) -> set[Part]:
    """Return the learned tensors that a branch or loop uses; the activations that it reads are added to `refs`."""
    parts: set[Part] = set()
    for name, tensor in subgraph.tensors.items():
        ctx.model.tensors.setdefault(name, tensor)
        if tensor.dtype in FLOATS and prod(tensor.shape) > 1:
            parts.add(Part(name, prod(tensor.shape)))
    for node in subgraph.nodes:
        for name in node.inputs:
            value = ctx.values.get(name)
            if value is not None and value.ref is None:
                parts.update(value.source_weights)
            elif value is not None and value.ref is not None and value.ref not in refs:
                refs.append(value.ref)
        for subgraph in node.subgraphs():
            parts |= _read_inside(ctx, subgraph, refs)
    return parts


def _stated_shape(ctx: Context, name: str) -> Shape | None:
    """Return the shape that the file states for a value, with its free sizes filled in."""
    stated = ctx.model.stated.get(name)
    if stated is None or stated.shape is None:
        return None
    sizes = [ctx.free_sizes.get(size, 0) if isinstance(size, str) else size for size in stated.shape]
    return tuple(sizes) if all(size > 0 for size in sizes) else None
