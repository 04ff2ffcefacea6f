"""File -> Document: the keys checked, the blocks of included files brought in."""

from __future__ import annotations

from typing import Any

from convcalc.errors import Problem, SpecError, UserError, did_you_mean, quoted
from convcalc.kinds import KINDS
from convcalc.language.document import BLOCK_KEYS, COMMON_FIELDS, KEYS, NAME, VARIABLE, WORDS, Block, Document
from convcalc.language.sources import File, Files
from convcalc.syntax.expression_parser import names_in
from convcalc.syntax.node import Node, describe
from convcalc.syntax.yaml import scan

MOST_INCLUDES = 100


def load(spec: str, files: Files | None = None, is_strict: bool = True) -> Document:
    """Read the spec that a user named, with its includes; `is_strict` as for `parse`. Raises SpecError."""
    files = files or Files()
    try:
        file = files.open(spec)
    except UserError as misfit:
        raise SpecError(misfit.message, misfit.hint) from None
    return parse(file, files, is_strict)


def parse(file: File, files: Files | None = None, is_strict: bool = True) -> Document:
    """A Document from the bytes of a file. Raises SpecError with all that is wrong with its keys.

    For whoever goes on to build it, `is_strict` may be off: `build` then raises these problems with those it finds.
    """
    loader = _Loader(files or Files(), file)
    document = loader.document(file, [])
    document.problems = loader.problems
    if loader.problems and (is_strict or not isinstance(document.node.value, dict)):
        raise SpecError(loader.problems)
    return document


