"""PyTorch module -> Graph: torch.export on the meta device, PyTorch's own ONNX writer, our reader of ONNX.

No weights are allocated or read: the graph that is written names them, and they are said to lie in a file that is not
there. The only importer of torch.
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
from convcalc.importers.onnx.file import read_bytes
from convcalc.importers.onnx.importer import graph_of
from convcalc.language.input_shapes import parse_shape
from convcalc.optional import need, quiet, said

MOST_KEPT = 4096  # elements of a constant that is written with its values
_PURPOSE = "reading PyTorch modules"


def load(spec: str, inputs: Sequence[str] = (), batch: int = 1, strict: bool = False) -> Graph:
    """The graph of `package.module:attribute`, a module or what makes one; runs its code. Raises SpecError."""
    torch = _torch()
    shapes = _shapes(spec, inputs)
    module = _made(_found(spec), spec, torch)
    graph = None
    for kind in (torch.float32, torch.int64):  # of tokens nothing else can be made than whole numbers
        examples = {name: torch.empty((1, *shape), dtype=kind, device=_device(module)) for name, shape in shapes}
        positional = tuple(examples[name] for name in examples if name.startswith("."))
        named = {name: value for name, value in examples.items() if not name.startswith(".")}
        try:
            graph = _graph(module, positional, named, spec, strict)
            break
        except SpecError:
            if kind is torch.int64 or not _has_embedding(module):
                raise
    assert graph is not None
    graph.batch = batch
    graph.name = spec.rpartition(":")[2]
    source = f"imported from {printable(spec)}"
    graph.provenance = Provenance(source, path=spec, producer=f"PyTorch {torch.__version__}")
    return graph


def from_torch(module: Any, example: Any) -> Graph:
    """The graph of a PyTorch module, for `count` and the rest; nothing is allocated, the module stays as it is.

    `example` is what it is called with: a tensor, a tuple of arguments, a mapping of named ones, or a shape without
    the batch, such as "3x224x224". Its values are not looked at. Raises SpecError where the module cannot be exported.
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
    """The inputs by name, those without a name by their place."""
    found = []
    for at, text in enumerate(inputs):
        name, equals, shape = text.rpartition("=")
        try:
            found.append((name if equals else f".{at}", tuple(parse_shape(shape))))
        except UserError as misfit:
            raise SpecError(f"--input: {misfit.message}", misfit.hint) from None
    if not found:
        raise SpecError(f"{quoted(spec)} does not say what it is called with", "give it, for example --input 3x224x224")
    return found


def _found(spec: str) -> Any:
    """What a spec names, imported; the working folder is looked in first."""
    name, _, attribute = spec.rpartition(":")
    if str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    with _user_code(spec, "cannot be imported"):
        if name.endswith(".py"):
            path = Path(name)
            place = spec_from_file_location(path.stem, path)
            if place is None or place.loader is None or not path.is_file():
                raise SpecError(f"no file {quoted(name)}")
            found: Any = module_from_spec(place)
            sys.modules.setdefault(path.stem, found)
            place.loader.exec_module(found)
        else:
            found = import_module(name)
    for part in attribute.split("."):
        if not hasattr(found, part):
            known = [one for one in dir(found) if not one.startswith("_")]
            raise SpecError(f"{quoted(name)} has no {quoted(part)}", did_you_mean(part, known) if known else "")
        found = getattr(found, part)
    return found


def _made(found: Any, spec: str, torch: Any) -> Any:
    """The module that a name stands for, or that calling it makes; on the meta device where it can be made there."""
    if isinstance(found, torch.nn.Module):
        return found
    if not callable(found):
        what = f"{quoted(spec)} is of type {type(found).__name__}, not a module"
        raise SpecError(what, "name a torch.nn.Module, or a function or class that gives one")
    module = None
    with contextlib.suppress(Exception), torch.device("meta"):
        module = found()
    if module is None:  # it computes with the values of its weights
        with _user_code(spec, "cannot be called without arguments"):
            module = found()
    if not isinstance(module, torch.nn.Module):
        raise SpecError(f"{quoted(spec)} gives a {type(module).__name__}, not a torch.nn.Module")
    return module


@contextlib.contextmanager
def _user_code(spec: str, what: str) -> Iterator[None]:
    """Code of the user: its mistakes are said with their place, without a trace of ours."""
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
            f"{quoted(spec)} {what}: {said(error)}", f"raised at {printable(where)}" if where else ""
        ) from None


def _graph(module: Any, positional: tuple[Any, ...], named: Mapping[str, Any], spec: str, strict: bool) -> Graph:
    modes = {part: part.training for part in module.modules()}
    try:
        module.eval()
        with quiet():
            data = _written(module, positional, dict(named), spec)
    finally:
        for part, mode in modes.items():
            part.training = mode
    model = read_bytes(data, spec)
    model.buffers = frozenset(name for name, _ in module.named_buffers())
    return graph_of(model, (), spec, strict)


def _written(module: Any, positional: tuple[Any, ...], named: dict[str, Any], spec: str) -> bytes:
    """The module as an ONNX graph, its weights left out."""
    torch = _torch()
    ir = import_module("onnx_ir")
    advice = "export what can be exported to ONNX, or name the part of it that has a fixed graph"
    try:
        with torch.no_grad():
            program = torch.export.export(module, positional, named, strict=False)
    except Exception as error:
        raise SpecError(f"{quoted(spec)} cannot be exported by torch.export: {said(error)}", advice) from None
    try:
        found = _as_onnx(torch, program)
    except Exception as error:
        cause = error.__cause__ or error
        raise SpecError(f"{quoted(spec)} has an operator that PyTorch cannot write: {said(cause)}", advice) from None
    graph = found.model.graph
    for name, value in graph.initializers.items():
        tensor = value.const_value
        is_meta = getattr(getattr(tensor, "raw", None), "is_meta", False)
        if tensor is not None and (is_meta or tensor.size > MOST_KEPT):
            value.const_value = ir.ExternalTensor(
                "left-out", 0, tensor.nbytes, tensor.dtype, shape=tensor.shape, name=name
            )
    return bytes(ir.to_proto(found.model).SerializeToString())


def _as_onnx(torch: Any, program: Any) -> Any:
    """What PyTorch's own writer makes of a program; attention that it does not know, as its matrix products."""
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
