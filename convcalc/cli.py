"""The command line: commands are found by file name, errors become exit codes.

0 success, 1 a limit exceeded or a difference that verify found, 2 invalid usage or spec, 3 a bug in convcalc,
130 Ctrl-C, 141 closed pipe.
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from errno import EDQUOT, EFBIG, ENOSPC
from importlib import import_module
from typing import Any

import click

from convcalc import __version__
from convcalc.discovery import modules
from convcalc.errors import SpecError, nearest, quoted
from convcalc.formats._colors import choose_for_errors
from convcalc.storage import forget_what_was_read

FINE, BROKEN, BAD, BUG, INTERRUPTED, CLOSED_PIPE = 0, 1, 2, 3, 130, 141


class Ended(Exception):
    """The command was interrupted from outside, with this exit code."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


class Commands(click.Group):
    """Finds `commands/NAME.py` (`import_.py` for `import`) and imports its `command` only when it is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(name.rstrip("_").replace("_", "-") for name in modules(__file__, "commands"))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        name = cmd_name.replace("-", "_")
        for module in {name, f"{name}_"}.intersection(modules(__file__, "commands")):
            command: click.Command = import_module(f"convcalc.commands.{module}").command
            return command
        return None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that the first word names. Raises UsageError, with the nearest command where one is near."""
        if args and args[0][:1] != "-" and self.get_command(ctx, args[0]) is None:
            near = nearest(args[0], self.list_commands(ctx))
            ctx.fail(f"No such command {quoted(args[0])}.{f' Did you mean {near!r}?' if near else ''}")
        return super().resolve_command(ctx, args)

    def make_context(self, *arguments: Any, **more: Any) -> click.Context:
        """Parse the words of a command line, which prints where they ask for help or for the version."""
        with _endings():
            return super().make_context(*arguments, **more)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; with JSON as the format, print a spec's errors as JSON too, besides their text on stderr."""
        try:
            with _endings():
                return super().invoke(ctx)
        except SpecError as error:
            chosen = ctx.meta.get("convcalc.format")
            if chosen is not None and chosen.params.get("form") == "json" and not chosen.params.get("output"):
                _print_json(error)
            raise


@contextmanager
def _endings() -> Iterator[None]:
    """Keep what ends a command from click, which makes exit code 1 of it."""
    try:
        yield
    except BrokenPipeError:
        raise Ended(CLOSED_PIPE) from None
    except KeyboardInterrupt:
        raise Ended(INTERRUPTED) from None


def _print_json(error: SpecError) -> None:
    import json

    sys.stdout.write(json.dumps({"schema_version": 1, "error": error.plain()}, indent=1) + "\n")


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "auto_envvar_prefix": "CONVCALC"},
    epilog="Start with: convcalc compare reduce-5x5-1-direct reduce-5x5-2-bottleneck",
)
@click.version_option(__version__, message="convcalc %(version)s")
def cli() -> None:
    """Show what a convolutional network costs, layer by layer, and why.

    SPEC is a YAML file, a name of the catalogue (convcalc list shows them), a model.onnx, or - for standard input;
    SPEC@VARIANT chooses one of its variants.
    """


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit the process with one of the codes above."""
    # garbage collection would take a tenth of a command's time, and as much again at exit
    gc.set_threshold(50_000, 50, 100)
    code = run(arguments)
    gc.freeze()
    sys.exit(code)


def run(arguments: list[str] | None = None) -> int:
    """Run the command line and return the exit code."""
    forget_what_was_read()
    if sys.stdout is None:  # closed by the caller
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115  (to the end)
    if os.environ.get("GITHUB_ACTIONS") != "true":
        return _run(arguments)
    from convcalc.workflow_log import harmless_output

    with harmless_output():
        return _run(arguments)


def _run(arguments: list[str] | None) -> int:
    choose_for_errors(sys.argv[1:] if arguments is None else arguments)
    for word in arguments or ():
        if "\0" in word:  # only a program can hand one over, and no file, option or name may hold it
            return _print_error(f"error: {quoted(word)} contains the character U+0000", BAD)
    try:
        code = cli.main(arguments, prog_name="convcalc", standalone_mode=False)
        sys.stdout.flush()
        return code if isinstance(code, int) else FINE
    except SpecError as error:
        return _print_error(f"{error}", BAD)
    except click.ClickException as error:
        return _print_error(_usage(error), BAD)
    except (click.Abort, KeyboardInterrupt):
        return _print_error("interrupted", INTERRUPTED)
    except BrokenPipeError:
        _discard(sys.stdout)
        return CLOSED_PIPE
    except Ended as ended:
        if ended.code == CLOSED_PIPE:
            _discard(sys.stdout)
            return CLOSED_PIPE
        return _print_error("interrupted", INTERRUPTED)
    except OSError as error:
        if error.errno not in (ENOSPC, EDQUOT, EFBIG):
            return _bug(error)
        _discard(sys.stdout)
        return _print_error(f"error: the output cannot be written: {error.strerror}", BAD)
    except Exception as error:
        return _bug(error)


def _usage(error: click.ClickException) -> str:
    """An error of the command line in the words of the others.

    >>> print(_usage(click.UsageError("No such option '--nope'.")))
    error: no such option '--nope'
    """
    message = error.format_message().rstrip(".").replace(". (", " (")
    text = f"error: {message[:1].lower()}{message[1:]}"
    context = getattr(error, "ctx", None)
    if context is None:
        return text
    return f"{context.get_usage()}\n{text}\n   hint: {context.command_path} --help"


def _discard(stream: Any) -> None:
    """Point the stream at devnull so that the flush at exit cannot raise (reader gone, or disk full)."""
    if stream is None:
        return
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _print_error(message: str, code: int) -> int:
    if sys.stderr is None:
        return code
    encoding = sys.stderr.encoding or "utf-8"
    try:
        text = _in_colors(message) if sys.stderr.isatty() and code == BAD else f"{message}\n"
        sys.stderr.write(text.encode(encoding, "backslashreplace").decode(encoding))
        sys.stderr.flush()
    except OSError:
        _discard(sys.stderr)
    return code


def _in_colors(message: str) -> str:
    """Errors for a terminal: in colours, if it has them."""
    from convcalc.formats._colors import wants_color_of_errors

    if not wants_color_of_errors():
        return f"{message}\n"
    from convcalc.formats._terminal import draw_error

    return draw_error(message)


def _bug(error: Exception) -> int:
    """Report a bug of convcalc: one line for the user, the traceback in a file (on stderr with CONVCALC_DEBUG)."""
    import tempfile
    import traceback

    lines: list[Any] = traceback.format_exception(error)
    if os.environ.get("CONVCALC_DEBUG"):
        return _print_error("".join(lines), BUG)
    try:
        with tempfile.NamedTemporaryFile("w", prefix="convcalc-", suffix=".log", delete=False, encoding="utf-8") as log:
            log.write(f"convcalc {__version__}, Python {sys.version}\n{sys.argv}\n{''.join(lines)}")
    except OSError:
        return _print_error("".join(lines), BUG)
    return _print_error(f"error: a bug in convcalc ({type(error).__name__}); please report it with {log.name}", BUG)
