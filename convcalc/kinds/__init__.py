"""A layer's fields and input shapes -> its output shape and costs: the kinds of layers, one family a file.

Importing this package imports every module in its folder, and with it registers their kinds.
"""

from __future__ import annotations

from importlib import import_module

from convcalc.discovery import modules
from convcalc.errors import did_you_mean, nearest
from convcalc.kinds.kind import KINDS, Input, Kind, tallied
from convcalc.kinds.sizes import Shape, formula, require, shape_text, total

__all__ = [
    "KINDS",
    "Input",
    "Kind",
    "Shape",
    "find",
    "foreign",
    "formula",
    "require",
    "shape_text",
    "suggest",
    "tallied",
    "total",
]

for _name in modules(__file__):
    import_module(f"{__name__}.{_name}")


def find(name: str) -> type[Kind] | None:
    """Return the kind called `name`, or None."""
    return KINDS.get(name)


def foreign(name: str) -> str | None:
    """Return the name of the kind that PyTorch, Keras or ONNX calls `name`.

    >>> foreign("nn.Conv2d"), foreign("Conv2DTranspose")
    ('conv', 'transposed_conv')
    """
    bare = name.rpartition(".")[2].lower().replace("_", "")
    for tool in ("name", "torch", "keras", "onnx"):  # some names are used by two of them for different kinds
        for kind in KINDS.values():
            if bare in getattr(kind, tool).lower().replace("_", "").split():
                return kind.name
    return None


def suggest(name: str, others: list[str]) -> str:
    """Write a hint for an unknown kind: another tool's word for one, or the nearest of the kinds and `others`.

    >>> suggest("Conv2d", []), suggest("convv", [])
    ("write 'conv'", "did you mean 'conv'?")
    >>> suggest("depthwise_conv", [])
    "write a depthwise convolution as 'conv: {kernel: 3, groups: channels}'"
    """
    known = foreign(name)
    if known and known != name:
        return f"write '{known}'"
    if not nearest(name, others):
        for kind in KINDS.values():
            for word, hint in kind.known_as.items():
                if word in name.lower():
                    return hint
    near = did_you_mean(name, [*others, *sorted(KINDS)])
    return "'convcalc kinds' lists the kinds" if near.startswith("expected") else near
