"""The inputs of an ONNX model: free sizes bound by --input, and which axis is the batch."""

from __future__ import annotations

from collections.abc import Sequence

from convcalc.errors import SpecError, UserError, did_you_mean, quoted
from convcalc.importers.onnx.context import Context
from convcalc.importers.onnx.model import Node, ValueType
from convcalc.importers.onnx.order import reads
from convcalc.importers.onnx.values import Value
from convcalc.kinds import shape_text
from convcalc.kinds.fields import LARGEST
from convcalc.language.input_shapes import parse_shape

Sizes = tuple[int | str, ...]


def bind(ctx: Context, nodes: Sequence[Node], given: Sequence[str], with_batch: bool) -> int:
    """Add the inputs to the graph; return the size of the batch, which our shapes leave out. Raises SpecError."""
    model = ctx.model
    used = {name for node in nodes for name in reads(node)} | set(model.outputs)
    inputs = [value for value in model.inputs if value.name not in model.tensors and value.name in used]
    if not inputs:
        return 1
    texts = _by_name(inputs, given)
    shapes = {value.name: _stated(value) for value in inputs}
    has_batch = {name: with_batch and _has_batch(shape) for name, shape in shapes.items()}
    for name, text in texts.items():
        shapes[name], has_batch[name] = _with_sizes(name, shapes[name], text, has_batch[name], ctx.free_sizes)
    batch = next((s[0] for n, s in shapes.items() if has_batch[n] and isinstance(s[0], int)), 1)
    for name, shape in shapes.items():
        if has_batch[name] and isinstance(shape[0], str) and shape[0] not in ("", "?"):
            ctx.free_sizes.setdefault(shape[0], batch)
    for value in inputs:
        shape = shapes[value.name]
        bound = _filled_in(shape, has_batch[value.name], batch, ctx.free_sizes)
        if bound is not None and (max(bound, default=1) > LARGEST or min(bound, default=1) < 1):
            raise SpecError(f"the input {quoted(value.name)} has sizes out of range: {shape_text(bound)}")
        if bound is None:
            raise _free_sizes_error(value.name, shape, has_batch[value.name], len(inputs) > 1)
        in_batch = has_batch[value.name] and bound[0] % batch == 0
        ref = ctx.graph.add_input(value.name or "x", _inner(bound, batch if in_batch else None))
        ctx.values[value.name] = Value(bound, ref=ref, batch=0 if in_batch else None, dtype=value.dtype)
        ctx.names.taken.add(value.name)
    return batch


def _inner(shape: tuple[int, ...], batch: int | None) -> tuple[int, ...]:
    """Return an input's shape without the batch, if it has one of this size."""
    if batch is None:
        return shape or (1,)
    rest = shape[0] // batch
    return ((rest,) if rest != 1 else ()) + shape[1:] or (1,)


def _stated(value: ValueType) -> Sizes:
    if value.shape is None:
        return ("?", "?", "?", "?")
    return value.shape


def _has_batch(shape: Sizes) -> bool:
    """Return whether an input's first axis is the batch: not of a vector, and not of an image of three axes."""
    if len(shape) < 2:
        return False
    looks_like_image = len(shape) == 3 and shape[0] == 3
    return not looks_like_image


def _by_name(inputs: Sequence[ValueType], given: Sequence[str]) -> dict[str, str]:
    """Return the --input options by the name of the input."""
    names = [value.name for value in inputs]
    texts: dict[str, str] = {}
    for text in given:
        name, is_named, shape = text.rpartition("=")
        if is_named and name not in names:
            raise SpecError(f"--input: no input {quoted(name)}", did_you_mean(name, names))
        if not is_named and len(names) > 1:
            raise SpecError(
                "--input: the network has several inputs", f"write NAME=SHAPE, NAME one of: {', '.join(names[:20])}"
            )
        texts[name if is_named else names[0]] = shape
    return texts


def _with_sizes(name: str, shape: Sizes, text: str, has_batch: bool, free_sizes: dict[str, int]) -> tuple[Sizes, bool]:
    """Return an input's shape with the sizes of --input: all, all but the batch, or one for every spatial axis."""
    try:
        sizes = parse_shape(text)
    except UserError as misfit:
        raise SpecError(f"--input: {misfit.message}", misfit.hint) from None
    rank = len(shape)
    if "?" in shape:
        return (("N", *sizes), True)
    if len(sizes) == rank:
        new_shape: Sizes = sizes
    elif has_batch and len(sizes) == rank - 1:
        new_shape = (shape[0], *sizes)
    elif len(sizes) == 1 and rank > 2:
        first = 2 if has_batch else 1
        new_shape = (*shape[:first], *(sizes * (rank - first)))
    else:
        what = " x ".join(str(size or "?") for size in shape)
        raise SpecError(f"--input: {quoted(name)} is {what}, found {text}", "leave out the batch: 3x224x224")
    for old, new in zip(shape, new_shape, strict=True):
        if isinstance(old, str) and old and isinstance(new, int):
            free_sizes[old] = new
    return new_shape, has_batch


def _filled_in(shape: Sizes, has_batch: bool, batch: int, free_sizes: dict[str, int]) -> tuple[int, ...] | None:
    """Return the shape with every free size filled in; None where one is not known."""
    sizes: list[int] = []
    for axis, size in enumerate(shape):
        if isinstance(size, int):
            sizes.append(size)
        elif axis == 0 and has_batch:
            sizes.append(free_sizes.get(size, batch))
        elif size in free_sizes:
            sizes.append(free_sizes[size])
        else:
            return None
    return tuple(sizes)


def _free_sizes_error(name: str, shape: Sizes, has_batch: bool, is_named: bool) -> SpecError:
    """Return the error for sizes that neither the model nor --input gives."""
    rest = shape[1:] if has_batch else shape
    example = "x".join(str(size if isinstance(size, int) else (224 if len(rest) > 2 else 128)) for size in rest)
    what = " x ".join(str(size or "?") for size in shape)
    prefix = f"{name}=" if is_named else ""
    hint = f"give them, for example --input {prefix}{example}"
    if "?" in shape:
        return SpecError(
            f"the model does not state the shape of its input {quoted(name)}", "give it: --input 3x224x224"
        )
    return SpecError(f"the input {quoted(name)} has free sizes: {what}", hint)
