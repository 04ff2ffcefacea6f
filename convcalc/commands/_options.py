"""What the commands share: the options that change a spec, those of the output, and how a report is written.

Options that belong together reach a command as one parameter: see `_sections.grouped`.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from convcalc.commands._sections import grouped, in_section
from convcalc.language.overrides import Overrides
from convcalc.record import Record

if TYPE_CHECKING:
    from pathlib import Path

    from convcalc.report import Report


class Output(Record):
    """Where a report goes and how it looks. `exact` None: every digit, except where a terminal is too narrow."""

    form: str
    path: Path | None = None
    exact: bool | None = None
    color: str = "auto"
    has_pager: bool = True


class FormatName(click.ParamType):  # type: ignore[type-arg]  # generic only in newer releases
    """A format of the report folder; the folder is read only when a name must be checked or listed."""

    name = "format"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        from convcalc.errors import did_you_mean
        from convcalc.formats import BINARY, names

        if ctx is not None:
            ctx.meta["convcalc.format"] = ctx  # for an error, which is said in the same format
        if value not in (*names(), *BINARY):
            self.fail(f"no format '{value}'; {did_you_mean(value, names())}", param, ctx)
        return value

    def get_metavar(self, param: click.Parameter, ctx: click.Context | None = None) -> str:
        from convcalc.formats import names

        return "[" + "|".join(names()) + "]"

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[Any]:
        from click.shell_completion import CompletionItem

        from convcalc.formats import names

        return [CompletionItem(name) for name in names() if name.startswith(incomplete)]


class SpecArgument(click.ParamType):  # type: ignore[type-arg]
    """A spec: a path, a name of the catalogue, or -."""

    name = "spec"

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[Any]:
        from click.shell_completion import CompletionItem

        from convcalc.catalogue import catalogue_files

        known = [CompletionItem(name) for name in catalogue_files() if name.startswith(incomplete)]
        return [*known, CompletionItem(incomplete, type="file")]


class WholeNumber(click.IntRange):
    """A whole number in the digits that specs have: Python itself reads those of every script."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if isinstance(value, str) and not value.isascii():
            self.fail(f"{value!r} is not a whole number in the digits 0 to 9", param, ctx)
        return super().convert(value, param, ctx)


class OutputFile(click.Path):
    """A file to write; pathlib is imported only when one is named."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        from pathlib import Path

        return Path(str(super().convert(value, param, ctx)))


SPEC = SpecArgument()


def project_rules() -> Sequence[str]:
    """Return the files of rules that the project's settings name; called once a model is read. Raises SpecError."""
    from convcalc.budgets.config import project_config

    project = project_config()
    return project.rule_files() if project is not None else ()


def _overrides(rules: Sequence[str], **taken: Any) -> Overrides:
    return Overrides(rules=rules or project_rules, **taken)


rules_option = click.option(
    "--rules", multiple=True, metavar="FILE", help="Rules for operators of a model [rules: of the project's settings]."
)
spec_options = grouped(
    "overrides",
    _overrides,
    {
        "sets": click.option(
            "--set", "sets", multiple=True, metavar="VAR=VALUE", help="Give a variable of the spec another value."
        ),
        "variant": click.option(
            "--variant", default="", metavar="NAME", help="Use a named set of variables of the spec."
        ),
        "inputs": click.option(
            "--input",
            "inputs",
            multiple=True,
            metavar="SHAPE",
            help="Another input shape: 3x160x160, 160, or NAME=SHAPE.",
        ),
        "batch": click.option(
            "--batch",
            type=WholeNumber(1, 10**9),
            default=1,
            metavar="N",
            help="The batch size; multiplies work, not params.",
        ),
        "bits": click.option(
            "--bits",
            multiple=True,
            metavar="[NAME=]WxA",
            help="Bits of weights x activations: 8x8, or NAME=8x8 for layers, kind:NAME=8x8; later ones win.",
        ),
        "deploy": click.option("--deploy", is_flag=True, help="Fold batch norms into convolutions, remove dropout."),
        "root": click.option(
            "--root",
            type=click.Path(file_okay=False),
            help="Includes must be in this folder [the spec's].",
        ),
        "rules": rules_option,
    },
    also=("strict",),
    section="Network",
)
strict_option = in_section(
    "Network",
    click.option(
        "--strict", is_flag=True, help="Refuse operators without a rule, and what a spec defines and nothing uses."
    ),
)


