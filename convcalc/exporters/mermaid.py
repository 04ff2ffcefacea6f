"""The graph as a Mermaid flowchart, which Markdown on many sites draws."""

from __future__ import annotations

import re

from convcalc.analysis.count import Count
from convcalc.errors import printable
from convcalc.exporters._drawing import draw

FOLDS = True  # to --depth


def write(counted: Count, depth: int | None) -> str:
    """Write a flowchart, from the top down."""
    drawing = draw(counted, depth)
    lines = ["flowchart TD"]
    for number, box in enumerate(drawing.boxes):
        text = "<br/>".join(map(escape, box.lines))
        lines.append(f'  n{number}(["{text}"])' if box.is_input else f'  n{number}["{text}"]')
    lines += [f"  n{start} --> n{stop}" for start, stop in drawing.arrows]
    return "\n".join(lines) + "\n"


def escape(text: str) -> str:
    """Escape text for Mermaid: its special characters become character numbers.

    >>> escape('a "b" <c>')
    'a #34;b#34; #60;c#62;'
    """
    return re.sub(r"[^\w ,.:/()+=-]", lambda match: f"#{ord(match[0])};", printable(text))
