"""What a rewrite is: it looks at one entry of a spec's list of layers, and proposes other entries in its place."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, ClassVar, NamedTuple

from convcalc.graph import Layer
from convcalc.kinds import find
from convcalc.language.branches import inner_lists
from convcalc.language.document import Block, Document
from convcalc.language.edit import Text
from convcalc.syntax.node import Node

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_./-]*\Z")
_REST_OF_LINE = re.compile(r"[ \t]*#[^\r\n]*")
_COMMENT = re.compile(r"(?:(?<=\s)|^)#.*")


class Site:
    """One entry of a list of layers, where it is written, with all the layers it becomes (blocks, repeats).

    `join` is the kind of join that the list is a branch of, `habit` the norm and activation behind the spec's first
    convolution.
    """

    def __init__(self, text: Text, items: Sequence[Node], at: int, layers: Sequence[Layer], join: str = "") -> None:
        self.text, self.items, self.at, self.layers, self.join = text, items, at, layers, join
        self.habit: list[str] = []
        self.node = items[at]
        value = self.node.value
        self.tag = str(next(iter(value)) if isinstance(value, dict) else value)
        inner = value[self.tag] if isinstance(value, dict) and len(value) == 1 else None
        self.fields: Mapping[str, Node] = inner.value if inner is not None and isinstance(inner.value, dict) else {}
        self.bare = inner if inner is not None and not isinstance(inner.value, (dict, type(None))) else None

    @property
    def name(self) -> str:
        """The entry's own name, or the one it gets."""
        return self.layers[0].path.rpartition("/")[2]

    def raw(self) -> str:
        """The entry as it is written."""
        return self.text.of(self.node)

    def tag_at(self, at: int) -> str:
        """The kind or block of another entry of the list."""
        value = self.items[at].value
        return str(next(iter(value), "") if isinstance(value, dict) else value)

    def proposal(self, what: str, *entries: str, last: int | None = None, own: int = -1) -> Proposal:
        """Entries in place of this one, or of all from this one up to `last`."""
        return Proposal(what, entries, self.at, self.at + 1 if last is None else last, self.name, own)

    def field(self, key: str, default: Any = None) -> Any:
        node = self.fields.get(key)
        return default if node is None else node.plain()

    def following(self) -> list[str]:
        """The norm and the activation that stand right behind, as they are written, without names."""
        found = []
        for node in self.items[self.at + 1 : self.at + 3]:
            tag = next(iter(node.value), "") if isinstance(node.value, dict) else node.value
            kind = find(str(tag))
            text = self.text.of(node)
            if kind is None or kind.family not in ("activation", "norm") or "name:" in text or "from:" in text:
                break
            if "\n" in text or "softmax" in kind.name:
                break
            found.append(text)
        return found

    def changed(self, **changes: Any) -> str:
        """The entry in flow style with some fields set, or left out where they are None."""
        given = {"name": None, **{key: node.plain() for key, node in self.fields.items()}}
        return entry(self.tag, **{**given, **changes})

    def is_full(self) -> bool:
        """Whether it is a convolution that sees all channels and more than one place at once, wherever it is used."""
        return (
            self.tag == "conv"
            and self.is_ungrouped()
            and all(layer.kind.mixes(layer.shapes) == "both (kxk)" for layer in self.layers)
        )

    def is_ungrouped(self) -> bool:
        """Whether it has filters of its own that see all channels, wherever it is used."""
        given = isinstance(self.field("filters"), (int, str))
        return given and all(getattr(layer.kind, "groups", 0) == 1 for layer in self.layers)

    def kernel(self) -> int:
        """The size of a square window, the same wherever it is used; 0 for any other."""
        found = {getattr(layer.kind, "kernel", 0) for layer in self.layers}
        size = found.pop() if len(found) == 1 else 0
        return size if isinstance(size, int) and len(self.layers[0].output) == 3 else 0

    def window(self) -> str:
        """The window in words; kxk where it is not the same in every use."""
        sizes = {layer.kind.kernel for layer in self.layers}  # type: ignore[attr-defined]
        size = sizes.pop()
        if sizes:
            return "kxk"
        return "x".join(map(str, size)) if isinstance(size, tuple) else f"{size}x{size}"

    def with_field(self, key: str, value: Any) -> str:
        """The entry as it is written, with one field set."""
        start, end = self.text.span(self.node)
        if key in self.fields:
            first, last = self.text.span(self.fields[key])
            return self.text.text[start:first] + written(value) + self.text.text[last:end]
        last_key = list(self.fields.values())[-1].key
        assert last_key is not None
        at = self.text.span(self.node.value[self.tag])[1]
        if self.text.text[at - 1] == "}":
            return self.text.text[start : at - 1].rstrip() + f", {key}: {written(value)}" + self.text.text[at - 1 : end]
        return f"{self.raw()}\n{' ' * (last_key.column - 1)}{key}: {written(value)}"


class Proposal(NamedTuple):
    """Entries in place of items `first` to `last` (not included) of the site's list.

    `layer` is the name that stays, and `own` the entry that is most like what was there: it keeps the line's comment.
    """

    what: str
    entries: Sequence[str]
    first: int
    last: int
    layer: str
    own: int


class Rewrite:
    """One way to make a network smaller. Subclass it in a file of this folder; that is all the registration there is.

    `source` is the paper that the rewrite comes from.
    """

    source: ClassVar[str]

    def proposals(self, site: Site) -> Iterator[Proposal]:
        """What could stand in place of a site. Whether it fits, and what it saves, is found out by counting."""
        raise NotImplementedError


