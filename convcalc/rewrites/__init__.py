"""Spec -> suggestions: changed specs that save weights or MACs, one kind of change a file.

Each rewrite is tried at every layer. Its saving is never estimated: the changed text is read, built and counted like
any spec. Its effect on accuracy is unknown.
"""

from __future__ import annotations

from importlib import import_module

from convcalc.discovery import modules
from convcalc.errors import UserError
from convcalc.language.document import Document
from convcalc.language.edit import inline_includes
from convcalc.language.overrides import Overrides
from convcalc.language.sources import Files
from convcalc.rewrites._trials import Candidate, Suggestion, Trials
from convcalc.rewrites.base import own_blocks

__all__ = ["Candidate", "Suggestion", "candidates", "left_out", "suggest"]

for _name in modules(__file__):
    import_module(f"{__name__}.{_name}")


def suggest(document: Document, overrides: Overrides, files: Files) -> list[Suggestion]:
    """Every rewrite that saves weights or MACs and costs more of neither, the largest saving first.

    Where it changes a block of another file, the text holds that block: see `inline_includes`.
    """
    return [candidate.suggestion() for candidate in candidates(document, overrides, files)]


def candidates(document: Document, overrides: Overrides, files: Files) -> list[Candidate]:
    """The rewrites that `suggest` returns, in its order; each is a suggestion when it is asked for."""
    trials = Trials(document, overrides, files)
    found = list(trials.candidates(None))
    if not left_out(document, files):
        whole = inline_includes(document, files)
        borrowed = {block.name for block in own_blocks(whole)} - {block.name for block in own_blocks(document)}
        if borrowed:
            places = {layer.path: layer.place for layer in trials.before.graph.layers}
            for one in Trials(whole, overrides, files).candidates(borrowed):
                found.append(one._replace(place=places[one.site.layers[0].path] or one.place))
    return sorted(found, key=lambda one: (-one.share, one.place.line, one.proposal.what))


def left_out(document: Document, files: Files) -> str:
    """Why no rewrite is tried in the blocks that a spec includes, "" where they are."""
    try:
        inline_includes(document, files)
    except UserError as misfit:
        return misfit.message
    return ""
