"""Rules for ONNX operators that move elements: reshaping, slicing, gathering, joining; and what is known of shapes.

A rule takes the walk, the node, and its inputs; it gives the outputs. On constants it gives constants.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product
from math import ceil, floor, prod
from typing import TYPE_CHECKING, Any

from convcalc.exchange.modules import is_parameter
from convcalc.exchange.onnx_file import FLOATS, MOST_READ, Node, Tensor
from convcalc.exchange.onnx_values import (
    NoRule,
    Shape,
    Value,
    axes_of,
    axis_at,
    broadcast,
    checked,
    converted,
    given,
    optional,
    picked,
    sliced,
    slices,
    spread,
    target_shape,
    transposed,
)
from convcalc.graph import Ref

if TYPE_CHECKING:
    from convcalc.exchange.read_onnx import Walk

Inputs = list["Value | None"]
RULES: dict[str, Callable[[Any, Node, Inputs], list[Value]]] = {}


def rule(*names: str) -> Callable[[Any], Any]:
    """The function below is the rule for these operators."""

    def register(function: Any) -> Any:
        RULES.update(dict.fromkeys(names, function))
        return function

    return register


def like(value: Value, shape: Sequence[int], data: list[Any] | None = None, element: int = 0) -> Value:
    """A constant made from another."""
    return Value(checked(shape), data, origins=value.origins, element=element or value.element)


# -- constants and what is known of shapes -------------------------------------------------------------------------


@rule("Constant")
def constant_node(walk: Walk, node: Node, inputs: Inputs) -> list[Value]:
    for key, value in node.attributes.items():
        if isinstance(value, Tensor):
            return [Value(value.shape, value.values(), element=value.element)]
        if key in ("value_float", "value_int"):
            return [Value((), [value], element=1 if key == "value_float" else 7)]
        if key in ("value_floats", "value_ints"):
            return [Value((len(value),), value, element=1 if key == "value_floats" else 7)]
    raise NoRule("a constant without a value")


@rule("ConstantOfShape")
def constant_of_shape(walk: Walk, node: Node, inputs: Inputs) -> list[Value]:
    shape = checked(given(inputs, 0).ints())
    tensor = node.get("value")
    element = tensor.element if isinstance(tensor, Tensor) else 1
    fill = (tensor.values() or [0])[0] if isinstance(tensor, Tensor) else 0.0
    data = [fill] * prod(shape) if prod(shape) <= MOST_READ else None
    # filled from a shape that is stored in the file: a stand-in for weights, as files without weights have it
    is_stored = node.inputs[0] in walk.model.tensors and walk.model.producer not in ("pytorch", "tf2onnx")
    is_stand_in = is_stored and element in FLOATS and prod(shape) > 1
    return [Value(shape, data, origins=(node.outputs[0],) if is_stand_in else (), element=element)]


@rule("Shape")
def shape_of(walk: Walk, node: Node, inputs: Inputs) -> list[Value]:
    shape = given(inputs, 0).sizes
    part = shape[slice(node.get("start", 0), node.get("end"))]
    return [Value((len(part),), list(part), element=7)]


@rule("Size")
def size_of(walk: Walk, node: Node, inputs: Inputs) -> list[Value]:
    return [Value((), [prod(given(inputs, 0).sizes)], element=7)]


@rule("Range")
def number_range(walk: Walk, node: Node, inputs: Inputs) -> list[Value]:
    start, stop, step = (given(inputs, at).scalar() for at in range(3))
    if start is None or stop is None or not step:
        raise NoRule("a range of unknown length")
    count = max(0, ceil((stop - start) / step))
    data = [start + step * number for number in range(count)] if count <= MOST_READ else None
    return [Value(checked((count,)), data, element=given(inputs, 0).element)]


@rule("NonZero")
def non_zero(walk: Walk, node: Node, inputs: Inputs) -> list[Value]:
    value = given(inputs, 0)
    if value.data is None:
        raise NoRule("how many there are, only running it would tell")
    places = [index for index, number in zip(product(*map(range, value.sizes)), value.data, strict=True) if number]
    data = [index[axis] for axis in range(len(value.sizes)) for index in places]
    return [Value((len(value.sizes), len(places)), data, element=7)]


# -- the same elements ---------------------------------------------------------------------------------------------


@rule("Identity", "Dropout", "StopGradient", "Optional", "OptionalGetElement", "DequantizeLinear", "QuantizeLinear")
def passed(walk: Walk, node: Node, inputs: Inputs) -> list[Value]:
    value = given(inputs, 0)
    tensor = walk.model.tensors.get(node.inputs[0])
    if node.operator == "Identity" and tensor is not None and value.origins and is_parameter(node.outputs[0]):
        # one stored tensor for several parameters that were equal when the file was written: PyTorch does this
        walk.model.tensors.setdefault(node.outputs[0], tensor)
        return [Value(value.shape, value.data, origins=(node.outputs[0],), element=value.element)]
    return [value]


@rule("Cast", "CastLike")
def cast(walk: Walk, node: Node, inputs: Inputs) -> list[Value]:
    value = given(inputs, 0)
    element = node.get("to", 0) or given(inputs, 1).element
    if value.ref is not None:
        return [Value(value.shape, ref=value.ref, batch=value.batch, element=element)]
    return [like(value, value.sizes, converted(value.data, element), element)]


def reshaped(walk: Walk, node: Node, value: Value, shape: Shape, batch: int | None) -> Value:
    """A value in another shape, as a layer only where it is another shape without the batch too."""
    if value.ref is None:
        return like(value, shape, value.data)
    ref = walk.view(node, value, walk.inner(checked(shape), batch))
    return Value(shape, ref=ref, batch=batch, element=value.element)


def batch_after(walk: Walk, value: Value, shape: Shape) -> int | None:
    """Where a reshape puts the batch: the axis that as many elements lie before."""
    if value.batch is None:
        return None
    before = prod(value.sizes[: value.batch])
    fits = [
        at
        for at, size in enumerate(shape)
        if prod(shape[:at]) == before and size % walk.batch == 0 and size >= walk.batch
    ]
    exact = [at for at in fits if shape[at] == walk.batch]
    return (exact or fits or [None])[0]  # type: ignore[list-item]


@rule("Reshape")
def reshape(walk: Walk, node: Node, inputs: Inputs) -> list[Value]:
    value = given(inputs, 0)
    wanted = node.get("shape") if len(inputs) < 2 else given(inputs, 1).ints()
    shape = target_shape(value.sizes, wanted, bool(node.get("allowzero", 0)))
    shuffled = _shuffled(walk, node, value, shape)
    if shuffled is not None:
        return [shuffled]
    return [reshaped(walk, node, value, shape, batch_after(walk, value, shape))]


def _shuffled(walk: Walk, node: Node, value: Value, shape: Shape) -> Value | None:
    """Channels cut into groups, groups and members swapped, and joined again: a channel shuffle."""
    if value.ref is None or value.batch != 0 or len(value.sizes) != 4 or len(shape) != 5:
        return None
    swap = walk.only_reader(node.outputs[0], ("Transpose",))
    back = walk.only_reader(swap.outputs[0], ("Reshape",)) if swap is not None else None
    if swap is None or back is None or swap.get("perm") != [0, 2, 1, 3, 4] or shape[3:] != value.sizes[2:]:
        return None
    target = walk.values.get(back.inputs[1]) if len(back.inputs) > 1 else None
    wanted = back.get("shape") or (target.data if target is not None else None)
    if wanted is None or target_shape(value.sizes, [int(size) for size in wanted]) != value.sizes:
        return None
    walk.skip.update((id(swap), id(back)))
    walk.renamed[id(node)] = back.outputs[0]
    return walk.layer(node, "channel_shuffle", [value], value.sizes, 0, groups=shape[1])


@rule("Flatten")
def flatten(walk: Walk, node: Node, inputs: Inputs) -> list[Value]:
    value = given(inputs, 0)
    axis = node.get("axis", 1)
    axis = axis + len(value.sizes) if axis < 0 else axis
    shape = (prod(value.sizes[:axis]), prod(value.sizes[axis:]))
    return [reshaped(walk, node, value, shape, batch_after(walk, value, shape))]


@rule("Squeeze")
def squeeze(walk: Walk, node: Node, inputs: Inputs) -> list[Value]:
    value = given(inputs, 0)
    axes = axes_of(node, inputs, 1)
    rank = len(value.sizes)
    gone = (
        {at for at, size in enumerate(value.sizes) if size == 1}
        if axes is None
        else {axis_at(axis, rank) for axis in axes}
    )
    if any(value.sizes[at] != 1 for at in gone):
        raise NoRule("only axes of size 1 can go away")
    return [dropped(walk, node, value, gone)]


def dropped(walk: Walk, node: Node, value: Value, gone: set[int]) -> Value:
    """A value without some axes of size 1."""
    shape = tuple(size for at, size in enumerate(value.sizes) if at not in gone)
    batch = value.batch
    if batch is not None:
        batch = None if batch in gone else batch - sum(at < batch for at in gone)
    return reshaped(walk, node, value, shape, batch)


@rule("Unsqueeze")
def unsqueeze(walk: Walk, node: Node, inputs: Inputs) -> list[Value]:
    value = given(inputs, 0)
    axes = axes_of(node, inputs, 1) or []
    rank = len(value.sizes) + len(axes)
    new = {axis_at(axis, rank) for axis in axes}
    old = iter(value.sizes)
    shape = tuple(1 if at in new else next(old) for at in range(rank))
    batch = value.batch
    if batch is not None:
        batch = [at for at in range(rank) if at not in new][batch]
    return [reshaped(walk, node, value, shape, batch)]


@rule("Transpose")
def transpose(walk: Walk, node: Node, inputs: Inputs) -> list[Value]:
    value = given(inputs, 0)
    rank = len(value.sizes)
    order = node.get("perm") or list(range(rank))[::-1]
    if sorted(order) != list(range(rank)):
        raise NoRule(f"order {order} of {rank} axes")
    shape = tuple(value.sizes[axis] for axis in order)
    if value.ref is None:
        return [like(value, shape, transposed(value, order))]
    return [permuted(walk, node, value, order)]


def permuted(walk: Walk, node: Node, value: Value, order: Sequence[int]) -> Value:
    """An activation with its axes in another order; where only axes of size 1 move it stays as it is."""
    shape = tuple(value.sizes[axis] for axis in order)
    batch = None if value.batch is None else list(order).index(value.batch)
    is_dropped = value.batch is not None and value.sizes[value.batch] == walk.batch
    inner = [walk.inner_axis(value, axis) for axis in order if not (is_dropped and axis == value.batch)]
    wide = [axis for axis in inner if walk.graph.shape(walk.ref(value))[axis] != 1] if inner else []
    if wide == sorted(wide):
        return Value(shape, ref=walk.view(node, value, walk.inner(shape, batch)), batch=batch)
    return walk.layer(node, "permute", [value], shape, batch, order=tuple(inner))


# -- some of the elements ------------------------------------------------------------------------------------------


@rule("Slice")
def cut(walk: Walk, node: Node, inputs: Inputs) -> list[Value]:
    value = given(inputs, 0)
    for axis, start, stop, step in slices(node, inputs):
        value = cut_axis(walk, node, value, axis, start, stop, step)
    return [value]


def cut_axis(walk: Walk, node: Node, value: Value, axis: int, start: int, stop: int, step: int = 1) -> Value:
    """Part of one axis of a value."""
    size = value.sizes[axis]
    taken = sliced(size, start, stop, step)
    shape = (*value.sizes[:axis], len(taken), *value.sizes[axis + 1 :])
    if taken == range(size):
        return value
    if value.ref is None:
        indices = [taken if at == axis else range(other) for at, other in enumerate(value.sizes)]
        return like(value, shape, picked(value, indices))
    if not taken:
        raise NoRule("nothing is left")
    if taken.step < 0:
        return walk.layer(node, "gather", [value], shape, value.batch, shape=walk.inner(shape, value.batch))
    fields: dict[str, Any] = {"axis": walk.inner_axis(value, axis)} if walk.inner_axis(value, axis) else {}
    fields.update({"start": taken.start} if taken.start else {})
    fields.update({"stop": taken[-1] + 1} if taken[-1] + 1 < size else {})
    fields.update({"step": taken.step} if taken.step > 1 and len(taken) > 1 else {})
    return walk.layer(node, "slice", [value], shape, value.batch, **fields)


@rule("Split", "SplitToSequence")
def split(walk: Walk, node: Node, inputs: Inputs) -> list[Value]:
    value = given(inputs, 0)
    axis = axis_at(node.get("axis", 0), len(value.sizes))
    size, count = value.sizes[axis], len(node.outputs)
    parts = node.get("split") or optional(inputs, 1, [])
    if not parts:
        each = -(-size // count)
        parts = [min(each, size - each * number) for number in range(count)]
    if sum(parts) != size or len(parts) != count:
        raise NoRule("its parts do not add up")
    shapes = [(*value.sizes[:axis], part, *value.sizes[axis + 1 :]) for part in parts]
    if value.ref is None:
        starts = [sum(parts[:number]) for number in range(count)]
        return [
            cut_axis(walk, node, value, axis, start, start + part) for start, part in zip(starts, parts, strict=True)
        ]
    if count == 1:
        return [value]
    at = walk.inner_axis(value, axis)
    fields = {"axis": at} if at else {}
    whole = count if len(set(parts)) == 1 else tuple(parts)
    if count > 64:
        return [
            walk.layer(node, "gather", [value], shape, value.batch, shape=walk.inner(shape, value.batch))
            for shape in shapes
        ]
    first = walk.layer(node, "split", [value], shapes[0], value.batch, parts=whole, **fields)
    layer = (first.ref or Ref(0)).layer
    return [Value(shape, ref=Ref(layer, port), batch=value.batch) for port, shape in enumerate(shapes)]


@rule("Gather")
def gather(walk: Walk, node: Node, inputs: Inputs) -> list[Value]:
    value, index = given(inputs, 0), given(inputs, 1)
    axis = axis_at(node.get("axis", 0), len(value.sizes))
    shape = (*value.sizes[:axis], *index.sizes, *value.sizes[axis + 1 :])
    if value.ref is None and index.ref is None:
        return [_gathered(value, index, axis, shape)]
    if value.ref is None:
        return [_embedded(walk, node, value, index, axis, shape)]
    if index.ref is not None:
        return [_moved(walk, node, [value, index], shape)]
    numbers = index.data
    size = value.sizes[axis]
    if numbers is not None and not index.sizes:
        (number,) = (number % size for number in index.ints())
        one = cut_axis(walk, node, value, axis, number, number + 1)
        return [dropped(walk, node, one, {axis})]
    if numbers is not None and len(index.sizes) == 1:
        found = [number % size for number in index.ints()]
        if found == list(range(found[0], found[0] + len(found))):
            return [cut_axis(walk, node, value, axis, found[0], found[-1] + 1)]
    return [_moved(walk, node, [value], shape, value.batch if value.batch is not None and value.batch < axis else None)]


def _gathered(value: Value, index: Value, axis: int, shape: Shape) -> Value:
    """Elements of a constant by constant indices."""
    if value.data is None or index.data is None or prod(shape) > MOST_READ:
        return like(value, shape)
    numbers = [number % max(1, value.sizes[axis]) for number in index.ints()]
    indices = [numbers if at == axis else range(size) for at, size in enumerate(value.sizes)]
    return like(value, shape, picked(value, indices))


def _embedded(walk: Walk, node: Node, table: Value, index: Value, axis: int, shape: Shape) -> Value:
    """Rows of a learned table, looked up by an activation."""
    if axis != 0 or len(table.sizes) != 2:
        return _moved(walk, node, [table, index], shape)
    entries, features = table.sizes
    tokens = index
    if not walk.inner(index.sizes, index.batch) or len(index.sizes) == 0:
        raise NoRule("no tokens")
    return walk.layer(node, "embedding", [tokens], shape, index.batch, [table], entries=entries, features=features)


def _moved(walk: Walk, node: Node, values: Sequence[Value], shape: Shape, batch: int | None = None) -> Value:
    """Elements of activations in a known shape, by a way that only the values tell."""
    shape = checked(shape)
    if batch is None and shape and any(value.batch == 0 for value in values) and shape[0] == walk.batch:
        batch = 0
    refs = [value for value in values if value.ref is not None or value.origins]
    return walk.layer(node, "gather", refs, shape, batch, shape=walk.inner(shape, batch))


@rule("GatherElements", "GatherND", "ScatterND", "ScatterElements", "Scatter", "ReverseSequence", "Trilu", "Compress")
def moved(walk: Walk, node: Node, inputs: Inputs) -> list[Value]:
    value = given(inputs, 0)
    shape = value.sizes
    if node.operator == "GatherElements":
        shape = given(inputs, 1).sizes
    elif node.operator == "GatherND":
        index, skip = given(inputs, 1).sizes, node.get("batch_dims", 0)
        shape = (*index[:-1], *value.sizes[skip + index[-1] :])
    elif node.operator == "Compress":
        raise NoRule("how many stay, only running it would tell")
    values = [found for found in inputs if found is not None]
    if all(found.ref is None for found in values):
        return [like(value, shape)]
    return [_moved(walk, node, values, shape, value.batch)]


@rule("Expand", "Tile")
def expand(walk: Walk, node: Node, inputs: Inputs) -> list[Value]:
    value, numbers = given(inputs, 0), given(inputs, 1).ints()
    if node.operator == "Expand":
        shape = broadcast(value.sizes, tuple(numbers))
    else:
        shape = tuple(size * times for size, times in zip(value.sizes, numbers, strict=True))
    if value.ref is None:
        is_small = value.data is not None and prod(shape) <= MOST_READ and node.operator == "Expand"
        return [like(value, shape, spread(value.data or [], value.sizes, shape) if is_small else None)]
    batch = None if value.batch is None else value.batch + len(shape) - len(value.sizes)
    if prod(shape) == prod(value.sizes):
        return [reshaped(walk, node, value, shape, batch)]
    return [_moved(walk, node, [value], shape, batch)]


@rule("Pad")
def pad(walk: Walk, node: Node, inputs: Inputs) -> list[Value]:
    value = given(inputs, 0)
    rank = len(value.sizes)
    pads = node.get("pads") or node.get("paddings") or given(inputs, 1).ints()
    axes = [axis_at(axis, rank) for axis in optional(inputs, 3, list(range(rank)))]
    sides = {axis: (pads[at], pads[at + len(axes)]) for at, axis in enumerate(axes)}
    both = [sides.get(axis, (0, 0)) for axis in range(rank)]
    shape = tuple(size + before + after for size, (before, after) in zip(value.sizes, both, strict=True))
    if value.ref is None:
        return [like(value, shape)]
    if shape == value.sizes:
        return [value]
    grid = both[2:]
    if (
        any(map(any, both[:2]))
        or value.batch != 0
        or value.sizes[0] != walk.batch
        or rank < 3
        or min(map(min, grid)) < 0
    ):
        return [_moved(walk, node, [value], shape, value.batch)]
    amount: Any = tuple(before if before == after else (before, after) for before, after in grid)
    amount = amount[0] if len(set(amount)) == 1 and isinstance(amount[0], int) else amount
    mode = {"reflect": "reflect", "edge": "replicate", "wrap": "circular"}.get(str(node.get("mode", "")), "zeros")
    fields = {} if mode == "zeros" else {"mode": mode}
    return [walk.layer(node, "pad", [value], shape, value.batch, amount=amount, **fields)]


@rule("DepthToSpace", "SpaceToDepth")
def shuffle_pixels(walk: Walk, node: Node, inputs: Inputs) -> list[Value]:
    value, factor = given(inputs, 0), node.get("blocksize", 0)
    count, channels, height, width = value.sizes
    if node.operator == "DepthToSpace":
        shape = (count, channels // factor**2, height * factor, width * factor)
        return [walk.layer(node, "pixel_shuffle", [value], shape, value.batch, factor=factor)]
    shape = (count, channels * factor**2, height // factor, width // factor)
    return [walk.layer(node, "pixel_unshuffle", [value], shape, value.batch, factor=factor)]


@rule("Resize", "Upsample")
def resize(walk: Walk, node: Node, inputs: Inputs) -> list[Value]:
    value = given(inputs, 0)
    shape, scales = _resized(node, inputs, value.sizes)
    if shape == value.sizes:
        return [value]
    if value.batch != 0 or shape[:2] != value.sizes[:2] or len(shape) < 3:
        return [_moved(walk, node, [value], shape, value.batch)]
    mode = {"linear": "bilinear", "cubic": "bicubic"}.get(str(node.get("mode", "nearest")), "nearest")
    fields: dict[str, Any] = {"scale": _one(scales)} if scales else {"size": _one(shape[2:])}
    fields.update({"mode": mode} if mode != "nearest" else {})
    return [walk.layer(node, "upsample", [value], shape, value.batch, **fields)]


def _resized(node: Node, inputs: Inputs, old: Shape) -> tuple[Shape, tuple[int, ...]]:
    """The new shape, and the whole factors of the grid where there are such."""
    places = (1, None) if len(inputs) == 2 else (2, 3)
    factors = node.get("scales")
    if factors is None:
        found = inputs[places[0]] if places[0] is not None and places[0] < len(inputs) else None
        factors = None if found is None or 0 in found.sizes else found.data
        if factors is None and found is not None and 0 not in found.sizes:
            raise NoRule("its scale is not known")
    if factors:
        factors = [float(factor) for factor in factors]
        shape = tuple(floor(size * factor + 1e-6) for size, factor in zip(old[-len(factors) :], factors, strict=True))
        shape = old[: len(old) - len(shape)] + shape
    else:
        sizes = given(inputs, 3).ints()
        axes = node.get("axes") or list(range(len(old) - len(sizes), len(old)))
        new = dict(zip((axis_at(axis, len(old)) for axis in axes), sizes, strict=True))
        shape = tuple(new.get(at, size) for at, size in enumerate(old))
    if any(size < 1 for size in shape):
        raise NoRule("nothing is left")
    whole = tuple(new // size for new, size in zip(shape[2:], old[2:], strict=True))
    exact = all(size * times == new and times >= 1 for size, times, new in zip(old[2:], whole, shape[2:], strict=True))
    return checked(shape), whole if exact else ()


def _one(sizes: Sequence[int]) -> Any:
    """One number where all are the same, else a tuple."""
    return sizes[0] if len(set(sizes)) == 1 else tuple(sizes)


@rule("Concat")
def concat(walk: Walk, node: Node, inputs: Inputs) -> list[Value]:
    values = [value for value in inputs if value is not None]
    axis = axis_at(node.get("axis", 1), len(values[0].sizes))
    values = [value for value in values if value.sizes[axis]]  # an empty part adds nothing
    shape = list(values[0].sizes)
    shape[axis] = sum(value.sizes[axis] for value in values)
    if all(value.ref is None for value in values):
        return [_joined(values, tuple(shape), axis)]
    if len(values) == 1:
        return [values[0]]
    batch = next((value.batch for value in values if value.batch is not None), None)
    if batch == axis:
        if walk.batch != 1:
            raise NoRule("it works across the batch")
        batch = None
    refs = [walk.view(node, value, walk.inner(value.sizes, batch)) for value in values]
    at = axis if batch is None or shape[batch] != walk.batch else axis - (axis > batch)
    originals = list(refs)
    for size in range(len(refs) - 1, 1, -1):
        # the first of them stand side by side already: say so, and dense blocks are chains
        known = walk.concats.get((at, *refs[:size]))
        if known is not None:
            refs[:size] = [known]
            break
    found = walk.layer(node, "concat", refs, shape, batch, **({"axis": at} if at else {}))
    walk.concats[(at, *originals)] = found.ref or Ref(0)
    return [found]


def _joined(values: list[Value], shape: Shape, axis: int) -> Value:
    """Constants side by side."""
    origins = tuple(dict.fromkeys(name for value in values for name in value.origins))
    data: list[Any] | None = None
    if all(value.data is not None for value in values) and prod(shape) <= MOST_READ:
        data = []
        for outer in range(prod(shape[:axis])):
            for value in values:
                size = prod(value.sizes[axis:])
                data.extend((value.data or [])[outer * size : (outer + 1) * size])
    return Value(checked(shape), data, origins=origins, element=values[0].element)
