"""A report on the screen: drawn as wide as it is, and shown in a pager where it is longer."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from convcalc.report import Report


def draw(report: Report, exact: bool | None, color: str, has_pager: bool) -> bool:
    """Draw a report where stdout is a terminal or colours are asked for; return whether it is."""
    from convcalc.formats._colors import is_plain, is_terminal, wants_color

    has_color, on_terminal = wants_color(color), is_terminal()
    if not has_color and not on_terminal:
        return False
    from shutil import get_terminal_size

    from convcalc.formats._terminal import Look
    from convcalc.formats._terminal import draw as drawn

    screen = get_terminal_size()
    room = screen.columns if on_terminal or "COLUMNS" in os.environ else 10_000
    look = Look(room, exact, has_color, on_terminal and is_plain(sys.stdout))
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(encoding=None if look.is_plain else "utf-8", errors="backslashreplace")
    text = drawn(report, look)
    if on_terminal and text.count("\n") >= screen.lines:
        if has_pager and page(text):
            return True
        text = drawn(report.with_answer_last(), look)
    sys.stdout.write(text)
    return True


def page(text: str) -> bool:
    """Show text in a pager; return whether there is one to show it. To leave it before its end is no error."""
    command = _command()
    if not command:
        return False
    from subprocess import PIPE, Popen

    sys.stdout.flush()
    try:
        # without a shell: PAGER is a program and its options. F: no keys for what fits, R: colours, X: it stays visible
        pager = Popen(command, stdin=PIPE, env={"LESS": "FRX", "LV": "-c", **os.environ})
    except (OSError, ValueError):
        return False
    with _left_to_the_pager():
        try:
            pager.communicate(text.encode(sys.stdout.encoding or "utf-8", "backslashreplace"))
        except OSError:  # it was left
            pager.wait()
    return pager.returncode not in (126, 127)  # a script that found no pager


def _command() -> list[str]:
    """The words of the pager, none where nobody would press its keys."""
    from convcalc.formats._colors import is_terminal

    is_read = is_terminal(sys.stdin) and is_terminal() and os.environ.get("TERM", "dumb") != "dumb"
    if not is_read or os.environ.get("CI"):
        return []
    import shlex

    try:
        return shlex.split(os.environ.get("PAGER", "less"))
    except ValueError:  # a quote is not closed
        return []


@contextmanager
def _left_to_the_pager() -> Iterator[None]:
    """Ctrl-C is the pager's: in less it stops a search, it does not end it."""
    try:
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    except ValueError:  # not in the main thread, which alone gets Ctrl-C
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
