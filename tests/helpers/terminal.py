"""convcalc on a pseudo-terminal."""

import os
import re
import subprocess
import sys
import threading

from helpers.paths import ROOT

SGR = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def on_terminal(*words, rows=24, columns=80, is_read=True, program=(), stderr=None, **environment):
    """Run a command on a terminal; return its exit code and what the terminal was sent, lines ended by LF.

    `is_read`: whether the keyboard is that terminal too. `stderr`: where errors go; None: to the terminal.
    """
    import fcntl
    import pty
    import struct
    import termios

    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    shared = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    process = subprocess.Popen(
        [sys.executable, *(program or ("-m", "convcalc")), *map(str, words)],
        stdin=theirs if is_read else subprocess.DEVNULL,
        stdout=theirs,
        stderr=theirs if stderr is None else stderr,
        env={**shared, "PYTHONPATH": str(ROOT), "TERM": "xterm", "PYTHONUTF8": "1", **environment},
        start_new_session=True,
    )
    os.close(theirs)
    stop = threading.Timer(60, process.kill)
    stop.start()
    text = b""
    try:
        while part := os.read(ours, 65536):
            text += part
    except OSError:  # the other end is closed: all is read
        pass
    os.close(ours)
    code = process.wait()
    stop.cancel()
    return code, text.decode().replace("\r\n", "\n")
