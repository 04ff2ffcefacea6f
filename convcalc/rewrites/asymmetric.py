"""A 1xk and a kx1 convolution in place of a kxk one."""

from __future__ import annotations

from collections.abc import Iterator

from convcalc.rewrites.base import Proposal, Rewrite, Site


class Asymmetric(Rewrite):
    """One axis after the other: 2*k places of the window have weights in place of k*k."""

    source = "Szegedy et al., Rethinking the Inception Architecture, arXiv:1512.00567, section 3.2"

    def proposals(self, site: Site) -> Iterator[Proposal]:
        kernel = site.kernel()
        stride, padding, dilation = (
            site.field(key, own) for key, own in (("stride", 1), ("padding", 0), ("dilation", 1))
        )
        if not site.is_full() or kernel < 3 or not isinstance(stride, int) or dilation != 1:
            return
        if not isinstance(padding, int) and padding not in ("same", "valid"):
            return

        def along(axis: int, name: str, origin: object) -> str:
            def only(size: int, rest: int) -> list[int]:
                return [size, rest] if axis == 0 else [rest, size]

            return site.changed(
                **{"from": origin},
                name=name,
                kernel=only(kernel, 1),
                stride=only(stride, 1) if stride != 1 else None,
                padding=only(padding, 0) if isinstance(padding, int) and padding else site.field("padding"),
            )

        first = along(1, f"{site.name}_1x{kernel}", site.field("from"))
        what = f"1x{kernel} and {kernel}x1 in place of the {site.window()}"
        yield site.proposal(what, first, *site.following(), along(0, site.name, None))
