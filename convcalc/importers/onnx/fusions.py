"""Several ONNX nodes that are one layer: gelu, silu, hard swish, layer, RMS and group normalisation.

Older opsets, and exporters for older runtimes, spell these out. A pattern is found from one node in its middle; what it
replaces must be read by nothing else.
"""

from __future__ import annotations

from math import isclose
from typing import Any

from convcalc.importers.onnx.model import Node
from convcalc.importers.onnx.values import Value

_MEANS = ("ReduceMean", "GlobalAveragePool")
MOST_CASTS = 8  # in a row, that a pattern is seen through


def fuse(nodes: list[Node], values: dict[str, Value], outputs: set[str]) -> list[Node]:
    """The nodes with every pattern replaced by one node."""
    return _Fuser(nodes, values, outputs).fuse()


class _Fuser:
    def __init__(self, nodes: list[Node], values: dict[str, Value], outputs: set[str]) -> None:
        self.nodes = nodes
        self.values = values
        self.outputs = outputs
        self.makers: dict[str, Node] = {}
        self.readers: dict[str, dict[int, Node]] = {}
        for node in nodes:
            for name in node.outputs:
                self.makers[name] = node
            for name in node.inputs:
                self.readers.setdefault(name, {})[id(node)] = node
        self.gone: set[int] = set()
        self.instead: dict[int, Node] = {}

    def fuse(self) -> list[Node]:
        for node in self.nodes:
            finder = _ANCHORS.get(node.operator)
            if finder is not None and id(node) not in self.gone and node.outputs[0] not in self.values:
                try:
                    finder(self, node)
                except (IndexError, TypeError, KeyError, AttributeError):
                    continue
        return [self.instead.get(id(node), node) for node in self.nodes if id(node) not in self.gone]

    # -- what patterns ask for -------------------------------------------------------------------------------------

    def number(self, name: str) -> float | None:
        """The one number of a constant."""
        value = self.values.get(name)
        found = None if value is None else value.scalar()
        return None if found is None else float(found)

    def is_number(self, name: str, *wanted: float) -> bool:
        found = self.number(name)
        return found is not None and any(isclose(found, number, rel_tol=2e-3) for number in wanted)

    def only(self, node: Node, *operators: str) -> Node | None:
        """The one node that reads this one's output, casts aside, if it is one of the operators."""
        for _ in range(MOST_CASTS):
            readers = self.readers.get(node.outputs[0], {})
            if len(readers) != 1 or node.outputs[0] in self.outputs:
                return None
            (node,) = readers.values()
            if node.operator != "Cast" or "Cast" in operators:
                return node if node.operator in operators else None
        return None

    def maker(self, name: str, *operators: str) -> Node | None:
        name = name if "Cast" in operators else self.origin(name)
        found = self.makers.get(name)
        return found if found is not None and found.operator in operators else None

    def other(self, node: Node, name: str) -> str:
        """The operand of a binary node that is not `name`."""
        return next((one for one in node.inputs if one != name), name)

    def scaled(self, name: str, *factors: float) -> str:
        """What a value is a known factor of; "" where it is not."""
        node = self.maker(name, "Mul", "Div")
        if node is None or len(node.inputs) != 2:
            return ""
        for at in (0, 1):
            is_inverse = node.operator == "Div" and at == 1
            wanted = [1 / factor for factor in factors] if is_inverse else list(factors)
            if (node.operator == "Mul" or is_inverse) and self.is_number(node.inputs[at], *wanted):
                return node.inputs[1 - at]
        return ""

    def is_learned(self, name: str) -> bool:
        return name in self.values and bool(self.values[name].origins)

    def origin(self, name: str) -> str:
        """A value behind casts."""
        for _ in range(MOST_CASTS):
            node = self.makers.get(name)
            if node is None or node.operator != "Cast":
                break
            name = node.inputs[0]
        return name

    def put(self, operator: str, sources: list[str], last: Node, anchor: Node, **attributes: Any) -> None:
        """Replace everything between the first source and `last` by one node; nothing happens where others read it."""
        between = self._between(sources[0], last)
        if between is None:
            return
        node = Node()
        node.operator, node.inputs, node.outputs = operator, sources, last.outputs
        node.name, node.module = anchor.name, anchor.module
        node.attributes = attributes
        self.gone.update(id(one) for one in between if one is not last)
        self.instead[id(last)] = node
        for one in between:
            for name in one.inputs:
                self.readers.get(name, {}).pop(id(one), None)
        for name in sources:
            self.readers.setdefault(name, {})[id(node)] = node
        self.makers.update(dict.fromkeys(node.outputs, node))

    def _between(self, source: str, last: Node) -> list[Node] | None:
        """The nodes from behind a value up to a node; None where something else reads from in between."""
        found: dict[int, Node] = {}
        waiting = [last]
        while waiting:
            node = waiting.pop()
            if id(node) in found:
                continue
            found[id(node)] = node
            if len(found) > 40:
                return None
            for name in node.inputs:
                maker = self.makers.get(name)
                if name and name != source and name not in self.values and maker is not None:
                    waiting.append(maker)
                elif name and name != source and name not in self.values:
                    return None
        for node in found.values():
            if node is not last and any(
                name in self.outputs or any(reader not in found for reader in self.readers.get(name, {}))
                for name in node.outputs
            ):
                return None
        return list(found.values())


