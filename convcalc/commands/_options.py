"""What the commands share: the options that change a spec, those of the output, and the way from one to the other."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from convcalc.loader import graph, graphs, settings

if TYPE_CHECKING:
    from pathlib import Path

    from convcalc.report import Report

__all__ = ["SPEC", "emit", "graph", "graphs", "output_options", "settings", "spec_options", "write_text"]

F = TypeVar("F", bound=Callable[..., Any])


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


class SpecName(click.ParamType):  # type: ignore[type-arg]
    """A spec: a path, a name of the catalogue, or -."""

    name = "spec"

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[Any]:
        from click.shell_completion import CompletionItem

        from convcalc.language.sources import catalogue_files

        known = [CompletionItem(name) for name in catalogue_files() if name.startswith(incomplete)]
        return [*known, CompletionItem(incomplete, type="file")]


class OutputFile(click.Path):
    """A file to write; pathlib is imported only when one is named."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        from pathlib import Path

        return Path(str(super().convert(value, param, ctx)))


SPEC = SpecName()


def _apply(function: F, options: list[Callable[[Any], Any]]) -> F:
    for option in reversed(options):
        function = option(function)
    return function


def spec_options(function: F) -> F:
    """--set, --variant, --input, --batch, --root: what a command line changes about a spec."""
    return _apply(
        function,
        [
            click.option(
                "--set", "sets", multiple=True, metavar="VAR=VALUE", help="Give a variable of the spec another value."
            ),
            click.option("--variant", default="", metavar="NAME", help="Use a named set of variables of the spec."),
            click.option(
                "--input",
                "inputs",
                multiple=True,
                metavar="SHAPE",
                help="Another input: 3x160x160, 160, or NAME=SHAPE.",
            ),
            click.option(
                "--batch",
                type=click.IntRange(1, 10**9),
                default=1,
                metavar="N",
                help="Inputs at a time; multiplies work, not params.",
            ),
            click.option("--deploy", is_flag=True, help="Fold batch norms into convolutions, leave dropout out."),
            click.option(
                "--root",
                type=click.Path(file_okay=False),
                help="The folder that includes may not leave [the spec's].",
            ),
        ],
    )


def strict_option(function: F) -> F:
    """--strict: what to do about a model that is not understood whole."""
    return _apply(
        function, [click.option("--strict", is_flag=True, help="Refuse a model with operators unknown here.")]
    )


def output_options(function: F) -> F:
    """-f, -o, --exact, --color: how a report is written."""
    return _apply(
        function,
        [
            click.option(
                "-f", "--format", "form", type=FormatName(), default="table", show_default=True, help="How to write it."
            ),
            click.option(
                "-o",
                "--output",
                type=OutputFile(dir_okay=False),
                help="Write to a file instead of stdout.",
            ),
            click.option(
                "--exact/--human",
                "exact",
                default=None,
                help="Every digit, or units (4.09 G) [units where a terminal has no room for the digits].",
            ),
            click.option(
                "--color",
                type=click.Choice(["auto", "always", "never"]),
                default="auto",
                help="Colours [auto: on a terminal].",
            ),
        ],
    )


def emit(report: Report, form: str, output: Path | None, exact: bool | None, color: str) -> None:
    """Write a report where and how the options say."""
    from convcalc.errors import SpecError, quoted
    from convcalc.formats import write, write_file

    if output is not None and str(output) != "-":
        try:
            write_file(report._replace(exact=exact is not False), form, output)
        except OSError as error:
            raise SpecError(f"{quoted(output)} cannot be written: {error.strerror}") from None
        return
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(encoding="utf-8")
    if form == "table":
        from convcalc.formats import _terminal

        has_color = _terminal.wants_color(color)
        if has_color or _terminal.is_terminal():
            _terminal.write(report, sys.stdout, exact, has_color)
            return
    write(report._replace(exact=exact is not False), form, sys.stdout)


def write_text(text: str | bytes, output: Path | None = None) -> None:
    """Write text as it is, in UTF-8, or bytes: to a file or stdout, but no bytes to a terminal."""
    from convcalc.errors import SpecError, quoted

    if output is not None and str(output) != "-":
        try:
            output.write_bytes(text.encode() if isinstance(text, str) else text)
        except OSError as error:
            raise SpecError(f"{quoted(output)} cannot be written: {error.strerror}") from None
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
