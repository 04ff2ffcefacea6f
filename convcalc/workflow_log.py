"""GitHub's runner takes lines of a log for commands. Whatever is printed there comes from specs and models too.

A line is a command where it begins with `::`, white space before it aside, and wherever `##[` stands in it.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

# more than the runner's own white space: any character but those of ASCII that leave ink
_COMMAND = re.compile(r"((?:\A|[\r\n])[^!-~]*:):|(##)\[")
_MAY_BEGIN = re.compile(r"[^!-~]*:?")


def harmless(text: str, before: str = "") -> str:
    """Text that holds no command, where `before` is already on the line. The escapes are those of JSON and Python.

    >>> print(harmless("::add-mask::a ::b ##[error]c"))
    :\\u003aadd-mask::a ::b ##\\u005berror]c
    """
    if "::" not in before + text and "##[" not in before + text:
        return text
    return _COMMAND.sub(_escaped, before + text)[len(before) :]


def _escaped(found: re.Match[str]) -> str:
    return f"{found[1]}\\u003a" if found[1] else f"{found[2]}\\u005b"


class HarmlessStream:
    """A text stream for a log that a runner reads: no line of it is a command, but those of `write_command`."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self._line = ""  # what matters of the line so far

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        self._stream.write(harmless(text, self._line))
        line = re.split(r"[\r\n]", self._line + text)[-1]
        self._line = line[-2:] if _MAY_BEGIN.fullmatch(line) else f".{line[-2:]}"
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.write(line)

    def write_command(self, line: str) -> None:
        """Write a command of our own, a line of its own."""
        self._stream.write(line)


@contextmanager
def harmless_output() -> Iterator[None]:
    """Nothing that is printed is a command, nor will be when a later step prints the file it was redirected to."""
    streams = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = (stream and HarmlessStream(stream) for stream in streams)
    try:
        yield
    finally:
        sys.stdout, sys.stderr = streams
