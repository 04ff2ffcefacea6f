"""convcalc check: whether networks keep their budgets."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from convcalc.commands._check import (
    Mode,
    Recording,
    Tolerance,
    base_options,
    config_options,
    end_with,
    limit_options,
    mode_options,
    open_baseline,
    project_of,
    recording_options,
    tolerance_options,
    whole_base,
    write_proposal,
)
from convcalc.commands._options import (
    SPEC,
    Output,
    emit_all,
    output_options,
    outputs_of,
    report_option,
    spec_options,
    strict_option,
)
from convcalc.commands._sections import Sectioned, in_section
from convcalc.language.overrides import Overrides

if TYPE_CHECKING:
    from convcalc.budgets.check import Base
    from convcalc.budgets.verdict import Verdict
    from convcalc.loader import SpecName


@click.command("check", cls=Sectioned)
@click.argument("specs", nargs=-1, type=SPEC, metavar="[SPEC...]")
@spec_options
@strict_option
@limit_options
@base_options
@recording_options
@config_options
@tolerance_options
@mode_options
@in_section("Output", click.option("--verbose", is_flag=True, help="Show every limit of every network."))
@report_option
@output_options
def command(
    specs: tuple[str, ...],
    overrides: Overrides,
    most: dict[str, str],
    base: Base,
    recording: Recording,
    settings: str | None,
    tolerance: Tolerance,
    mode: Mode,
    verbose: bool,
    reports: tuple[str, ...],
    output: Output,
) -> int:
    """Check the limits of networks: those of their specs, of the project and of this command line.

    A SPEC may be a folder, for the networks in it and below, or a pattern in quotes. Without SPEC, check the networks
    that the project's settings list. Of several networks, one whose limits all hold is one line.

    \b
    convcalc check net.yaml
    convcalc check nets 'more/**/*.yaml'
    convcalc check net.yaml --max-params 5M --max-macs 600M
    convcalc check net.yaml --base origin/main -f github
    """
    from convcalc.budgets.allowances import allow, parse_allowance
    from convcalc.budgets.check import judge, parse_limits
    from convcalc.budgets.networks import check_networks

    limits = parse_limits(most, "--max-{}")
    allowances = [*map(parse_allowance, mode.allowed)]
    outputs = outputs_of(output, reports)
    project, overrides = project_of(settings, overrides)
    if mode.propose is not None:
        return write_proposal(mode.propose, specs, project, overrides, outputs)
    base = whole_base(base, project, mode.is_hook)
    baseline = open_baseline(recording, overrides)

    def check(name: SpecName) -> Verdict:
        return allow(judge(name, limits, project, base, overrides, baseline, recording.update), allowances)

    networks = check_networks(specs, project, check, mode.is_hook)
    changes = baseline.save() if baseline is not None and recording.is_updated else []
    emit_all(networks.report(changes, verbose), outputs)
    return end_with(networks.problems) or tolerance.exit_code(networks.findings)
