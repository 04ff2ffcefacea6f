"""What has no rule keeps its place in the graph: its inputs, its learned tensors, its shape where it is known."""

from __future__ import annotations

from math import prod

from convcalc.errors import printable
from convcalc.graph import Ref
from convcalc.importers.onnx.context import Context
from convcalc.importers.onnx.model import FLOATS, Node, Subgraph
from convcalc.importers.onnx.values import Shape, Value
from convcalc.kinds import KINDS


def keep_place(ctx: Context, node: Node, inputs: list[Value | None]) -> None:
    """Keep the place of a node without a rule: its inputs, its learned tensors, its shape where it is stated."""
    refs = [value.ref for value in inputs if value is not None and value.ref is not None]
    origins = {name for value in inputs if value is not None and value.is_constant for name in value.source_weights}
    for subgraph in node.subgraphs():
        origins |= _inside(ctx, subgraph, refs)
    fresh = sorted(origins - set(ctx.owners))
    learned = 0
    is_lost = any(value is None or value.shape is None for name, value in zip(node.inputs, inputs, strict=True) if name)
    for name in fresh:
        tensor = ctx.model.tensors.get(name)
        learned += prod(tensor.shape) if tensor else 0
    has_batch = any(value is not None and value.batch == 0 for value in inputs)
    read = [number for number, name in enumerate(node.outputs) if name in ctx.readers or name in ctx.outputs]
    first = read[0] if read else 0  # it has the learned tensors
    for number, name in enumerate(node.outputs or [""]):
        shape = _stated(ctx, name) or (ctx.known if number == 0 else None)
        batch = 0 if has_batch and shape and shape[0] == ctx.batch else None
        inner = () if shape is None else ctx.inner(shape, batch)
        wide = () if any(size < 1 for size in inner) or len(inner) > 6 else inner
        kind = KINDS["opaque"](
            operator=printable(node.operator)[:100] or "?",
            **({"behind": True} if is_lost and node.operator in ctx.rules else {}),
            **({"shape": wide} if wide else {}),
            **({"params": learned} if learned and number == first else {}),
        )
        if name and (number == first or number in read):
            ref = ctx.graph.add(ctx.names.path(node, kind, fresh), kind, refs)
            ctx.values[name] = Value(shape if wide else None, ref=ref, batch=batch)
            for origin in fresh if number == first else ():
                ctx.owners[origin] = ref.layer


def _inside(ctx: Context, body: Subgraph, refs: list[Ref]) -> set[str]:
    """Learned tensors that a branch or loop uses, and the activations that it reads (into `refs`)."""
    found: set[str] = set()
    for name, tensor in body.tensors.items():
        ctx.model.tensors.setdefault(name, tensor)
        if tensor.dtype in FLOATS and prod(tensor.shape) > 1:
            found.add(name)
    for node in body.nodes:
        for name in node.inputs:
            value = ctx.values.get(name)
            if value is not None and value.ref is None:
                found.update(value.source_weights)
            elif value is not None and value.ref is not None and value.ref not in refs:
                refs.append(value.ref)
        for subgraph in node.subgraphs():
            found |= _inside(ctx, subgraph, refs)
    return found


def _stated(ctx: Context, name: str) -> Shape | None:
    """The shape that the file states for a value, with its free sizes filled in."""
    stated = ctx.model.stated.get(name)
    if stated is None or stated.shape is None:
        return None
    sizes = [ctx.symbols.get(size, 0) if isinstance(size, str) else size for size in stated.shape]
    return tuple(sizes) if all(size > 0 for size in sizes) else None
