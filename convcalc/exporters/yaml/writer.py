"""Graph -> the YAML that a person would have written for it, and the proof that it counts to the same figures."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from convcalc.analysis.count import Count, count
from convcalc.errors import SpecError, printable
from convcalc.exporters.yaml.blocks import Body, Repeats, common_path
from convcalc.exporters.yaml.nesting import BESIDE_FIELDS, ENTRY, Item, arrange, default_bits
from convcalc.graph import Graph, Layer, Ref, stored
from convcalc.kinds import KINDS, shape_text
from convcalc.language.builder import build
from convcalc.language.document import NAME
from convcalc.language.document_loader import parse
from convcalc.language.overrides import Overrides
from convcalc.language.shared_elements import UNCOUNTED
from convcalc.language.sources import File

_PLAIN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_./+-]*\Z")
_SENTENCE = re.compile(r"[A-Za-z][A-Za-z0-9_./ -]* [A-Za-z0-9_./-]+\Z")  # words that mean nothing else in YAML
_NUMBER = re.compile(r"[-+.0-9_eExXoO]*\Z")
_WORDS = ("true", "false", "null", "yes", "no", "on", "off")


def write_spec(graph: Graph) -> str:
    """A graph as the text of a spec, checked: the spec builds, and every total of it is the graph's.

    Raises SpecError where the text would count differently, which is a bug of ours.

    >>> from convcalc.kinds.conv import Conv
    >>> graph = Graph("tiny")
    >>> image = graph.add_input("image", (3, 8, 8))
    >>> _ = graph.add("features/wide", Conv(filters=4, kernel=3), (image,))
    >>> print(write_spec(graph), end="")
    name: tiny
    input: 3x8x8
    expect: {params: 112, macs: 3888}
    layers:
      - conv: {name: features.wide, filters: 4, kernel: 3}
    """
    counted = count(graph)
    text = _Writer(graph, counted).text()
    again = _prove(text, counted)
    if graph.stated_outputs is None and again.unread != again.outputs:
        # a model's outputs are what no layer reads; of a spec only the last layer is one, unless it says so
        names = [scalar(layer.path) for layer in again.unread]
        text = text.replace("\nlayers:\n", f"\noutputs: [{', '.join(names)}]\nlayers:\n", 1)
        _prove(text, counted)
    return text


def _prove(text: str, counted: Count) -> Graph:
    """Return what the text builds; raise unless its layers have the same kinds, shapes and tallies."""
    name = counted.graph.name
    try:
        document = parse(File("imported.yaml", text.encode(), ""))
        again = count(build(document, Overrides(batch=counted.graph.batch)))
    except SpecError as error:
        raise SpecError(f"'{name}' could not be written as a spec that reads back: {error}") from None
    ours, theirs = (
        sorted((row.kind, row.output, sorted(row.tallies.items())) for row in one.rows) for one in (counted, again)
    )
    if ours != theirs:
        different = next((f"{a} is not {b}" for a, b in zip(ours, theirs, strict=False) if a != b), "more layers")
        raise SpecError(f"'{name}' could not be written as a spec with the same figures: {different}")
    return again.graph


class _Writer:
    def __init__(self, graph: Graph, counted: Count) -> None:
        self.graph = graph
        self.counted = counted
        self.top = arrange(graph)
        repeats = Repeats(graph, self.top)
        repeats.find()
        self.blocks: dict[str, Body] = repeats.blocks
        self.lines: list[str] = []

    def text(self) -> str:
        graph = self.graph
        self.lines = [f"name: {scalar(graph.name)}"]
        if graph.provenance.source:
            self.lines.append(f"source: {scalar(graph.provenance.source)}")
        notes = [graph.provenance.note] if graph.provenance.note else []
        if self.counted.uncounted:
            number = len(self.counted.uncounted)
            what = "1 layer has no rule and is" if number == 1 else f"{number} layers have no rule and are"
            notes.append(f"totals are lower bounds: {what} opaque")
        if notes:
            self.lines.append(f"notes: {scalar('; '.join(notes))}")
        inputs = graph.inputs
        names = _input_names(inputs)
        if len(inputs) == 1:
            self.lines.append(f"input: {shape_text(next(iter(inputs.values())))}")
        else:
            self.lines.append("input:")
            self.lines += [f"  {names[path]}: {shape_text(shape)}" for path, shape in inputs.items()]
        if bits := default_bits(graph):
            self.lines.append(f"bits: {scalar(bits)}")
        if not self.counted.uncounted:
            self.lines.append(f"expect: {{params: {self.counted.figure('params')}, macs: {self._macs()}}}")
        if self.blocks:
            self.lines.append("blocks:")
        for name, body in self.blocks.items():
            self._block(name, body)
        self.lines.append("layers:")
        every_input = tuple(Ref(layer.index) for layer in graph.all if layer.is_input)
        scope = _Scope(self.graph, self.top, every_input)
        for layer in graph.all:
            if layer.is_input:
                scope.names[layer.index] = "input" if len(inputs) == 1 else names[layer.path]
        self._list(self.top, scope, every_input, "  ")
        return "\n".join(self.lines) + "\n"

    def _macs(self) -> int:
        return self.counted.figure("macs") // self.graph.batch

    def _block(self, name: str, body: Body) -> None:
        self.lines.append(f"  {name}:")
        if body.arguments:
            self.lines.append(f"    args: [{', '.join(body.arguments)}]")
        self.lines.append("    layers:")
        self._list(body.items, _Scope(self.graph, body.items, (ENTRY,)), (ENTRY,), "      ")

    def _list(self, items: list[Item], scope: _Scope, current: tuple[Ref, ...], indent: str) -> None:
        if not items:
            self.lines[-1] += " []"
        for item in items:
            self._item(item, scope, current, indent)
            current = item.results()

    def _item(self, item: Item, scope: _Scope, current: tuple[Ref, ...], indent: str) -> None:
        fields: dict[str, Any] = {}
        name = scope.name(item)
        if name:
            fields["name"] = name
        is_source = item.tag in KINDS and KINDS[item.tag].inputs == (0, 0)
        if item.sources != current and not is_source:
            found = [scope.reference(ref) for ref in item.sources]
            fields["from"] = found[0] if len(found) == 1 else found
        if item.shares is not None:
            fields["share"] = scope.names[item.shares.index]
        elif item.shared:
            fields["share"] = _shared(item, scope)
        if item.shares is None or item.shares.kind != item.output.kind:
            fields.update(_in_order(item))
        else:
            fields.update({key: item.fields[key] for key in BESIDE_FIELDS if key in item.fields})
        if item.branches is None:
            self.lines.append(f"{indent}- {_entry(item.tag, fields)}")
        elif item.tag == "repeat":
            self._repeat(item, fields, indent)
        else:
            self._join(item, fields, scope, indent)

    def _repeat(self, item: Item, fields: dict[str, Any], indent: str) -> None:
        inside = item.branches[0] if item.branches else []
        scope = _Scope(self.graph, inside, (ENTRY,))
        start = len(self.lines) + 1
        self.lines.append(f"{indent}- repeat:")
        self.lines += [f"{indent}    {key}: {scalar(value)}" for key, value in fields.items()]
        self.lines.append(f"{indent}    layers:")
        self._list(inside, scope, (ENTRY,), f"{indent}      ")
        if len(inside) == 1 and inside[0].branches is None:
            (only,) = (line.strip()[2:] for line in self.lines[-1:])
            layer = f"{{{only}}}" if ":" in only else only
            del self.lines[start - 1 :]
            self.lines.append(f"{indent}- {_entry('repeat', {**fields, 'layers': _Text(f'[{layer}]')})}")

    def _join(self, item: Item, fields: dict[str, Any], scope: _Scope, indent: str) -> None:
        """A join with its branches, each a list behind its own dash."""
        self.lines.append(f"{indent}- {item.tag}:")
        deeper = f"{indent}    "
        if fields:
            self.lines += [f"{deeper}{key}: {scalar(value)}" for key, value in fields.items()]
            self.lines.append(f"{deeper}branches:")
            deeper += "  "
        for branch in item.branches or ():
            start = len(self.lines)
            if not branch:
                self.lines.append(f"{deeper}- []")
                continue
            self._list(branch, scope, item.sources, f"{deeper}  ")
            self.lines[start] = f"{deeper}- {self.lines[start][len(deeper) + 2 :]}"


class _Scope:
    """The names of one list of layers: the network's, a block's, a repeat's."""

    def __init__(self, graph: Graph, items: list[Item], entry: tuple[Ref, ...]) -> None:
        self.graph = graph
        self.names: dict[int, str] = {ENTRY.layer: "input"}
        self.taken: set[str] = {"input"}
        self.counters: dict[str, int] = {}
        self.prefixes = [""]
        if entry == (ENTRY,):
            every_copy = zip(*(item.copies for item in items), strict=True)
            self.prefixes = [common_path([leaf for part in parts for leaf in part]) for parts in every_copy]
        self.needed = set(_needed(items, entry))
        self.needed |= {leaf.shares for item in items for leaf in item.leaves if leaf.shares is not None}
        self.needed |= {
            one.layer for item in items for leaf in item.leaves for one in leaf.shared if one.layer is not None
        }
        self.owners = Counter(path for item in _named(items) for path in _folders(item.leaves))

    def name(self, item: Item) -> str:
        """The name to write for an entry; "" where the automatic one will do."""
        index = item.output.index
        is_needed = index in self.needed
        kind = KINDS.get(item.tag)
        if kind is not None and not kind.depth and not is_needed:
            return ""
        found = self._from_path(item)
        if not found or not NAME.match(found) or found in self.taken:
            found = self._fresh(item.tag, found) if is_needed else ""
        if found:
            self.taken.add(found)
            self.names[index] = found
        return found

    def _fresh(self, tag: str, wanted: str) -> str:
        base = re.sub(r"[^A-Za-z0-9_-]", "_", wanted)[:60].strip("_") or tag
        number = self.counters.get(base, 0)
        while True:
            number += 1
            name = f"{base}_{number}" if number > 1 or not wanted else base
            if name not in self.taken and not re.fullmatch(rf"{re.escape(tag)}\d+", name):
                self.counters[base] = number
                return name

    def _from_path(self, item: Item) -> str:
        """What the layer, or the block, is called in every copy of this list; "" where they differ."""
        found = set()
        for copy, prefix in zip(item.copies, self.prefixes, strict=True):
            path = self._path(item, copy)
            if prefix:
                path = path.removeprefix(f"{prefix}/") if path.startswith(f"{prefix}/") else ""
            found.add(path)
            if len(found) > 1:
                return ""
        name = found.pop().replace("/", ".")
        return "" if re.fullmatch(rf"{re.escape(item.tag)}[_.]?\d*", name) else name

    def _path(self, item: Item, copy: list[Layer]) -> str:
        """A layer's own path; of a block the path that only it has, or that of its one weighted layer."""
        if item.tag in KINDS:
            return copy[-1].path
        path = common_path(copy)
        if self.owners[common_path(item.leaves)] <= 1:
            return path
        weighted = [leaf for leaf in copy if leaf.kind.depth]
        return weighted[0].path if len(weighted) == 1 else ""

    def reference(self, ref: Ref) -> str:
        """How `from` names an output."""
        name = self.names[ref.layer]
        if ref.layer >= 0 and len(self.graph.all[ref.layer].outputs) > 1:
            return f"{name}.{ref.port}"
        return name


