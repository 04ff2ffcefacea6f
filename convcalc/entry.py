"""Where the installed program begins: Ctrl-C ends it in good order from here on, before anything large is imported."""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # importing `signal` itself takes long enough for a Ctrl-C
import os

INTERRUPTED = 130


def main() -> None:
    """Run the command line."""
    is_asked = _signal.getsignal(_signal.SIGINT) is _signal.default_int_handler  # a shell's background job ignores it
    if is_asked:
        _signal.signal(_signal.SIGINT, _end)
    from convcalc.cli import main as run

    try:
        if is_asked:
            _signal.signal(_signal.SIGINT, _signal.default_int_handler)
        run()
    except KeyboardInterrupt:  # before the command line was ready for one, or after its end
        _end()
    finally:
        if is_asked:
            _signal.signal(_signal.SIGINT, _signal.SIG_IGN)  # only the interpreter's own end is left


def _end(*_: object) -> None:
    """End at once: nothing is begun yet, so nothing is to be tidied up."""
    try:
        os.write(2, b"interrupted\n")
    except OSError:
        pass
    os._exit(INTERRUPTED)
