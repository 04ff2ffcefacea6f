"""From a claimed number to what explains it: whose convention, at which input size and batch, doubled or halved, with
or without the head, with batch norms folded or not."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from typing import NamedTuple

from convcalc.amounts import UNITS
from convcalc.analysis.count import count
from convcalc.conventions.convention import Convention, difference, figures, find, names
from convcalc.conventions.quantities import Census, Quantities
from convcalc.errors import UserError, quoted
from convcalc.graph import Graph, Layer
from convcalc.kinds.sizes import STORED
from convcalc.numerals import EXACT, exact_number, without_separators

SIZES = (
    32,
    64,
    96,
    128,
    160,
    192,
    224,
    227,
    240,
    256,
    260,
    280,
    288,
    299,
    300,
    320,
    331,
    352,
    384,
    416,
    448,
    480,
    512,
    608,
    640,
)
BATCHES = (1, 2, 4, 8, 16, 32, 64, 128, 256)
_CLAIM = re.compile(r"(?:(macs|flops|params) *= *)?([0-9][0-9_,]*(?:\.[0-9]+)?) ?([kKMGTPB]?) *([A-Za-z-]*)")
_WORDS = ("", "mac", "macs", "flop", "flops", "mult-adds", "madd", "madds")


class Claim(NamedTuple):
    """A number as it was printed: what it says it is, and the least and the most that round to it."""

    text: str
    of: str
    value: Decimal
    slack: Decimal

    def holds(self, figure: int) -> bool:
        return abs(figure - self.value) <= self.slack


class Explanation(NamedTuple):
    """One way to the claimed number: the convention, what was changed on the way, the exact figure, and why."""

    tool: str
    unit: str
    size: str
    changes: tuple[str, ...]
    figure: int
    because: str
    steps: int

    def off(self, claim: Claim) -> Decimal:
        """How far from the claimed number, as a fraction of it."""
        return Decimal(abs(self.figure - claim.value)) / claim.value


class Reading(NamedTuple):
    """A network as it may have been counted: its input size, and whether it was folded."""

    size: str
    graph: Graph
    changes: tuple[str, ...]
    steps: int


def read_claim(text: str) -> Claim:
    """A claim: `4.14G`, `4133742592`, `25.6M params`, `params=25.6M`. Its own digits say how precise it is.

    >>> claim = read_claim("4.14G")
    >>> claim.holds(4_133_742_592), claim.holds(4_135_000_000), claim.of
    (False, True, 'macs')
    >>> read_claim("25.6M params").of
    'params'
    """
    match = _CLAIM.fullmatch(text.strip())
    word = match[4].lower() if match else ""
    of = (match[1] or "") if match else ""
    if word in ("params", "parameters", "weights"):
        of = "params"
    elif word not in _WORDS:
        match = None
    if match is None:
        raise UserError(
            f"a number was expected, found {quoted(text)}", hint="for example 4.14G, 'params=25.6M' or 4089184256"
        )
    digits = without_separators(match[2])
    letter = match[3]
    unit = {"": 1, "K": 1000, "B": 10**9}.get(letter) or UNITS[letter]
    value = EXACT.multiply(exact_number(digits), unit)
    if not value:
        raise UserError("a claim of 0 has nothing to explain")
    places = len(digits.partition(".")[2])
    slack = Decimal(unit) / 10**places / 2 if unit > 1 or places else Decimal(0)
    return Claim(text.strip(), of or "macs", value, slack)


def readings(at: Callable[[str, bool], Graph | None], sizes: Sequence[int] = SIZES) -> list[Reading]:
    """The network as it is given, folded, and at other sizes of a square input."""
    found = []
    own = at("", False)
    assert own is not None
    shape = next(iter(own.inputs.values()))
    text = "x".join(map(str, shape))
    found.append(Reading(text, own, (), 0))
    folded = at("", True)
    if folded is not None and len(folded.all) < len(own.all):
        found.append(Reading(text, folded, ("batch norm folded",), 1))
    if len(own.inputs) > 1 or len(shape) != 3:
        return found
    for size in sizes:
        if shape[1:] != (size, size):
            other = at(str(size), False)
            if other is not None:
                found.append(Reading(f"{shape[0]}x{size}x{size}", other, (), 2))
    return found


def reconcile(claim: Claim, found: Sequence[Reading]) -> list[Explanation]:
    """Every way to the claimed number, the simplest first."""
    ways = _params(found) if claim.of == "params" else _costs(found, claim)
    held = [way for way in ways if claim.holds(way.figure)]
    return sorted(held, key=lambda way: (way.steps, way.off(claim), way.tool))


def nearest(claim: Claim, found: Sequence[Reading], most: int = 3) -> list[Explanation]:
    """The ways that come nearest, for a claim that none explains: at the network's own size, with nothing changed."""
    ways = _params(found) if claim.of == "params" else _costs(found, None)
    plain = [way for way in ways if not way.steps]
    return sorted(plain, key=lambda way: (way.off(claim), way.tool))[:most]