# -- activations ---------------------------------------------------------------------------------------------------


def _gated(fuser: _Fuser, node: Node) -> None:
    """x * sigmoid(x) and its kind."""
    source = node.inputs[0]
    product = fuser.only(node, "Mul")
    if product is None:
        return
    other = fuser.other(product, node.outputs[0])
    if fuser.origin(other) == fuser.origin(source):
        fuser.put({"Sigmoid": "Silu", "HardSigmoid": "HardSwish"}[node.operator], [source], product, node)
    elif node.operator == "Sigmoid" and fuser.scaled(source, 1.702) == other:
        fuser.put("QuickGelu", [other], product, node)


def _mish(fuser: _Fuser, node: Node) -> None:
    tanh = fuser.only(node, "Tanh")
    product = fuser.only(tanh, "Mul") if tanh is not None else None
    if tanh is not None and product is not None and fuser.other(product, tanh.outputs[0]) == node.inputs[0]:
        fuser.put("Mish", [node.inputs[0]], product, node)


def _hard_swish(fuser: _Fuser, node: Node) -> None:
    """relu6(x + 3) / 6, and times x."""
    add = fuser.maker(node.inputs[0], "Add")
    low = node.get("min") if len(node.inputs) < 2 else fuser.number(node.inputs[1])
    high = node.get("max") if len(node.inputs) < 3 else fuser.number(node.inputs[2])
    if add is None or low != 0 or high is None or not isclose(high, 6):
        return
    source = next((name for name in add.inputs if not fuser.is_number(name, 3)), "")
    if not source or source == fuser.other(add, source):
        return
    after = fuser.only(node, "Div", "Mul")
    if after is None:
        return
    if fuser.scaled(after.outputs[0], 1 / 6) == node.outputs[0]:
        product = fuser.only(after, "Mul")
        if product is not None and fuser.other(product, after.outputs[0]) == source:
            fuser.put("HardSwish", [source], product, node)
        else:
            fuser.put("HardSigmoid", [source], after, node)
    elif after.operator == "Mul" and fuser.other(after, node.outputs[0]) == source:
        last = fuser.only(after, "Div", "Mul")
        if last is not None and fuser.scaled(last.outputs[0], 1 / 6) == after.outputs[0]:
            fuser.put("HardSwish", [source], last, node)


def _gelu(fuser: _Fuser, node: Node) -> None:
    """x * (1 + erf(x / sqrt(2))) / 2, in any order of the products; with tanh the approximation of it."""
    plus = fuser.only(node, "Add")
    if plus is None or not fuser.is_number(fuser.other(plus, node.outputs[0]), 1):
        return
    product = fuser.only(plus, "Mul")
    if product is None:
        return
    other = fuser.other(product, plus.outputs[0])
    last: Node | None
    if fuser.is_number(other, 0.5):
        last = fuser.only(product, "Mul")
        source = fuser.other(last, product.outputs[0]) if last is not None else ""
    elif fuser.scaled(other, 0.5):
        last, source = product, fuser.scaled(other, 0.5)
    else:
        last, source = fuser.only(product, "Mul", "Div"), other
        if last is None or fuser.scaled(last.outputs[0], 0.5) != product.outputs[0]:
            return
    if last is not None and source:
        fuser.put("Gelu", [source], last, node)


def _gelu_by_complement(fuser: _Fuser, node: Node) -> None:
    """x / 2 * erfc(-x / sqrt(2)), as newer TensorFlow has it."""
    product = fuser.only(node, "Mul")
    source = fuser.scaled(fuser.other(product, node.outputs[0]), 0.5) if product is not None else ""
    if product is not None and source:
        fuser.put("Gelu", [source], product, node)


# -- normalisation -------------------------------------------------------------------------------------------------


def _axes(fuser: _Fuser, node: Node) -> list[int] | None:
    axes = node.get("axes")
    if axes is None and len(node.inputs) > 1:
        value = fuser.values.get(node.inputs[1])
        axes = None if value is None else value.data
    return [int(axis) for axis in axes] if axes else None


