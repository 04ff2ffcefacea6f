"""A bar on stderr for work that takes long, drawn by rich."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress


class Bar:
    """How much of some work is done; `count` None: not known, only that it goes on. Nothing is drawn before `start`."""

    def __init__(self, what: str, count: int | None, has_color: bool) -> None:
        self.what, self.count, self.done = what, count, 0
        self._has_color = has_color
        self._progress: Progress | None = None

    def start(self) -> None:
        """Draw the bar from now on."""
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

        text = TextColumn("{task.description}", markup=False)
        known = () if self.count is None else (BarColumn(), MofNCompleteColumn())
        console = Console(
            file=sys.stderr,
            no_color=not self._has_color,
            markup=False,
            emoji=False,
            highlight=False,
            legacy_windows=False,
        )
        columns = (SpinnerColumn("line"), text, *known, TimeElapsedColumn())
        # what the command itself prints is none of rich's
        progress = Progress(*columns, console=console, transient=True, redirect_stdout=False, redirect_stderr=False)
        progress.add_task(self.what, total=self.count, completed=self.done)
        progress.start()
        self._progress = progress

    def advance(self) -> None:
        self.done += 1
        if self._progress is not None:
            self._progress.update(self._progress.task_ids[0], completed=self.done)

    def stop(self) -> None:
        if self._progress is not None:
            self._progress.stop()