def _params(found: Sequence[Reading]) -> Iterator[Explanation]:
    for reading in found[:2]:
        counted = count(reading.graph)
        buffers, biases = counted.figure("buffers"), counted.figure("biases")
        params, other = counted.figure("params"), counted.figure("other_params")
        head = _head(reading.graph)
        parts = {
            "": (params, "weights + biases + scale and shift of norms"),
            "without biases and norms": (counted.figure("weights"), f"- {biases:,} biases - {other:,} other"),
            "with running statistics": (params + buffers, f"+ {buffers:,} buffers"),
        }
        if head:
            of_head = sum(_stored(layer) for layer in head)
            parts["without the head"] = (params - of_head, f"- {of_head:,} {_named(head)}")
        for change, (figure, because) in parts.items():
            if change and figure == params:
                continue
            changes = (*reading.changes, *filter(None, [change]))
            yield Explanation("params", "params", reading.size, changes, figure, because, reading.steps + bool(change))


def _costs(found: Sequence[Reading], claim: Claim | None) -> Iterator[Explanation]:
    conventions = [find(name) for name in names()]
    for at, reading in enumerate(found):
        census = Census(reading.graph)
        head = _head(reading.graph)
        for one in conventions:
            each = figures(one, census, 1)
            total = census.total(each)
            batches = {1: total}
            if at == 0 and one.batch:
                step = census.total(figures(one, census, 2)) - total
                batches = {batch: total + (batch - 1) * step for batch in BATCHES}
            of_head = sum(each[census.entries[layer.index]] for layer in head)
            for batch, value in batches.items():
                many = (f"batch {batch}",) if batch > 1 else ()
                yield from _factors(one, reading, census, value, many, claim)
            if of_head:
                yield from _factors(one, reading, census, total - of_head, (f"without {_named(head)}",), claim)


def _factors(
    one: Convention, reading: Reading, census: Census, value: int, changes: tuple[str, ...], claim: Claim | None
) -> Iterator[Explanation]:
    """Yield the figure, and the figure doubled or halved, as by an author who confuses MACs and FLOPs."""
    for factor, figure in (("", value), ("doubled", 2 * value), ("halved", value // 2)):
        if claim is not None and not claim.holds(figure):
            continue
        if factor == ("halved" if not one.counts_flops else "doubled"):
            continue  # nobody takes half of a multiply-accumulate, or two of a FLOP
        made = (*reading.changes, *changes, *filter(None, [factor]))
        steps = reading.steps + 2 * len(changes) + bool(factor)
        because = difference(one, census, 4) if claim is not None or not steps else ""
        yield Explanation(one.label, one.unit, reading.size, made, figure, because, steps)


def _head(graph: Graph) -> list[Layer]:
    """The linear layers after the last convolution or attention."""
    last = max((at for at, layer in enumerate(graph.layers) if layer.kind.name in _BODY), default=None)
    return [] if last is None else [layer for layer in graph.layers[last:] if layer.kind.name == "linear"]


_BODY = ("conv", "transposed_conv", "attention", "lstm", "gru", "rnn")


def _named(layers: Sequence[Layer]) -> str:
    return " and ".join(layer.path for layer in layers[:3]) + (f" and {len(layers) - 3} more" if layers[3:] else "")


def _stored(layer: Layer) -> int:
    known = Quantities(layer, 1)
    return sum(known(name) for name in STORED if name != "buffers")
