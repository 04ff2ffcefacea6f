"""Layer, RMS and group normalization that are spelt out."""

from __future__ import annotations

from convcalc.importers.onnx.fusions.engine import Fuser, Pattern
from convcalc.importers.onnx.model import Node

_MEANS = ("ReduceMean", "GlobalAveragePool")


def _axes(fuser: Fuser, node: Node) -> list[int]:
    """The axes of a mean: an attribute in older opsets, an input in newer ones; none where they are not known."""
    if node.has("axes"):
        return node.ints("axes")
    value = fuser.values.get(node.inputs[1]) if len(node.inputs) > 1 else None
    return [] if value is None or value.data is None else value.ints()


def _layer_norm(fuser: Fuser, node: Node) -> None:
    """From the square root: (x - mean) / sqrt(variance + eps), with scale and offset after it."""
    plus = fuser.maker(node.inputs[0], "Add")
    if plus is None:
        return
    mean = next((maker for name in plus.inputs if (maker := fuser.maker(name, *_MEANS))), None)
    square = fuser.maker(mean.inputs[0], "Pow", "Mul") if mean is not None else None
    if mean is None or square is None:
        return
    centred = fuser.maker(square.inputs[0], "Sub")
    source = fuser.origin(centred.inputs[0] if centred is not None else square.inputs[0])
    if centred is not None:
        if len(centred.inputs) != 2 or fuser.maker(centred.inputs[1], *_MEANS, "Reshape") is None:
            return
        if _layer_norm_by_factor(fuser, node, source, mean):
            return
    axes = _axes(fuser, mean)
    last = fuser.only(node, "Div", "Reciprocal")
    if last is not None and (last.operator == "Reciprocal" or fuser.is_number(last.inputs[0], 1)):
        last = fuser.only(last, "Mul")
    if last is None or not axes:
        return
    sources = [source]
    for operator in ("Mul", "Add"):
        after = fuser.only(last, operator)
        weight = fuser.other(after, last.outputs[0]) if after is not None else ""
        while after is None and (cast := fuser.only(last, "Cast")):
            last = cast
        if after is None or not fuser.is_learned(weight):
            break
        sources.append(weight)
        last = after
    _put_norm(fuser, node, sources, last, axes, is_centred=centred is not None)


def _put_norm(fuser: Fuser, node: Node, sources: list[str], last: Node, axes: list[int], is_centred: bool) -> None:
    """A norm over the last axes, the channels, or the last axis of three; RMS norm where nothing was subtracted."""
    if not is_centred:
        if axes == [-1] and len(sources) == 2:
            fuser.put("SimplifiedLayerNormalization", sources, last, node)
    elif axes == [1]:
        fuser.put("LayerNormalization", sources, last, node, axis=-1, channels=1)
    elif sorted(axes) == list(range(-len(axes), 0)):
        fuser.put("LayerNormalization", sources, last, node, axis=-len(axes))
    elif len(axes) == 1 and axes[0] == 2:
        fuser.put("LayerNormalization", sources, last, node, axis=2)


def _layer_norm_by_factor(fuser: Fuser, root: Node, source: str, mean: Node) -> bool:
    """As TensorFlow writes it: x * f + (offset - mean * f), where f = scale / sqrt(variance + eps)."""
    inverse = fuser.only(root, "Reciprocal")
    factor = fuser.only(inverse, "Mul") if inverse is not None else None
    scale = fuser.other(factor, inverse.outputs[0]) if inverse is not None and factor is not None else ""
    if factor is None or not fuser.is_learned(scale):
        return False
    products = fuser.readers.get(factor.outputs[0], {}).values()
    main = next((node for node in products if node.operator == "Mul" and source in node.inputs), None)
    last = fuser.only(main, "Add") if main is not None else None
    if main is None or last is None or len(products) != 2:
        return False
    side = fuser.maker(fuser.other(last, main.outputs[0]), "Add", "Sub")
    offset = [name for name in side.inputs if fuser.is_learned(name)] if side is not None else []
    where = _axes_of_scale(fuser, mean, fuser.values[scale].shape or ())
    if where:
        fuser.put("LayerNormalization", [source, scale, *offset], last, root, **where)
    return bool(where)


def _axes_of_scale(fuser: Fuser, mean: Node, shape: tuple[int, ...]) -> dict[str, int]:
    """The axes of a norm as attributes, if they are those of its scale; none if they are not."""
    rank = len(shape)
    axes = list(range(2, rank)) if mean.operator == "GlobalAveragePool" else _axes(fuser, mean)
    wide = [at - rank for at, size in enumerate(shape) if size != 1]
    if not wide or sorted(axis if axis < 0 else axis - rank for axis in axes) != wide:
        return {}
    if wide == list(range(-len(wide), 0)):
        return {"axis": wide[0]}
    return {"axis": -1, "channels": 1} if wide == [1 - rank] else {}


def _group_norm(fuser: Fuser, node: Node) -> None:
    """Instance normalization of channels reshaped into groups, with scale and offset after it."""
    before, after = fuser.maker(node.inputs[0], "Reshape"), fuser.only(node, "Reshape")
    if before is None or after is None or fuser.only(before, "InstanceNormalization") is not node:
        return
    target = fuser.values.get(before.inputs[1]) if len(before.inputs) > 1 else None
    if target is None or target.data is None or len(target.data) != 3:
        return
    groups = target.ints()[1]
    scale = fuser.only(after, "Mul")
    shift = fuser.only(scale, "Add") if scale is not None else None
    if scale is None or shift is None:
        return
    names = [fuser.other(scale, after.outputs[0]), fuser.other(shift, scale.outputs[0])]
    if all(name in fuser.values for name in names):
        fuser.put("GroupNormalization", [before.inputs[0], *names], shift, node, num_groups=groups)


PATTERNS: dict[str, Pattern] = {"Sqrt": _layer_norm, "InstanceNormalization": _group_norm}
