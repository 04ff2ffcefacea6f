"""The top of a spec file: which keys there are, what each holds, and the blocks that it defines or includes.

Nothing is computed here: variables and layers stay Nodes until `build` expands them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from convcalc.errors import Problem
from convcalc.language.sources import File
from convcalc.record import Record
from convcalc.syntax.node import Node

# Every top-level key of a spec: what it holds, and what it is for.
KEYS: dict[str, tuple[str, str]] = {
    "name": ("text", "the name of the network"),
    "source": ("text", "its source: paper, table, released code"),
    "notes": ("text", "what a reader should know about its figures"),
    "input": ("shape", "shape without the batch: 3x224x224 or [3, 224, 224]; several inputs: name: shape"),
    "vars": ("mapping", "names of values, used as ${name}"),
    "variants": ("mapping", "named sets of variables: --variant x0.5"),
    "include": ("names", "files or catalogue names whose blocks are used"),
    "blocks": ("mapping", "composite layers with arguments, used like any kind"),
    "layers": ("list", "the layers, in order"),
    "outputs": ("names", "the layers whose outputs are the network's; by default the last"),
    "expect": ("mapping", "published totals, exact (6998552) or rounded (4.2M)"),
    "bits": (
        "bits",
        "bits of weights and activations: 8x8, or weights:, activations:, and kinds: and layers: with their own",
    ),
    "budget": ("mapping", "limits that 'convcalc check' checks"),
    "$schema": ("text", "for editors; ignored"),
}
# Every key of a block, of a repeat, and every field that all kinds have: what it is for.
BLOCK_KEYS: dict[str, str] = {
    "args": "names of the arguments, or names with defaults; used as ${name}",
    "inputs": "names of its inputs, if it has several; or any: as many as it is given, ${inputs} of them",
    "layers": "the layers, in order",
    "outputs": "names of the layers whose outputs are its own; by default the last",
    "source": "its source",
    "notes": "what a reader should know about it",
}
REPEAT_KEYS: dict[str, str] = {
    "times": "number of repetitions; ${index} counts from 1",
    "over": "a list instead of times: ${item} is its item; or names with lists: {filters: [8, 16]} for ${filters}",
    "layers": "the layers that are repeated",
}
BRANCH_KEYS: dict[str, str] = {
    "from": "the layer that the branch begins with; by default the one above the join",
    "when": "a condition; if it is 0 the branch is left out, or is 'else'",
    "times": "as many branches side by side; ${index} counts from 1",
    "over": "a branch for each item of a list, as in a repeat",
    "layers": "the layers of the branch",
    "else": "the layers instead, where the condition is 0; [] for a skip",
}
COMMON_FIELDS: dict[str, str] = {
    "name": "the name of the layer; by default its kind and a number",
    "from": "the layer, or list of layers, that it reads; by default the one above",
    "share": "the layer, or block, whose weights it uses",
    "via": "module or function: how code calls it, for tools that count only one of them (--as); by default module",
    "bits": "bits of weights and activations: 8x8, or {weights: 8, activations: 8}",
    "when": "a condition, such as ${stride > 1}; if it is 0 the layer is omitted",
}
WORDS = ("repeat", "choice", "parallel", "input")
NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}\Z")
VARIABLE = re.compile(r"[A-Za-z_][A-Za-z_0-9]{0,63}\Z")


class Block(Record):
    """A composite layer: arguments with defaults (a node of None: required), names of its inputs, layers, and file.

    No names: it takes any number of inputs. `outputs` are the nodes that name its outputs, none for the last layer.
    """

    name: str
    arguments: dict[str, Node]
    inputs: list[str]
    layers: Node
    home: Document
    node: Node
    outputs: Sequence[Node] = ()


class Document:
    """One spec file, its keys checked, its includes read."""

    def __init__(self, file: File, node: Node) -> None:
        self.file = file
        self.node = node
        self.variables: dict[str, Node] = {}
        self.variants: dict[str, dict[str, Node]] = {}
        self.blocks: dict[str, Block] = {}
        self.sources: list[File] = [file]
        self.problems: list[Problem] = []  # of this file and all it includes; `build` raises them with its own
        # names that could not be read: using one is not a second error
        self.bad_variables: set[str] = set()
        self.bad_blocks: set[str] = set()
        self.is_partial = False  # an include or `blocks:` could not be read, so it may define any block

    def get(self, key: str) -> Node | None:
        return self.node.value.get(key) if isinstance(self.node.value, dict) else None

    def text(self, key: str) -> str:
        """The text of a top-level key, "" where it is not given."""
        node = self.get(key)
        if node is None or node.value is None:
            return ""
        return "\n".join(str(item.value) for item in node.value) if isinstance(node.value, list) else str(node.value)
