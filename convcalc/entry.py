"""Where the installed program begins: Ctrl-C ends it in good order from here on, before anything large is imported."""

from __future__ import annotations

import os
import signal

INTERRUPTED = 130


def main() -> None:
    """Run the command line."""
    is_asked = signal.getsignal(signal.SIGINT) is signal.default_int_handler  # not so in the background of a shell
    if is_asked:
        signal.signal(signal.SIGINT, _end)
    from convcalc.cli import main as run

    try:
        if is_asked:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        run()
    except KeyboardInterrupt:  # before the command line was ready for one, or after its end
        _end()


def _end(*_: object) -> None:
    """End at once: nothing is begun yet, so nothing is to be tidied up."""
    try:
        os.write(2, b"interrupted\n")
    except OSError:
        pass
    os._exit(INTERRUPTED)
