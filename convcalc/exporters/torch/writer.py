"""The network as a file of PyTorch: an nn.Module for each block, one for the whole. Nothing of PyTorch is loaded."""

from __future__ import annotations

from collections.abc import Sequence

from convcalc.analysis.count import Count
from convcalc.errors import UserError
from convcalc.exporters.code.code import Code, arguments, comment, literal
from convcalc.exporters.code.layer_code import layer_codes, require_same_kind
from convcalc.exporters.code.own_code import require_own_code
from convcalc.exporters.code.parts import identifier
from convcalc.exporters.code.units import Draft, Line, Writer, header, wrapped
from convcalc.exporters.torch.helpers import BUFFER, PARAMETER
from convcalc.exporters.torch.table import TABLE
from convcalc.exporters.torch.ties import ties
from convcalc.exporters.torch.vocabulary import VOCABULARY
from convcalc.graph import Graph, Layer

# names that nn.Module uses itself
_MODULE = """
    T_destination add_module apply bfloat16 buffers call_super_init children compile cpu cuda double dump_patches eval
    extra_repr float forward get_buffer get_extra_state get_parameter get_submodule half ipu load_state_dict modules
    mtia named_buffers named_children named_modules named_parameters parameters register_backward_hook register_buffer
    register_forward_hook register_forward_pre_hook register_full_backward_hook register_full_backward_pre_hook
    register_load_state_dict_post_hook register_load_state_dict_pre_hook register_module register_parameter
    register_state_dict_post_hook register_state_dict_pre_hook requires_grad_ set_extra_state set_submodule share_memory
    state_dict to to_empty train training type xpu zero_grad
"""
TAKEN = frozenset([*_MODULE.split(), "self", "torch", "nn", "F"])


def write(counted: Count, depth: int | None) -> str:
    """Write the text of the file. Raises SpecError for layers that PyTorch does not have."""
    return TorchWriter(counted.graph).file(counted)


class TorchWriter(Writer):
    """Units are classes, and a line makes a module of one."""

    taken = TAKEN
    reserved = frozenset({"self", "torch", "nn", "F", "Scale", "DropPath", "Attention", "GlobalResponseNorm"})

    def __init__(self, graph: Graph) -> None:
        super().__init__(graph, torch_codes(graph), identifier(camel(graph.name, "Net"), "Net", {*self.reserved}))

    def file(self, counted: Count) -> str:
        """Write the whole file. Raises SpecError where it would hold what we never write."""
        helpers = sorted({code.helper for code in self.codes.values() if code.helper})
        body = [helper.strip("\n") for helper in helpers] + self.units
        imports = ["import torch", "from torch import nn"]
        if "F." in "".join(body):
            imports.insert(1, "import torch.nn.functional as F")
        text = "\n\n\n".join(["\n".join([header(counted), *imports]), *body]) + "\n"
        return require_own_code(text, VOCABULARY)

    def unit_name(self, label: str) -> str:
        return camel(label, "Block")

    def makes(self, layer: Layer, is_root: bool) -> bool:
        owner = self.owner(layer)
        return owner is layer or not is_root or owner.kind.name != layer.kind.name

    def unit(self, name: str, arguments: Sequence[str], lines: Sequence[Line], draft: Draft) -> str:
        body = [f"class {name}(nn.Module):", *wrapped("    def __init__(", ["self", *arguments], "):")]
        body.append("        super().__init__()")
        for line in lines:
            maker, values = maker_and_arguments(line.code)
            if line.code.module == BUFFER:
                zeros = f"{maker}({', '.join(values)})"
                body += wrapped("        self.register_buffer(", [literal(line.name), zeros, "persistent=False"], ")")
            else:
                body += wrapped(f"        self.{line.name} = {maker}(", values, ")")
        if draft.part is self.root:
            body += [f"        {tie}" for tie in self._ties()]
        return "\n".join([*body, "", *(f"    {line}" for line in _forward(draft))])

    def _ties(self) -> list[str]:
        """Write the lines that give layers the weights of others."""
        lines = []
        for layer in self.graph.layers:
            owner = self.owner(layer)
            if owner is layer or self.is_beside(layer, owner):
                continue
            ours, theirs = (".".join(["self", *self.homes[one.index]]) for one in (layer, owner))
            weight = "" if owner.kind.name == layer.kind.name else ".weight"
            lines.append(f"{ours}{weight} = {theirs}{weight}")
        for layer in self.graph.layers:
            for tensor, owner in ties(layer, self.graph):
                ours, theirs = (".".join(["self", *self.homes[one.index]]) for one in (layer, self.owner(owner)))
                lines.append(f"{ours}.{tensor} = {theirs}.{tensor}")
        return lines


def _forward(draft: Draft) -> list[str]:
    """Write the method `forward`."""
    body = [f"def forward({', '.join(['self', *draft.takes])}):"]
    for number, step in enumerate(draft.steps, 1):
        line = call(step.code, f"self.{step.line}", step.reads, f"{draft.takes[0]}.shape[0]")
        note = comment(step.code.note)
        if number == len(draft.steps) and list(step.writes) == draft.gives:
            body.append(f"    return {line}{note}")
        else:
            body.append(f"    {', '.join(step.writes)} = {line}{note}")
    if not body[-1].startswith("    return"):
        body.append(f"    return {', '.join(draft.gives)}")
    return body


def torch_codes(graph: Graph) -> dict[int, Code]:
    """Return the code of each layer in PyTorch by its index. Raises SpecError for all that have none."""

    def code(layer: Layer, owner: Layer | None) -> Code:
        if owner is not None and "parameter" in (layer.kind.name, owner.kind.name):  # no module whose weights to share
            require_same_kind(layer, owner)
            if layer.output != owner.output:
                raise UserError(f"it is '{owner.path}' in another shape", "", "reshape the other one")
        return TABLE.rule(layer.kind)(layer.kind, layer.shapes, layer.output)

    return layer_codes(graph, code, TABLE.framework, lambda layer: ties(layer, graph))


def maker_and_arguments(code: Code) -> tuple[str, list[str]]:
    """Return the callable that makes a module, a parameter or a buffer, and its arguments."""
    values = arguments(code)
    if code.module == PARAMETER:
        return PARAMETER, [f"torch.zeros(1, {_unpack(values[0])})"]
    if code.module == BUFFER:
        return "torch.zeros", ["1", _unpack(values[0])]
    return code.module, values


def _unpack(shape: str) -> str:
    """Write the sizes of a shape, or of the variable that holds one, as arguments.

    >>> _unpack("(3, 4)"), _unpack("(3,)"), _unpack("shape")
    ('3, 4', '3', '*shape')
    """
    return shape.strip("(),") if shape.startswith("(") else f"*{shape}"


def call(code: Code, module: str, inputs: Sequence[str], batch: str) -> str:
    """Write the expression for a layer's output.

    >>> call(Code("nn.ReLU"), "self.relu", ["x"], "x.shape[0]")
    'self.relu(x)'
    """
    return code.call.format(*inputs, module=module, batch=batch)


def camel(text: str, prefix: str) -> str:
    """Turn a text into the name of a class, with a prefix where it begins with a digit.

    >>> camel("inverted_residual", "Block"), camel("1x1 before 5x5", "Net")
    ('InvertedResidual', 'Net1x1Before5x5')
    """
    words = "".join(letter if letter.isalnum() and letter.isascii() else " " for letter in text).split()
    name = "".join(word[0].upper() + word[1:] for word in words)
    return prefix + name if name[:1].isdigit() else name
