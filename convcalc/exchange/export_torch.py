"""The network as a file of PyTorch: an nn.Module for each block, one for the whole. Nothing of PyTorch is loaded."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any, NamedTuple

from convcalc.analysis.count import Count
from convcalc.exchange.parts import Part, cut, identifier, variables
from convcalc.exchange.torch_text import called, codes, parts
from convcalc.graph import Graph, Layer, Ref
from convcalc.kinds import shape_text
from convcalc.kinds.code import BUFFER, Code, Name

WIDTH = 100
# what nn.Module means by a name already
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


class Line(NamedTuple):
    """A module of a class, before it is known which of its arguments differ between uses."""

    name: str
    code: Code

    @property
    def values(self) -> list[tuple[str, Any]]:
        """Each argument by its role."""
        given = {role: value for role, (value, _) in self.code.options.items()}
        return [*self.code.needs.items(), *given.items()]


class Draft(NamedTuple):
    """A class as one use of a block wants it."""

    part: Part
    lines: list[Line]
    forward: list[str]

    @property
    def key(self) -> tuple[Any, ...]:
        """What two uses must have in common to be one class: everything but the arguments of the modules."""
        lines = tuple((line.name, line.code.module, tuple(role for role, _ in line.values)) for line in self.lines)
        return self.part.label, lines, tuple(self.forward)


def write(counted: Count, depth: int | None) -> str:
    """The text of the file. Raises SpecError for layers that PyTorch does not have."""
    return Writer(counted.graph).file(counted)


class Writer:
    """One graph as classes, the inner ones first."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.codes = codes(graph.layers)
        self.root = cut(graph, TAKEN)
        self.used = {"Scale", "DropPath", "Attention"}
        self.classes: list[str] = []
        self.calls: dict[int, Code] = {}  # of a part, by its identity, how it is made and called
        self.homes: dict[int, str] = {}  # of a layer, the path of its module from the root
        self._find(self.root, "self")
        parts = sorted(self.root.walk(), key=lambda part: part.height)
        self.name = identifier(camel(graph.name, "Net"), "Net", self.used)
        for _, level in groupby((part for part in parts if part is not self.root), key=lambda part: part.height):
            alike: dict[Any, list[Draft]] = {}
            for part in level:
                draft = self._draft(part)
                alike.setdefault(draft.key, []).append(draft)
            for drafts in alike.values():
                self._class(drafts)
        root = self._draft(self.root)
        self.classes.append(_class_text(self.name, [], root.lines, root.forward, self._ties()))

    def file(self, counted: Count) -> str:
        helpers = sorted({code.helper for code in self.codes.values() if code.helper})
        inputs = ", ".join(f"{name} {shape_text(shape)}" for name, shape in self.graph.inputs.items())
        about = [
            f"Input, without the batch: {inputs}.",
            f"{counted.figure('params'):,} parameters; {counted.figure('macs'):,} MACs for a batch of "
            f"{self.graph.batch}. Written by convcalc.",
        ]
        title = self.graph.name.replace("\\", " ").replace('"', "'")
        head = '"""' + "\n".join([f"{title.rstrip('.')}.", "", *about]) + '\n"""\n'
        body = [helper.strip("\n") for helper in helpers] + self.classes
        text = "\n\n\n".join([f"{head}\nimport torch\nfrom torch import nn", *body]) + "\n"
        if "F." in "".join(body):
            text = text.replace(
                "import torch\nfrom torch import nn",
                f"import torch\nimport {_FUNCTIONAL} as F\nfrom torch import nn",
                1,
            )
        return text

    def _find(self, part: Part, path: str) -> None:
        for item in part.items:
            if isinstance(item, Part):
                self._find(item, f"{path}.{part.names[item.start]}")
            else:
                self.homes[item.index] = f"{path}.{part.names[item.index]}"

    def _owner(self, layer: Layer) -> Layer:
        while layer.shares is not None:
            layer = self.graph.all[layer.shares]
        return layer

    def _ties(self) -> list[str]:
        """The lines that let layers have the weights of others."""
        lines = []
        for layer in self.graph.layers:
            owner = self._owner(layer)
            if owner is layer or self._same_home(layer, owner):
                continue
            if owner.kind.name == layer.kind.name:
                lines.append(f"{self.homes[layer.index]} = {self.homes[owner.index]}")
            else:
                lines.append(f"{self.homes[layer.index]}.weight = {self.homes[owner.index]}.weight")
        return lines

    def _same_home(self, layer: Layer, owner: Layer) -> bool:
        """Whether the owner's module can be called in the layer's place."""
        homes = (self.homes[one.index].rpartition(".")[0] for one in (layer, owner))
        return owner.kind.name == layer.kind.name and len(set(homes)) == 1

    def _draft(self, part: Part) -> Draft:
        lines: list[Line] = []
        steps = []
        found: list[tuple[Code, str]] = []
        for item in part.items:
            if isinstance(item, Part):
                code, name = self.calls[id(item)], part.names[item.start]
                lines.append(Line(name, code))
                steps.append((name, item.takes, item.gives))
                found.append((code, name))
                continue
            code, name = self.codes[item.index], part.names[item.index]
            owner = self._owner(item)
            home = part.names[owner.index] if owner is not item and self._same_home(item, owner) else name
            is_tied = part is self.root and owner is not item and owner.kind.name == item.kind.name
            if code.module and home == name and not is_tied:
                lines.append(Line(name, code))
            reads = list(item.inputs)
            steps.append((name, reads, [Ref(item.index, port) for port in range(len(item.outputs))]))
            found.append((code, home))
        takes = self._takes(part)
        named = variables(takes, steps, part.takes, part.gives)
        body = [f"def forward({', '.join(['self', *takes])}):"]
        for at, ((code, home), (used, writes)) in enumerate(zip(found, named[:-1], strict=True)):
            line = called(code, f"self.{home}", used, f"{takes[0]}.shape[0]")
            note = f"  # {code.note}" if code.note else ""
            if at == len(found) - 1 and writes == named[-1][0]:
                body.append(f"    return {line}{note}")
            else:
                body.append(f"    {', '.join(writes)} = {line}{note}")
        if not body[-1].startswith("    return"):
            body.append(f"    return {', '.join(named[-1][0])}")
        return Draft(part, lines, body)

    def _takes(self, part: Part) -> list[str]:
        if len(part.takes) == 1:
            return ["x"]
        used = {"self", "torch", "nn", "F"}
        if part is self.root:
            return [identifier(self.graph.all[ref.layer].path, "input", used) for ref in part.takes]
        return [identifier("xyz"[at] if at < 3 else f"x{at}", "x", used) for at in range(len(part.takes))]

    def _class(self, drafts: Sequence[Draft]) -> None:
        """One class for all uses; arguments that are not the same everywhere are arguments of the class."""
        name = identifier(camel(drafts[0].part.label, "Block"), "Block", self.used)
        columns = [
            tuple(zip(*(draft.lines[at].values for draft in drafts), strict=True)) for at in range(len(drafts[0].lines))
        ]
        varying: dict[tuple[Any, ...], list[tuple[int, str]]] = {}
        for at, column in enumerate(columns):
            for cells in column:
                values = tuple(value for _, value in cells)
                if any(value != values[0] for value in values):
                    varying.setdefault(values, []).append((at, cells[0][0]))
        arguments = _names(varying, [line.name for line in drafts[0].lines])
        lines = []
        for at, line in enumerate(drafts[0].lines):
            put = {role: names for values, names in arguments.items() for place, role in varying[values] if place == at}
            lines.append(Line(line.name, _with(line.code, put)))
        self.classes.append(_class_text(name, list(arguments.values()), lines, drafts[0].forward, []))
        for number, draft in enumerate(drafts):
            own = {names: values[number] for values, names in arguments.items()}
            inputs = ", ".join(f"{{{at}}}" for at in range(len(draft.part.takes)))
            few = len(own) <= 2
            code = Code(name, own if few else {}, {} if few else {key: (value, _NEVER) for key, value in own.items()})
            self.calls[id(draft.part)] = code._replace(call=f"{{module}}({inputs})")


