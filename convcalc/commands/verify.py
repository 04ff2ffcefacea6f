"""convcalc verify: a network built in PyTorch, layer by layer, against our count."""

from __future__ import annotations

import click

from convcalc.commands._options import SPEC, Output, emit, output_options, spec_options, strict_option
from convcalc.commands._progress import tracked
from convcalc.commands._sections import Sectioned
from convcalc.language.overrides import Overrides


@click.command("verify", cls=Sectioned)
@click.argument("specs", nargs=-1, required=True, type=SPEC, metavar="SPEC...")
@click.option("--all", "is_all", is_flag=True, help="Show every layer, not only those that differ.")
@spec_options
@strict_option
@output_options
def command(specs: tuple[str, ...], is_all: bool, overrides: Overrides, output: Output) -> int:
    """Compare shapes, params and MACs with PyTorch's, layer by layer.

    The network is built on PyTorch's meta device, without weights, from the text that export --to torch writes, and
    counted by PyTorch's own counter. The exit code is 1 if anything differs.

    \b
    convcalc verify net.yaml
    convcalc verify googlenet resnet50 --all
    """
    from importlib import import_module

    from convcalc.analysis.count import count
    from convcalc.loader import graphs
    from convcalc.report import Report
    from convcalc.tables.verify import verify_table

    verify = import_module("convcalc.exporters.torch.verify").verify
    counts = [count(graph) for graph in graphs(specs, overrides)]
    checked = [verify(counted) for counted in tracked(counts, "verify", len(counts))]
    version = import_module("torch").__version__
    tables = [verify_table(*pair, version, is_all) for pair in zip(counts, checked, strict=True)]
    emit(Report("verify", tables), output)
    return 1 if any(table.facts["different"] for table in tables) else 0
