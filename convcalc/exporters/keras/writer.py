"""The network as a file of Keras 3: a function for each block, one for the whole. Nothing of Keras is loaded.

Keras keeps spatial values channels last; everything else stays in the order of the spec, and where the two meet the
file has a `Permute`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from convcalc.analysis.count import Count
from convcalc.exporters.code.code import PLAIN, Code, comment, literal
from convcalc.exporters.code.code import arguments as arguments_of
from convcalc.exporters.code.layer_code import layer_codes, require_same_kind
from convcalc.exporters.code.own_code import require_own_code
from convcalc.exporters.code.parts import Part, identifier
from convcalc.exporters.code.units import Draft, Line, Step, Writer, header, is_of_tokens, wrapped
from convcalc.exporters.keras.table import CHANNELS_LAST, EITHER, TABLE, axis_order
from convcalc.exporters.keras.vocabulary import VOCABULARY
from convcalc.graph import Graph, Layer, Ref, stored

# names that the file uses itself
NAMES = frozenset({"keras", "layers", "ops", "name", "Scale", "Parameter", "Constant", "local_response_norm"})
BUILT_IN = frozenset({"float", "input", "len", "range", "sum", "super"})
# a layer that is called on an expression of its one input
_FIRST = re.compile(r"\{module\}\((.*\{0\}.*\).*)\)")


def write(counted: Count, depth: int | None) -> str:
    """Write the text of the file. Raises SpecError for layers that Keras does not have."""
    return KerasWriter(counted.graph).file(counted)


class KerasWriter(Writer):
    """Units are functions. A line makes a layer and calls it at once, or later where weights are shared.

    Layers that learn are named after their path, `stage2_basic1_conv1`; Keras names the others.
    """

    taken = reserved = NAMES | BUILT_IN
    keeps_inputs = True

    def __init__(self, graph: Graph) -> None:
        self.learns = {layer.index for layer in graph.layers if any(stored(layer).values())}
        self.functions: set[str] = set()
        self.naming: set[str] = set()  # functions that take a name
        self.channels_last = orders(graph)
        name = identifier(graph.name.lower(), "net", {*self.reserved})
        super().__init__(graph, layer_codes(graph, self._code, TABLE.framework), name)

    def file(self, counted: Count) -> str:
        """Write the whole file. Raises SpecError where it would hold what we never write."""
        helpers = sorted({code.helper for code in self.codes.values() if code.helper})
        body = [helper.strip("\n") for helper in helpers] + self.units
        channels_last = any(self.channels_last[ref] for ref in self.root.takes)
        head = header(counted, " The layout is channels last." if channels_last else "")
        imports = ["import keras", f"from keras import layers{', ops' if 'ops.' in ''.join(body) else ''}"]
        text = "\n\n\n".join(["\n".join([head, *imports]), *body]) + "\n"
        return require_own_code(text, VOCABULARY)

    def unit_name(self, label: str) -> str:
        return label

    def is_flat(self) -> bool:
        """Write the network as one function where functions would share a layer, or two layers a name."""
        names = Counter("_".join(self.homes[index]) for index in self.learns)
        ties = (layer for layer in self.graph.layers if layer.shares is not None)
        return max(names.values(), default=1) > 1 or not all(self.is_beside(layer, self.owner(layer)) for layer in ties)

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
        """Write the lines of one step: a layer made and called; `kept` is the variable of one made before."""
        note = comment(code.note)
        if code.module in self.functions:
            return wrapped(f"{head}{code.module}(", [*step.reads, *values], f"){note}")
        call, reads, lines = code.call, step.reads, []
        inner = _FIRST.fullmatch(call)
        if inner and len(reads) == call.count("{module}") == 1:  # the expression of the input gets its own line
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
            sizes = (*shape[1:], shape[0]) if self.channels_last[ref] else shape
            kind = ', dtype="int32"' if is_of_tokens(self.graph, path) else ""
            lines.append(f"    {name} = keras.Input({sizes}{kind}, name={literal(name)})")
        return lines

    def _code(self, layer: Layer, owner: Layer | None) -> Code:
        """Return a layer's code, its inputs permuted into the order of axes that it wants."""
        if owner is not None:
            require_same_kind(layer, owner)
        rule = TABLE.rule(layer.kind)
        channels_last = wants_channels_last(layer, self.channels_last)
        code = rule.code(layer.kind, layer.shapes, layer.output, channels_last)
        inputs = []
        for number, (ref, shape) in enumerate(zip(layer.inputs, layer.shapes, strict=True)):
            order = (*range(2, len(shape) + 1), 1) if channels_last else (len(shape), *range(1, len(shape)))
            is_in_order = len(shape) < 2 or self.channels_last[ref] == channels_last
            inputs.append(f"{{{number}}}" if is_in_order else f"layers.Permute({order})({{{number}}})")
        return code._replace(call=code.call.format(*inputs, module="{module}", batch="{batch}"))


def wants_channels_last(layer: Layer, channels_last: dict[Ref, bool]) -> bool:
    """Whether a layer takes its inputs channels last."""
    order = axis_order(layer.kind, layer.shapes)
    return order == CHANNELS_LAST or (order == EITHER and any(channels_last[ref] for ref in layer.inputs))


def orders(graph: Graph) -> dict[Ref, bool]:
    """Decide for each value whether it is channels last. An input is as its first reader wants it."""
    channels_last: dict[Ref, bool] = {}
    for layer in graph.all:
        if layer.is_input:
            readers = (reader for reader in graph.layers if any(ref.layer == layer.index for ref in reader.inputs))
            order = next((axis_order(reader.kind, reader.shapes) for reader in readers), EITHER)
            channels_last[Ref(layer.index)] = order == CHANNELS_LAST or (order == EITHER and len(layer.output) > 2)
            continue
        is_last = wants_channels_last(layer, channels_last)
        for port, shape in enumerate(layer.outputs):
            channels_last[Ref(layer.index, port)] = is_last and len(shape) > 1
    return channels_last


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"[{', '.join(names)}]"
