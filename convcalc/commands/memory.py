"""convcalc memory: the bytes alive at each operator of the deployed network, their peak, and the arena."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from convcalc.commands._chart import write_chart
from convcalc.commands._options import (
    SPEC,
    Output,
    OutputFile,
    emit,
    output_options,
    spec_options,
    strict_option,
)
from convcalc.commands._precision import NameOf
from convcalc.commands._sections import Sectioned
from convcalc.language.overrides import Overrides

if TYPE_CHECKING:
    from pathlib import Path


@click.command("memory", cls=Sectioned)
@click.argument("spec", type=SPEC)
@click.option(
    "--precision",
    type=NameOf("precision"),
    default="int8",
    show_default=True,
    help="The type of the activations and weights.",
)
@click.option(
    "--profile", "runtime", type=NameOf("profile"), default="tflm", show_default=True, help="The rules of a runtime."
)
@click.option("--best-order", is_flag=True, help="Search for the order of operators with the least peak.")
@click.option("--plot", is_flag=True, help="Draw the bytes alive over the operators instead of the tables.")
@click.option("--svg", type=OutputFile(dir_okay=False), help="Write that chart as SVG.")
@spec_options
@strict_option
@output_options
def command(
    spec: str,
    precision: str,
    runtime: str,
    best_order: bool,
    plot: bool,
    svg: Path | None,
    overrides: Overrides,
    output: Output,
) -> None:
    """Show the bytes alive at each operator of the deployed network.

    The peak comes with its operator and the tensors alive there, the floor that no order of the operators goes below,
    the arena of a memory planner, and the flash that the weights need.

    \b
    convcalc memory resnet8
    convcalc memory mobilenet_v2 --precision float16 --input 160
    convcalc memory resnet@18 --profile eager --precision float32
    """
    from convcalc.analysis.memory.live import memory
    from convcalc.analysis.memory.precision import NAMES
    from convcalc.analysis.memory.profile import profile
    from convcalc.loader import graph
    from convcalc.tables.memory import memory_chart, memory_report

    network = graph(spec, overrides)
    needed = memory(network, profile(runtime), NAMES[precision])
    if plot or svg:
        write_chart(memory_chart(network, needed), plot, svg, output)
        if plot:
            return
    found = None
    if best_order:
        from convcalc.analysis.memory.order import best_order as search

        found = search(needed)
    emit(memory_report(network, needed, best_order, found), output)
