"""Names for layers of imported models: the path of the module that a layer comes from, where the model has it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from convcalc.graph import Graph, Group, Layer
from convcalc.kinds import Kind

if TYPE_CHECKING:
    from convcalc.importers.onnx.model import Node

_PART = re.compile(r"[^A-Za-z0-9_.-]+")
_SUFFIX = re.compile(
    r"\.(weight|bias|weight_ih_l0|weight_v|in_proj_weight|in_proj_bias|gamma|beta|running_mean|alpha)\Z"
)
_ROLE = re.compile(r"(/ReadVariableOp.*|/resource|/merged_input.*|:\d+)\Z")
_AUTO = re.compile(r"(node_)?[A-Za-z]*_?\d*\Z|onnx::.*|val_\d+.*|.*__\d+(:\d+)?\Z")
_SCOPE = re.compile(r"'([^']*)'|\"([^\"]*)\"")  # of the list that PyTorch writes
_OPENED_SCOPES = ("batchnorm", "moments", "Tensordot", "convolution")  # scopes that TensorFlow opens within a layer


class Namer:
    """Gives each layer a path of its own: `layer1/0/conv1` from PyTorch's modules, Keras' scopes, or other names."""

    def __init__(self) -> None:
        self.taken: set[str] = set()
        self.numbers: dict[str, int] = {}

    def path(self, node: Node, kind: Kind, origins: Sequence[str]) -> str:
        """Return a free path for a layer of a node with these learned tensors."""
        module = module_of_tensor(origins[0]) if origins else ""
        is_weighted = kind.depth or kind.name == "custom"
        if module and is_weighted:
            return self._free(module)
        scope = module_of_node(node)
        if kind.name == "parameter" and origins:
            return self._free(module or "/".join(map(clean, origins[0].split("."))))
        if kind.depth and scope:
            return self._free(scope)
        if kind.name in ("opaque", "custom"):
            return self.numbered(scope, clean(node.operator.rpartition(":")[2]))
        return self.numbered(scope, kind.name)

    def numbered(self, scope: str, name: str) -> str:
        """Return a name in a scope with the next free number."""
        start = f"{scope}/{name}" if scope else name
        number = self.numbers.get(start, 0) + 1
        while f"{start}{number}" in self.taken:
            number += 1
        self.numbers[start] = number
        return self._free(f"{start}{number}")

    def _free(self, path: str) -> str:
        path = path[:300]
        free, number = path, self.numbers.get(path, 1)
        while free in self.taken:
            number += 1
            free = f"{path}_{number}"
        self.numbers[path] = number
        self.taken.add(free)
        return free

    def finish(self, graph: Graph) -> None:
        """Remove the folder that all paths begin with, and the number of a layer that is alone in its module."""
        layers = graph.layers
        inside = Counter(layer.path.rpartition("/")[0] for layer in layers)
        folders = Counter("/".join(parts[:size]) for parts in _parts(layers) for size in range(1, len(parts)))
        names = {layer.path for layer in layers}
        for layer in layers:
            folder, _, name = layer.path.rpartition("/")
            is_numbered = re.fullmatch(rf"{re.escape(layer.kind.name)}\d+", name)
            if folder and is_numbered and inside[folder] == folders[folder] == 1 and folder not in names:
                layer.path = folder
        while layers:
            first = {layer.path.partition("/")[0] for layer in layers}
            if len(first) > 1 or not all("/" in layer.path for layer in layers):
                return
            for layer in layers:
                layer.path = layer.path.partition("/")[2]


def _parts(layers: Iterable[Layer]) -> Iterator[list[str]]:
    for layer in layers:
        yield layer.path.split("/")


def clean(part: str) -> str:
    """Return a part of a path without the characters that a spec's names may not have.

    >>> clean("conv 1:0")
    'conv_1_0'
    """
    return _PART.sub("_", part).strip("_.-")[:60] or "x"


def module_of_tensor(name: str) -> str:
    """Return the module that a learned tensor belongs to, by its name; "" if the name has none.

    >>> module_of_tensor("layer1.0.conv1.weight"), module_of_tensor("model/conv1/Conv2D/ReadVariableOp:0")
    ('layer1/0/conv1', 'model/conv1')
    >>> module_of_tensor("onnx::Conv_193")
    ''
    """
    if _SUFFIX.search(name):
        return "/".join(map(clean, _SUFFIX.sub("", name).split(".")))
    if "/" in name and _ROLE.search(name):
        parts = [part for part in _ROLE.sub("", name).split("/") if part]
        return "/".join(map(clean, parts[:-1] if len(parts) > 1 else parts))
    return ""


def is_parameter(name: str) -> bool:
    """Whether a name is one that a module gives its parameter, and no exporter makes up."""
    return "." in name and not name.startswith(("/", "onnx::", "val_")) and not name.rpartition(".")[2].isdigit()


def scope_of(node: Node) -> str | None:
    """Return the path of the module in which PyTorch ran a node, "" for the outermost; None where it is not stated."""
    scopes = _scopes(node)
    return scopes[-2] if len(scopes) > 1 else None


def call_of(node: Node) -> str:
    """Return PyTorch's name of the operation that a node belongs to; "" where it is not stated."""
    scopes = _scopes(node)
    return scopes[-1] if scopes else ""


