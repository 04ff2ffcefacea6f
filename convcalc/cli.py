"""The command line: commands are found by file name, errors become exit codes.

0 fine, 1 a budget broken (nothing else), 2 bad usage or spec, 3 a bug in convcalc, 130 Ctrl-C, 141 closed pipe.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Any

import click

from convcalc import __version__
from convcalc.errors import SpecError

FINE, BROKEN, BAD, BUG, INTERRUPTED, CLOSED_PIPE = 0, 1, 2, 3, 130, 141


class Commands(click.Group):
    """Finds `commands/NAME.py` (`import_.py` for `import`) and takes the `command` it holds, only when asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        folder = str(Path(__file__).parent / "commands")
        found = (module.name for module in iter_modules([folder]) if not module.name.startswith("_"))
        return sorted(name.rstrip("_").replace("_", "-") for name in found)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        name = cmd_name.replace("-", "_")
        for module in (name, f"{name}_"):
            if (
                (Path(__file__).parent / "commands" / f"{module}.py").is_file()
                and name.isidentifier()
                and name[0] != "_"
            ):
                found: click.Command = import_module(f"convcalc.commands.{module}").command
                return found
        return None


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "auto_envvar_prefix": "CONVCALC"},
    epilog="Start with: convcalc compare reduce-5x5-1-direct reduce-5x5-2-bottleneck",
)
@click.version_option(__version__, message="convcalc %(version)s")
def cli() -> None:
    """What a convolutional network costs, layer by layer, and why.

    SPEC is a YAML file, a name of the catalogue (convcalc list shows them), or - for standard input; SPEC@VARIANT
    chooses one of its variants.
    """


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and leave the process with one of the exit codes above."""
    sys.exit(run(arguments))


def run(arguments: list[str] | None = None) -> int:
    """Run the command line; the exit code."""
    try:
        code = cli.main(arguments, prog_name="convcalc", standalone_mode=False)
        sys.stdout.flush()
        return code if isinstance(code, int) else FINE
    except SpecError as error:
        return _say(f"{error}", BAD)
    except click.ClickException as error:
        error.show()
        return BAD
    except (click.Abort, KeyboardInterrupt):
        return _say("interrupted", INTERRUPTED)
    except BrokenPipeError:
        # whoever read our output has gone: nothing more to write, not even on the way out
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return CLOSED_PIPE
    except Exception as error:
        return _bug(error)


def _say(message: str, code: int) -> int:
    encoding = sys.stderr.encoding or "utf-8"
    sys.stderr.write(message.encode(encoding, "backslashreplace").decode(encoding) + "\n")
    return code


def _bug(error: Exception) -> int:
    """A crash of ours: one line for the user, the traceback in a file (or on stderr with CONVCALC_DEBUG)."""
    import tempfile
    import traceback

    lines: list[Any] = traceback.format_exception(error)
    if os.environ.get("CONVCALC_DEBUG"):
        return _say("".join(lines), BUG)
    with tempfile.NamedTemporaryFile("w", prefix="convcalc-", suffix=".log", delete=False, encoding="utf-8") as log:
        log.write(f"convcalc {__version__}, Python {sys.version}\n{sys.argv}\n{''.join(lines)}")
    return _say(f"error: a bug in convcalc ({type(error).__name__}); please report it with {log.name}", BUG)
