"""Global average pooling in place of flatten and fully connected layers."""

from __future__ import annotations

from collections.abc import Iterator

from convcalc.kinds import find
from convcalc.rewrites.base import Proposal, Rewrite, Site

_BETWEEN = ("dropout", "linear")


class PoolingHead(Rewrite):
    """One mean for each channel is all that a fully connected layer gets, not every place of it."""

    source = "Lin, Chen and Yan, Network In Network, arXiv:1312.4400, section 3.2"

    def proposals(self, site: Site) -> Iterator[Proposal]:
        if site.tag != "flatten" or all(size == 1 for layer in site.layers for size in layer.shapes[0][1:]):
            return
        pooled = ["global_avg_pool", site.raw()]
        linear = []
        for at in range(site.at + 1, len(site.items)):
            tag = site.tag_at(at)
            kind = find(tag)
            if tag not in _BETWEEN and (kind is None or kind.family not in ("activation", "norm")):
                break
            if tag == "linear":
                linear.append(at)
        if linear:
            yield site.proposal("global average pooling before flatten", *pooled)
        if len(linear) > 1:
            last = linear[-1]
            what = f"global average pooling and one linear in place of flatten and {len(linear)} linear"
            yield site.proposal(what, *pooled, site.text.of(site.items[last]), last=last + 1)