def _scopes(node: Node) -> list[str]:
    """Return the modules around a node from the outermost on, and its operation, as PyTorch's newer exporter states."""
    module = node.module
    is_list = module.startswith("[") and module.endswith("]")
    return [single or double for single, double in _SCOPE.findall(module)] if is_list else []


def module_of_node(node: Node) -> str:
    """Return the module that a node comes from: as the exporter states, or as its name spells.

    >>> from convcalc.importers.onnx.model import Node
    >>> node = Node()
    >>> node.name = "/layer1/layer1.0/conv1/Conv"
    >>> module_of_node(node)
    'layer1/0/conv1'
    >>> node.name = "net_1.00/bn_1/batchnorm/mul_1"
    >>> module_of_node(node)
    'net_1.00/bn_1'
    """
    scope = scope_of(node)
    if scope is not None:
        return "/".join(clean(part) for part in scope.split(".") if part)
    name = node.name or next((name for name in node.outputs[:8] if "/" in name[1:]), "")
    parts = [part for part in name.split("/") if part]
    if len(parts) > 1 and not name.startswith("/"):
        scopes = parts[:-1] if node.name else parts
        return "/".join(map(clean, scopes[:-1] if len(scopes) > 1 and scopes[-1] in _OPENED_SCOPES else scopes))
    if len(parts) > 1:
        path: list[str] = []
        for before, part in zip(["", *parts], parts[:-1] if node.name else parts, strict=False):
            path.extend(clean(piece) for piece in part.removeprefix(f"{before}.").split(".") if piece)
        return "/".join(path)
    if node.outputs and node.outputs[0] and node.outputs[0][0] != "/" and not _AUTO.fullmatch(node.outputs[0]):
        return clean(node.outputs[0])
    return ""


def module_of_call(node: Node) -> str:
    """Return the module of a node that PyTorch wrote; "" if it wrote none."""
    if not node.module and not node.name.startswith("/"):
        return ""
    return module_of_node(node)


def group_modules(graph: Graph) -> None:
    """Make a group of successive layers whose paths begin alike, so that tables can fold modules."""
    open_groups: list[tuple[str, int]] = []
    last = None
    for layer in [*graph.layers, None]:
        parts = layer.path.split("/")[:-1] if layer is not None else []
        paths = ["/".join(parts[:size]) for size in range(1, len(parts) + 1)]
        while open_groups and (len(paths) < len(open_groups) or paths[len(open_groups) - 1] != open_groups[-1][0]):
            path, start = open_groups.pop()
            if last is not None:
                graph.groups.append(Group(path, "module", start, last.index + 1, last.output))
        if layer is not None:
            open_groups += [(path, layer.index) for path in paths[len(open_groups) :]]
        last = layer
