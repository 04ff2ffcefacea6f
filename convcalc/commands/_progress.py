"""A sign of life on stderr for what takes longer than a moment; none where stderr is no terminal, or in CI."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

T = TypeVar("T")
MOMENT = 0.5  # seconds


@contextmanager
def progress(what: str, count: int | None = None) -> Iterator[Callable[[], None]]:
    """Show that `what` goes on, and how much of `count` is done: the function given is called after each."""
    from convcalc.formats._colors import is_terminal, wants_color_of_errors

    if not is_terminal(sys.stderr) or os.environ.get("CI") or os.environ.get("TERM") == "dumb":
        yield lambda: None
        return
    from threading import Timer

    from convcalc.formats._terminal_progress import Bar

    bar = Bar(what, count, wants_color_of_errors())
    timer = Timer(MOMENT, bar.start)
    timer.daemon = True
    timer.start()
    try:
        yield bar.advance
    finally:
        timer.cancel()
        timer.join()  # where it begins to draw just now
        bar.stop()


def tracked(items: Iterable[T], what: str, count: int | None = None) -> Iterator[T]:
    """The items, with progress over them."""
    with progress(what, count) as advance:
        for item in items:
            yield item
            advance()
