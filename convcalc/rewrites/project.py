"""A 1x1 convolution after the pooling of a branch."""

from __future__ import annotations

from collections.abc import Iterator

from convcalc.rewrites.base import Proposal, Rewrite, Site, entry

PARTS = (2, 4, 8)  # of the channels that the pooling keeps


class Project(Rewrite):
    """A pooling branch hands all its channels on to the join; a 1x1 convolution hands on fewer.

    Saves in the layers after the join, which read fewer channels; costs the 1x1 itself.
    """

    source = "Szegedy et al., Going Deeper with Convolutions, arXiv:1409.4842, figure 2"

    def proposals(self, site: Site) -> Iterator[Proposal]:
        is_last = site.at == len(site.items) - 1
        if site.join != "concat" or site.tag not in ("max_pool", "avg_pool") or not is_last:
            return
        channels = {layer.output[0] for layer in site.layers}
        for part in PARTS:
            width = f"${{channels // {part}}}" if len(channels) > 1 else min(channels) // part
            if min(channels) // part:
                projection = entry("conv", name=f"{site.name}_project", filters=width, kernel=1)
                shown = f"1/{part} of the channels" if len(channels) > 1 else f"{width} channels"
                yield site.proposal(f"1x1 to {shown} after the pooling", site.raw(), projection, *site.habit, own=0)