def _output(form: str, output: Path | None, exact: bool | None, color: str, no_pager: bool) -> Output:
    return Output(form, output, exact, color, not no_pager)


output_options = grouped(
    "output",
    _output,
    {
        "form": click.option(
            "-f", "--format", "form", type=FormatName(), default="table", show_default=True, help="The output format."
        ),
        "output": click.option(
            "-o", "--output", type=OutputFile(dir_okay=False), help="Write to a file instead of stdout."
        ),
        "exact": click.option(
            "--exact/--human",
            "exact",
            default=None,
            help="All digits, or units (4.09 G) [digits; units if a terminal is too narrow].",
        ),
        "color": click.option(
            "--color",
            type=click.Choice(["auto", "always", "never"]),
            default="auto",
            help="Use colours [auto: on a terminal].",
        ),
        "no_pager": click.option(
            "--no-pager", is_flag=True, help="Print what is longer than the screen [shown by PAGER, or less]."
        ),
    },
    section="Output",
)


def emit(report: Report, output: Output) -> None:
    """Write a report where and how the options say."""
    from convcalc.errors import SpecError, quoted
    from convcalc.formats import write, write_file

    whole = report._replace(exact=output.exact is not False)
    if output.path is not None and str(output.path) != "-":
        try:
            write_file(whole, output.form, output.path)
        except OSError as error:
            raise SpecError(f"{quoted(output.path)} cannot be written: {error.strerror or error}") from None
        return
    if output.form == "table":
        from convcalc.commands._screen import draw

        if draw(report.for_readers(), output.exact, output.color, output.has_pager):
            return
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(encoding="utf-8")
    write(whole, output.form, sys.stdout)


def write_text(text: str | bytes, output: Path | None = None) -> None:
    """Write text as it is, in UTF-8, or bytes: to a file or stdout, but no bytes to a terminal."""
    from convcalc.errors import SpecError, quoted

    if output is not None and str(output) != "-":
        from convcalc.storage import write_text as write_file

        try:
            write_file(output, text)
        except OSError as error:
            raise SpecError(f"{quoted(output)} cannot be written: {error.strerror or error}") from None
        return
    if isinstance(text, bytes):
        if sys.stdout.isatty():
            raise SpecError("this is not text for a terminal", "name a file with -o, or redirect it")
        sys.stdout.flush()
        sys.stdout.buffer.write(text)
        return
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(encoding="utf-8")
    sys.stdout.write(text)


report_option = in_section(
    "Output",
    click.option(
        "--report",
        "reports",
        multiple=True,
        metavar="FMT=FILE",
        help="Also write a report to a file, in a format of -f.",
    ),
)


def outputs_of(output: Output, reports: Sequence[str]) -> list[Output]:
    """The output, and one for each `FMT=FILE` of --report. Raises SpecError."""
    return [output, *map(_report_output, reports)]


def _report_output(text: str) -> Output:
    from pathlib import Path

    from convcalc.errors import SpecError, did_you_mean, quoted
    from convcalc.formats import names

    name, equals, path = text.partition("=")
    if not equals or not path:
        raise SpecError(f"--report: FMT=FILE was expected, found {quoted(text)}")
    if name not in names():
        raise SpecError(f"--report: no format {quoted(name)}", did_you_mean(name, names()))
    return Output(name, Path(path), True, "never")


def emit_all(report: Report, outputs: Sequence[Output]) -> None:
    """Write a report to each output; its tables also to the summary of a GitHub workflow, where one is the format."""
    for output in outputs:
        emit(report, output)
    if report.tables and any(output.form == "github" for output in outputs):
        from convcalc.formats.github import append_summary

        append_summary(report)
