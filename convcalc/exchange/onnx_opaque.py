"""What has no rule keeps its place in the graph: its inputs, its learned tensors, its shape where it is known."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING

from convcalc.errors import printable
from convcalc.exchange.onnx_file import Subgraph
from convcalc.exchange.onnx_model import FLOATS, Node
from convcalc.exchange.onnx_rules import RULES
from convcalc.exchange.onnx_values import Shape, Value
from convcalc.graph import Ref
from convcalc.kinds import KINDS

if TYPE_CHECKING:
    from convcalc.exchange.read_onnx import Walk


def keep_place(walk: Walk, node: Node, inputs: list[Value | None]) -> None:
    """Keep the place of a node without a rule: its inputs, its learned tensors, its shape where it is stated."""
    refs = [value.ref for value in inputs if value is not None and value.ref is not None]
    origins = {name for value in inputs if value is not None and value.is_constant for name in value.origins}
    for attribute in node.attributes.values():
        if isinstance(attribute, Subgraph):
            origins |= _inside(walk, attribute, refs)
    fresh = sorted(origins - set(walk.owners))
    learned = 0
    is_lost = any(value is None or value.shape is None for name, value in zip(node.inputs, inputs, strict=True) if name)
    for name in fresh:
        tensor = walk.model.tensors.get(name)
        learned += prod(tensor.shape) if tensor else 0
    has_batch = any(value is not None and value.batch == 0 for value in inputs)
    read = [number for number, name in enumerate(node.outputs) if name in walk.readers or name in walk.outputs]
    first = read[0] if read else 0  # it has the learned tensors
    for number, name in enumerate(node.outputs or [""]):
        shape = _stated(walk, name) or (walk.known if number == 0 else None)
        batch = 0 if has_batch and shape and shape[0] == walk.batch else None
        inner = () if shape is None else walk.inner(shape, batch)
        wide = () if any(size < 1 for size in inner) or len(inner) > 6 else inner
        kind = KINDS["opaque"](
            operator=printable(node.operator)[:100] or "?",
            **({"behind": True} if is_lost and node.operator in RULES else {}),
            **({"shape": wide} if wide else {}),
            **({"params": learned} if learned and number == first else {}),
        )
        if name and (number == first or number in read):
            ref = walk.graph.add(walk.names.path(node, kind, fresh), kind, refs)
            walk.values[name] = Value(shape if wide else None, ref=ref, batch=batch)
            for origin in fresh if number == first else ():
                walk.owners[origin] = ref.layer


def _inside(walk: Walk, body: Subgraph, refs: list[Ref]) -> set[str]:
    """Learned tensors that a branch or loop uses, and the activations that it reads (into `refs`)."""
    found: set[str] = set()
    for name, tensor in body.tensors.items():
        walk.model.tensors.setdefault(name, tensor)
        if tensor.element in FLOATS and prod(tensor.shape) > 1:
            found.add(name)
    for node in body.nodes:
        for name in node.inputs:
            value = walk.values.get(name)
            if value is not None and value.ref is None:
                found.update(value.origins)
            elif value is not None and value.ref is not None and value.ref not in refs:
                refs.append(value.ref)
        for attribute in node.attributes.values():
            if isinstance(attribute, Subgraph):
                found |= _inside(walk, attribute, refs)
    return found


def _stated(walk: Walk, name: str) -> Shape | None:
    """The shape that the file states for a value, with its free sizes filled in."""
    stated = walk.model.stated.get(name)
    if stated is None or stated.shape is None:
        return None
    sizes = [walk.symbols.get(size, 0) if isinstance(size, str) else size for size in stated.shape]
    return tuple(sizes) if all(size > 0 for size in sizes) else None
