"""Spec -> suggestions: changed specs that save weights or MACs, one kind of change a file.

Each rewrite is tried at every layer. Its saving is never estimated: the changed text is read, built and counted like
any spec. Its effect on accuracy is unknown.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from importlib import import_module
from typing import NamedTuple

from convcalc.analysis.count import Count, count
from convcalc.analysis.receptive_field import receptive_fields, shown
from convcalc.discovery import modules
from convcalc.errors import Place, SpecError, UserError
from convcalc.language.builder import build
from convcalc.language.document import Document
from convcalc.language.document_loader import parse
from convcalc.language.edit import inline_includes
from convcalc.language.overrides import Overrides
from convcalc.language.sources import File, Files
from convcalc.rewrites.base import Proposal, Rewrite, Site, apply, own_blocks, sites

for _name in modules(__file__):
    import_module(f"{__name__}.{_name}")


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


def suggest(document: Document, overrides: Overrides, files: Files) -> list[Suggestion]:
    """Every rewrite that saves weights or MACs and costs more of neither, the largest saving first.

    Where it changes a block of another file, the text holds that block: see `inline_includes`.
    """
    before = count(build(document, overrides))
    found = list(_suggestions(document, overrides, files, before, None))
    if not left_out(document, files):
        whole = inline_includes(document, files)
        borrowed = {block.name for block in own_blocks(whole)} - {block.name for block in own_blocks(document)}
        same = count(build(whole, overrides))
        places = {layer.path: layer.place for layer in before.graph.layers}
        for one in _suggestions(whole, overrides, files, same, borrowed):
            found.append(one._replace(place=places[one.layer] or one.place))
    return sorted(found, key=lambda one: (-one.share, one.place.line, one.what))


def left_out(document: Document, files: Files) -> str:
    """Why no rewrite is tried in the blocks that a spec includes, "" where they are."""
    try:
        inline_includes(document, files)
    except UserError as misfit:
        return misfit.message
    return ""


def _suggestions(
    document: Document, overrides: Overrides, files: Files, before: Count, blocks: Collection[str] | None
) -> Iterator[Suggestion]:
    for site in sites(document, before.graph.layers, blocks):
        if "share" in site.fields or "when" in site.fields:
            continue
        for rewrite in sorted(Rewrite.__subclasses__(), key=lambda rewrite: rewrite.__name__):
            for proposal in rewrite().proposals(site):
                suggestion = _tried(document, overrides, files, before, site, proposal, rewrite.source)
                if suggestion is not None:
                    yield suggestion


def _tried(
    document: Document, overrides: Overrides, files: Files, before: Count, site: Site, proposal: Proposal, source: str
) -> Suggestion | None:
    """A proposal rebuilt and counted; None where it fits nowhere, changes an output, or saves nothing."""
    text = apply(site, proposal)
    if text is None:
        return None
    file = File(document.file.name, text.encode(), document.file.folder)
    try:
        after = count(build(parse(file, files), overrides))
    except (SpecError, UserError):
        return None
    if [layer.output for layer in after.graph.outputs] != [layer.output for layer in before.graph.outputs]:
        return None
    weights, macs = (after.figure(name) - before.figure(name) for name in ("weights", "macs"))
    if weights > 0 or macs > 0 or not (weights or macs):
        return None
    path = site.layers[0].path
    end = path.rpartition("/")[0] + "/" + proposal.layer if "/" in path else proposal.layer
    return Suggestion(
        proposal.what,
        path,
        len(site.layers),
        site.node.place,
        text,
        weights,
        macs,
        weights / max(1, before.figure("weights")),
        macs / max(1, before.figure("macs")),
        after.depth - before.depth,
        after.nonlinearities - before.nonlinearities,
        _seen(before, end if any(row.path == end for row in before.rows) else path),
        _seen(after, end),
        source,
    )


def _seen(counted: Count, path: str) -> str:
    fields = receptive_fields(counted.graph)
    return next((shown(fields[layer.index]) for layer in counted.graph.all if layer.path == path), "")
