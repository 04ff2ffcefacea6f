"""What a device can do at most, read from a small YAML file: operations and bytes per second, with the source of each.

A file holds a mapping: `name`, `peak` (operations per second by type; a multiply-accumulate is two), `bandwidth` (bytes
per second), `on_chip` (bytes of the fast memory, where there is one) and `sources` (a text for each of these figures).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from convcalc.amounts import amount
from convcalc.analysis.memory.precision import NAMES, Precision
from convcalc.errors import Problem, SpecError, UserError, did_you_mean, printable, quoted, suggested
from convcalc.language.sources import Files
from convcalc.record import Record
from convcalc.syntax.node import Node, describe
from convcalc.syntax.yaml import scan

KEYS = {
    "name": "what the device is called",
    "peak": "operations per second by type",
    "bandwidth": "bytes per second of the memory that weights and activations lie in",
    "on_chip": "bytes of the fast memory",
    "sources": "where each figure comes from",
}
_FIGURES = ("peak", "bandwidth", "on_chip")
_EXAMPLE = "for example {name: Mine, peak: {int8: 4T}, bandwidth: 12.8G, sources: {peak: ..., bandwidth: ...}}"
_FOLDER = Path(__file__).parent / "devices"


class Device(Record):
    """A device. `peak` is by the name of a precision, in the file's order: the first one is its usual type."""

    name: str
    peak: Mapping[str, int]
    bandwidth: int
    on_chip: int | None
    sources: Mapping[str, str]

    def precision(self, name: str = "") -> Precision:
        """Return the precision of a name that the device has a peak for, its usual one for "". Raises SpecError."""
        chosen = NAMES[name].name if name else next(iter(self.peak))
        if chosen not in self.peak:
            raise SpecError(f"{self.name} has no peak for {chosen}", f"it has {', '.join(self.peak)}")
        return NAMES[chosen]


def device_names() -> list[str]:
    """Every device that comes with convcalc: the files of the folder `devices`.

    >>> "t4" in device_names()
    True
    """
    return sorted(path.stem for path in _FOLDER.glob("*.yaml"))


def load_device(name: str) -> Device:
    """The device of a name of `device_names`, or of a file. Raises SpecError.

    >>> load_device("t4").bandwidth
    320000000000
    """
    known = device_names()
    if name not in known and not name.endswith((".yaml", ".yml")):
        raise SpecError(f"no device {quoted(name)}", f"{did_you_mean(name, known)}; or name a file NAME.yaml")
    try:
        data = Files().load(str(_FOLDER / f"{name}.yaml") if name in known else name)
    except UserError as error:
        raise SpecError(f"--device: {error.message}", error.hint) from None
    return read_device(data, name)


def read_device(data: str | bytes, file: str = "<text>") -> Device:
    """Read the text of a device's file. Raises SpecError with every error.

    >>> read_device("{name: Mine, peak: {int8: 4T}, bandwidth: 12.8G, sources: {peak: its sheet, bandwidth: too}}").peak
    {'int8': 4000000000000}
    """
    node, problems = scan(data, file)
    reader = _Reader(node, problems)
    device = reader.read()
    if reader.problems:
        raise SpecError(reader.problems)
    return device


class _Reader:
    """Reads one file; collects its errors."""

    def __init__(self, node: Node, problems: list[Problem]) -> None:
        self.node, self.problems = node, problems
        is_mapping = isinstance(node.value, dict)
        self.fields: dict[str, Node] = dict(node.items()) if is_mapping else {}
        if not is_mapping:
            self.problems.append(node.problem(f"a mapping was expected, found {describe(node)}", _EXAMPLE))
        self.unknown = [key for key in self.fields if key not in KEYS]
        for key in self.unknown:
            place = self.fields[key].key_place
            self.problems.append(Problem(f"a device has no key {quoted(key)}", place, (), suggested(key, KEYS)))

    def read(self) -> Device:
        peak = {name: self._amount(node) for name, node in self._mapping("peak")}
        bandwidth = self._amount(self._needed("bandwidth"))
        on_chip = self.fields.get("on_chip")
        sources = {key: self._text(node) for key, node in self._mapping("sources")}
        for key in _FIGURES:
            if key in self.fields and key not in sources:
                self.problems.append(
                    self.fields[key].problem(f"'{key}' has no source", f"sources: {{{key}: the data sheet's name}}")
                )
        named = {NAMES[name].name: value for name, value in peak.items() if self._is_type(name)}
        return Device(
            self._text(self._needed("name")),
            named,
            bandwidth,
            None if on_chip is None else self._amount(on_chip),
            sources,
        )

    def _needed(self, key: str) -> Node | None:
        node = self.fields.get(key)
        if node is None and isinstance(self.node.value, dict) and not self.unknown:
            self.problems.append(self.node.problem(f"'{key}' is missing: {KEYS[key]}", _EXAMPLE))
        return node

    def _mapping(self, key: str) -> list[tuple[str, Node]]:
        node = self._needed(key)
        if node is None:
            return []
        if not isinstance(node.value, dict) or not node.value:
            self.problems.append(node.problem(f"'{key}' is a mapping, found {describe(node)}", _EXAMPLE))
            return []
        return [*node.items()]

    def _is_type(self, name: str) -> bool:
        if name in NAMES:
            return True
        place = self.fields["peak"].value[name].key_place
        self.problems.append(Problem(f"no precision {quoted(name)}", place, (), did_you_mean(name, NAMES)))
        return False

    def _amount(self, node: Node | None) -> int:
        """A number of at least 1; a whole one where an error was found."""
        if node is None:
            return 1
        text: Any = node.value
        try:
            if isinstance(text, bool) or not isinstance(text, int | str):
                raise UserError(f"a whole number was expected, found {describe(node)}", hint="for example 12.8G")
            value = amount(str(text))
            if value < 1:
                raise UserError("a number of at least 1 was expected, found 0")
        except UserError as error:
            self.problems.append(node.problem(error.message, error.given_hint))
            return 1
        return value

    def _text(self, node: Node | None) -> str:
        if node is None:
            return ""
        if not isinstance(node.value, str) or not node.value.strip():
            self.problems.append(node.problem(f"a text was expected, found {describe(node)}"))
            return ""
        return printable(" ".join(node.value.split()))