_FUNCTIONAL = "torch.nn.functional"
_NEVER = object()  # the default of an argument that has none


def _with(code: Code, put: Mapping[str, str]) -> Code:
    needs = {role: Name(put[role]) if role in put else value for role, value in code.needs.items()}
    options = {role: (Name(put[role]), _NEVER) if role in put else given for role, given in code.options.items()}
    return code._replace(needs=needs, options=options)


def _names(
    varying: Mapping[tuple[Any, ...], list[tuple[int, str]]], lines: Sequence[str]
) -> dict[tuple[Any, ...], str]:
    """A name for each argument of a class: its role, with the module's name before it where two have the same role."""
    roles = [places[0][1] for places in varying.values()]
    used: set[str] = set()
    found = {}
    for values, places in varying.items():
        at, role = places[0]
        alone = roles.count(role) == 1
        found[values] = identifier(
            role if alone or (role.startswith("in_") and role not in used) else f"{lines[at]}_{role}", "x", used
        )
    return found


def _class_text(
    name: str, arguments: Iterable[str], lines: Sequence[Line], forward: Sequence[str], ties: Sequence[str]
) -> str:
    body = [f"class {name}(nn.Module):", *wrapped("    def __init__(", ["self", *arguments], "):")]
    body.append("        super().__init__()")
    for line in lines:
        maker, values = parts(line.code)
        if line.code.module == BUFFER:
            zeros = f"{maker}({', '.join(values)})"
            body += wrapped("        self.register_buffer(", [f'"{line.name}"', zeros, "persistent=False"], ")")
        else:
            body += wrapped(f"        self.{line.name} = {maker}(", values, ")")
    body += [f"        {tie}" for tie in ties]
    return "\n".join([*body, "", *(f"    {line}" for line in forward)])


def wrapped(head: str, items: Sequence[str], tail: str) -> list[str]:
    """A call on one line, or its arguments on a line of their own where it is too long."""
    line = f"{head}{', '.join(items)}{tail}"
    if len(line) <= WIDTH:
        return [line]
    margin = " " * (len(head) - len(head.lstrip()))
    inner = f"{margin}    {', '.join(items)}"
    return [head, *([inner] if len(inner) <= WIDTH else [f"{margin}    {item}," for item in items]), f"{margin}{tail}"]


def camel(text: str, prefix: str) -> str:
    """A text as the name of a class, with a prefix where it begins with a digit.

    >>> camel("inverted_residual", "Block"), camel("1x1 before 5x5", "Net")
    ('InvertedResidual', 'Net1x1Before5x5')
    """
    words = "".join(letter if letter.isalnum() and letter.isascii() else " " for letter in text).split()
    name = "".join(word[0].upper() + word[1:] for word in words)
    return prefix + name if name[:1].isdigit() else name
