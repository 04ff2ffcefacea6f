"""A baseline: a file of recorded figures that networks may not exceed, with the reasons for each allowed increase.

The file is sorted and holds neither time nor host, so two runs write the same bytes. Updates only lower figures; a
higher figure is an error, unless a reason is given, which the file then records.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from os.path import abspath, basename, dirname, exists, join, relpath
from typing import Any, NamedTuple

from convcalc.analysis.count import Count
from convcalc.budgets.limits import Limit
from convcalc.budgets.measure import CheckedLimit, measure
from convcalc.errors import Problem, SpecError, UserError, did_you_mean, quoted
from convcalc.language.sources import Files
from convcalc.loader import SpecName
from convcalc.storage import lock, replacement
from convcalc.syntax.node import Node, describe
from convcalc.syntax.yaml import read

FORMAT = 1
RECORDED = ("params", "macs", "flops", "activation")
LAYERS = ("params", "macs", "flops")
HEAD = "# Figures that may fall and not rise, written by convcalc check --baseline FILE --update-baseline.\n"


class Entry(NamedTuple):
    """The record of one network: its figures, those of its layers, the reasons for increases, and its nodes."""

    figures: Mapping[str, int]
    layers: Mapping[str, Sequence[int]]
    allowed: Sequence[str]
    nodes: Mapping[str, Node]


class Record(NamedTuple):
    """What is to be recorded of one network, and the reason for higher figures ("": they are refused)."""

    key: str
    figures: Mapping[str, int]
    layers: Mapping[str, Sequence[int]]
    reason: str


class Baseline:
    """The entries of a file by the path of their spec, relative to the file's folder; SPEC@VARIANT for a variant."""

    def __init__(self, path: str, must_exist: bool = True) -> None:
        self.path, self.folder = path, dirname(path)
        self.entries: dict[str, Entry] = {}
        self.seen: set[str] = set()
        self.records: list[Record] = []
        self.data: bytes | None = None  # of the file as it was read
        if not must_exist and not Files().exists(path):
            return
        try:
            self.data = Files().load(path)
        except UserError as error:
            is_missing = not Files().exists(path)
            raise SpecError(error.message, "--update-baseline creates it" if is_missing else error.hint) from None
        self._read(read(self.data, path))

    def key(self, spec: SpecName) -> str:
        """The key of a spec in the file."""
        if not spec.exists:
            return spec.text
        path = relpath(abspath(spec.path), abspath(self.folder or ".")).replace(os.sep, "/")
        return path + spec.text[len(spec.path) :]

    def _read(self, node: Node) -> None:
        problems: list[Problem] = []
        top = node.value if isinstance(node.value, dict) else {}
        if not isinstance(node.value, dict) or "networks" not in top:
            raise SpecError(
                node.problem(
                    f"a baseline needs 'networks:', found {describe(node)}", "write it again with --update-baseline"
                )
            )
        version = top.get("convcalc_baseline")
        if version is None or version.value != FORMAT:
            found = "nothing" if version is None else describe(version)
            raise SpecError((version or node).problem(f"'convcalc_baseline: {FORMAT}' was expected, found {found}"))
        for key, inner in top["networks"].items():
            self.entries[key] = self._read_entry(inner, problems)
        if problems:
            raise SpecError(problems)

    def _read_entry(self, node: Node, problems: list[Problem]) -> Entry:
        known = (*RECORDED, "layers", "allowed")
        figures: dict[str, Node] = {}
        for name, value in node.items():
            expected = ""
            if name not in known:
                text = f"a baseline has no figure {quoted(name)}"
                problems.append(Problem(text, value.key_place, (), did_you_mean(name, known)))
            elif name in RECORDED:
                figures[name] = value
                expected = "" if _is_count(value.plain()) else "a whole number"
            elif name == "layers":
                rows = [inner.plain() for _, inner in value.items()]
                is_right = isinstance(value.value, dict) and all(_are_counts(row) for row in rows)
                expected = "" if is_right else f"lists of {len(LAYERS)} whole numbers by layer"
            elif not isinstance(value.value, list):
                expected = "a list of reasons"
            if expected:
                problems.append(value.problem(f"'{name}' must be {expected}, found {describe(value)}"))
        layers = node.value.get("layers") if isinstance(node.value, dict) else None
        allowed = node.value.get("allowed") if isinstance(node.value, dict) else None
        return Entry(
            {name: value.value for name, value in figures.items()},
            layers.plain() if layers is not None else {},
            list(map(str, allowed.plain())) if allowed is not None and isinstance(allowed.value, list) else [],
            figures,
        )

    def check(self, spec: SpecName, counted: Count) -> list[CheckedLimit]:
        """Check every recorded figure of a network. Raises SpecError for a network without a record."""
        key = self.key(spec)
        self.seen.add(key)
        if key not in self.entries:
            hint = did_you_mean(key, self.entries) if self.entries else ""
            hint = hint if "mean" in hint else "--update-baseline adds it"
            raise SpecError(f"{self.path} records no figures of {quoted(key)}", hint)
        entry = self.entries[key]
        checked = []
        for name, bound in entry.figures.items():
            value = measure(counted, name, counted.rows)
            limit = Limit(name, place=entry.nodes[name].place if name in entry.nodes else None, option=self.path)
            text = f"{name}: {value:,} is {value - bound:,} over the recorded {bound:,}"
            grown = self._largest_increases(entry, counted, name) if value > bound else []
            ok = value <= bound
            rule, message = f"{name}/baseline", "" if ok else text
            checked.append(CheckedLimit(limit, rule, value, bound, bound - value, bound, grown, ok, message))
        return checked

    def _largest_increases(self, entry: Entry, counted: Count, name: str) -> list[tuple[str, int]]:
        """The three layers that grew most since the record; none for a figure that is not recorded of layers."""
        if name not in LAYERS:
            return []
        index = LAYERS.index(name)
        nothing = [0] * len(LAYERS)
        increases = [(row.path, row.figure(name) - entry.layers.get(row.path, nothing)[index]) for row in counted.rows]
        return [pair for pair in sorted(increases, key=lambda pair: -pair[1])[:3] if pair[1] > 0]

    def update(self, spec: SpecName, counted: Count, reason: str) -> list[str]:
        """Record a network's figures and return lines that say what changed.

        Without a reason, a network with any higher figure is not recorded at all.
        """
        now = {name: measure(counted, name, counted.rows) for name in RECORDED}
        layers = {row.path: [row.figure(name) for name in LAYERS] for row in counted.rows}
        layers = {path: figures for path, figures in layers.items() if any(figures)}
        record = Record(self.key(spec), now, layers, reason)
        self.records.append(record)
        return self._apply(record)

    def _apply(self, record: Record) -> list[str]:
        """Record a network's figures where they may be, and return lines that say what changed."""
        key, now = record.key, record.figures
        self.seen.add(key)
        old = self.entries.get(key)
        before = old.figures if old else {}
        risen = {name: before[name] for name in RECORDED if now[name] > before.get(name, now[name])}
        if risen and not record.reason:
            return []
        allowed = list(old.allowed) if old else []
        grown = [f"{name} {was:,} -> {now[name]:,}" for name, was in risen.items()]
        if grown:
            allowed.append(f"{', '.join(grown)}: {' '.join(record.reason.split())}")
        self.entries[key] = Entry(now, record.layers, allowed, {})
        if old is None:
            return [f"{key}: recorded"]
        fallen = [f"{name} {was:,} -> {now[name]:,}" for name, was in before.items() if now[name] < was]
        changes = [f"lowered {', '.join(fallen)}"] if fallen else []
        changes += [f"raised {', '.join(grown)}"] if grown else []
        return [f"{key}: {'; '.join(changes)}"] if changes else []

    def save(self) -> list[str]:
        """Write what was recorded into the file and return lines on networks that are gone. Raises SpecError.

        Others may have written it since it was read. So it is read again, under its lock, and the records are applied.
        """
        try:
            with lock(self.path):
                now = Baseline(self.path, must_exist=False)
                for record in self.records:
                    now._apply(record)
                changes = now.forget()
                now._replace_file()
        except OSError as error:
            raise SpecError(f"{quoted(self.path)} cannot be written: {error.strerror or error}") from None
        return changes

    def _replace_file(self) -> None:
        """Write the file anew, where anything in it is different. Raises OSError."""
        text = self.to_yaml().encode()
        if text != self.data:
            with replacement(self.path, also_if_read=True) as stream:
                stream.buffer.write(text)

    def forget(self) -> list[str]:
        """Remove the networks whose file no longer exists and return lines that say so."""
        gone = [key for key in self.entries if key not in self.seen and not self._exists(key)]
        for key in gone:
            del self.entries[key]
        return [f"{key}: no longer exists, removed" for key in gone]

    def _exists(self, key: str) -> bool:
        path = join(self.folder, key)
        if exists(path) or exists(path.rpartition("@")[0]):
            return True
        return "/" not in key and not basename(key).endswith((".yaml", ".yml", ".onnx"))

    def to_yaml(self) -> str:
        """The text of the file, sorted: the same figures give the same bytes."""
        lines = [HEAD, f"convcalc_baseline: {FORMAT}\n", "networks:\n" if self.entries else "networks: {}\n"]
        for key, entry in sorted(self.entries.items()):
            lines.append(f"  {_quoted(key)}:\n")
            lines += [f"    {name}: {entry.figures[name]}\n" for name in RECORDED if name in entry.figures]
            if entry.allowed:
                lines += ["    allowed:\n", *(f"      - {_quoted(reason)}\n" for reason in entry.allowed)]
            if entry.layers:
                lines.append("    layers:\n")
                lines += [f"      {_quoted(path)}: {list(figures)}\n" for path, figures in sorted(entry.layers.items())]
        return "".join(lines)


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _are_counts(value: Any) -> bool:
    return isinstance(value, list) and len(value) == len(LAYERS) and all(map(_is_count, value))


def _quoted(text: str) -> str:
    import json

    return json.dumps(text, ensure_ascii=False)
