"""PyTorch module -> Graph: torch.export on the meta device, PyTorch's own ONNX writer, our reader of ONNX.

No weights are allocated or read: the ONNX graph refers to them in an external file that does not exist.
"""

from __future__ import annotations

import contextlib
import sys
import traceback
from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

from convcalc.errors import SpecError, UserError, did_you_mean, printable, quoted
from convcalc.graph import Graph, Provenance
from convcalc.importers.onnx.elements import Layout, View
from convcalc.importers.onnx.file import read_bytes
from convcalc.importers.onnx.importer import graph_of
from convcalc.importers.onnx.model import Model
from convcalc.language.input_shapes import parse_shape
from convcalc.optional import first_line_of, need, quiet

MOST_KEPT = 4096  # elements of a constant that keeps its values in the ONNX graph
_PURPOSE = "reading PyTorch modules"


def load(spec: str, inputs: Sequence[str] = (), batch: int = 1, strict: bool = False) -> Graph:
    """Return the graph of `package.module:attribute`, a module or a function that makes one; runs its code.

    Raises SpecError.
    """
    torch = _torch()
    shapes = _shapes(spec, inputs)
    module = _module(_imported(spec), spec, torch)
    graph = None
    for dtype in (torch.float32, torch.int64):  # an embedding takes whole numbers only
        examples = {name: torch.empty((1, *shape), dtype=dtype, device=_device(module)) for name, shape in shapes}
        positional = tuple(examples[name] for name in examples if name.startswith("."))
        named = {name: value for name, value in examples.items() if not name.startswith(".")}
        try:
            graph = _graph(module, positional, named, spec, strict)
            break
        except SpecError:
            if dtype is torch.int64 or not _has_embedding(module):
                raise
    assert graph is not None
    graph.batch = batch
    graph.name = spec.rpartition(":")[2]
    source = f"imported from {printable(spec)}"
    graph.provenance = Provenance(source, path=spec, producer=f"PyTorch {torch.__version__}")
    return graph


def from_torch(module: Any, example: Any) -> Graph:
    """Return the graph of a PyTorch module, for `count` and the rest; nothing is allocated, the module stays as it is.

    `example` is what the module is called with: a tensor, a tuple of arguments, a mapping of named ones, or a shape
    without the batch, such as "3x224x224". Its values do not matter. Raises SpecError if the module cannot be exported.
    """
    torch = _torch()
    if not isinstance(module, torch.nn.Module):
        raise SpecError(f"a torch.nn.Module was expected, found {type(module).__name__}")
    if isinstance(example, str):
        try:
            example = torch.empty((1, *parse_shape(example)), device=_device(module))
        except UserError as misfit:
            raise SpecError(misfit.message, misfit.hint) from None
    named = dict(example) if isinstance(example, Mapping) else {}
    positional = () if named else tuple(example) if isinstance(example, (tuple, list)) else (example,)
    graph = _graph(module, positional, named, type(module).__name__, False)
    graph.name = type(module).__name__
    graph.provenance = Provenance(f"a PyTorch module, {graph.name}")
    return graph


def _torch() -> Any:
    need("onnxscript", _PURPOSE)
    return need("torch", _PURPOSE)


def _device(module: Any) -> Any:
    first = next(module.parameters(), None)
    return "cpu" if first is None else first.device


def _has_embedding(module: Any) -> bool:
    return any("Embedding" in type(part).__name__ for part in module.modules())


def _shapes(spec: str, inputs: Sequence[str]) -> list[tuple[str, tuple[int, ...]]]:
    """Return the inputs by name, those without a name by their position."""
    shapes = []
    for position, text in enumerate(inputs):
        name, equals, shape = text.rpartition("=")
        try:
            shapes.append((name if equals else f".{position}", tuple(parse_shape(shape))))
        except UserError as misfit:
            raise SpecError(f"--input: {misfit.message}", misfit.hint) from None
    if not shapes:
        raise SpecError(f"{quoted(spec)} needs the shape of its input", "give it, for example --input 3x224x224")
    return shapes


def _imported(spec: str) -> Any:
    """Import what a spec names, from the working folder first."""
    name, _, attribute = spec.rpartition(":")
    if str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    with _user_code(spec, "cannot be imported"):
        if name.endswith(".py"):
            path = Path(name)
            location = spec_from_file_location(path.stem, path)
            if location is None or location.loader is None or not path.is_file():
                raise SpecError(f"no file {quoted(name)}")
            value: Any = module_from_spec(location)
            sys.modules.setdefault(path.stem, value)
            location.loader.exec_module(value)
        else:
            value = import_module(name)
    for part in attribute.split("."):
        if not hasattr(value, part):
            known = [attribute for attribute in dir(value) if not attribute.startswith("_")]
            raise SpecError(f"{quoted(name)} has no {quoted(part)}", did_you_mean(part, known) if known else "")
        value = getattr(value, part)
    return value


