"""PyTorch module -> Graph: torch.export on the meta device, PyTorch's own ONNX writer, our reader of ONNX.

No weights are allocated or read: the ONNX graph refers to them in an external file that does not exist.
"""

from __future__ import annotations

import contextlib
import re
import sys
import traceback
from collections.abc import Iterator, Sequence
from copy import deepcopy
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

from convcalc.errors import SpecError, did_you_mean, printable, quoted
from convcalc.graph import Graph, Provenance
from convcalc.importers.onnx.file import read_bytes
from convcalc.importers.onnx.importer import Imported, import_model
from convcalc.importers.onnx.own_rules import OwnRule
from convcalc.importers.onnx.rule_file import read_rules
from convcalc.importers.torch.export import export
from convcalc.importers.torch.inputs import Call, call_of, calls, has_embedding, with_batch_of_one
from convcalc.importers.torch.parameters import tell_parameters
from convcalc.language.input_shapes import Given, parse_given
from convcalc.optional import first_line_of, need, quiet

_PURPOSE = "reading PyTorch modules"
# of an attempt that failed because of what was tried, not because of the module
_OF_THE_ATTEMPT = re.compile(r"(?i)indices|scalar type|dtype|\b\d-?D\b|dimension|to unpack|should be the same")


def load(
    spec: str, inputs: Sequence[str] = (), batch: int = 1, strict: bool = False, rules: Sequence[str] = ()
) -> Graph:
    """Return the graph of `package.module:attribute`, a module or a function that makes one; runs its code.

    `rules` are files with rules for operators. Raises SpecError.
    """
    own = read_rules(rules)
    torch = _torch()
    if not inputs:
        raise SpecError(f"{quoted(spec)} needs the shape of its input", "give it, for example --input 3x224x224")
    given = [parse_given(text) for text in inputs]
    module = _module(_imported(spec), spec, torch)
    graph = _graph_of_shapes(torch, module, given, spec, strict, own)
    graph.batch = batch
    graph.name = spec.rpartition(":")[2]
    source = f"imported from {printable(spec)}"
    graph.provenance = Provenance(source, graph.provenance.note, path=spec, producer=f"PyTorch {torch.__version__}")
    return graph


def from_torch(module: Any, example: Any, rules: str | Sequence[str] = ()) -> Graph:
    """Return the graph of a PyTorch module, for `count` and the rest; nothing is allocated, the module stays as it is.

    `example` is what the module is called with: a tensor, a tuple of arguments, a mapping of named ones, or a shape as
    of --input, such as "3x224x224" or "ids=12:int64", or a list of these. Its values do not matter. `rules` are files
    with rules for operators. Raises SpecError if the module cannot be exported.
    """
    own = read_rules([rules] if isinstance(rules, str) else rules)
    torch = _torch()
    if not isinstance(module, torch.nn.Module):
        raise SpecError(f"a torch.nn.Module was expected, found {type(module).__name__}")
    name = type(module).__name__
    texts = [example] if isinstance(example, str) else example
    if isinstance(texts, (list, tuple)) and texts and all(isinstance(text, str) for text in texts):
        graph = _graph_of_shapes(torch, module, [parse_given(text) for text in texts], name, False, own)
    else:
        graph = _graph(torch, module, call_of(example), name, False, own)
    graph.name = name
    graph.provenance = Provenance(f"a PyTorch module, {graph.name}", graph.provenance.note)
    return graph


def _graph_of_shapes(
    torch: Any, module: Any, given: Sequence[Given], spec: str, strict: bool, rules: Sequence[OwnRule]
) -> Graph:
    """Return the graph for the first meaning of the shapes that the module takes. Raises the error of the real one."""
    errors: list[SpecError] = []
    for call in calls(torch, module, given):
        try:
            return _graph(torch, module, call, spec, strict, rules)
        except SpecError as error:
            errors.append(error)
            if not _OF_THE_ATTEMPT.search(error.problems[0].message):
                break
    if len(given) > 1 and has_embedding(module) and not any(one.dtype for one in given):
        example = next((one.name for one in given if one.name), "ids")
        raise SpecError(errors[0].problems[0].message, f"say which are whole numbers: --input {example}=12:int64")
    real = [error for error in errors if not _OF_THE_ATTEMPT.search(error.problems[0].message)]
    raise (real or errors)[0]


def _torch() -> Any:
    need("onnxscript", _PURPOSE)
    return need("torch", _PURPOSE)


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


def _graph(torch: Any, module: Any, call: Call, spec: str, strict: bool, rules: Sequence[OwnRule]) -> Graph:
    """Return the graph of a call, for one input of its batch. Raises SpecError."""
    graph, guess = _imported_call(torch, module, call, spec, strict, rules)
    if guess is not None and guess.size > 1:
        # the same with a batch of one, where no size of the module can be taken for it
        with contextlib.suppress(SpecError):
            one = with_batch_of_one(torch, call, guess.axis, guess.size)
            of_one = _imported_call(torch, module, one, spec, strict, rules).graph
            of_one.provenance = graph.provenance
            return of_one
    return graph


def _imported_call(torch: Any, module: Any, call: Call, spec: str, strict: bool, rules: Sequence[OwnRule]) -> Imported:
    module = _initialized(torch, module, call, spec)
    modes = {part: part.training for part in module.modules()}
    try:
        module.eval()
        with quiet():
            exported = export(torch, module, call, spec, rules)
    finally:
        for part, mode in modes.items():
            part.training = mode
    model = read_bytes(exported.data, spec)
    tell_parameters(model, module, exported.tensors)
    model.calls = exported.calls
    model.read_in_vain = exported.unneeded.parameters
    if exported.unneeded.is_written:
        model.outputs = model.outputs[: len(model.outputs) - len(exported.unneeded.results)]
    else:
        model.unwritten = exported.unneeded.results
    inputs = [value for value in model.inputs if value.name not in model.tensors]
    if len(inputs) == len(call.batch):
        for value, axis in zip(inputs, call.batch, strict=True):
            if axis is not None and value.shape is not None and axis < len(value.shape):
                value.shape = (*value.shape[:axis], "N", *value.shape[axis + 1 :])
    return import_model(model, (), spec, strict, rules)


def _initialized(torch: Any, module: Any, call: Call, spec: str) -> Any:
    """Return a module whose lazy parameters have their shapes: a copy, run once, if it has any. Raises SpecError."""
    is_lazy = torch.nn.parameter.is_lazy
    if not any(map(is_lazy, [*module.parameters(), *module.buffers()])):
        return module
    made = deepcopy(module)
    with torch.no_grad(), quiet(), _user_code(spec, "has lazy layers, and cannot be run to initialize them"):
        made(*call.positional, **call.named)
    return made
