"""Paths drawn as the names of a tree."""

from __future__ import annotations

from collections.abc import Sequence

from convcalc.errors import printable


def branches(paths: Sequence[str]) -> list[str]:
    """The names of a tree: each path below the nearest one before it that it is part of; "" is the root.

    A path that comes again at once is another line of the same name.

    >>> print("\\n".join(branches(["a", "a/b", "a/b/c", "a/b/d", "a/e", "f"])))
    a
    ├ b
    │ ├ c
    │ └ d
    └ e
    f
    """
    nodes, parents = _nodes(paths)
    last = dict(zip(parents, nodes, strict=True))
    lines: list[str] = []
    insides: list[str] = []  # what is before the names below a row
    for at, (path, node, parent) in enumerate(zip(paths, nodes, parents, strict=True)):
        if at > node:
            insides.append(insides[node])
            lines.append(insides[node] + "│" * (node in last))
        elif parent < 0:
            insides.append("")
            lines.append(printable(path or "network"))
        else:
            name = printable(path[len(paths[parent]) :].removeprefix("/"))
            insides.append(insides[parent] + (" " if last[parent] == node else "│") + " ")
            lines.append(insides[parent] + ("└" if last[parent] == node else "├") + f" {name}")
    return lines


def _nodes(paths: Sequence[str]) -> tuple[list[int], list[int]]:
    """By row: the first row of its name, and the row that it is below, -1 for none."""
    nodes: list[int] = []
    parents: list[int] = []
    stack: list[int] = []
    for at, path in enumerate(paths):
        if at and path == paths[at - 1]:
            nodes.append(nodes[-1])
            parents.append(parents[-1])
            continue
        while stack and paths[stack[-1]] and not path.startswith(f"{paths[stack[-1]]}/"):
            stack.pop()
        nodes.append(at)
        parents.append(stack[-1] if stack else -1)
        stack.append(at)
    return nodes, parents
