"""The least time that a network can take on a device: of each operator what its arithmetic or its traffic takes alone.

Source: Williams, Waterman and Patterson, Roofline, Communications of the ACM 52(4), 2009. A bound, never a latency:
nothing says that a program reaches the peak or the bandwidth.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import NamedTuple

from convcalc.analysis.memory.precision import NAMES, Precision
from convcalc.analysis.roofline.device import Device, device_names, load_device
from convcalc.analysis.roofline.traffic import Traffic, Work, works
from convcalc.errors import SpecError
from convcalc.graph import Graph

SECOND = 10**12  # picoseconds


class Least(NamedTuple):
    """The least picoseconds that some work takes on a device, by its arithmetic and by its traffic."""

    compute: int
    memory: int

    @property
    def time(self) -> int:
        """The larger of both: they may overlap, and neither can be left out."""
        return max(self.compute, self.memory)

    @property
    def bound(self) -> str:
        """What bounds the work: compute or memory."""
        return "memory" if self.memory > self.compute else "compute"


class Roof(NamedTuple):
    """A device at a precision, and the least time of each work on it."""

    device: Device
    precision: Precision
    works: Sequence[Work]
    least: Sequence[Least]

    @property
    def peak(self) -> int:
        """Operations per second."""
        return self.device.peak[self.precision.name]

    @property
    def ridge(self) -> Fraction:
        """The operations per byte from which on a device is bound by compute."""
        return Fraction(self.peak, self.device.bandwidth)

    @property
    def time(self) -> int:
        """The least picoseconds of all work, one after the other: the sum of the rows."""
        return sum(least.time for least in self.least)

    @property
    def memory_time(self) -> int:
        """The part of `time` in which memory is the bound."""
        return sum(least.time for least in self.least if least.bound == "memory")


def roof(works: Sequence[Work], device: Device, precision: Precision) -> Roof:
    """The least time of each work on a device; parts of a picosecond are left out, so that it stays a bound.

    >>> from convcalc.analysis.memory.precision import PRECISIONS
    >>> work = Work("wide", "conv", (4, 6, 6), 3888, 8000, 100, 500, 400)
    >>> device = Device("small", {"int8": 10**9}, 2 * 10**8, None, {})
    >>> (least,) = roof([work], device, PRECISIONS["int8"]).least
    >>> least  # 8,000 operations of 1 ns, 1,000 bytes of 5 ns
    Least(compute=8000000, memory=5000000)
    >>> least.bound, least.time == 8000 * 1000
    ('compute', True)
    """
    peak, bandwidth = device.peak[precision.name], device.bandwidth
    least = [Least(work.flops * SECOND // peak, work.bytes * SECOND // bandwidth) for work in works]
    return Roof(device, precision, works, least)


def roofs_of(graph: Graph, names: Sequence[str], precision: str, traffic: Traffic) -> list[Roof]:
    """A network's roofs on devices by name or file, on all that are known where none is named.

    Devices that nobody named and that lack the precision are left out. Raises SpecError.
    """
    devices = [load_device(name) for name in names or device_names()]
    if precision and not names:
        devices = [device for device in devices if NAMES[precision].name in device.peak]
    if not devices:
        raise SpecError(f"no device has a peak for {NAMES[precision].name}", "--device names one, or a file")
    known: dict[Precision, list[Work]] = {}
    roofs = []
    for device in devices:
        chosen = device.precision(precision)
        if chosen not in known:
            known[chosen] = works(graph, traffic, chosen)
        roofs.append(roof(known[chosen], device, chosen))
    return roofs


def intensity(work: Work) -> Fraction | None:
    """The operations per byte moved; None where nothing is moved."""
    return Fraction(work.flops, work.bytes) if work.bytes else None
