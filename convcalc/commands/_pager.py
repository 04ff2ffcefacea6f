"""A pager for what is longer than the screen: the program of PAGER, else less."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager


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
