"""Try rewrites: build and count what results, once for sites that are alike.

Where the same entries replace a layer that is alike and no other layer changes, the saving is the same: it is counted
once, so that the time grows with the network and not with its square. What is shown is always counted by itself.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Hashable, Iterator
from typing import NamedTuple

from convcalc.analysis.count import Count, count
from convcalc.analysis.receptive_field import receptive_fields, shown
from convcalc.errors import Place, SpecError, UserError
from convcalc.language.builder import build
from convcalc.language.document import Document
from convcalc.language.document_loader import parse
from convcalc.language.overrides import Overrides
from convcalc.language.sources import File, Files
from convcalc.rewrites.base import Change, Proposal, Rewrite, Site, change_of, sites

_NAME = re.compile(r"\bname: ([^\s,}]+)")
_TAG = re.compile(r"[A-Za-z_]\w*")


class Suggestion(NamedTuple):
    """A rewrite that saves: where, what, and how the counts change (negative is less)."""

    what: str
    layer: str
    uses: int
    place: Place
    text: str
    weights: int
    macs: int
    weights_share: float
    macs_share: float
    depth: int
    nonlinearities: int
    seen_before: str
    seen_after: str
    source: str

    @property
    def sees(self) -> str:
        """The receptive field where the rewrite ends, before and after."""
        same = self.seen_before == self.seen_after
        return self.seen_after if same else f"{self.seen_before} -> {self.seen_after}"

    @property
    def share(self) -> float:
        """What it saves of all weights and of all MACs together."""
        return -(self.weights_share + self.macs_share)


class Candidate(NamedTuple):
    """A rewrite that saves at one site, and how much."""

    trials: Trials
    site: Site
    proposal: Proposal
    change: Change
    source: str
    place: Place
    weights: int
    macs: int

    @property
    def share(self) -> float:
        """What it saves of all weights and of all MACs together."""
        return -(self.weights / self.trials.weights + self.macs / self.trials.macs)

    def suggestion(self) -> Suggestion:
        """The suggestion, built and counted by itself."""
        return self.trials.suggestion(self)


Saving = tuple[int, int] | None  # how the weights and the MACs change; None where nothing is saved


class Trials:
    """The rewrites of one document: what was counted before, and the savings that are known."""

    def __init__(self, document: Document, overrides: Overrides, files: Files) -> None:
        self.document, self.overrides, self.files = document, overrides, files
        self.before = count(build(document, overrides))
        self.weights, self.macs = (max(1, self.before.figure(name)) for name in ("weights", "macs"))
        self.outputs = [layer.output for layer in self.before.graph.outputs]
        fields = receptive_fields(self.before.graph)
        self.seen = {layer.path: shown(fields[layer.index]) for layer in self.before.graph.all}
        self.signatures = Counter(layer.signature for layer in self.before.graph.layers)
        self.known: dict[Hashable, Saving] = {}
        self.numbered: dict[str, bool] = {}
        shares = any(layer.shares is not None or layer.shared for layer in self.before.graph.layers)
        self.is_local = not shares and not overrides.deploy
        self.words = f"{document.node.source.text} {dict(overrides.variables)}"

    def candidates(self, blocks: Collection[str] | None) -> Iterator[Candidate]:
        """Yield the rewrites that save, in the order of the sites."""
        rewrites = sorted(Rewrite.__subclasses__(), key=lambda rewrite: rewrite.__name__)
        for site in sites(self.document, self.before.graph.layers, blocks):
            if "share" in site.fields or "when" in site.fields:
                continue
            alike = tuple(layer.signature for layer in site.layers)
            for rewrite in rewrites:
                for proposal in rewrite().proposals(site):
                    change = change_of(site, proposal)
                    if change is None:
                        continue
                    saving = self._saving(site, proposal, change, (rewrite, alike))
                    if saving is not None:
                        yield Candidate(self, site, proposal, change, rewrite.source, site.node.place, *saving)

    def _saving(self, site: Site, proposal: Proposal, change: Change, alike: Hashable) -> Saving:
        """What a proposal saves; counted once for sites that are alike."""
        if not self._may_be_alike(site, proposal):
            return self._counted(site, change)[0]
        key = (alike, proposal.what, tuple(_NAME.sub("", entry) for entry in proposal.entries))
        if key not in self.known:
            saving, is_local = self._counted(site, change)
            if not is_local:
                return saving
            self.known[key] = saving
        return self.known[key]

    def _may_be_alike(self, site: Site, proposal: Proposal) -> bool:
        """Whether the names of a proposal cannot matter: none is taken, and none that is read gets another number."""
        if not self.is_local or proposal.last - proposal.first > 1:
            return False
        if any("${" in text for text in (*site.following(), *site.habit)):
            return False
        prefixes = {layer.path.rpartition("/")[0] for layer in site.layers}
        if len(prefixes) < len(site.layers):
            return False
        numbered = Counter(_tag(entry) for entry in proposal.entries if "name:" not in entry)
        numbered.subtract([site.tag] if "name" not in site.fields else [])
        if any(times > 0 and self._reads_numbered(tag) for tag, times in numbered.items()):
            return False
        names = {name for entry in proposal.entries for name in _NAME.findall(entry)} - {site.name}
        return not any(f"{prefix}/{name}".lstrip("/") in self.seen for prefix in prefixes for name in names)

    def _reads_numbered(self, tag: str) -> bool:
        """Whether the spec may read a layer by the name that it got by its number, such as relu5."""
        if tag not in self.numbered:
            self.numbered[tag] = re.search(rf"\b{re.escape(tag)}_?[0-9$]", self.words) is not None
        return self.numbered[tag]

    def _counted(self, site: Site, change: Change) -> tuple[Saving, bool]:
        """What a change saves by counting, and whether that follows from its entries and the site's layers alone."""
        try:
            after = self._after(change)
        except SpecError as error:
            lines = range(site.node.line, site.node.line + change.new.count("\n") + 1)
            return None, all(problem.place is not None and problem.place.line in lines for problem in error.problems)
        except UserError:
            return None, False
        if [layer.output for layer in after.graph.outputs] != self.outputs:
            return None, False
        gone = self.signatures - Counter(layer.signature for layer in after.graph.layers)
        is_local = gone <= Counter(layer.signature for layer in site.layers)
        weights, macs = (after.figure(name) - self.before.figure(name) for name in ("weights", "macs"))
        is_saving = weights <= 0 and macs <= 0 and (weights < 0 or macs < 0)
        return (weights, macs) if is_saving else None, is_local

    def _after(self, change: Change) -> Count:
        """The network after a change, built and counted. Raises SpecError, UserError."""
        text = change.apply(self.document.node.source.text)
        file = File(self.document.file.name, text.encode(), self.document.file.folder)
        return count(build(parse(file, self.files), self.overrides))

    def suggestion(self, candidate: Candidate) -> Suggestion:
        """Build and count the network of a candidate by itself."""
        site, proposal, before, after = candidate.site, candidate.proposal, self.before, self._after(candidate.change)
        weights, macs = (after.figure(name) - before.figure(name) for name in ("weights", "macs"))
        path = site.layers[0].path
        end = path.rpartition("/")[0] + "/" + proposal.layer if "/" in path else proposal.layer
        return Suggestion(
            proposal.what,
            path,
            len(site.layers),
            candidate.place,
            candidate.change.apply(self.document.node.source.text),
            weights,
            macs,
            weights / self.weights,
            macs / self.macs,
            after.depth - before.depth,
            after.nonlinearities - before.nonlinearities,
            self.seen[end if end in self.seen else path],
            _field_of(after, end),
            candidate.source,
        )


def _tag(entry: str) -> str:
    """The kind of an entry.

    >>> _tag("{conv: {filters: 8}}"), _tag("relu")
    ('conv', 'relu')
    """
    match = _TAG.search(entry)
    return match[0] if match else ""


def _field_of(counted: Count, path: str) -> str:
    """The receptive field of a layer as text, "" where there is no such layer."""
    index = next((layer.index for layer in counted.graph.all if layer.path == path), None)
    return "" if index is None else shown(receptive_fields(counted.graph, index + 1)[index])
