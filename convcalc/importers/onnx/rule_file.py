"""A file of rules for a user's operators -> rules, checked before a model is read: every error has its location.

A file holds no code: an expression is that of a spec's `${...}`, with the same limits.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from convcalc.errors import LocatedError, Problem, SpecError, UserError, did_you_mean, printable, quoted, suggested
from convcalc.importers.onnx.context import DOMAINS
from convcalc.importers.onnx.operators import RULES
from convcalc.importers.onnx.own_rules import OUTPUT, REST, AttributePattern, InputPattern, OwnRule
from convcalc.importers.onnx.rule_amounts import Amount, products_of
from convcalc.kinds.sizes import TALLIES
from convcalc.language.sources import Files
from convcalc.language.variables import place_inside
from convcalc.syntax.expression import WORDS
from convcalc.syntax.expression_parser import parse
from convcalc.syntax.node import Node, describe
from convcalc.syntax.yaml import scan

SHORT = {"params": "other_params", "macs": "linear_macs"}  # what people say -> the tally
KEYS = {
    "inputs": "the inputs in their order; for each a list with a name, a number or ... for every axis; NAME? may be "
    "left out",
    "attributes": "the attributes that expressions use, with their defaults; without one an attribute must be there",
    "ignore": "attributes that change no figure",
    "output": "the shape of the output: a list of expressions, or the name of an input that has the same",
    "outputs": "the shapes of several outputs",
    "override": "true if the rule replaces one of convcalc's own",
    "params": "trainable values; by default those of the tensors that the node is given",
    "macs": "multiply-accumulates",
    **TALLIES,
}
OPERATOR = re.compile(r"(?:([\w.\-]+):)?([A-Za-z_][\w.\-]*)")
_NAME = re.compile(r"[A-Za-z_][A-Za-z_0-9]*")
_EXAMPLE = "for example com.example:Scale: {inputs: {x: [N, C]}, output: x, multiplications: N*C}"
MOST_PLACE = 100


def read_rules(paths: Sequence[str]) -> tuple[OwnRule, ...]:
    """Return the rules of some files. Raises SpecError with every error in them."""
    rules: dict[tuple[str, str], OwnRule] = {}
    problems: list[Problem] = []
    for path in paths:
        for key, node in _entries(path, problems):
            reader = _Reader(key, node)
            problems += reader.problems
            name = (reader.domain, reader.operator)
            if name in rules:
                problems.append(Problem(f"a second rule for {key}", node.key_place, (f"first: {rules[name].place}",)))
            elif not reader.problems:
                rules[name] = reader.rule()
    if problems:
        raise SpecError(problems)
    return tuple(rules.values())


def _entries(path: str, problems: list[Problem]) -> list[tuple[str, Node]]:
    try:
        data = Files().load(path)
    except UserError as error:
        raise SpecError(f"--rules: {error.message}", error.hint) from None
    if not data.strip():
        raise SpecError(f"{quoted(path)} is empty", _EXAMPLE)
    node, found = scan(data, path)
    problems += found
    if isinstance(node.value, dict) and node.value:
        return [*node.items()]
    problems.append(node.problem(f"a mapping of operators to rules was expected, found {describe(node)}", _EXAMPLE))
    return []


class _Reader:
    """Reads one rule; collects its errors."""

    def __init__(self, key: str, node: Node) -> None:
        self.node = node
        self.problems: list[Problem] = []
        self.names: dict[str, str] = {}  # what expressions may use -> what it is
        self.domain = self.operator = ""
        self._operator(key)
        self.fields = self._fields()
        self.inputs = tuple(self._input(*item) for item in self._mapping("inputs"))
        self.attributes = tuple(self._attribute(*item) for item in self._mapping("attributes"))
        self.ignored = frozenset(self._texts("ignore"))
        self.outputs = tuple(self._output(item) for item in self._output_nodes())
        self._name(OUTPUT, "a name of every rule", node)
        self.tallies = self._tallies()

    def rule(self) -> OwnRule:
        key = self.node.key_place
        place = f"{printable(key.source.name)}:{key.line}"
        return OwnRule(
            self.domain,
            self.operator,
            place if len(place) <= MOST_PLACE else f"...{place[3 - MOST_PLACE :]}",
            self.inputs,
            self.attributes,
            self.ignored,
            self.outputs,
            self.tallies,
        )

    def report(self, node: Node, message: str, hint: Any = "", at_key: bool = False) -> None:
        self.problems.append(Problem(message, node.key_place if at_key else node.place, (), hint))

    def _operator(self, key: str) -> None:
        match = OPERATOR.fullmatch(key)
        if match is None:
            self.report(self.node, f"{quoted(key)} is no operator", "write Name or domain:Name", at_key=True)
            return
        self.domain, self.operator = "" if match[1] in (None, "ai.onnx") else match[1], match[2]

    def _fields(self) -> dict[str, Node]:
        if not isinstance(self.node.value, dict):
            self.report(self.node, f"a rule is a mapping, found {describe(self.node)}", _EXAMPLE)
            return {}
        for key, node in self.node.items():
            if key not in KEYS:
                self.report(node, f"a rule has no key {quoted(key)}", suggested(key, KEYS), at_key=True)
        override = self.node.value.get("override")
        if override is not None and not isinstance(override.value, bool):
            self.report(override, f"'override' must be true or false, found {describe(override)}")
        elif self.operator in RULES and self.domain in DOMAINS and (override is None or not override.value):
            hint = "write 'override: true' in the rule to count by it instead"
            self.report(self.node, f"convcalc has a rule for {self.operator}", hint, at_key=True)
        return {key: node for key, node in self.node.items() if key in KEYS}

    def _mapping(self, key: str) -> list[tuple[str, Node]]:
        node = self.fields.get(key)
        if node is None:
            return []
        if not isinstance(node.value, dict):
            self.report(node, f"'{key}' must be a mapping, found {describe(node)}", f"{key}: {{x: ...}}")
        return [*node.items()]

    def _texts(self, key: str) -> list[str]:
        node = self.fields.get(key)
        items = [] if node is None else node.value if isinstance(node.value, list) else [node]
        for item in items:
            if not isinstance(item.value, str):
                self.report(item, f"the name of an attribute was expected, found {describe(item)}")
        return [str(item.value) for item in items]

    def _name(self, name: str, what: str, node: Node, is_size: bool = False) -> None:
        """Note a name that expressions may use. Sizes may have one name in several inputs."""
        if not _NAME.fullmatch(name) or name in WORDS:
            self.report(node, f"{quoted(name)} cannot be a name", "a name has letters, digits and _", at_key=True)
        elif name in self.names and not (is_size and self.names[name] == what):
            self.report(node, f"{quoted(name)} is {self.names[name]} already", "choose another name", at_key=True)
        self.names[name] = what

    def _input(self, key: str, node: Node) -> InputPattern:
        name = key.removesuffix("?")
        self._name(name, "an input", node)
        if node.value is None:
            return InputPattern(name, None, name != key)
        axes: list[str | int] = []
        if not isinstance(node.value, list):
            self.report(node, f"an input is a list of its axes, found {describe(node)}", f"{name}: [N, C, H, W]")
            return InputPattern(name, (), name != key)
        for item in node.value:
            value = item.value
            if isinstance(value, bool) or not isinstance(value, (str, int)):
                self.report(item, f"the name of a size was expected, found {describe(item)}", "such as C, 3 or ...")
                continue
            if value == REST and REST in axes:
                self.report(item, "'...' is there twice", "one of the others needs names")
            elif isinstance(value, str) and value != REST:
                self._name(value, "a size", item, is_size=True)
            axes.append(value)
        return InputPattern(name, tuple(axes), name != key)

    def _attribute(self, name: str, node: Node) -> AttributePattern:
        value = node.value
        if isinstance(value, str):
            return AttributePattern(name, (), text=value)
        if isinstance(value, (list, dict)):
            items = value.items() if isinstance(value, dict) else ((str(item.value), None) for item in value)
            numbers = tuple((key, None if item is None else self._default(item)) for key, item in items)
            for key, _ in numbers:
                self._name(key, "an attribute", node)
            return AttributePattern(name, numbers, is_list=True)
        self._name(name, "an attribute", node)
        return AttributePattern(name, ((name, self._default(node)),))

    def _default(self, node: Node) -> Any:
        if isinstance(node.value, (str, list, dict, bool)):
            self.report(node, f"the default of an attribute is a number, found {describe(node)}")
            return 0
        return node.value

    def _output_nodes(self) -> list[Node]:
        one, several = self.fields.get("output"), self.fields.get("outputs")
        if not isinstance(self.node.value, dict):
            return []
        if (one is None) == (several is None):
            what = "needs 'output'" if one is None else "has both 'output' and 'outputs'"
            self.report(self.node, f"the rule {what}", KEYS["output"], at_key=True)
            return []
        if one is not None:
            return [one]
        if several is not None and (not isinstance(several.value, list) or not several.value):
            self.report(several, f"'outputs' is a list of shapes, found {describe(several)}", "for one write 'output'")
            return []
        return [] if several is None else several.value

    def _output(self, node: Node) -> str | tuple[Amount | str, ...]:
        if isinstance(node.value, list) and node.value:
            return tuple(self._rest(item) if item.value == REST else self._amount(item) for item in node.value)
        inputs = [pattern.name for pattern in self.inputs]
        if node.value not in inputs:
            what = f"a shape is a list of sizes or the name of an input, found {describe(node)}"
            hint = did_you_mean(str(node.value), inputs) or "name the inputs: inputs: {x: [N, C]}"
            self.report(node, what, hint)
        return str(node.value)

    def _rest(self, node: Node) -> str:
        if not any(REST in (pattern.axes or ()) for pattern in self.inputs):
            self.report(node, "no input has '...'", "name the axes of an input: [..., C]")
        return REST

    def _tallies(self) -> dict[str, Amount]:
        tallies: dict[str, Amount] = {}
        for key, node in self.fields.items():
            tally = SHORT.get(key, key)
            if tally not in TALLIES:
                continue
            if tally in tallies:
                self.report(node, f"{quoted(key)} is {quoted(tally)}, which the rule has already", at_key=True)
            tallies[tally] = self._amount(node)
        return tallies

    def _amount(self, node: Node) -> Amount:
        """Read an expression, with or without ${}; one that is invalid is reported."""
        value = node.value
        if value is None or isinstance(value, (bool, list, dict)):
            self.report(node, f"an expression was expected, found {describe(node)}", "such as N*C*H*W")
            return _NOTHING
        text, start = str(value), 0
        if text.startswith("${") and text.endswith("}"):
            text, start = text[2:-1], 2
        try:
            expression = parse(text)
            for name in sorted(expression.names() - self.names.keys()):
                found = re.search(rf"\b{name}\b", text)
                offset = found.start() if found else 0
                what = f"{quoted(name)} is no size, input or attribute of the rule"
                raise UserError(what, "", suggested(name, self.names), offset, len(name))
            return Amount(text, expression, products_of(text))
        except UserError as error:
            place = place_inside(node, start + error.offset, error.width)
            self.problems.append(LocatedError(error.message, place, error.given_hint).problem())
        return _NOTHING


_NOTHING = Amount("0", parse("0"), ())
