"""What a stream is: whether it is a terminal, and what may be written to it."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import TextIO


class _Choice:
    """What --color says for messages, which may come before the options are read."""

    of_errors = "auto"


def choose_for_errors(words: Sequence[str]) -> None:
    """Keep what the words of a command line say of colours, for its messages on stderr."""
    options = words[: words.index("--")] if "--" in words else words
    choices = [word.partition("=")[2] for word in options if word.startswith("--color=")]
    choices += [options[at + 1] for at, word in enumerate(options[:-1]) if word == "--color"]
    _Choice.of_errors = choices[-1] if choices and choices[-1] in ("always", "never") else "auto"


def wants_color_of_errors() -> bool:
    """Whether to write colours to stderr: only to a terminal, whatever is chosen."""
    return is_terminal(sys.stderr) and wants_color(_Choice.of_errors, sys.stderr)


def wants_color(choice: str, stream: TextIO | None = None) -> bool:
    """Whether to write colours: --color, then NO_COLOR, FORCE_COLOR, TERM, then whether the stream is a terminal."""
    if choice != "auto":
        return choice == "always"
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR", "0") not in ("", "0"):
        return True
    return is_terminal(stream) and os.environ.get("TERM") != "dumb"


def is_terminal(stream: TextIO | None = None) -> bool:
    """Whether a stream, stdout by default, is a terminal."""
    try:
        return (stream or sys.stdout).isatty()
    except (ValueError, AttributeError):  # it is closed
        return False


def is_plain(stream: TextIO) -> bool:
    """Whether a terminal may show no signs but those of ASCII."""
    encoding = (stream.encoding or "").lower().replace("-", "").replace("_", "")
    return encoding not in ("utf8", "utf8sig") or os.environ.get("TERM") in ("dumb", "linux", "unknown")