def _needed(items: list[Item], current: tuple[Ref, ...]) -> Iterable[int]:
    """The layers that some entry of a list, or of its branches, names in its `from`."""
    for item in items:
        if item.sources != current:
            yield from (ref.layer for ref in item.sources)
        for branch in item.branches or ():
            yield from _needed(branch, (ENTRY,) if item.tag == "repeat" else item.sources)
        current = item.results()


def _named(items: list[Item]) -> Iterator[Item]:
    """The entries that share one set of names: those of a list and of the branches in it."""
    for item in items:
        if item.branches is None or item.tag == "repeat":
            yield item
        else:
            for branch in item.branches:
                yield from _named(branch)


def _folders(layers: list[Layer]) -> set[str]:
    """Every path that some of the layers are under."""
    found: set[str] = set()
    for layer in layers:
        parts = layer.path.split("/")
        found.update("/".join(parts[:size]) for size in range(1, len(parts)))
    return found


def _shared(item: Item, scope: _Scope) -> _Text:
    """Elements that other layers count, as `share` says it."""
    tallies: dict[str, list[str]] = {}
    own = stored(item.output)
    for tally, elements, owner in item.shared:
        if owner is not None and elements == own[tally]:
            tallies[tally] = [scalar(scope.names[owner])]
            continue
        key = UNCOUNTED if owner is None else tally
        tallies.setdefault(key, []).append(f"{tally if owner is None else scalar(scope.names[owner])}: {elements}")
    mappings = [
        f"{key}: {{{', '.join(parts)}}}" if ": " in parts[0] else f"{key}: {parts[0]}" for key, parts in tallies.items()
    ]
    return _Text(f"{{{', '.join(mappings)}}}")


