"""convcalc compare: networks side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from convcalc.commands._options import SPEC, Output, emit, output_options, spec_options, strict_option
from convcalc.language.overrides import Overrides

if TYPE_CHECKING:
    from convcalc.analysis.count import Count
    from convcalc.report import Table

HEADINGS = {"macs": "MACs", "flops": "FLOPs", "other_params": "other params", "nonlinearities": "non-linearities"}


@click.command("compare")
@click.argument("specs", nargs=-1, required=True, type=SPEC, metavar="SPEC SPEC...")
@spec_options
@strict_option
@click.option("--depth", type=click.IntRange(1, 100), help="Fold blocks below this many levels into one row each.")
@click.option("--totals", is_flag=True, help="Leave out the rows of the layers.")
@output_options
def command(
    specs: tuple[str, ...],
    depth: int | None,
    totals: bool,
    output: Output,
    overrides: Overrides,
) -> None:
    """Networks side by side, with ratios to the first.

    A column a network, then a row a layer, matched by name, with a bar for its MACs.

    The options that change a spec change all of them; SPEC@VARIANT chooses a variant of one.

    \b
    convcalc compare mine.yaml googlenet
    convcalc compare mobilenet_v1 mobilenet_v1@x0.5 --depth 1
    """
    from convcalc.analysis.count import count
    from convcalc.errors import SpecError
    from convcalc.loader import graphs
    from convcalc.report import Report
    from convcalc.tables.count import CONVENTIONS, facts, notes

    if len(specs) < 2:
        raise SpecError("compare needs two networks or more", "for example: convcalc compare mine.yaml googlenet")
    counts = [count(graph) for graph in graphs(specs, overrides)]
    names = labels(counts)
    tables = [total_table(counts, names)]
    if not totals:
        tables.append(layer_table(counts, names, depth))
    networks = [facts(one) for one in counts]
    emit(
        Report("compare", tables, notes(tables), {"conventions": CONVENTIONS, "networks": networks}),
        output,
    )


def labels(counts: list[Count]) -> list[str]:
    """A heading for each network: its name, numbered where two have the same."""
    from convcalc.tables.count import title

    names = [title(one.graph) for one in counts]
    return [
        f"{name} ({names[: at + 1].count(name)})" if names.count(name) > 1 else name for at, name in enumerate(names)
    ]


def total_table(counts: list[Count], names: list[str]) -> Table:
    """A row a figure, a column a network, and how many times fewer or more than the first has."""
    from convcalc.analysis.compare import compare
    from convcalc.report import Column, Table
    from convcalc.tables.count import conditions, lower_bound

    columns = [Column("figure", "", "text"), *(Column(name, name) for name in names)]
    columns += [Column(f"{name}: ratio", f"{name} has", "times") for name in names[1:]]
    rows = [[HEADINGS.get(total.figure, total.figure), *total.values, *total.ratios[1:]] for total in compare(counts)]
    under = [conditions(one) for one in counts]
    stated = under[:1] if len(set(under)) == 1 else [f"{name}: {line}" for name, line in zip(names, under, strict=True)]
    stated += [f"{name}: {lower_bound(one)}" for name, one in zip(names, counts, strict=True) if one.uncounted]
    return Table("", columns, rows, None, [*stated, f"fewer and more: than {names[0]} has"])


def layer_table(counts: list[Count], names: list[str], depth: int | None) -> Table:
    """A row a layer, matched by name: weights and MACs of each network, and the MACs drawn on one scale."""
    from convcalc.analysis.compare import matches
    from convcalc.report import Column, Table

    found = matches(counts, depth)
    largest = max((row.figure("macs") for match in found for row in match.rows if row), default=0) or 1
    columns = [Column("name", "name", "name")]
    for figure, heading in (("weights", "weights"), ("macs", "MACs")):
        columns += [Column(f"{name}: {figure}", f"{heading} ({at})") for at, name in enumerate(names, 1)]
    columns += [Column(f"{name}: share", f"({at})", "bar", optional=True) for at, name in enumerate(names, 1)]
    rows = []
    for path, pair in found:
        figures = [row and row.figure(name) for name in ("weights", "macs") for row in pair]
        rows.append([path, *figures, *(row and row.figure("macs") / largest for row in pair)])
    whole = [one.figure(name) for name in ("weights", "macs") for one in counts]
    legend = ", ".join(f"({at}) {name}" for at, name in enumerate(names, 1))
    return Table("", columns, rows, ["total", *whole, *(None for _ in counts)], [f"{legend}; bars: MACs"])
