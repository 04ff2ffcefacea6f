"""Build the tables that `space` prints: how many networks a spec with choices makes, and how their costs lie."""

from __future__ import annotations

from convcalc.language.document import Document
from convcalc.report import Column, Report, Table
from convcalc.sweep.space import FIGURES, Space
from convcalc.tables.count import NOTES, document_title
from convcalc.tables.measures import MEASURES

BINS = 10


def space_report(document: Document, found: Space) -> Report:
    """The least and greatest networks with the quartiles between them, and a histogram for each figure."""
    headings = {name: MEASURES[name].column.heading for name in FIGURES}
    tables = [_ends_table(document_title(document), found, headings)]
    tables += [_histogram(headings[name], found.summary.sums[name], found.summary.networks) for name in FIGURES]
    return Report("space", tables, NOTES)


def _ends_table(heading: str, found: Space, headings: dict[str, str]) -> Table:
    """The least, the greatest and what lies between, with the alternatives that give the ends."""
    summary, rows = found.summary, []
    many = (
        f"{number:,} {word}{'s'[: number != 1]}"
        for number, word in ((summary.networks, "network"), (len(found.choices), "choice"))
    )
    notes = [f"{' of '.join(many)}; means are rounded down"]
    if summary.networks < found.written:
        notes.append(f"{found.written - summary.networks:,} further combinations are invalid: {found.reason}")
    for name, word in headings.items():
        between = _quantiles(summary.sums[name], summary.networks)
        mean = summary.totals[name] // summary.networks
        rows.append([word, found.least[name][0], *between, found.most[name][0], mean])
        for end, ends in (("least", found.least), ("greatest", found.most)):
            picks = ", ".join(f"{key}={value}" for key, value in ends[name][1].items())
            notes.append(f"{end} {word}: {picks or 'no choice'}")
        if summary.slack[name]:
            slack = f"{summary.slack[name]:,}"
            notes.append(f"too many different {word} for exact quartiles: they may be up to {slack} higher")
    keys = ("least", "25%", "50%", "75%", "greatest", "mean")
    alternatives = {name: list(choice.alternatives) for name, choice in found.choices.items()}
    facts = {"networks": summary.networks, "slack": summary.slack, "choices": alternatives}
    columns = [Column("figure", "", "name"), *(Column(key, key) for key in keys)]
    return Table(heading, columns, rows, None, notes, facts)


def _quantiles(sums: dict[int, int], networks: int) -> list[int]:
    """For a quarter, a half and three quarters of the networks, the least value that so many do not exceed."""
    found: list[int] = []
    reached = 0
    for value, times in sorted(sums.items()):
        reached += times
        while len(found) < 3 and 4 * reached >= (len(found) + 1) * networks:
            found.append(value)
    return found


def _histogram(heading: str, sums: dict[int, int], networks: int) -> Table:
    """The networks in BINS equal ranges of a figure."""
    least, most = min(sums), max(sums)
    count = min(BINS, most - least + 1)
    bins = [0] * count
    for value, times in sums.items():
        bins[(value - least) * count // (most - least + 1)] += times
    edges = [least + -(-number * (most - least + 1) // count) for number in range(count + 1)]
    columns = [
        Column("from", "from"), Column("to", "to"), Column("networks", "networks"),
        Column("share", "share", "share"), Column("bar", "", "bar"),
    ]  # fmt: skip
    rows = [[edges[at], edges[at + 1] - 1, times, times / networks, times / max(bins)] for at, times in enumerate(bins)]
    return Table(heading, columns, rows)