class _Loader:
    def __init__(self, files: Files, top: File) -> None:
        self.files = files
        self.top = top
        self.problems: list[Problem] = []
        self.seen = 0

    def wrong(self, node: Node, message: str, hint: str = "", at_key: bool = False) -> None:
        place = node.key_place if at_key else node.place
        self.problems.append(Problem(message, place, (), hint))

    def document(self, file: File, chain: list[File]) -> Document:
        node, problems = scan(file.data, file.name)
        self.problems.extend(problems)
        document = Document(file, node)
        if not isinstance(node.value, dict):
            hint = (
                "write 'input: 3x224x224' first, then 'layers:' above the list" if isinstance(node.value, list) else ""
            )
            self.wrong(node, f"a spec is a mapping with 'input:' and 'layers:', found {describe(node)}", hint)
            return document
        for key, value in node.items():
            if key not in KEYS:
                self.wrong(value, f"a spec has no key {quoted(key)}", _top_hint(key), at_key=True)
            else:
                self._check_type(key, value)
        self._variables(document)
        self._variants(document)
        self._includes(document, [*chain, file])
        self._blocks(document)
        return document

    def _check_type(self, key: str, node: Node) -> None:
        wanted = KEYS[key][0]
        value = node.value
        texts = isinstance(value, list) and all(isinstance(item.value, str) for item in value)
        fits = {
            "text": not isinstance(value, dict) and (not isinstance(value, list) or texts),
            "shape": value is not None,
            "mapping": isinstance(value, dict),
            "list": isinstance(value, list),
            "names": isinstance(value, str) or texts,
        }[wanted]
        if not fits:
            what = {"text": "text", "shape": "a shape", "mapping": "a mapping", "list": "a list of layers"}
            hint = ""
            if key == "layers":
                hint = "write [] for a network without layers" if value is None else "each layer begins with '- '"
            elif key == "input":
                hint = "for example 3x224x224"
            self.wrong(
                node, f"'{key}' must be {what.get(wanted, 'a name or a list of names')}, found {describe(node)}", hint
            )

    def _variables(self, document: Document) -> None:
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
            self.wrong(node, f"{quoted(name)} cannot name a variable", hint, at_key=True)
            return False
        if isinstance(node.value, dict) or node.value is None:
            self.wrong(node, f"the variable '{name}' must be a number, a word or a list, found {describe(node)}")
            return False
        return True

    def _variants(self, document: Document) -> None:
        for name, node in self._entries(document.get("variants")):
            if not isinstance(node.value, dict):
                self.wrong(node, f"the variant {quoted(name)} must be a mapping of variables, found {describe(node)}")
                continue
            document.variants[name] = node.value
            for key, value in node.items():
                is_known = key in document.variables or key in ("expect", "input", "source", "notes")
                if not is_known and not names_choice(document.node, key):
                    hint = did_you_mean(key, document.variables) or "name it in vars: first"
                    self.wrong(
                        value, f"the variant {quoted(name)} sets {quoted(key)}, which is no variable", hint, at_key=True
                    )

    def _entries(self, node: Node | None) -> Any:
        return node.items() if node is not None else ()

    def _includes(self, document: Document, chain: list[File]) -> None:
        node = document.get("include")
        if node is None:
            return
        for item in node.value if isinstance(node.value, list) else [node]:
            if not isinstance(item.value, str):
                continue
            self.seen += 1
            if self.seen > MOST_INCLUDES:
                self.wrong(item, f"more than {MOST_INCLUDES} includes")
                return
            try:
                file = self.files.include(item.value, document.file, self.top)
            except UserError as misfit:
                self.wrong(item, misfit.message, misfit.hint)
                document.is_partial = True
                continue
            if file in chain:  # the whole file: a spec and a block that it includes may share a name
                self.wrong(item, f"includes go round in a circle: {' -> '.join(one.name for one in [*chain, file])}")
                continue
            self._include(document, file, item, chain)

    def _include(self, document: Document, file: File, item: Node, chain: list[File]) -> None:
        try:
            part = self.document(file, chain)
        except SpecError as error:
            self.problems.extend(error.problems)
            document.is_partial = True
            return
        document.sources.extend(part.sources)
        document.bad_blocks |= part.bad_blocks
        document.is_partial |= part.is_partial
        if not part.blocks:
            self.wrong(item, f"{quoted(item.value)} brings no blocks", "an include must hold 'blocks:'")
        for name, block in part.blocks.items():
            if name in document.blocks and str(document.blocks[name].node.place) != str(block.node.place):
                first = document.blocks[name].node.key_place
                self.problems.append(item.problem(f"the block '{name}' is brought twice", notes=(f"first by {first}",)))
            document.blocks[name] = block

    def _blocks(self, document: Document) -> None:
        blocks = document.get("blocks")
        document.is_partial |= blocks is not None and not isinstance(blocks.value, dict)
        for name, node in self._entries(blocks):
            if not NAME.match(name):
                self.wrong(node, f"{quoted(name)} cannot name a block", "use letters, digits, _ . and -", at_key=True)
            elif name in KINDS or name in WORDS:
                self.wrong(node, f"the block '{name}' has a name that is taken", "choose another name", at_key=True)
            elif name in document.blocks:
                first = document.blocks[name].node.key_place
                self.problems.append(
                    Problem(f"the block '{name}' is defined twice", node.key_place, (f"first at {first}",))
                )
            elif block := self._block(document, name, node):
                document.blocks[name] = block
            else:
                document.bad_blocks.add(name)

    def _block(self, document: Document, name: str, node: Node) -> Block | None:
        if not isinstance(node.value, dict):
            self.wrong(node, f"the block '{name}' must be a mapping with 'layers:', found {describe(node)}")
            return None
        for key, value in node.items():
            if key not in BLOCK_KEYS:
                self.wrong(value, f"a block has no key {quoted(key)}", did_you_mean(key, BLOCK_KEYS), at_key=True)
        layers = node.value.get("layers")
        if layers is None or not isinstance(layers.value, list):
            self.wrong(layers or node, f"the block '{name}' needs 'layers:', a list", at_key=layers is None)
            return None
        inputs = node.value.get("inputs")
        names = ["input"]
        if inputs is not None:
            names = [str(item.value) for item in inputs.value] if isinstance(inputs.value, list) else []
            if not names or not all(NAME.match(item) for item in names) or len(set(names)) < len(names):
                self.wrong(inputs, f"'inputs' of the block '{name}' must be a list of different names")
                return None
        return Block(name, self._arguments(name, node), names, layers, document, node)

    def _arguments(self, name: str, node: Node) -> dict[str, Node]:
        args = node.value.get("args")
        if args is None or args.value is None:
            return {}
        if isinstance(args.value, list):
            found = {str(item.value): Node(None, item.source, item.line, item.column, item.end) for item in args.value}
        elif isinstance(args.value, dict):
            found = args.value
        else:
            self.wrong(args, f"'args' of the block '{name}' must be a list of names, or names with defaults")
            return {}
        for key, value in list(found.items()):
            if not VARIABLE.match(key) or key in (*COMMON_FIELDS, "and", "or", "not", "index"):
                self.wrong(
                    value, f"{quoted(key)} cannot name an argument of a block", "choose another name", at_key=True
                )
                del found[key]
        return found


def names_choice(node: Node, name: str) -> bool:
    """Whether a choice below a node has this name."""
    if isinstance(node.value, list):
        return any(names_choice(item, name) for item in node.value)
    for key, inner in node.items():
        own = inner.value.get("name") if key == "choice" and isinstance(inner.value, dict) else None
        if (own is not None and own.value == name) or names_choice(inner, name):
            return True
    return False


def _top_hint(key: str) -> str:
    renamed = {"inputs": "input", "variables": "vars", "params": "vars", "includes": "include", "budgets": "budget"}
    if key in renamed:
        return f"write '{renamed[key]}'"
    if key in KINDS:
        return "a layer stands in the list under 'layers:'"
    return did_you_mean(key, [word for word in KEYS if not word.startswith("$")])
