"""The options of convcalc check in groups, and what each group is made of: base, baseline, configuration, proposal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import click

from convcalc.commands._options import Output, WholeNumber, emit_all
from convcalc.commands._sections import grouped
from convcalc.errors import Problem, SpecError
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

    @property
    def update(self) -> str | None:
        """The reason for higher figures, None where nothing is recorded."""
        return self.reason if self.is_updated else None


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


class Mode(NamedTuple):
    """What --allow lets pass, what --propose says (None: not given), and whether SPECs are the files of a hook."""

    allowed: tuple[str, ...]
    propose: str | None
    is_hook: bool


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
    section="Limits",
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
    section="Growth",
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
    section="Project",
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
    section="Growth",
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
    section="Result",
)


mode_options = grouped(
    "mode",
    lambda allowed, propose, hook: Mode(allowed, propose, hook),
    {
        "allowed": click.option(
            "--allow",
            "allowed",
            multiple=True,
            metavar="'SPEC LIMIT VALUE: REASON'",
            help="Let SPEC exceed a limit up to VALUE this once: an error becomes a note.",
        ),
        "propose": click.option(
            "--propose",
            is_flag=False,
            flag_value="5%",
            metavar="[HEADROOM]",
            help="Check nothing: write today's figures, rounded up with this headroom [5%], as limits into the specs.",
        ),
        "hook": click.option(
            "--hook",
            is_flag=True,
            help="SPECs are changed files: check what the settings list, else the networks among them.",
        ),
    },
    section="Limits",
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


def project_of(settings: str | None, overrides: Overrides) -> tuple[ProjectConfig | None, Overrides]:
    """Read the project's configuration, and let it give the files of rules where the command line gives none."""
    from convcalc.budgets.config import project_config

    project = None if settings is None else project_config(settings)
    if callable(overrides.rules):  # none on the command line
        overrides = overrides._replace(rules=project.rule_files if project is not None else ())
    return project, overrides


def whole_base(base: Base, project: ProjectConfig | None, is_hook: bool) -> Base:
    """The base with the configuration as it was there, and with what to say where it is missing."""
    if is_hook:
        base = base._replace(advice="give the hook this in .pre-commit-config.yaml: args: [--base, origin/main, --]")
    if not base.revision or project is None:
        return base
    from convcalc.budgets.changes import config_at

    return base._replace(project=config_at(project, base.revision))


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
    report, problems = write_budgets(selection.names, project, headroom)
    emit_all(report, outputs)
    return end_with(problems)


def end_with(problems: Sequence[Problem]) -> int:
    """Raise SpecError for problems after a report is written: where JSON was asked for, stdout has them already."""
    if problems:
        click.get_current_context().meta.pop("convcalc.format")
        raise SpecError(problems)
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
