"""A 1x1 convolution with few filters before a kxk one."""

from __future__ import annotations

from collections.abc import Iterator

from convcalc.rewrites.base import Proposal, Rewrite, Site, entry, part

WIDTHS = ((3, 4), (1, 2), (1, 4))  # of the kxk convolution's own filters


class Reduce(Rewrite):
    """Channels are mixed down by a 1x1 convolution, then the window slides over fewer of them."""

    source = "Szegedy et al., Going Deeper with Convolutions, arXiv:1409.4842, figure 2"

    def proposals(self, site: Site) -> Iterator[Proposal]:
        if not site.is_full():
            return
        filters = site.field("filters")
        for times, over in WIDTHS:
            width = part(filters, times, over)
            shared = {"from": site.field("from"), "bias": site.field("bias")}
            first = entry("conv", name=f"{site.name}_reduce", filters=width, kernel=1, **shared)
            rest = site.changed(**{"from": None}) if "from" in site.fields else site.raw()
            shown = width if isinstance(width, int) else f"{times}/{over} of its filters"
            yield site.proposal(f"1x1 to {shown} before the {site.window()}", first, *site.following(), rest)
