"""A chart of points or steps, with horizontal lines: Braille dots for a terminal, or SVG."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from math import ceil, floor, log10
from typing import NamedTuple

from convcalc.amounts import human
from convcalc.errors import printable
from convcalc.formats._xml import xml

_DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
MOST = 1_000_000


class Chart(NamedTuple):
    """Points, and what stands along the two axes.

    `levels` are horizontal lines with a name each. With `is_steps` each point is a step as wide as the way to the next.
    `line` is a line from point to point. With `is_log` every number is a power of ten by its exponent.
    """

    title: str
    across: str
    up: str
    points: Sequence[tuple[float, float]]
    levels: Sequence[tuple[str, float]] = ()
    is_steps: bool = False
    line: Sequence[tuple[float, float]] = ()
    is_log: bool = False

    def range(self, axis: int) -> tuple[float, float]:
        """Least and greatest along an axis; a little around a single value."""
        values = [point[axis] for point in (*self.points, *self.line)]
        if axis and (self.levels or self.is_steps):
            values += [0.0, *(value for _, value in self.levels)]
        least, most = min(values), max(values)
        return (least, most) if most > least else (least - 0.5, most + 0.5)

    def label(self, value: float) -> str:
        """Return the number at a position of an axis."""
        return label(10**value if self.is_log else value)

    def ticks(self, least: float, most: float) -> Iterator[float]:
        """Round numbers along an axis: whole powers of ten where there are several."""
        powers = range(ceil(least), floor(most) + 1)
        return iter(powers) if self.is_log and len(powers) > 1 else ticks(least, most)


def label(value: float) -> str:
    """A number on an axis.

    >>> label(1_500_000.0), label(0.25), label(64.0)
    ('1.50 M', '0.25', '64')
    """
    return human(round(value)) if abs(value) >= 1000 or value == round(value) else f"{value:.3g}"


def draw(chart: Chart, width: int = 80, height: int = 20) -> str:
    """The chart as lines of text, `width` columns at most.

    >>> print(draw(Chart("", "width", "macs", [(0, 0), (1, 1)]), 30, 4))
    macs
    1 ┤                         ⠈
      │
      │
    0 ┤⡀
      └──────────────────────────
       0                        1
                            width
    """
    (left, right), (low, high) = chart.range(0), chart.range(1)
    margin = max(len(chart.label(low)), len(chart.label(high))) + 2
    columns, rows = max(10, width - margin - 1), height
    cells = [[0] * columns for _ in range(rows)]

    def mark(x: float, y: float) -> None:
        across = round((x - left) / (right - left) * (columns * 2 - 1))
        down = round((high - y) / (high - low) * (rows * 4 - 1))
        cells[down // 4][across // 2] |= _DOTS[down % 4][across % 2]

    for x, y in chart.points:
        mark(x, y)
    if chart.is_steps:
        for dot in range(columns * 2):
            x = left + (right - left) * dot / (columns * 2 - 1)
            mark(x, chart.points[_step_at(chart, x)][1])
    for (x, y), (far, up) in pairwise(chart.line):
        for dot in range(columns * 2):
            part = dot / (columns * 2 - 1)
            mark(x + (far - x) * part, y + (up - y) * part)
    for _, level in chart.levels:
        for dot in range(0, columns * 2, 4):
            mark(left + (right - left) * dot / (columns * 2 - 1), level)
    lines = [printable(chart.title)] if chart.title else []
    lines.append(", ".join([printable(chart.up), *(f"{name} {chart.label(level)}" for name, level in chart.levels)]))
    for number, row in enumerate(cells):
        tick = chart.label(high) if number == 0 else chart.label(low) if number == rows - 1 else ""
        dots = "".join(chr(0x2800 + cell) if cell else " " for cell in row)
        lines.append(f"{tick:>{margin - 2}} {'┤' if tick else '│'}{dots}".rstrip())
    lines.append(f"{'':>{margin - 2}} └{'─' * columns}")
    ends = f"{chart.label(left)}{chart.label(right):>{columns - len(chart.label(left))}}"
    return "\n".join([*lines, f"{'':>{margin}}{ends}", f"{printable(chart.across):>{margin + columns}}"])


def _step_at(chart: Chart, x: float) -> int:
    """The index of the last point at or before `x`."""
    from bisect import bisect_right

    return max(0, bisect_right(chart.points, x + 1e-9, key=lambda point: point[0]) - 1)


def svg(chart: Chart, width: int = 720, height: int = 480) -> str:
    """The chart as an SVG document."""
    (left, right), (low, high) = chart.range(0), chart.range(1)
    area = (80, 40, width - 24, height - 56)

    def x_of(value: float) -> float:
        return area[0] + (value - left) / (right - left) * (area[2] - area[0])

    def y_of(value: float) -> float:
        return area[3] - (value - low) / (high - low) * (area[3] - area[1])

    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" '
        'font-size="12" role="img">',
        f"<title>{xml(chart.title)}: {xml(chart.up)} over {xml(chart.across)}</title>",
        f'<rect width="{width}" height="{height}" fill="white"/>',
        f'<text x="{width / 2}" y="20" text-anchor="middle" font-size="14">{xml(chart.title)}</text>',
        f'<text x="{width / 2}" y="{height - 12}" text-anchor="middle">{xml(chart.across)}</text>',
        f'<text x="16" y="{height / 2}" text-anchor="middle" transform="rotate(-90 16 {height / 2})">'
        f"{xml(chart.up)}</text>",
    ]
    for value in chart.ticks(left, right):
        x = x_of(value)
        lines.append(f'<line x1="{x:.1f}" y1="{area[1]}" x2="{x:.1f}" y2="{area[3]}" stroke="#ddd"/>')
        lines.append(f'<text x="{x:.1f}" y="{area[3] + 18}" text-anchor="middle">{chart.label(value)}</text>')
    for value in chart.ticks(low, high):
        y = y_of(value)
        lines.append(f'<line x1="{area[0]}" y1="{y:.1f}" x2="{area[2]}" y2="{y:.1f}" stroke="#ddd"/>')
        lines.append(f'<text x="{area[0] - 6}" y="{y + 4:.1f}" text-anchor="end">{chart.label(value)}</text>')
    for name, level in chart.levels:
        y = y_of(level)
        dashes = f'x1="{area[0]}" y1="{y:.1f}" x2="{area[2]}" y2="{y:.1f}" stroke="#b33" stroke-dasharray="4 3"'
        lines += [f"<line {dashes}/>", f'<text x="{area[2]}" y="{y - 4:.1f}" text-anchor="end">{xml(name)}</text>']
    if chart.is_steps:
        path = f"M{x_of(chart.points[0][0]):.1f} {y_of(chart.points[0][1]):.1f}"
        path += "".join(f"H{x_of(x):.1f}V{y_of(y):.1f}" for x, y in chart.points[1:])
        lines.append(f'<path d="{path}" fill="none" stroke="#1f6fb4" stroke-width="1.5"/>')
    if chart.line:
        path = " ".join(f"{x_of(x):.1f},{y_of(y):.1f}" for x, y in chart.line)
        lines.append(f'<polyline points="{path}" fill="none" stroke="#b33" stroke-width="1.5"/>')
    spots = sorted({(round(x_of(x), 1), round(y_of(y), 1)) for x, y in chart.points})
    radius = 3 if len(spots) < 1000 else 1.2
    lines += [f'<circle cx="{x}" cy="{y}" r="{radius}" fill="#1f6fb4"/>' for x, y in spots]
    return "\n".join([*lines, "</svg>", ""])


def ticks(least: float, most: float) -> Iterator[float]:
    """About five round numbers between two.

    >>> list(ticks(0.0, 10.0))
    [0.0, 2.0, 4.0, 6.0, 8.0, 10.0]
    """
    rough = (most - least) / 5
    scale = 10.0 ** floor(log10(rough))
    step = next(scale * factor for factor in (1, 2, 5, 10) if scale * factor >= rough * 0.999)
    number = ceil(least / step - 1e-9)
    while number * step <= most + step * 1e-9:
        yield round(number * step, 12)
        number += 1