def _module(value: Any, spec: str, torch: Any) -> Any:
    """Return the module that a value is, or that calling it makes; on the meta device where it can be made there."""
    if isinstance(value, torch.nn.Module):
        return value
    if not callable(value):
        what = f"{quoted(spec)} is of type {type(value).__name__}, not a module"
        raise SpecError(what, "name a torch.nn.Module, or a function or class that gives one")
    module = None
    with contextlib.suppress(Exception), torch.device("meta"):
        module = value()
    if module is None:  # it computes with the values of its weights
        with _user_code(spec, "cannot be called without arguments"):
            module = value()
    if not isinstance(module, torch.nn.Module):
        raise SpecError(f"{quoted(spec)} gives a {type(module).__name__}, not a torch.nn.Module")
    return module


@contextlib.contextmanager
def _user_code(spec: str, what: str) -> Iterator[None]:
    """Turn an exception in the user's code into a SpecError with its location, without our part of the traceback."""
    try:
        yield
    except SpecError:
        raise
    except (Exception, SystemExit) as error:
        own = [
            frame
            for frame in traceback.extract_tb(error.__traceback__)
            if not frame.filename.startswith("<") and "convcalc" not in Path(frame.filename).parts
        ]
        where = f"{own[-1].filename}:{own[-1].lineno}" if own else ""
        raise SpecError(
            f"{quoted(spec)} {what}: {first_line_of(error)}", f"raised at {printable(where)}" if where else ""
        ) from None


def _graph(module: Any, positional: tuple[Any, ...], named: Mapping[str, Any], spec: str, strict: bool) -> Graph:
    modes = {part: part.training for part in module.modules()}
    try:
        module.eval()
        with quiet():
            data, tensors = _onnx_bytes(module, positional, dict(named), spec)
    finally:
        for part, mode in modes.items():
            part.training = mode
    model = read_bytes(data, spec)
    _tell_parameters(model, module, tensors)
    return graph_of(model, (), spec, strict)


def _tell_parameters(model: Model, module: Any, tensors: Mapping[str, Any]) -> None:
    """Tell a model which of its `tensors`, by name, are parameters of the module, under any name, or views of them.

    All others are not learned: buffers, and constants in the module's code.
    """
    model.sizes = {name: parameter.numel() for name, parameter in module.named_parameters()}
    by_memory: dict[Any, list[tuple[str, Any]]] = {}
    for name, parameter in module.named_parameters():
        by_memory.setdefault(_memory(parameter), []).append((name, parameter))
    buffers = {name for name, _ in module.named_buffers()}
    for name, tensor in tensors.items():
        for owner, parameter in by_memory.get(_memory(tensor), ()) if name not in buffers else ():
            start = tensor.storage_offset() - parameter.storage_offset()
            if parameter.is_contiguous() and start >= 0 and tensor.numel() <= parameter.numel():
                model.views[name] = View(owner, parameter.numel(), Layout(start, tuple(tensor.stride())))
                break
    model.parameters = frozenset(model.sizes) | frozenset(model.views)
    model.buffers = frozenset((model.buffers | buffers | set(tensors)) - model.parameters)


def _memory(tensor: Any) -> Any:
    """Return what is the same for tensors that share their memory; on the meta device too, where nothing is stored."""
    try:
        return tensor.untyped_storage()._cdata
    except Exception:  # kinds of tensors without one block of memory
        return id(tensor)


def _onnx_bytes(
    module: Any, positional: tuple[Any, ...], named: dict[str, Any], spec: str
) -> tuple[bytes, dict[str, Any]]:
    """Return the module as an ONNX file without its weights, and the tensors that it has, by name."""
    torch = _torch()
    ir = import_module("onnx_ir")
    advice = "export what can be exported to ONNX, or name the part of it that has a fixed graph"
    try:
        with torch.no_grad():
            program = torch.export.export(module, positional, named, strict=False)
    except Exception as error:
        raise SpecError(f"{quoted(spec)} cannot be exported by torch.export: {first_line_of(error)}", advice) from None
    try:
        exported = _as_onnx(torch, program)
    except Exception as error:
        cause = error.__cause__ or error
        raise SpecError(
            f"{quoted(spec)} has an operator that PyTorch cannot write: {first_line_of(cause)}", advice
        ) from None
    graph = exported.model.graph
    for name, value in graph.initializers.items():
        tensor = value.const_value
        is_meta = getattr(getattr(tensor, "raw", None), "is_meta", False)
        if tensor is not None and (is_meta or tensor.size > MOST_KEPT):
            value.const_value = ir.ExternalTensor(
                "left-out", 0, tensor.nbytes, tensor.dtype, shape=tensor.shape, name=name
            )
    data = bytes(ir.to_proto(exported.model).SerializeToString())
    return data, {**program.state_dict, **program.constants}


def _as_onnx(torch: Any, program: Any) -> Any:
    """Export a program with PyTorch's own ONNX writer; attention that it does not support, as matrix products."""
    options = {"dynamo": True, "optimize": False, "verbose": False, "verify": False}
    try:
        return torch.onnx.export(program, **options)
    except Exception as error:
        try:
            aten = torch.ops.aten
            table = torch.export.default_decompositions()
            table[aten.scaled_dot_product_attention.default] = lambda *given, **named: (
                aten._scaled_dot_product_attention_math(*given, **named)[0]
            )
            return torch.onnx.export(program.run_decompositions(table), **options)
        except Exception:
            raise error from None
