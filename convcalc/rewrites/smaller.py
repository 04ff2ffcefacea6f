"""Two or three 3x3 convolutions in place of a larger one."""

from __future__ import annotations

from collections.abc import Iterator

from convcalc.rewrites.base import Proposal, Rewrite, Site


class Smaller(Rewrite):
    """A stack of 3x3 windows sees what one kxk window sees, with fewer weights and non-linearities in between."""

    source = "Simonyan and Zisserman, Very Deep Convolutional Networks, arXiv:1409.1556, section 2.3"

    def proposals(self, site: Site) -> Iterator[Proposal]:
        kernel, padding = site.kernel(), site.field("padding", 0)
        if not site.is_full() or kernel < 5 or kernel % 2 == 0 or site.field("dilation", 1) != 1:
            return
        times = (kernel - 1) // 2
        if padding == kernel // 2:
            padding = 1
        elif padding not in ("same", "valid", 0):
            return
        entries = []
        for number in range(1, times + 1):
            changes = {} if number == 1 else {"from": None, "stride": None}
            name = site.name if number == times else f"{site.name}_{number}"
            given = padding if "padding" in site.fields else None
            entries += [site.changed(**changes, name=name, kernel=3, padding=given), *site.following()]
        entries = entries[: len(entries) - len(site.following())]
        yield site.proposal(f"{times} times 3x3 in place of the {site.window()}", *entries)
