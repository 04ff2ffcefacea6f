"""Edit a spec as text: write the blocks of included files into it, cut out one variant."""

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
    """The text of a spec, and the offsets of its values in it."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.newline = "\r\n" if "\r\n" in text else "\n"
        self.ends = extents(text)
        self.starts = [0]
        for line in re.finditer(r"\r\n|\r|\n", text):
            self.starts.append(line.end())

    def offset(self, line: int, column: int) -> int:
        return self.starts[line - 1] + column - 1

    def span(self, node: Node) -> tuple[int, int]:
        """The offsets where a value starts and ends."""
        start = (node.line, node.column)
        return self.offset(*start), self.offset(*self.ends.get(start, start))

    def of(self, node: Node) -> str:
        start, end = self.span(node)
        return self.text[start:end]

    def lines(self, node: Node) -> tuple[int, int]:
        """The offsets of the lines of a key and its value, comment included. Raises UserError for a key in `{}`."""
        assert node.key is not None
        start = self.starts[node.key.line - 1]
        if self.text[start : self.offset(node.key.line, node.key.column)].strip():
            raise UserError(f"{quoted(node.key.value)} stands inside {{}}", hint="write it on a line of its own")
        end = re.compile(r"[^\r\n]*(\r\n|\r|\n)?").match(self.text, self.span(node)[1])
        assert end is not None
        return start, end.end()

    def replace(self, changes: list[tuple[int, int, str]]) -> str:
        """The text with each span (start, end) replaced by a new text."""
        text = self.text
        for start, end, new in sorted(changes, reverse=True):
            text = text[:start] + new + text[end:]
        return text


def inline_includes(document: Document, files: Files | None = None) -> Document:
    """Write the blocks that a spec includes and uses under its own `blocks:`, so that it is one file.

    Raises UserError where that is impossible: a block uses variables of its own file, `include:` is in braces.
    """
    include = document.get("include")
    if include is None:
        return document
    text = document.node.source.text
    newline = "\r\n" if "\r\n" in text else "\n"
    whole = Text(text if text.endswith(newline) else text + newline)
    included = _included_blocks(document)
    start, end = whole.lines(include)
    blocks = document.get("blocks")
    if blocks is None or not blocks.value:
        changes = [(start, end, _block_text(included, 2, "blocks:", newline))]
    else:
        first, last = next(iter(blocks.value.values())), list(blocks.value.values())[-1]
        whole.lines(first)
        after = whole.lines(last)[1]
        changes = [(start, end, ""), (after, after, _block_text(included, first.key.column - 1, "", newline))]
    return parse(File(document.file.name, whole.replace(changes).encode(), document.file.folder), files)


def extract_variant(document: Document, variant: str) -> str:
    """Write one variant of a spec as a spec of its own, without variants; return its text. Raises UserError."""
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
            end = text.span(old)[1] - old.is_quoted
            changes.append((end, end, f" {variant}"))
        elif key == "expect" and chosen:
            changes.append((*text.lines(old), ""))
    return text.replace(changes)


def _included_blocks(document: Document) -> list[Block]:
    """Collect the blocks of other files that a document uses, each after those that it uses itself."""
    included: dict[str, Block] = {}

    def collect(node: Node | None) -> None:
        for word in _words(node):
            block = document.blocks.get(word)
            if block is not None and block.home is not document and word not in included:
                included[word] = block
                collect(block.layers)

    collect(document.get("layers"))
    for block in document.blocks.values():
        if block.home is document:
            collect(block.layers)
    for block in included.values():
        used = names_in(block.node.plain()) & set(block.home.variables) - set(block.arguments)
        if used:
            raise UserError(f"the block {quoted(block.name)} uses the variable {quoted(min(used))} of its own file")
    return list(reversed(included.values()))


def _words(node: Node | None) -> Iterator[str]:
    """Yield every key and every text below a node: among them are the names of all the blocks it uses."""
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


def _block_text(blocks: list[Block], indent: int, head: str, newline: str) -> str:
    """The text of blocks as in their files, each file's first comment above them."""
    lines = [head] if head else []
    homes: set[int] = set()
    for block in blocks:
        text = Text(block.node.source.text)
        assert block.node.key is not None
        if id(block.home) not in homes:
            homes.add(id(block.home))
            comment = itertools.takewhile(lambda line: line.startswith("#"), text.text.splitlines())
            lines += [" " * indent + line for line in comment]
        try:
            start, end = text.lines(block.node)
            block_lines, shift = text.text[start:end].splitlines(), block.node.key.column - 1
        except UserError:
            block_lines, shift = f"{block.name}: {text.of(block.node)}".splitlines(), 0
        lines += [(" " * indent + line[shift:]).rstrip() for line in block_lines]
    return "".join(line + newline for line in lines)
