"""convcalc verify: a network built in PyTorch, layer by layer, against our count."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from convcalc.commands._options import SPEC, Output, emit, output_options, spec_options, strict_option
from convcalc.language.overrides import Overrides

if TYPE_CHECKING:
    from convcalc.analysis.count import Count
    from convcalc.report import Table


@click.command("verify")
@click.argument("specs", nargs=-1, required=True, type=SPEC, metavar="SPEC...")
@click.option("--all", "is_all", is_flag=True, help="A row for every layer, not only for those that differ.")
@spec_options
@strict_option
@output_options
def command(specs: tuple[str, ...], is_all: bool, output: Output, overrides: Overrides) -> int:
    """Whether PyTorch has the same shapes, parameters and MACs, layer by layer.

    The network is built on PyTorch's meta device, without weights, from the text that export --to torch writes, and
    counted by PyTorch's own counter. Exits with 1 where anything differs.

    \b
    convcalc verify net.yaml
    convcalc verify googlenet resnet50 --all
    """
    from convcalc.analysis.count import count
    from convcalc.loader import graphs
    from convcalc.report import Report

    tables = [table(count(graph), is_all) for graph in graphs(specs, overrides)]
    emit(Report("verify", tables), output)
    return 1 if any(one.facts["different"] for one in tables) else 0


def table(counted: Count, is_all: bool) -> Table:
    """A row for each layer that differs, or each layer; PyTorch's figures beside ours, the totals below."""
    from importlib import import_module

    from convcalc.report import Column, Table
    from convcalc.tables.count import conditions, facts, title

    checked = import_module("convcalc.exporters.code.verify_torch").verify(counted)
    columns = [
        Column("name", "name", "name"),
        Column("kind", "kind", "text"),
        Column("output", "output", "shape"),
        Column("torch_output", "in PyTorch", "text"),
        Column("params", "params", "exact"),
        Column("torch_params", "in PyTorch", "exact"),
        Column("macs", "MACs", "exact"),
        Column("torch_macs", "in PyTorch", "exact"),
    ]
    *layers, whole = [_row(one) for one in checked]
    different = [one for one in checked if not one.is_same]
    rows = [row for row, one in zip(layers, checked, strict=False) if is_all or not one.is_same]
    name = title(counted.graph)
    said = f"{len(layers):,} layers and the whole: " + (
        f"{len(different):,} differ" if different else "shapes, params and MACs are the same"
    )
    version = import_module("torch").__version__
    notes = [f"{said} in PyTorch", conditions(counted)]
    return Table(name, columns, rows, whole, notes, {**facts(counted), "torch": version, "different": len(different)})


def _row(one: Any) -> list[Any]:
    from convcalc.kinds import shape_text

    ours, theirs = one.ours, one.theirs
    shapes = " ".join(map(shape_text, theirs.shapes))
    if theirs.error:
        return [*_head(one), theirs.error, ours.params, None, ours.macs, None]
    return [*_head(one), shapes, ours.params, theirs.params, ours.macs, theirs.macs]


def _head(one: Any) -> list[Any]:
    if one.layer is None:
        return ["total", None, one.ours.shapes[-1] if one.ours.shapes else None]
    return [one.layer.path, one.layer.kind.name, one.layer.output]
