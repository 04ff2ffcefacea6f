"""File -> Document: check the keys, and add the blocks of included files."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from convcalc.errors import Hint, Problem, SpecError, UserError, quoted, suggested
from convcalc.kinds import KINDS
from convcalc.language.document import BLOCK_KEYS, COMMON_FIELDS, KEYS, NAME, VARIABLE, WORDS, Block, Document
from convcalc.language.sources import File, Files
from convcalc.syntax.expression_parser import names_in
from convcalc.syntax.node import Node, describe
from convcalc.syntax.yaml import scan

MOST_INCLUDES = 100


def load(spec: str, files: Files | None = None, is_strict: bool = True) -> Document:
    """Open the spec that a user named and parse it. Raises SpecError."""
    files = files or Files()
    try:
        file = files.open(spec)
    except UserError as error:
        raise SpecError(error.message, error.hint) from None
    return parse(file, files, is_strict)


def parse(file: File, files: Files | None = None, is_strict: bool = True) -> Document:
    """Parse a file and its includes. Raises SpecError with every error in their keys.

    With `is_strict` off the errors stay in `Document.problems`, and `build` raises them together with its own.
    """
    loader = _Loader(files or Files(), file)
    document = loader.load(file, [])
    document.problems = loader.problems
    if loader.problems and (is_strict or not isinstance(document.node.value, dict)):
        raise SpecError(loader.problems)
    return document


class _Loader:
    """Reads one file and all it includes; collects their errors."""

    def __init__(self, files: Files, top: File) -> None:
        self.files = files
        self.top = top
        self.problems: list[Problem] = []
        self.includes = 0

    def report(self, node: Node, message: str, hint: Hint = "", at_key: bool = False) -> None:
        place = node.key_place if at_key else node.place
        self.problems.append(Problem(message, place, (), hint))

    def load(self, file: File, chain: list[File]) -> Document:
        """Read a file; `chain` are the files whose includes lead to it."""
        node, problems = scan(file.data, file.name)
        self.problems.extend(problems)
        document = Document(file, node)
        if not isinstance(node.value, dict):
            hint = (
                "write 'input: 3x224x224' first, then 'layers:' above the list" if isinstance(node.value, list) else ""
            )
            self.report(node, f"a spec is a mapping with 'input:' and 'layers:', found {describe(node)}", hint)
            return document
        for key, value in node.items():
            if key not in KEYS:
                self.report(value, f"a spec has no key {quoted(key)}", _top_hint(key), at_key=True)
            else:
                self._check_type(key, value)
        self._read_variables(document)
        self._read_variants(document)
        self._read_includes(document, [*chain, file])
        self._read_blocks(document)
        return document

    def _check_type(self, key: str, node: Node) -> None:
        wanted = KEYS[key][0]
        value = node.value
        texts = isinstance(value, list) and all(isinstance(item.value, str) for item in value)
        fits = {
            "text": not isinstance(value, dict) and (not isinstance(value, list) or texts),
            "shape": value is not None,
            "bits": value is not None,
            "mapping": isinstance(value, dict),
            "list": isinstance(value, list),
            "names": isinstance(value, str) or texts,
        }[wanted]
        if not fits:
            expected = {"text": "text", "shape": "a shape", "mapping": "a mapping", "list": "a list of layers"}
            expected["bits"] = "bits such as 8x8"
            hint = ""
            if key == "layers":
                hint = "write [] for a network without layers" if value is None else "each layer begins with '- '"
            elif key == "input":
                hint = "for example 3x224x224"
            self.report(
                node,
                f"'{key}' must be {expected.get(wanted, 'a name or a list of names')}, found {describe(node)}",
                hint,
            )

    def _read_variables(self, document: Document) -> None:
        given = document.get("vars")
        if given is not None and not isinstance(given.value, dict):
            document.bad_variables |= names_in(document.node.plain())
        for name, node in self._entries(given):
            if self._is_variable(name, node):
                document.variables[name] = node
            else:
                document.bad_variables.add(name)

    def _is_variable(self, name: str, node: Node) -> bool:
        if not VARIABLE.match(name) or name in ("and", "or", "not", "index"):
            hint = "choose another name" if VARIABLE.match(name) else "use letters, digits and _"
            self.report(node, f"{quoted(name)} cannot name a variable", hint, at_key=True)
            return False
        if isinstance(node.value, dict) or node.value is None:
            self.report(node, f"the variable '{name}' must be a number, a word or a list, found {describe(node)}")
            return False
        return True

    def _read_variants(self, document: Document) -> None:
        choices: set[object] | None = None
        for name, node in self._entries(document.get("variants")):
            if not isinstance(node.value, dict):
                self.report(node, f"the variant {quoted(name)} must be a mapping of variables, found {describe(node)}")
                continue
            document.variants[name] = node.value
            for key, value in node.items():
                if key in document.variables or key in ("expect", "input", "source", "notes"):
                    continue
                if choices is None:
                    choices = set(_choice_names(document.node))
                if key not in choices:
                    hint = suggested(key, document.variables, "name it in vars: first")
                    self.report(
                        value,
                        f"the variant {quoted(name)} sets {quoted(key)}, which is not a variable",
                        hint,
                        at_key=True,
                    )

    def _entries(self, node: Node | None) -> Any:
        return node.items() if node is not None else ()

    def _read_includes(self, document: Document, chain: list[File]) -> None:
        node = document.get("include")
        if node is None:
            return
        for item in node.value if isinstance(node.value, list) else [node]:
            if not isinstance(item.value, str):
                continue
            self.includes += 1
            if self.includes > MOST_INCLUDES:
                self.report(item, f"more than {MOST_INCLUDES} includes")
                return
            try:
                file = self.files.include(item.value, document.file, self.top)
            except UserError as error:
                self.report(item, error.message, error.given_hint)
                document.is_partial = True
                continue
            if file in chain:  # the whole file: a spec and a block that it includes may share a name
                self.report(item, f"circular reference: {' -> '.join(link.name for link in [*chain, file])}")
                continue
            self._add_include(document, file, item, chain)

    def _add_include(self, document: Document, file: File, item: Node, chain: list[File]) -> None:
        try:
            included = self.load(file, chain)
        except SpecError as error:
            self.problems.extend(error.problems)
            document.is_partial = True
            return
        document.sources.extend(included.sources)
        document.bad_blocks |= included.bad_blocks
        document.is_partial |= included.is_partial
        if not included.blocks:
            self.report(item, f"{quoted(item.value)} defines no blocks", "an included file needs 'blocks:'")
        for name, block in included.blocks.items():
            if name in document.blocks and str(document.blocks[name].node.place) != str(block.node.place):
                first = document.blocks[name].node.key_place
                self.problems.append(
                    item.problem(f"the block '{name}' is included twice", notes=(f"first by {first}",))
                )
            document.blocks[name] = block

    def _read_blocks(self, document: Document) -> None:
        blocks = document.get("blocks")
        document.is_partial |= blocks is not None and not isinstance(blocks.value, dict)
        for name, node in self._entries(blocks):
            if not NAME.match(name):
                self.report(node, f"{quoted(name)} cannot name a block", "use letters, digits, _ . and -", at_key=True)
            elif name in KINDS or name in WORDS:
                self.report(node, f"the block '{name}' has a name that is taken", "choose another name", at_key=True)
            elif name in document.blocks:
                first = document.blocks[name].node.key_place
                self.problems.append(
                    Problem(f"the block '{name}' is defined twice", node.key_place, (f"first at {first}",))
                )
            elif block := self._read_block(document, name, node):
                document.blocks[name] = block
            else:
                document.bad_blocks.add(name)

    def _read_block(self, document: Document, name: str, node: Node) -> Block | None:
        if not isinstance(node.value, dict):
            self.report(node, f"the block '{name}' must be a mapping with 'layers:', found {describe(node)}")
            return None
        for key, value in node.items():
            if key not in BLOCK_KEYS:
                self.report(value, f"a block has no key {quoted(key)}", suggested(key, BLOCK_KEYS), at_key=True)
        layers = node.value.get("layers")
        if layers is None or not isinstance(layers.value, list):
            self.report(layers or node, f"the block '{name}' needs 'layers:', a list", at_key=layers is None)
            return None
        inputs = node.value.get("inputs")
        names = ["input"]
        if inputs is not None:
            names = [str(item.value) for item in inputs.value] if isinstance(inputs.value, list) else []
            if inputs.value == "any":
                names = []
            elif not names or not all(NAME.match(item) for item in names) or len(set(names)) < len(names):
                self.report(inputs, f"'inputs' of the block '{name}' must be a list of different names, or any")
                return None
        outputs = self._read_names(node.value.get("outputs"), f"'outputs' of the block '{name}'")
        return Block(name, self._read_arguments(name, node), names, layers, document, node, outputs)

    def _read_names(self, node: Node | None, what: str) -> list[Node]:
        """The names of layers that a node lists."""
        if node is None:
            return []
        items = node.value if isinstance(node.value, list) else [node]
        if not items or not all(isinstance(item.value, str) for item in items):
            self.report(node, f"{what} must be the name of a layer, or a list of names")
            return []
        return items

    def _read_arguments(self, name: str, node: Node) -> dict[str, Node]:
        args = node.value.get("args")
        if args is None or args.value is None:
            return {}
        if isinstance(args.value, list):
            arguments = {
                str(item.value): Node(None, item.source, item.line, item.column, item.end) for item in args.value
            }
        elif isinstance(args.value, dict):
            arguments = args.value
        else:
            self.report(args, f"'args' of the block '{name}' must be a list of names, or names with defaults")
            return {}
        for key, value in list(arguments.items()):
            if not VARIABLE.match(key) or key in (*COMMON_FIELDS, "and", "or", "not", "index"):
                self.report(
                    value, f"{quoted(key)} cannot name an argument of a block", "choose another name", at_key=True
                )
                del arguments[key]
        return arguments


def _choice_names(node: Node) -> Iterator[object]:
    """Yield what the choices below a node are called."""
    for item in node.value if isinstance(node.value, list) else ():
        yield from _choice_names(item)
    for key, inner in node.items():
        name = inner.value.get("name") if key == "choice" and isinstance(inner.value, dict) else None
        if name is not None:
            yield name.value if isinstance(name.value, str | int) else None
        yield from _choice_names(inner)


def _top_hint(key: str) -> Hint:
    """The hint for an unknown top-level key."""
    renamed = {"inputs": "input", "variables": "vars", "params": "vars", "includes": "include", "budgets": "budget"}
    if key in renamed:
        return f"write '{renamed[key]}'"
    if key in KINDS:
        return "write layers in the list under 'layers:'"
    return suggested(key, [word for word in KEYS if not word.startswith("$")])