def _input_names(inputs: Iterable[str]) -> dict[str, str]:
    """Names that a spec takes, for the inputs of a model."""
    found: dict[str, str] = {}
    taken = {"input"}
    numbers: Counter[str] = Counter()
    for path in inputs:
        base = name = re.sub(r"[^A-Za-z0-9_-]", "_", path)[:60].strip("_-") or "x"
        while name in taken:
            numbers[base] += 1
            name = f"{base}_{numbers[base]}" if numbers[base] > 1 else f"{base}_"
        taken.add(name)
        found[path] = name
    return found


def _in_order(item: Item) -> dict[str, Any]:
    """The fields of an entry in the order in which its kind has them."""
    kind = KINDS.get(item.tag)
    if kind is None:
        return item.fields
    return {key: item.fields[key] for key in (*kind.fields, *BESIDE_FIELDS) if key in item.fields}


def _entry(tag: str, fields: dict[str, Any]) -> str:
    """One layer on one line."""
    if not fields:
        return tag
    kind = KINDS.get(tag)
    if len(fields) == 1 and kind is not None and not kind.has_branches:
        (key, value), *_ = fields.items()
        if key in kind.fields and kind.fields[key].bare:
            return f"{tag}: {scalar(value)}"
    return f"{tag}: {{{', '.join(f'{key}: {scalar(value)}' for key, value in fields.items())}}}"


class _Text(str):
    """YAML as it is."""


def scalar(value: Any) -> str:
    """A value in a spec's YAML.

    >>> scalar(True), scalar((1, 7)), scalar("same"), scalar("no: way"), scalar(0.1)
    ('true', '[1, 7]', 'same', '"no: way"', '0.1')
    """
    if isinstance(value, _Text):
        return str(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(scalar, value))}]"
    if isinstance(value, str):
        if _PLAIN.match(value) and not _NUMBER.match(value) and value.lower() not in _WORDS:
            return value
        if _SENTENCE.match(value):
            return value
        import json

        return json.dumps(printable(value), ensure_ascii=False)
    return str(value)
