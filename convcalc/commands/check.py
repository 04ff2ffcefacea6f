"""convcalc check: whether networks keep their budgets."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from convcalc.commands._check import (
    Recording,
    Tolerance,
    base_options,
    config_options,
    limit_options,
    open_baseline,
    recording_options,
    tolerance_options,
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
)
from convcalc.language.overrides import Overrides

if TYPE_CHECKING:
    from convcalc.budgets.check import Base
    from convcalc.budgets.verdict import Verdict
    from convcalc.loader import SpecName


@click.command("check")
@click.argument("specs", nargs=-1, type=SPEC, metavar="[SPEC...]")
@spec_options
@limit_options
@base_options
@recording_options
@config_options
@tolerance_options
@click.option(
    "--allow",
    "allowed",
    multiple=True,
    metavar="'SPEC LIMIT VALUE: REASON'",
    help="Let SPEC exceed a limit up to VALUE this once: an error becomes a note.",
)
@click.option(
    "--propose",
    is_flag=False,
    flag_value="5%",
    metavar="[HEADROOM]",
    help="Check nothing: write today's figures, rounded up with this headroom [5%], as limits into the specs.",
)
@click.option(
    "--hook", is_flag=True, help="SPECs are changed files: check what the settings list, else the networks among them."
)
@click.option("--verbose", is_flag=True, help="Show every limit of every network.")
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
    allowed: tuple[str, ...],
    propose: str | None,
    hook: bool,
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
    from convcalc.budgets.config import project_config
    from convcalc.budgets.networks import check_networks
    from convcalc.errors import SpecError

    limits = parse_limits(most, "--max-{}")
    allowances = [parse_allowance(text) for text in allowed]
    outputs = outputs_of(output, reports)
    project = None if settings is None else project_config(settings)
    if callable(overrides.rules):  # none on the command line
        overrides = overrides._replace(rules=project.rule_files if project is not None else ())
    if base.revision and project is not None:
        from convcalc.budgets.changes import config_at

        base = base._replace(project=config_at(project, base.revision))
    if propose is not None:
        return write_proposal(propose, specs, project, overrides, outputs)
    baseline = open_baseline(recording, overrides)
    update = recording.reason if recording.is_updated else None

    def check(name: SpecName) -> Verdict:
        return allow(judge(name, limits, project, base, overrides, baseline, update), allowances)

    if hook:
        base = base._replace(advice="give the hook this in .pre-commit-config.yaml: args: [--base, origin/main, --]")
    networks = check_networks(specs, project, check, hook)
    changes = baseline.save() if baseline is not None and recording.is_updated else []
    emit_all(networks.report(changes, verbose), outputs)
    if networks.problems:
        click.get_current_context().meta.pop("convcalc.format")  # where JSON was asked for, stdout has it already
        raise SpecError(networks.problems)
    return tolerance.exit_code(networks.findings)
