"""A map of networks as SVG: MACs across, params up, both on a logarithmic scale; the variants of one are joined."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import ceil, floor, log10

from convcalc.amounts import human
from convcalc.formats._xml import xml

Point = tuple[int, int]
Spot = tuple[float, float]  # on the page
COLORS = ("#1b6ca8", "#c2410c", "#15803d", "#7e22ce", "#b91c1c", "#0e7490", "#a16207", "#be185d", "#4d7c0f", "#475569")
WIDTH, HEIGHT = 1000, 720
LEFT, TOP, RIGHT, BOTTOM = 64, 24, 130, 56
LINE = 13
LETTER = 6.3  # about as wide as a letter is


class Scale:
    """Places of counts along an axis, from `first` to `last`."""

    def __init__(self, values: Sequence[int], first: float, last: float) -> None:
        self.low, self.high = floor(log10(min(values)) * 2) / 2, ceil(log10(max(values)) * 2 + 0.01) / 2
        self.first, self.last = first, last

    def __call__(self, value: float) -> float:
        return self.first + (log10(value) - self.low) / (self.high - self.low) * (self.last - self.first)

    def ticks(self) -> Iterator[int]:
        """The powers of ten, and three times each."""
        for power in range(floor(self.low), ceil(self.high) + 1):
            for value in (10**power, 3 * 10**power):
                if self.low - 0.01 <= log10(value) <= self.high + 0.01:
                    yield value


def svg(title: str, families: Mapping[str, Sequence[Point]]) -> str:
    """The map: each family a line through its networks, (MACs, params), named at its largest."""
    points = [point for family in families.values() for point in family]
    across = Scale([macs for macs, _ in points], LEFT, WIDTH - RIGHT)
    up = Scale([params for _, params in points], HEIGHT - BOTTOM, TOP)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" '
        f'font-size="11" role="img"><title>{xml(title)}</title>',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
        *_grid(across, up),
    ]
    for number, family in enumerate(families.values()):
        color = COLORS[number % len(COLORS)]
        places = [(across(macs), up(params)) for macs, params in sorted(family)]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        lines.append(f'<polyline points="{path}" fill="none" stroke="{color}" stroke-opacity="0.5"/>')
        lines += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{color}"/>' for x, y in places]
    places = [(across(macs), up(params)) for macs, params in points]
    lines += _names({name: (across(max(family)[0]), up(max(family)[1])) for name, family in families.items()}, places)
    return "\n".join([*lines, "</svg>", ""])


def _grid(across: Scale, up: Scale) -> Iterator[str]:
    for value in across.ticks():
        x = f"{across(value):.1f}"
        yield f'<line x1="{x}" y1="{TOP}" x2="{x}" y2="{HEIGHT - BOTTOM}" stroke="#e2e2e2"/>'
        yield f'<text x="{x}" y="{HEIGHT - BOTTOM + 16}" text-anchor="middle">{_tick(value)}</text>'
    for value in up.ticks():
        y = up(value)
        yield f'<line x1="{LEFT}" y1="{y:.1f}" x2="{WIDTH - RIGHT}" y2="{y:.1f}" stroke="#e2e2e2"/>'
        yield f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{_tick(value)}</text>'
    middle = (LEFT + WIDTH - RIGHT) / 2
    yield f'<text x="{middle}" y="{HEIGHT - 16}" text-anchor="middle" font-size="13">MACs</text>'
    yield f'<text x="{LEFT}" y="{TOP - 8}" text-anchor="end" font-size="13">params</text>'


def _tick(value: int) -> str:
    digits, _, unit = human(value).partition(" ")
    return f"{digits.rstrip('0').rstrip('.') if '.' in digits else digits} {unit}".rstrip()


Box = tuple[float, float, float, float]  # left, top, right, bottom


def _names(ends: Mapping[str, Spot], points: Sequence[Spot]) -> Iterator[str]:
    """Each name beside its place, or where there is room, with a line to it; it covers no point and no other name."""
    taken: list[Box] = [(x - 3, y - 3, x + 3, y + 3) for x, y in points]
    for number, name in enumerate(ends):
        x, y = ends[name]
        color = COLORS[number % len(COLORS)]
        left, top, right, bottom = box = next(_free(x, y, LETTER * len(name), taken))
        taken.append(box)
        middle = (top + bottom) / 2
        if abs(middle - y) > LINE or right < x - 9 or left > x + 9:
            end = min(max(x, left), right)
            ends_at = f'x2="{end:.1f}" y2="{middle:.1f}"'
            yield f'<line x1="{x:.1f}" y1="{y:.1f}" {ends_at} stroke="{color}" stroke-width="0.5"/>'
        yield (
            f'<text x="{left:.1f}" y="{middle + 4:.1f}" fill="{color}" stroke="white" stroke-width="3" '
            f'paint-order="stroke">{xml(name)}</text>'
        )


def _free(x: float, y: float, width: float, taken: Sequence[Box]) -> Iterator[Box]:
    """Places for a name, the nearest first: right of its point, left of it, then further off."""
    steps = range(0, HEIGHT, LINE // 2)
    moves = [(abs(up) + abs(aside) / 3 + (aside < 0), aside, sign * up) for up in steps for sign in (1, -1) for aside in
             (6.0, -6.0 - width, 40.0, -40.0 - width, -width / 2)]  # fmt: skip
    for _, aside, up in sorted(moves):
        left, top = x + aside, y + up - LINE / 2
        box = (left, top, left + width, top + LINE)
        inside = left > LEFT and box[2] < WIDTH and top > TOP and box[3] < HEIGHT - BOTTOM
        if inside and not any(
            box[0] < other[2] and other[0] < box[2] and box[1] < other[3] and other[1] < box[3] for other in taken
        ):
            yield box
    yield (x, y - LINE / 2, x + width, y + LINE / 2)  # there is room nowhere
