"""The graph in DOT, which Graphviz draws."""

from __future__ import annotations

from convcalc.analysis.count import Count
from convcalc.errors import printable
from convcalc.exporters._drawing import draw

FOLDS = True  # to --depth


def write(counted: Count, depth: int | None) -> str:
    """Write a directed graph, from the top down."""
    drawing = draw(counted, depth)
    lines = [f"digraph {quote(drawing.title)} {{", '  node [shape=box, fontname="sans-serif", fontsize=11];']
    for number, box in enumerate(drawing.boxes):
        shape = ", shape=ellipse" if box.is_input else ""
        lines.append(f"  n{number} [label={quote(*box.lines)}{shape}];")
    lines += [f"  n{start} -> n{stop};" for start, stop in drawing.arrows]
    return "\n".join([*lines, "}", ""])


def quote(*lines: str) -> str:
    r"""Quote lines as one text.

    >>> print(quote('a "b"', "c\\d"))
    "a \"b\"\nc\\d"
    """
    return '"' + r"\n".join(map(_escaped, lines)) + '"'


def _escaped(line: str) -> str:
    return printable(line).replace("&", "&amp;").replace("\\", "\\\\").replace('"', '\\"')
