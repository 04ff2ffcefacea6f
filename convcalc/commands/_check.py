"""The options of convcalc check, in groups: limits, base, baseline, configuration, tolerance."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import click

from convcalc.commands._options import Output, WholeNumber, emit_all, grouped
from convcalc.errors import SpecError
from convcalc.language.overrides import Overrides

if TYPE_CHECKING:
    from convcalc.budgets.baseline import Baseline
    from convcalc.budgets.check import Base
    from convcalc.budgets.config import ProjectConfig
    from convcalc.report import Finding

FLAGS = {"params": "max_params", "macs": "max_macs", "flops": "max_flops", "weight_bytes": "max_weight_bytes"}


class Recording(NamedTuple):
    """The file of --baseline ("": none), whether it is written anew, and why figures in it may rise."""

    path: str
    is_updated: bool
    reason: str


class Tolerance(NamedTuple):
    """The most warnings (None: any number), and whether the exit code is 0 even if a limit is exceeded."""

    max_warnings: int | None
    exit_zero: bool

    def exit_code(self, findings: Sequence[Finding]) -> int:
        """1 if a limit is exceeded or there are too many warnings."""
        warnings = sum(finding.level == "warn" for finding in findings)
        is_over = self.max_warnings is not None and warnings > self.max_warnings
        is_broken = is_over or any(finding.level == "error" for finding in findings)
        return 1 if is_broken and not self.exit_zero else 0


limit_options = grouped(
    "most",
    lambda **texts: {metric: text for metric, flag in FLAGS.items() if (text := texts[flag])},
    {
        "max_params": click.option("--max-params", default="", metavar="N", help="The most params, for example 5M."),
        "max_macs": click.option("--max-macs", default="", metavar="N", help="The most MACs, for example 600M."),
        "max_flops": click.option("--max-flops", default="", metavar="N", help="The most FLOPs."),
        "max_weight_bytes": click.option(
            "--max-weight-bytes", default="", metavar="N", help="The most bytes of params, for example 25 MiB."
        ),
    },
)
recording_options = grouped(
    "recording",
    lambda recorded, update_baseline, reason: Recording(recorded, update_baseline, reason),
    {
        "recorded": click.option(
            "--baseline", "recorded", default="", metavar="FILE", help="A file of recorded figures, which may not rise."
        ),
        "update_baseline": click.option(
            "--update-baseline", is_flag=True, help="Record lower figures and new networks in the --baseline FILE."
        ),
        "reason": click.option(
            "--allow-increase",
            "reason",
            default="",
            metavar="REASON",
            help="Record higher figures too, with the reason.",
        ),
    },
)
config_options = grouped(
    "settings",
    lambda settings, no_config: None if no_config else settings or "",
    {
        "settings": click.option(
            "--config",
            "settings",
            envvar="CONVCALC_CONFIG",
            metavar="FILE",
            help="The project's settings [the nearest convcalc.yaml, or pyproject.toml with [tool.convcalc]].",
        ),
        "no_config": click.option("--no-config", is_flag=True, help="Ignore the project's settings."),
    },
)
base_options = grouped(
    "base",
    lambda base, new: _base(base, new or ""),
    {
        "base": click.option(
            "--base", default="", metavar="REV", help="Measure growth from where the branch left this revision."
        ),
        "new": click.option(
            "--new",
            type=click.Choice(["error", "warn", "ok"]),
            help="What a network with limits on growth is that REV does not have [warn].",
        ),
    },
)
tolerance_options = grouped(
    "tolerance",
    Tolerance,
    {
        "max_warnings": click.option(
            "--max-warnings", type=WholeNumber(0), metavar="N", help="Exit 1 if there are more warnings than this."
        ),
        "exit_zero": click.option("--exit-zero", is_flag=True, help="Exit 0 even if a limit is exceeded."),
    },
)


def _base(revision: str, new: str) -> Base:
    from convcalc.budgets.check import Base

    return Base(revision, new)


def open_baseline(recording: Recording, overrides: Overrides) -> Baseline | None:
    """Read the file of --baseline, if there is one. Raises SpecError for options that would record something else."""
    from convcalc.budgets.baseline import Baseline

    if not recording.path:
        if recording.is_updated or recording.reason:
            option = "update-baseline" if recording.is_updated else "allow-increase"
            raise SpecError(f"--{option} needs --baseline FILE")
        return None
    if recording.reason and not recording.is_updated:
        raise SpecError("--allow-increase needs --update-baseline")
    _refuse_overrides("--baseline records", overrides)
    return Baseline(recording.path, must_exist=not recording.is_updated)


def write_proposal(
    propose: str, specs: Sequence[str], project: ProjectConfig | None, overrides: Overrides, outputs: Sequence[Output]
) -> int:
    """Write the limits of --propose and show them; the exit code. Raises SpecError."""
    from convcalc.budgets.networks import select
    from convcalc.budgets.propose import DEFAULT, parse_headroom
    from convcalc.budgets.propose import propose as write_budgets

    headroom = parse_headroom(propose)
    if headroom is None:  # the value may be left out, and click took the next word for it
        specs, headroom = (propose, *specs), parse_headroom(DEFAULT)
    assert headroom is not None
    _refuse_overrides("--propose measures", overrides)
    selection, _ = select(specs, project, is_hook=False)
    if selection.problems:
        raise SpecError([*selection.problems.values()])
    report = write_budgets(selection.names, project, headroom)
    emit_all(report, outputs)
    if "error" in report.facts:
        raise SpecError(f"no budget for {len(report.facts['error']['problems'])} of the networks")
    return 0


def _refuse_overrides(what: str, overrides: Overrides) -> None:
    """Raise SpecError for options that change the specs."""
    changed = {
        "--set": overrides.sets,
        "--variant": overrides.variant,
        "--input": overrides.inputs,
        "--deploy": overrides.deploy,
        "--batch": overrides.batch != 1,
    }
    used = [flag for flag, value in changed.items() if value]
    if used:
        raise SpecError(f"{what} specs as they are, not with {used[0]}", "SPEC@VARIANT names a variant")