def _layer_norm(fuser: _Fuser, node: Node) -> None:
    """From the square root: (x - mean) / sqrt(variance + eps), with scale and offset behind it."""
    plus = fuser.maker(node.inputs[0], "Add")
    if plus is None:
        return
    mean = next((found for name in plus.inputs if (found := fuser.maker(name, *_MEANS))), None)
    square = fuser.maker(mean.inputs[0], "Pow", "Mul") if mean is not None else None
    if mean is None or square is None:
        return
    centred = fuser.maker(square.inputs[0], "Sub")
    source = fuser.origin(centred.inputs[0] if centred is not None else square.inputs[0])
    if centred is not None and fuser.maker(centred.inputs[1], *_MEANS, "Reshape") is None:
        return
    if centred is not None and _layer_norm_spread(fuser, node, source, mean):
        return
    axes = _axes(fuser, mean)
    last = fuser.only(node, "Div", "Reciprocal")
    if last is not None and (last.operator == "Reciprocal" or fuser.is_number(last.inputs[0], 1)):
        last = fuser.only(last, "Mul")
    if last is None or axes is None:
        return
    sources = [source]
    for operator in ("Mul", "Add"):
        after = fuser.only(last, operator)
        weight = fuser.other(after, last.outputs[0]) if after is not None else ""
        while after is None and (cast := fuser.only(last, "Cast")):
            last = cast
        if after is None or weight not in fuser.values or not fuser.values[weight].origins:
            break
        sources.append(weight)
        last = after
    if centred is None:
        if axes == [-1] and len(sources) == 2:
            fuser.put("SimplifiedLayerNormalization", sources, last, node)
        return
    if axes == [1]:
        fuser.put("LayerNormalization", sources, last, node, axis=-1, channels=1)
    elif sorted(axes) == list(range(-len(axes), 0)):
        fuser.put("LayerNormalization", sources, last, node, axis=-len(axes))
    elif len(axes) == 1 and axes[0] == 2:
        fuser.put("LayerNormalization", sources, last, node, axis=2)


def _layer_norm_spread(fuser: _Fuser, root: Node, source: str, mean: Node) -> bool:
    """As TensorFlow has it: x * f + (offset - mean * f), where f = scale / sqrt(variance + eps)."""
    inverse = fuser.only(root, "Reciprocal")
    factor = fuser.only(inverse, "Mul") if inverse is not None else None
    scale = fuser.other(factor, inverse.outputs[0]) if inverse is not None and factor is not None else ""
    if factor is None or not fuser.is_learned(scale):
        return False
    products = fuser.readers.get(factor.outputs[0], {}).values()
    main = next((one for one in products if one.operator == "Mul" and source in one.inputs), None)
    last = fuser.only(main, "Add") if main is not None else None
    if main is None or last is None or len(products) != 2:
        return False
    side = fuser.maker(fuser.other(last, main.outputs[0]), "Add", "Sub")
    offset = [name for name in side.inputs if fuser.is_learned(name)] if side is not None else []
    where = _axes_of_scale(fuser, mean, fuser.values[scale].shape or ())
    if where:
        fuser.put("LayerNormalization", [source, scale, *offset], last, root, **where)
    return bool(where)


def _axes_of_scale(fuser: _Fuser, mean: Node, shape: tuple[int, ...]) -> dict[str, int]:
    """Which axes a norm is over, where those of its scale are the same; nothing where they are not."""
    rank = len(shape)
    axes = list(range(2, rank)) if mean.operator == "GlobalAveragePool" else _axes(fuser, mean) or []
    wide = [at - rank for at, size in enumerate(shape) if size != 1]
    if not wide or sorted(axis if axis < 0 else axis - rank for axis in axes) != wide:
        return {}
    if wide == list(range(-len(wide), 0)):
        return {"axis": wide[0]}
    return {"axis": -1, "channels": 1} if wide == [1 - rank] else {}


def _group_norm(fuser: _Fuser, node: Node) -> None:
    """Instance normalisation of channels reshaped into groups, with scale and offset behind it."""
    before, after = fuser.maker(node.inputs[0], "Reshape"), fuser.only(node, "Reshape")
    if before is None or after is None or fuser.only(before, "InstanceNormalization") is not node:
        return
    target = fuser.values.get(before.inputs[1]) if len(before.inputs) > 1 else None
    if target is None or target.data is None or len(target.data) != 3:
        return
    groups = int(target.data[1])
    scale = fuser.only(after, "Mul")
    shift = fuser.only(scale, "Add") if scale is not None else None
    if scale is None or shift is None:
        return
    names = [fuser.other(scale, after.outputs[0]), fuser.other(shift, scale.outputs[0])]
    if all(name in fuser.values for name in names):
        fuser.put("GroupNormalization", [before.inputs[0], *names], shift, node, num_groups=groups)


_ANCHORS = {
    "Sigmoid": _gated,
    "HardSigmoid": _gated,
    "Softplus": _mish,
    "Clip": _hard_swish,
    "Erf": _gelu,
    "Erfc": _gelu_by_complement,
    "Tanh": _gelu,
    "Sqrt": _layer_norm,
    "InstanceNormalization": _group_norm,
}
