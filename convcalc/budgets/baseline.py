"""A file of recorded figures that networks may not exceed: what they cost when it was written, and who let them grow.

It is written sorted and without a time or a host, so two runs give the same bytes. It only tightens: a figure that fell
is lowered, one that rose is an error, unless a reason is given, which the file then holds.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from os.path import abspath, basename, dirname, join, relpath
from typing import Any, NamedTuple

from convcalc.analysis.count import Count
from convcalc.budgets.limits import Checked, Limit, measured
from convcalc.errors import Problem, SpecError, UserError, did_you_mean, quoted
from convcalc.language.sources import Files
from convcalc.loader import SpecName
from convcalc.syntax.yaml import Node, describe, read

FORMAT = 1
RECORDED = ("params", "macs", "flops", "activation")
LAYERS = ("params", "macs", "flops")
HEAD = "# Figures that may fall and not rise, written by convcalc check --baseline FILE --update-baseline.\n"


class Entry(NamedTuple):
    """What is recorded of one network: its figures, those of its layers, the reasons for growth, and its place."""

    figures: Mapping[str, int]
    layers: Mapping[str, Sequence[int]]
    allowed: Sequence[str]
    nodes: Mapping[str, Node]


class Baseline:
    """The entries of a file by the path of their spec, from the file's folder; SPEC@VARIANT for a variant."""

    def __init__(self, path: str, must_exist: bool = True) -> None:
        self.path, self.folder = path, dirname(path)
        self.entries: dict[str, Entry] = {}
        self.seen: set[str] = set()
        if not must_exist and not Files().exists(path):
            return
        try:
            data = Files().load(path)
        except UserError as misfit:
            missing = not Files().exists(path)
            raise SpecError(misfit.message, "--update-baseline writes it" if missing else misfit.hint) from None
        self._read(read(data, path))

    def key(self, spec: str) -> str:
        """What a spec is called in the file."""
        name = SpecName.parse(spec)
        if not name.exists:
            return spec
        return relpath(abspath(name.path), abspath(self.folder or ".")).replace(os.sep, "/") + spec[len(name.path) :]

    def _read(self, node: Node) -> None:
        problems: list[Problem] = []
        top = node.value if isinstance(node.value, dict) else {}
        if not isinstance(node.value, dict) or "networks" not in top:
            raise SpecError(node.problem(f"a baseline holds 'networks:', found {describe(node)}", "write it anew"))
        version = top.get("convcalc_baseline")
        if version is None or version.value != FORMAT:
            what = "nothing" if version is None else describe(version)
            raise SpecError((version or node).problem(f"'convcalc_baseline: {FORMAT}' was expected, found {what}"))
        for key, inner in top["networks"].items():
            self.entries[key] = self._entry(inner, problems)
        if problems:
            raise SpecError(problems)

    def _entry(self, node: Node, problems: list[Problem]) -> Entry:
        known = (*RECORDED, "layers", "allowed")
        figures: dict[str, Node] = {}
        for name, value in node.items():
            wanted = ""
            if name not in known:
                text = f"a baseline has no figure {quoted(name)}"
                problems.append(Problem(text, value.key_place, (), did_you_mean(name, known)))
            elif name in RECORDED:
                figures[name] = value
                wanted = "" if _is_count(value.plain()) else "a whole number"
            elif name == "layers":
                rows = [inner.plain() for _, inner in value.items()]
                is_right = isinstance(value.value, dict) and all(_are_counts(row) for row in rows)
                wanted = "" if is_right else f"lists of {len(LAYERS)} whole numbers by layer"
            elif not isinstance(value.value, list):
                wanted = "a list of reasons"
            if wanted:
                problems.append(value.problem(f"'{name}' must be {wanted}, found {describe(value)}"))
        layers = node.value.get("layers") if isinstance(node.value, dict) else None
        allowed = node.value.get("allowed") if isinstance(node.value, dict) else None
        return Entry(
            {name: value.value for name, value in figures.items()},
            layers.plain() if layers is not None else {},
            list(map(str, allowed.plain())) if allowed is not None and isinstance(allowed.value, list) else [],
            figures,
        )

    def check(self, spec: str, counted: Count) -> list[Checked]:
        """A limit for every recorded figure of a network. Raises SpecError where there is none recorded."""
        key = self.key(spec)
        self.seen.add(key)
        if key not in self.entries:
            hint = did_you_mean(key, self.entries) if self.entries else ""
            hint = hint if "mean" in hint else "--update-baseline adds it"
            raise SpecError(f"{self.path} records no figures of {quoted(key)}", hint)
        entry = self.entries[key]
        found = []
        for name, bound in entry.figures.items():
            value = measured(counted, name, counted.rows)
            limit = Limit(name, place=entry.nodes[name].place if name in entry.nodes else None, option=self.path)
            text = f"{name}: {value:,} is {value - bound:,} over the recorded {bound:,}"
            grown = self._grown(entry, counted, name) if value > bound else []
            ok = value <= bound
            found.append(
                Checked(limit, f"{name}/baseline", value, bound, bound - value, bound, grown, ok, "" if ok else text)
            )
        return found

    def _grown(self, entry: Entry, counted: Count, metric: str) -> list[tuple[str, int]]:
        """The three layers that grew most since they were recorded; none for a figure that layers do not sum to."""
        if metric not in LAYERS:
            return []
        at = LAYERS.index(metric)
        nothing = [0] * len(LAYERS)
        weighed = [(row.path, row.figure(metric) - entry.layers.get(row.path, nothing)[at]) for row in counted.rows]
        return [pair for pair in sorted(weighed, key=lambda pair: -pair[1])[:3] if pair[1] > 0]

    def update(self, spec: str, counted: Count, reason: str) -> list[str]:
        """Record a network's figures: lower where they fell, higher only with a reason; what was done, in words.

        Nothing is recorded of a network that rose without one.
        """
        key = self.key(spec)
        self.seen.add(key)
        now = {name: measured(counted, name, counted.rows) for name in RECORDED}
        old = self.entries.get(key)
        before = old.figures if old else {}
        risen = {name: before[name] for name in RECORDED if now[name] > before.get(name, now[name])}
        if risen and not reason:
            return []
        layers = {row.path: [row.figure(name) for name in LAYERS] for row in counted.rows}
        layers = {path: figures for path, figures in layers.items() if any(figures)}
        allowed = list(old.allowed) if old else []
        grown = [f"{name} {was:,} -> {now[name]:,}" for name, was in risen.items()]
        if grown:
            allowed.append(f"{', '.join(grown)}: {' '.join(reason.split())}")
        self.entries[key] = Entry(now, layers, allowed, {})
        if old is None:
            return [f"{key}: recorded"]
        fallen = [f"{name} {was:,} -> {now[name]:,}" for name, was in before.items() if now[name] < was]
        said = [f"lowered {', '.join(fallen)}"] if fallen else []
        said += [f"raised {', '.join(grown)}"] if grown else []
        return [f"{key}: {'; '.join(said)}"] if said else []

    def forget(self) -> list[str]:
        """Take out the networks whose file is gone; what was done, in words."""
        gone = [key for key in self.entries if key not in self.seen and not self._is_there(key)]
        for key in gone:
            del self.entries[key]
        return [f"{key}: gone, taken out" for key in gone]

    def _is_there(self, key: str) -> bool:
        name = SpecName.parse(join(self.folder, key))
        return name.exists or ("/" not in key and not basename(key).endswith((".yaml", ".yml", ".onnx")))

    def text(self) -> str:
        """The file, sorted: the same figures give the same bytes."""
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
