"""The network as a file of Keras 3: a function for each block, one for the whole. Nothing of Keras is loaded.

Keras keeps grids with their channels behind; everything else stays in the order of the spec, and where the two meet the
file says `Permute`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from convcalc.analysis.count import Count
from convcalc.exporters.code.layer_code import coded, require_same_kind
from convcalc.exporters.code.parts import Part, identifier
from convcalc.exporters.code.units import Draft, Line, Step, Writer, header, is_of_tokens, wrapped
from convcalc.graph import Graph, Layer, Ref, stored
from convcalc.kinds.code import PLAIN, Code, literal
from convcalc.kinds.code import arguments as arguments_of
from convcalc.kinds.code_keras import BEHIND, EITHER

# what the file means by a name already
NAMES = frozenset({"keras", "layers", "ops", "name", "Scale", "Parameter", "Constant", "local_response_norm"})
BUILT_IN = frozenset({"float", "input", "len", "range", "sum", "super"})
# a layer that is called on something made of its one input
_FIRST = re.compile(r"\{module\}\((.*\{0\}.*\).*)\)")


def write(counted: Count, depth: int | None) -> str:
    """The text of the file. Raises SpecError for layers that Keras does not have."""
    return KerasWriter(counted.graph).file(counted)


class KerasWriter(Writer):
    """Units are functions, and a line makes a layer of one, which is called at once, or where weights are shared later.

    Layers that learn have the name of their place, `stage2_basic1_conv1`; others are Keras' to name.
    """

    taken = reserved = NAMES | BUILT_IN
    keeps_inputs = True

    def __init__(self, graph: Graph) -> None:
        self.learns = {layer.index for layer in graph.layers if any(stored(layer).values())}
        self.functions: set[str] = set()
        self.naming: set[str] = set()  # functions that are told a name
        self.is_behind = orders(graph)
        name = identifier(graph.name.lower(), "net", {*self.reserved})
        super().__init__(graph, coded(graph, self._code, "Keras"), name)

    def file(self, counted: Count) -> str:
        helpers = sorted({code.helper for code in self.codes.values() if code.helper})
        body = [helper.strip("\n") for helper in helpers] + self.units
        behind = any(self.is_behind[ref] for ref in self.root.takes)
        head = header(counted, " In Keras the channels come behind the grid." if behind else "")
        imports = ["import keras", f"from keras import layers{', ops' if 'ops.' in ''.join(body) else ''}"]
        return "\n\n\n".join(["\n".join([head, *imports]), *body]) + "\n"

    def unit_name(self, label: str) -> str:
        return label

    def is_flat(self) -> bool:
        """Layers of several functions cannot be one, nor can two layers have one name."""
        names = Counter("_".join(self.homes[index]) for index in self.learns)
        ties = (layer for layer in self.graph.layers if layer.shares is not None)
        return max(names.values(), default=1) > 1 or not all(self.is_beside(one, self.owner(one)) for one in ties)

    def takes(self, part: Part) -> list[str]:
        if part is not self.root:
            return super().takes(part)
        used = {*self.reserved, "x"}
        paths = (self.graph.all[ref.layer].path for ref in part.takes)
        return [identifier("inputs" if path == "input" else path, "input", used) for path in paths]

    def unit(self, name: str, arguments: Sequence[str], lines: Sequence[Line], draft: Draft) -> str:
        part, made, is_root = draft.part, {line.name: line.code for line in lines}, draft.part is self.root
        named = {part.names[item.index] for item in part.items if isinstance(item, Layer) and item.index in self.learns}
        named |= {line.name for line in lines if line.code.module in self.naming}
        self.functions.add(name)
        if named and not is_root:
            self.naming.add(name)
        given = [] if is_root else [*draft.takes, *arguments, *(["name"] if named else [])]
        body = wrapped(f"def {name}(", given, "):")
        body += self._inputs(draft.takes) if is_root else []
        uses = Counter(step.line for step in draft.steps)
        kept: dict[str, str] = {}  # of a line that is called more than once, the variable that holds its layer
        busy = {*self.reserved, *given, *draft.takes, *(word for step in draft.steps for word in step.writes)}
        for step in draft.steps:
            code = made.get(step.line, step.code)
            values = arguments_of(code)
            if step.line in named:
                values.append(f"name={literal(step.line)}" if is_root else f'name=f"{{name}}_{step.line}"')
            if code.module and uses[step.line] > 1 and step.line not in kept:
                kept[step.line] = identifier(f"{step.line}_layer", "layer", busy)
                body += wrapped(f"    {kept[step.line]} = {code.module}(", values, ")")
            is_end = step is draft.steps[-1] and not is_root and list(step.writes) == draft.gives
            head = "    return " if is_end else f"    {', '.join(step.writes)} = "
            body += self._call(step, code, values, kept.get(step.line, ""), head, draft.takes[0])
        if is_root:
            model = f"{_listed(draft.takes)}, {_listed(draft.gives)}, name={literal(name)}"
            body.append(f"    return keras.Model({model})")
        elif not is_end:
            body.append(f"    return {', '.join(draft.gives)}")
        return "\n".join(body)

    def _call(self, step: Step, code: Code, values: Sequence[str], kept: str, head: str, batch: str) -> list[str]:
        """The lines of one step: a layer made and called, `kept` where it was made before."""
        note = f"  # {code.note}" if code.note else ""
        if code.module in self.functions:
            return wrapped(f"{head}{code.module}(", [*step.reads, *values], f"){note}")
        call, reads, lines = code.call, step.reads, []
        inner = _FIRST.fullmatch(call)
        if inner and len(reads) == call.count("{module}") == 1:  # what is done to the input has a line of its own
            lines = [f"    {step.writes[0]} = {inner[1].format(*reads)}"]
            call, reads = PLAIN, step.writes[:1]
        if kept or call.count("{module}") != 1:
            layer = kept or f"{code.module}({', '.join(values)})"
            return [*lines, f"{head}{call.format(*reads, module=layer, batch=batch)}{note}"]
        before, after = (side.format(*reads, batch=batch) for side in call.split("{module}"))
        return [*lines, *wrapped(f"{head}{before}{code.module}(", values, f"){after}{note}")]

    def _inputs(self, takes: Sequence[str]) -> list[str]:
        lines = []
        for name, ref, (path, shape) in zip(takes, self.root.takes, self.graph.inputs.items(), strict=True):
            sizes = (*shape[1:], shape[0]) if self.is_behind[ref] else shape
            kind = ', dtype="int32"' if is_of_tokens(self.graph, path) else ""
            lines.append(f"    {name} = keras.Input({sizes}{kind}, name={literal(name)})")
        return lines

    def _code(self, layer: Layer, owner: Layer | None) -> Code:
        """A layer's code, its inputs put into the order of axes that it wants."""
        if owner is not None:
            require_same_kind(layer, owner)
        is_behind = wanted(layer, self.is_behind)
        code = layer.kind.to_keras(layer.shapes, layer.output, is_behind)
        inputs = []
        for at, (ref, shape) in enumerate(zip(layer.inputs, layer.shapes, strict=True)):
            turned = (*range(2, len(shape) + 1), 1) if is_behind else (len(shape), *range(1, len(shape)))
            is_right = len(shape) < 2 or self.is_behind[ref] == is_behind
            inputs.append(f"{{{at}}}" if is_right else f"layers.Permute({turned})({{{at}}})")
        return code._replace(call=code.call.format(*inputs, module="{module}", batch="{batch}"))


def wanted(layer: Layer, is_behind: dict[Ref, bool]) -> bool:
    """Whether a layer is given its inputs with the channels behind."""
    order = layer.kind.keras_order(layer.shapes)
    return order == BEHIND or (order == EITHER and any(is_behind[ref] for ref in layer.inputs))


def orders(graph: Graph) -> dict[Ref, bool]:
    """Whether each value has its channels behind the grid. An input is as its first reader wants it."""
    found: dict[Ref, bool] = {}
    for layer in graph.all:
        if layer.is_input:
            readers = [one for one in graph.layers if any(ref.layer == layer.index for ref in one.inputs)]
            order = next((one.kind.keras_order(one.shapes) for one in readers), EITHER)
            found[Ref(layer.index)] = order == BEHIND or (order == EITHER and len(layer.output) > 2)
            continue
        is_behind = wanted(layer, found)
        for port, shape in enumerate(layer.outputs):
            found[Ref(layer.index, port)] = is_behind and len(shape) > 1
    return found


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"[{', '.join(names)}]"
