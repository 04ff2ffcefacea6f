"""Charts that a command draws in place of its tables, or writes besides them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from convcalc.commands._options import Output, write_text

if TYPE_CHECKING:
    from pathlib import Path

    from convcalc.formats._chart import Chart


def write_chart(chart: Chart, is_drawn: bool, svg: Path | None, output: Output) -> None:
    """Write a chart as SVG where a path is given, and as text where it is drawn."""
    from convcalc.formats import _chart

    if svg:
        write_text(_chart.svg(chart), svg)
    if is_drawn:
        write_text(f"{_chart.draw(chart)}\n", output.path)