def entry(tag: str, /, **fields: Any) -> str:
    """An entry of a list of layers in flow style; fields that are None are left out.

    >>> entry("conv", filters=16, kernel=1, bias=None)
    'conv: {filters: 16, kernel: 1}'
    """
    inside = ", ".join(f"{key}: {written(value)}" for key, value in fields.items() if value is not None)
    return f"{tag}: {{{inside}}}" if inside else tag


class Change(NamedTuple):
    """A new text in place of a part of the spec's, from `start` to `end` (not included)."""

    start: int
    end: int
    new: str

    def apply(self, text: str) -> str:
        return text[: self.start] + self.new + text[self.end :]


def change_of(site: Site, proposal: Proposal) -> Change | None:
    """What a proposal changes in the text of the spec, everything else as it was; None where a comment would be lost.

    Entries that are taken away take their comments with them.
    """
    text = site.text
    items = site.items[proposal.first : proposal.last]
    start, end = text.span(items[0])[0], text.span(items[-1])[1]
    old = text.text[start:end]
    lost = [found for found in comments(old) if len(items) == 1 and found not in "\n".join(proposal.entries)]
    line_start = text.text.rfind("\n", 0, start) + 1
    before = text.text[line_start:start]
    is_block = before.rstrip().endswith("-")
    entries = list(proposal.entries)
    if not is_block:
        if lost:
            return None
        is_braced = old.startswith("{")
        entries = [f"{{{one}}}" if is_braced and ":" in one and not one.startswith("{") else one for one in entries]
        return Change(start, end, ", ".join(entries))
    if lost:
        entries[0] += "  " + "  ".join(lost)
    rest = _REST_OF_LINE.match(text.text, end)
    if rest and proposal.own != -1:
        entries[proposal.own] += rest[0]
        end = rest.end()
    dash = before.rindex("-")
    indent = text.newline + " " * dash + before[dash:]
    return Change(start, end, indent.join(entries))


def comments(text: str) -> list[str]:
    """The comments inside a piece of YAML.

    >>> comments('a: "x # y"  # why\\nb: 3')
    ['# why']
    """
    bare = re.sub(r"\"(?:\\.|[^\"\\])*\"|'[^']*'", lambda match: "_" * len(match[0]), text)
    found = []
    position = 0
    for line in bare.split("\n"):
        match = _COMMENT.search(line)
        if match:
            found.append(text[position + match.start() : position + len(line)].rstrip())
        position += len(line) + 1
    return found


def written(value: Any) -> str:
    """A value in flow style.

    >>> written([1, 3]), written("same"), written("${c // 2}"), written(False)
    ('[1, 3]', 'same', '"${c // 2}"', 'false')
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(written, value))}]"
    if isinstance(value, (int, Decimal)):
        return str(value)
    text = str(value)
    return text if _PLAIN.match(text) else '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def part(value: Any, times: int, over: int) -> Any:
    """A part of a size: of a number a number, of `${...}` an expression.

    >>> part(128, 3, 4), part("${c3}", 1, 2)
    (96, '${(c3) // 2}')
    """
    if isinstance(value, int):
        return value * times // over
    inner = str(value).removeprefix("${").removesuffix("}")
    return f"${{({inner}) * {times} // {over}}}" if times > 1 else f"${{({inner}) // {over}}}"


def sites(document: Document, layers: Sequence[Layer], blocks: Collection[str] | None = None) -> Iterator[Site]:
    """Every entry of the file itself that becomes a layer, or only those in some of its blocks."""
    uses: dict[tuple[int, int], list[Layer]] = {}
    for layer in layers:
        if layer.place is not None and layer.place.source is document.node.source:
            uses.setdefault((layer.place.line, layer.place.column), []).append(layer)
    text = Text(document.node.source.text)
    lists = [block.layers for block in own_blocks(document) if blocks is None or block.name in blocks]
    found = []
    for node in lists if blocks is not None else [document.get("layers"), *lists]:
        for items, join in _lists(node.value) if node is not None and isinstance(node.value, list) else ():
            for at, item in enumerate(items):
                key = next((inner.key for _, inner in item.items()), None) or item
                used = uses.get((key.line, key.column))
                if used and all(layer.kind.is_counted for layer in used):
                    found.append(Site(text, items, at, used, join))
    habit = next((site.following() for site in found if site.tag == "conv" and site.following()), [])
    for site in found:
        site.habit = habit
    yield from found


def own_blocks(document: Document) -> list[Block]:
    """The blocks that a file itself defines."""
    return [block for block in document.blocks.values() if block.home is document]


def _lists(items: list[Node], join: str = "") -> Iterator[tuple[Sequence[Node], str]]:
    """A list of layers and the lists of its branches and repeats, each with the join whose branch it is."""
    yield items, join
    for item in items:
        for tag, inner in item.items():
            if tag == "choice" and isinstance(inner.value, dict):
                for _, alternative in (inner.value.get("of") or inner).items():
                    yield from _lists(alternative.value if isinstance(alternative.value, list) else [alternative])
                continue
            inside = inner.value.get("branches", inner.value.get("layers")) if isinstance(inner.value, dict) else inner
            for layers in inner_lists(inside):
                yield from _lists(layers, "" if inside is not None and layers is inside.value else tag)
