"""A module and what it is called with -> the bytes of an ONNX file without weights, and errors that say what to do."""

from __future__ import annotations

import re
from collections.abc import Sequence
from importlib import import_module
from typing import Any, NamedTuple

from convcalc.errors import SpecError, printable, quoted
from convcalc.importers.onnx.own_rules import OwnRule
from convcalc.importers.torch.inputs import Call
from convcalc.importers.torch.own_operators import own_translations
from convcalc.importers.torch.translations import drop_generators, translations, writable_modules
from convcalc.importers.torch.unneeded import Unneeded, drop_unneeded, keep_unneeded

MOST_KEPT = 4096  # elements of a constant that keeps its values in the ONNX graph
_CONTROL = re.compile(r"\x1b\[[0-9;]*m")
_OPERATOR = re.compile(r"target=torch\.ops\.([\w.]+)")
_NODE = re.compile(r"(?:translating node|While executing) %(\w+)")
_NAME_A_PART = "name the part of it that has a fixed graph, such as module:net.backbone"
_HINTS = (  # what an error says, and what to do
    (r"DynamicCache|\w*Cache\W* in output", "leave the cache out: set config.use_cache = False"),
    (r"data-dependent|data dependent|GuardOnDataDependent|Dynamic control flow", _NAME_A_PART),
    (
        r"scalar type|dtype|indices|should be the same|LongTensor|Expected .*(Long|Int|Bool)",
        "say what the inputs are: --input ids=12:int64, --input mask=12:bool",
    ),
    (r"missing a required argument|missing \d+ required|unexpected keyword", "name every input: --input NAME=SHAPE"),
    (r"Expected \d+D|must have shape|channels|size mismatch|shapes cannot be multiplied", "give another --input"),
)
_GUARDS = ("_assert_async", "_assert_scalar", "_assert_tensor_metadata", "sym_constrain_range")


class Exported(NamedTuple):
    """A module as an ONNX file without its weights, its tensors by name, and how its code calls each operation."""

    data: bytes
    tensors: dict[str, Any]
    calls: dict[str, str]
    unneeded: Unneeded  # the last outputs, where they are written


def export(torch: Any, module: Any, call: Call, spec: str, rules: Sequence[OwnRule]) -> Exported:
    """Return a module as PyTorch's own exporters write it, operators that `rules` count as nodes. Raises SpecError."""
    try:
        with torch.no_grad(), writable_modules(torch):
            program = torch.export.export(module, call.positional, call.named, strict=False)
    except Exception as error:
        message = _CONTROL.sub("", str(error))
        raise SpecError(f"{quoted(spec)} cannot be exported by torch.export: {_said(error)}", _hint(message)) from None
    unneeded = keep_unneeded(torch, program)
    _drop_guards(program)
    drop_generators(torch, program.graph)
    table = {**translations(torch), **own_translations(torch, rules)}
    try:
        try:
            exported = _as_onnx(torch, program, table)
        except Exception:
            if not unneeded.results:
                raise
            drop_unneeded(program, len(unneeded.results))
            exported = _as_onnx(torch, program, table)
            unneeded = unneeded._replace(is_written=False)
    except Exception as error:
        raise _unwritable(program, error, spec) from None
    _leave_weights_out(exported.model.graph)
    data = bytes(import_module("onnx_ir").to_proto(exported.model).SerializeToString())
    values = {**program.state_dict, **program.constants}  # among them generators of random numbers
    tensors = {name: value for name, value in values.items() if isinstance(value, torch.Tensor)}
    return Exported(data, tensors, _calls(exported.exported_program, module), unneeded)


def _calls(program: Any, module: Any) -> dict[str, str]:
    """Return how code calls each operation: by a module that computes itself, as a function, or by an operator."""
    computing = {name for name, part in module.named_modules(remove_duplicate=False) if _computes(part)}
    calls = {}
    for node in program.graph.nodes:
        stack = list(node.meta.get("nn_module_stack", {}).values())
        is_method = node.meta.get("torch_fn", ("", ""))[1].startswith("method")
        calls[node.name] = "operator" if is_method else "function"
        if stack and stack[-1][0] in computing:
            calls[node.name] = "module"
    return calls


