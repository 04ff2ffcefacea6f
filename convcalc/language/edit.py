"""A spec as text: where its values stand, and the text with the blocks of other files written into it."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator

from convcalc.errors import UserError, did_you_mean, quoted
from convcalc.language.document import Block, Document
from convcalc.language.document_loader import parse
from convcalc.language.sources import File, Files
from convcalc.syntax.expression_parser import names_in
from convcalc.syntax.node import Node
from convcalc.syntax.yaml import extents


class Text:
    """The text of a spec, with the offsets of its values."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.ends = extents(text)
        self.starts = [0]
        for line in re.finditer(r"\r\n|\r|\n", text):
            self.starts.append(line.end())

    def offset(self, place: tuple[int, int]) -> int:
        return self.starts[place[0] - 1] + place[1] - 1

    def span(self, node: Node) -> tuple[int, int]:
        """Start and end of a value."""
        start = (node.line, node.column)
        return self.offset(start), self.offset(self.ends.get(start, start))

    def of(self, node: Node) -> str:
        start, end = self.span(node)
        return self.text[start:end]

    def lines(self, node: Node) -> tuple[int, int]:
        """Start and end of the lines of a key and its value, its comment included. Raises UserError in `{}`."""
        assert node.key is not None
        start = self.starts[node.key.line - 1]
        if self.text[start : self.offset((node.key.line, node.key.column))].strip():
            raise UserError(f"{quoted(node.key.value)} stands inside {{}}", hint="write it on a line of its own")
        end = re.compile(r"[^\r\n]*(\r\n|\r|\n)?").match(self.text, self.span(node)[1])
        assert end is not None
        return start, end.end()


def inlined(document: Document, files: Files | None = None) -> Document:
    """The same spec in one file: the blocks that it includes and uses are written under its own `blocks:`.

    Raises UserError where they cannot be: a block that uses variables of its own file, `include:` in braces.
    """
    include = document.get("include")
    if include is None:
        return document
    text = document.node.source.text
    newline = "\r\n" if "\r\n" in text else "\n"
    whole = Text(text if text.endswith(newline) else text + newline)
    borrowed = _borrowed(document)
    start, end = whole.lines(include)
    own = document.get("blocks")
    if own is None or not own.value:
        changes = [(start, end, _written(borrowed, 2, "blocks:", newline))]
    else:
        first, last = next(iter(own.value.values())), list(own.value.values())[-1]
        whole.lines(first)
        behind = whole.lines(last)[1]
        changes = [(start, end, ""), (behind, behind, _written(borrowed, first.key.column - 1, "", newline))]
    text = whole.text
    for start, end, new in sorted(changes, reverse=True):
        text = text[:start] + new + text[end:]
    return parse(File(document.file.name, text.encode(), document.file.folder), files)


def alone(document: Document, variant: str) -> str:
    """The text of one variant of a spec as a spec of its own, its values in place. Raises UserError."""
    text = Text(document.node.source.text)
    node = document.get("variants")
    chosen = document.variants.get(variant)
    if node is None or chosen is None:
        hint = did_you_mean(variant, document.variants) or "it has no variants"
        raise UserError(f"{document.file.name} has no variant {quoted(variant)}", hint=hint)
    start, end = text.lines(node)
    changes = [(start, end, "")]
    for key, old in [*document.node.items(), *document.variables.items()]:
        new = chosen.get(key)
        if new is not None:
            changes.append((*text.span(old), text.of(new)))
        elif key == "name":
            at = text.span(old)[1] - old.is_quoted
            changes.append((at, at, f" {variant}"))
        elif key == "expect" and chosen:
            changes.append((*text.lines(old), ""))
    found = text.text
    for start, end, change in sorted(changes, reverse=True):
        found = found[:start] + change + found[end:]
    return found


def _borrowed(document: Document) -> list[Block]:
    """The blocks of other files that a document uses, each behind those that it uses itself."""
    found: dict[str, Block] = {}

    def take(node: Node | None) -> None:
        for word in _words(node):
            block = document.blocks.get(word)
            if block is not None and block.home is not document and word not in found:
                found[word] = block
                take(block.layers)

    take(document.get("layers"))
    for block in document.blocks.values():
        if block.home is document:
            take(block.layers)
    for block in found.values():
        used = names_in(block.node.plain()) & set(block.home.variables) - set(block.arguments)
        if used:
            raise UserError(f"the block {quoted(block.name)} uses the variable {quoted(min(used))} of its own file")
    return list(reversed(found.values()))


def _words(node: Node | None) -> Iterator[str]:
    """Every key and every text below a node: among them are the names of all the blocks it uses."""
    if node is None:
        return
    if isinstance(node.value, list):
        for item in node.value:
            yield from _words(item)
    elif isinstance(node.value, dict):
        for key, inner in node.value.items():
            yield key
            yield from _words(inner)
    elif isinstance(node.value, str):
        yield node.value


def _written(blocks: list[Block], indent: int, head: str, newline: str) -> str:
    """Blocks as they stand in their files, behind what their file says at its top."""
    lines = [head] if head else []
    homes: set[int] = set()
    for block in blocks:
        text = Text(block.node.source.text)
        assert block.node.key is not None
        if id(block.home) not in homes:
            homes.add(id(block.home))
            said = itertools.takewhile(lambda line: line.startswith("#"), text.text.splitlines())
            lines += [" " * indent + line for line in said]
        try:
            start, end = text.lines(block.node)
            own, shift = text.text[start:end].splitlines(), block.node.key.column - 1
        except UserError:
            own, shift = f"{block.name}: {text.of(block.node)}".splitlines(), 0
        lines += [(" " * indent + line[shift:]).rstrip() for line in own]
    return "".join(line + newline for line in lines)
