"""The comment on a pull request, from the JSON report of `convcalc check`: what changed, what is exceeded."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from convcalc.errors import printable
from convcalc.formats import write
from convcalc.formats.markdown import escape
from convcalc.report import Column, Report, Table
from convcalc.tables.compare import heading

MOST = 60_000  # GitHub takes 65,536 characters
MOST_UNCHANGED = 10  # networks without a change that are named without being asked for
SHOWN = ("params", "macs", "flops", "depth")  # other figures only where none of these moved
CHANGES = (
    Column("network", "network", "text"),
    Column("figure", "figure", "text"),
    Column("before", "before", "exact"),
    Column("after", "after", "exact"),
    Column("change", "difference", "change"),
    Column("share", "%", "share"),
)
LIMITS = (
    Column("network", "network", "text"),
    Column("level", "level", "text"),
    Column("rule", "limit on", "text"),
    Column("value", "value", "exact"),
    Column("limit", "limit", "exact"),
    Column("headroom", "headroom", "exact"),
    Column("heaviest", "largest layers", "text"),
)


def comment(report: Mapping[str, Any], page: str, marker: str, about: str, command: str) -> str:
    """Return the text of the comment; `marker` is its first line, `about` what was compared, `command` how to repeat.

    `page` is the report in Markdown, which is cut to the room that is left.
    """
    networks = report.get("networks", [])
    verdict = report.get("verdict", {}).get("text", "a spec cannot be checked")
    first = f"### Architecture budgets: {escape(verdict)}{', see the log' if 'error' in report else ''}"
    parts = [marker, first, *_sections(report, networks)]
    note = f"<sub>{about}{'. ' if about else ''}The same here: {_code(command)}.</sub>"
    room = MOST - len(note) - len(marker) - len(first)
    text = "\n\n".join(parts[2:])
    if len(text) > room // 2:
        parts[2:] = [_cut(text, room // 2)]
    room -= sum(map(len, parts[2:]))
    if page:
        parts.append(f"<details><summary>Every limit</summary>\n\n{_cut(page, room)}\n</details>")
    return "\n\n".join([*parts, note]) + "\n"


def _cut(text: str, room: int) -> str:
    """The lines of a text for which there is room."""
    if len(text) <= room:
        return text
    return text[: max(0, room)].rpartition("\n")[0] + "\n\n(cut: the summary of the step has all of it)\n"


def _code(text: str) -> str:
    """A text as code, whatever signs it has."""
    fence = "`"
    while fence in text:
        fence += "`"
    space = " " if len(fence) > 1 else ""
    return f"{fence}{space}{printable(text)}{space}{fence}"


def _sections(report: Mapping[str, Any], networks: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Yield what moved, in tables and lines; then the limits that are exceeded."""
    moved = [row for network in networks for row in _figure_rows(network)]
    if moved:
        yield _table(CHANGES, moved)
    lines = [line for network in networks for line in _lines(network)]
    if lines:
        yield "\n".join(lines)
    same = [f"- {escape(network['name'])}: no change, {_limits(network)}" for network in networks if _is_same(network)]
    if len(same) > MOST_UNCHANGED:
        text = "\n".join(same)
        yield f"<details><summary>{len(same)} networks without a change</summary>\n\n{text}\n</details>"
    elif same:
        yield "\n".join(same)
    rows = [(table["title"], row) for table in report["tables"] for row in table["rows"]]
    rows = [(title, row) for level in ("error", "warn") for title, row in rows if row["level"] == level]
    keys = [column.key for column in LIMITS[1:]]
    if rows:
        yield _table(LIMITS, [[title, *(row[key] for key in keys)] for title, row in rows])


def _table(columns: Sequence[Column], rows: Sequence[Sequence[Any]]) -> str:
    stream = io.StringIO()
    write(Report("check", [Table("", columns, rows)], exact=True), "markdown", stream)
    return stream.getvalue().rstrip("\n")


def _moved(network: Mapping[str, Any]) -> dict[str, tuple[int, int]]:
    """The figures that moved, before and after."""
    if not network.get("base"):
        return {}
    figures = {name: (figure["before"], figure["after"]) for name, figure in network["figures"].items()}
    moved = {name: pair for name, pair in figures.items() if pair[0] != pair[1]}
    return {name: moved[name] for name in SHOWN if name in moved} or moved


def _figure_rows(network: Mapping[str, Any]) -> Iterator[list[Any]]:
    for name, (before, after) in _moved(network).items():
        share = (after - before) / before if before else None
        yield [network["name"], heading(name), before, after, after - before, share]


def _is_same(network: Mapping[str, Any]) -> bool:
    return bool(network.get("base")) and not _moved(network) and not [*_lines(network)]


def _limits(network: Mapping[str, Any]) -> str:
    numbers = [(network["failed"], "failed"), (network["warnings"], "with a warning")]
    parts = [f"{number} {word}" for number, word in numbers if number]
    total = f"{network['limits']} limit{'s'[: network['limits'] != 1]}"
    return f"{total}, {', '.join(parts)}" if parts else f"{total} passed"


def _lines(network: Mapping[str, Any]) -> Iterator[str]:
    """Yield what is to be said of a network, each as an item of a list."""
    name = f"**{escape(network['name'])}**"
    if network["verdict"] == "unreadable":
        yield f"- {name} cannot be checked: {escape('; '.join(network['errors'][:3]))}"
        return
    if network["is_new"]:
        figures = [f"{network['figures'][key]['after']:,} {heading(key)}" for key in ("params", "macs")]
        yield f"- {name} is new: {', '.join(figures)}; {_limits(network)}"
    for layer in network.get("layers", [])[:1]:
        costs = [f"{layer[key]:+,} {heading(key)}" for key in ("params", "macs", "flops") if layer[key]]
        yield f"- {name}: most in {escape(layer['path'])} ({escape(layer['what'])}): {', '.join(costs[:2])}"
    for limit in network.get("limits_changed", []):
        before, after = (escape(limit[key]) or "none" for key in ("before", "after"))
        yield f"- {name}: the limit on {escape(limit['limit'])} was {before}, and is {after}"
    for allowed in network.get("allowed", []):
        text = f"{allowed['rule']} up to {allowed['at_most']:,} ({allowed['reason']})"
        yield f"- {name}: allowed once: {escape(text)}"
