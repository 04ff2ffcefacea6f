"""A depthwise and a 1x1 convolution in place of a full one."""

from __future__ import annotations

from collections.abc import Iterator

from convcalc.rewrites.base import Proposal, Rewrite, Site, entry


class Separable(Rewrite):
    """Each channel is filtered in space by itself, then a 1x1 convolution mixes the channels."""

    source = "Howard et al., MobileNets, arXiv:1704.04861, section 3.1"

    def proposals(self, site: Site) -> Iterator[Proposal]:
        if not site.is_full():
            return
        depthwise = site.changed(name=f"{site.name}_depthwise", filters=None, groups="channels")
        pointwise = entry("conv", name=site.name, filters=site.field("filters"), kernel=1, bias=site.field("bias"))
        what = f"depthwise {site.window()} and 1x1 in place of the {site.window()}"
        yield site.proposal(what, depthwise, *site.following(), pointwise)
