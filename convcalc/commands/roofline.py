"""convcalc roofline: the bytes that each layer moves, what bounds it on a device, and the least time it can take."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from convcalc.commands._chart import write_chart
from convcalc.commands._options import SPEC, Output, OutputFile, emit, output_options, spec_options, strict_option
from convcalc.commands._precision import NameOf
from convcalc.commands._sections import Sectioned
from convcalc.language.overrides import Overrides

if TYPE_CHECKING:
    from pathlib import Path


@click.command("roofline", cls=Sectioned)
@click.argument("spec", type=SPEC)
@click.option(
    "--device",
    "names",
    type=NameOf("device", or_file=True),
    multiple=True,
    help="A device by its name, or a file of one; several are compared. By default all that convcalc knows.",
)
@click.option("--precision", type=NameOf("precision"), default="", help="The type; by default a device's usual one.")
@click.option(
    "--traffic", type=NameOf("traffic"), default="operators", show_default=True, help="Which bytes count as moved."
)
@click.option("--energy", is_flag=True, help="Add the energy by a published table of a 45 nm process.")
@click.option("--plot", is_flag=True, help="Draw the layers under the roof of one device instead of the tables.")
@click.option("--svg", type=OutputFile(dir_okay=False), help="Write that chart as SVG.")
@spec_options
@strict_option
@output_options
def command(
    spec: str,
    names: tuple[str, ...],
    precision: str,
    traffic: str,
    energy: bool,
    plot: bool,
    svg: Path | None,
    overrides: Overrides,
    output: Output,
) -> None:
    """Show what bounds each layer on a device, and the least time.

    For each layer of the deployed network its FLOPs, the bytes that it moves, and the longer of the times that both
    take at the device's peak and bandwidth. A bound, never a latency.

    \b
    convcalc roofline resnet50 --device t4
    convcalc roofline mobilenet_v2 --device stm32h743 --device mine.yaml
    convcalc roofline resnet50 --precision int8
    """
    from convcalc.analysis.roofline.bound import roofs_of
    from convcalc.analysis.roofline.traffic import TRAFFIC
    from convcalc.loader import graph
    from convcalc.tables.roofline import roofline_chart, roofline_report

    network, convention = graph(spec, overrides), TRAFFIC[traffic]
    roofs = roofs_of(network, names, precision, convention)
    if plot or svg:
        write_chart(roofline_chart(network, roofs), plot, svg, output)
    if not plot:
        emit(roofline_report(network, roofs, convention, energy), output)
