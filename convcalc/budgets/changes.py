"""What changed of a network since the base: its figures, its limits, the layers that moved most, and the lines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from convcalc.analysis.compare import compare
from convcalc.analysis.count import Count
from convcalc.analysis.diff import FIGURES, Change, diff
from convcalc.analysis.scope import RowScopes
from convcalc.budgets.config import ProjectConfig, read_config
from convcalc.budgets.limits import Limit
from convcalc.budgets.measure import BaseNetwork, CheckedLimit
from convcalc.errors import Place, Source, SpecError, UserError
from convcalc.graph import Layer
from convcalc.language.revision import Revision
from convcalc.report import Finding
from convcalc.tables.count import spec_facts

MOST_LAYERS = 5  # that the facts name
MOST_LINES = 2_000  # that are compared one by one; of more, all between the first and the last difference are touched
_FIGURE_OF = {"weight_bytes": "params"}  # the figure of a layer's change that a limit is on; of the others MACs


class Changes:
    """The changes of a network since the base."""

    def __init__(self, base: BaseNetwork, old: Count, new: Count) -> None:
        self.base, self.old, self.new = base, old, new
        self.changes = diff(old, new).changes
        self.scopes = RowScopes(new.rows)

    def facts(self) -> dict[str, Any]:
        """For programs: the network at the base, each figure before and after, the layers that moved most."""
        spec = spec_facts(self.old.graph)
        base = {"revision": self.base.revision, "commit": self.base.commit}
        return {
            "base": {**base, **{key: spec[key] for key in ("path", "sha256") if key in spec}},
            "figures": {
                total.figure: {"before": total.values[0], "after": total.values[1]}
                for total in compare([self.old, self.new])
            },
            "layers": [self._layer_facts(change) for change in self._largest()],
        }

    def _largest(self) -> list[Change]:
        moved = [change for change in self.changes if any(change.change(name) for name in FIGURES)]
        return sorted(moved, key=lambda change: -max(abs(change.change(name)) for name in FIGURES))[:MOST_LAYERS]

    def _layer_facts(self, change: Change) -> dict[str, Any]:
        place = self._place(change)
        location = {"file": place.source.name, "line": place.line} if place else {}
        figures = {name: change.change(name) for name in FIGURES}
        return {"path": change.path, "sort": change.sort, "what": change.what, **figures, **location}

    def _place(self, change: Change) -> Place | None:
        """The location of the layer that changed: of an affected layer that of the first cause."""
        if change.sort == "affected" and change.causes:
            change = next((other for other in self.changes if other.path == change.causes[0]), change)
        is_gone = change.sort == "removed" or change.row.layer is None
        return None if is_gone or change.row.layer is None else change.row.layer.place

    def located(self, finding: Finding, checked: CheckedLimit) -> Finding:
        """The finding of an exceeded limit at the line whose change raised the figure most, where there is one."""
        limit = checked.limit
        figure = _FIGURE_OF.get(limit.figure, limit.figure if limit.figure in FIGURES else "macs")
        if checked.ok:
            return finding
        paths = {row.path for row in self.scopes.rows(limit.scope)}
        risen = [change for change in self.changes if change.path in paths and change.change(figure) > 0]
        if not risen:
            return finding
        place = self._place(max(risen, key=lambda change: change.change(figure)))
        if place is None:
            return finding
        line = self._touched_line(place, limit.place)
        message = f"{finding.message}; the limit is from {limit.origin}" if limit.origin else finding.message
        column = place.column if line == place.line else 1
        return finding._replace(file=place.source.name, line=line, column=column, message=message)

    def _touched_line(self, place: Place, limit: Place | None) -> int:
        """The first line of a layer that the change touched, else the first touched line of its file, else its own."""
        old = self._source_before(place.source.name)
        if old is None:
            return place.line
        touched = touched_lines(old.text, place.source.text)
        if limit is not None and limit.source.name == place.source.name:
            touched.discard(limit.line)
        starts = _lines(self.new.graph.all, place.source.name)
        end = min((line for line in starts if line > place.line), default=len(place.source.text) + 2)
        own = [line for line in touched if place.line <= line < end]
        return min(own or touched or [place.line])

    def _source_before(self, name: str) -> Source | None:
        """A file of the network as it was at the base."""
        names = (name, self.base.moved_from)
        places = (layer.place for layer in self.old.graph.all if layer.place)
        return next((place.source for place in places if place.source.name in names), None)


def _lines(layers: Sequence[Layer], name: str) -> set[int]:
    return {layer.place.line for layer in layers if layer.place and layer.place.source.name == name}


def touched_lines(old: str, new: str) -> set[int]:
    """The numbers of the lines of a text that an earlier version of it does not have there.

    >>> touched_lines("a\\nb\\nc", "a\\nx\\nc\\nd")
    {2, 4}
    """
    before, after = old.splitlines(), new.splitlines()
    start = 0
    while start < min(len(before), len(after)) and before[start] == after[start]:
        start += 1
    end = 0
    while end < min(len(before), len(after)) - start and before[-1 - end] == after[-1 - end]:
        end += 1
    before, after = before[start : len(before) - end], after[start : len(after) - end]
    if max(len(before), len(after)) > MOST_LINES:
        return set(range(start + 1, start + 1 + len(after)))
    from difflib import SequenceMatcher

    codes = SequenceMatcher(None, before, after, autojunk=False).get_opcodes()
    return {start + 1 + line for sort, _, _, first, last in codes if sort != "equal" for line in range(first, last)}


def config_at(project: ProjectConfig | None, revision: str) -> ProjectConfig | None:
    """The project's configuration as it was at a revision; None where there was none that can be read."""
    if project is None or not revision:
        return None
    try:
        return read_config(project.name, Revision(revision, project.name))
    except (SpecError, UserError):
        return None


def limit_changes(before: Sequence[Limit], after: Sequence[Limit]) -> list[dict[str, str]]:
    """The limits that are new, gone, or different, each with the text of both."""
    old, new = _texts(before), _texts(after)
    return [
        {"limit": name, "before": old.get(name, ""), "after": new.get(name, "")}
        for name in dict.fromkeys([*new, *old])
        if old.get(name) != new.get(name)
    ]


def _texts(limits: Sequence[Limit]) -> dict[str, str]:
    """What each limit allows, by what it is on; several on one figure are joined."""
    texts: dict[str, list[str]] = {}
    for limit in limits:
        parts = [limit.value] if limit.value else []
        parts += [f"at most {limit.at_most:,}"] if limit.at_most is not None else []
        if limit.increase is not None:
            percent, amount = limit.increase
            bounds = [f"{percent}%"] if percent is not None else []
            parts.append(f"increase {' and '.join([*bounds, *([f'{amount:,}'] if amount is not None else [])])}")
        parts += ["no increase"] if limit.ratchet else []
        parts += [limit.level] if limit.level != "error" else []
        texts.setdefault(limit.name, []).append(", ".join(parts))
    return {name: "; ".join(sorted(parts)) for name, parts in texts.items()}