def _computes(part: Any) -> bool:
    """Whether a module computes by itself, as PyTorch's layers do; others call modules and functions."""
    return type(part).__module__.startswith("torch.nn.") and next(part.children(), None) is None


def _leave_weights_out(graph: Any) -> None:
    """Refer to large tensors in a file that does not exist."""
    ir = import_module("onnx_ir")
    for name, value in graph.initializers.items():
        tensor = value.const_value
        is_meta = getattr(getattr(tensor, "raw", None), "is_meta", False)
        if tensor is not None and (is_meta or tensor.size > MOST_KEPT):
            value.const_value = ir.ExternalTensor(
                "left-out", 0, tensor.nbytes, tensor.dtype, shape=tensor.shape, name=name
            )


def _drop_guards(program: Any) -> None:
    """Remove assertions, which compute nothing, and what only they read."""
    graph = program.graph
    guards = [node for node in graph.nodes if any(name in str(node.target) for name in _GUARDS) and not node.users]
    for node in guards:
        graph.erase_node(node)
    if guards:
        graph.eliminate_dead_code()
        program.graph_module.recompile()


def _as_onnx(torch: Any, program: Any, translated: dict[Any, Any]) -> Any:
    """Export a program with PyTorch's own ONNX writer; attention that it does not support, as matrix products."""
    options = {
        "dynamo": True,
        "optimize": False,
        "verbose": False,
        "verify": False,
        "custom_translation_table": translated,
    }
    try:
        return torch.onnx.export(program, **options)
    except Exception as error:
        if not any("scaled_dot_product_attention" in str(node.target) for node in program.graph.nodes):
            raise
        try:
            aten = torch.ops.aten
            table = torch.export.default_decompositions()
            for operator in translated:
                table.pop(operator, None)
            table[aten.scaled_dot_product_attention.default] = lambda *given, **named: (
                aten._scaled_dot_product_attention_math(*given, **named)[0]
            )
            return torch.onnx.export(program.run_decompositions(table), **options)
        except Exception:
            raise error from None


def _unwritable(program: Any, error: Exception, spec: str) -> SpecError:
    """Return the error for an operator that PyTorch cannot write, with its name and its module's."""
    message = _CONTROL.sub("", f"{error}\n{error.__cause__ or ''}")
    operator, name = _OPERATOR.search(message), _NODE.search(message)
    if operator is None:
        return SpecError(f"{quoted(spec)} cannot be written as ONNX by PyTorch: {_said(error)}", _hint(message))
    what = operator[1].removesuffix(".default")
    target = what.rpartition(".")[2].lstrip("_")
    node = next((one for one in program.graph.nodes if name is not None and one.name == name[1]), None)
    node = node or next((one for one in program.graph.nodes if target in str(one.target)), None)
    module = _module_of(node)
    where = f" (in {module})" if module else ""
    rule = f"write a rule for {':'.join(what.split('.')[:2])} (--rules FILE)"
    hint = f"{rule}, replace {'that module' if module else 'it'}, or name a part of the model without it"
    return SpecError(f"{quoted(spec)} has an operator that PyTorch cannot write: {printable(what + where)}", hint)


def _module_of(node: Any) -> str:
    """Return the path and the class of the module that a node of torch.export belongs to."""
    stack = list((getattr(node, "meta", None) or {}).get("nn_module_stack", {}).values())
    if not stack:
        return ""
    path, kind = stack[-1]
    name = getattr(kind, "__name__", str(kind)).rpartition(".")[2]
    return f"{path}, a {name}" if path else f"a {name}"


def _said(error: BaseException) -> str:
    """Return the kind of an error and what it says first, without control codes."""
    lines = [line.strip() for line in _CONTROL.sub("", str(error)).splitlines() if line.strip()]
    return printable(f"{type(error).__name__}: {lines[0][:300]}") if lines else type(error).__name__


def _hint(message: str) -> str:
    for pattern, hint in _HINTS:
        if re.search(pattern, message):
            return hint
    return f"export what can be exported to ONNX, or {_NAME_A_PART}"
