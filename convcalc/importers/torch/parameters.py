"""Which tensors of an exported program are parameters of its module, under any name, or views of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from convcalc.importers.onnx.elements import Layout, View
from convcalc.importers.onnx.model import Model


def tell_parameters(model: Model, module: Any, tensors: Mapping[str, Any]) -> None:
    """Tell a model which of its `tensors`, by name, are parameters of the module, under any name, or views of them.

    All others are not learned: buffers, and constants in the module's code. A complex number is stored as two.
    """
    parameters = [(name, _as_stored(parameter)) for name, parameter in module.named_parameters()]
    model.sizes = {name: parameter.numel() for name, parameter in parameters}
    by_memory: dict[Any, list[tuple[str, Any]]] = {}
    for name, parameter in parameters:
        by_memory.setdefault(_memory(parameter), []).append((name, parameter))
    buffers = {name for name, _ in module.named_buffers()}
    for name, tensor in ((name, _as_stored(tensor)) for name, tensor in tensors.items()):
        for owner, parameter in by_memory.get(_memory(tensor), ()) if name not in buffers else ():
            start = tensor.storage_offset() - parameter.storage_offset()
            if parameter.is_contiguous() and start >= 0 and tensor.numel() <= parameter.numel():
                model.views[name] = View(owner, parameter.numel(), Layout(start, tuple(tensor.stride())))
                break
    model.parameters = frozenset(model.sizes) | frozenset(model.views)
    model.buffers = frozenset((model.buffers | buffers | set(tensors)) - model.parameters)


def _as_stored(tensor: Any) -> Any:
    """The tensor as a file stores it: complex numbers with a last axis for the real and the imaginary part."""
    return tensor.view(tensor.real.dtype).unflatten(-1, (-1, 2)) if tensor.is_complex() and tensor.dim() else tensor


def _memory(tensor: Any) -> Any:
    """Return what is the same for tensors that share their memory; on the meta device too, where nothing is stored."""
    try:
        return tensor.untyped_storage()._cdata
    except Exception:  # kinds of tensors without one block of memory
        return id(tensor)
