"""A grouped convolution and a channel shuffle in place of a full one."""

from __future__ import annotations

from collections.abc import Iterator

from convcalc.rewrites.base import Proposal, Rewrite, Site, entry

GROUPS = (2, 4, 8)


class Grouped(Rewrite):
    """Each filter sees one group of the channels; the shuffle lets the next layer see all of them."""

    source = "Zhang et al., ShuffleNet, arXiv:1707.01083, section 3.1"

    def proposals(self, site: Site) -> Iterator[Proposal]:
        if site.tag != "conv" or not site.is_ungrouped():
            return
        for groups in GROUPS:
            shuffle = entry("channel_shuffle", groups=groups)
            what = f"{groups} groups and a channel shuffle"
            yield site.proposal(what, site.with_field("groups", groups), shuffle, own=0)
