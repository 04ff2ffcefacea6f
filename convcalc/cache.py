"""Files in the user's cache folder: what can be worked out anew. No error of the file system leaves this module."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from os.path import dirname, expanduser, isabs, join
from stat import S_ISREG

from convcalc.storage import make_folder, write_text

MOST_BYTES = 2**20
_FOLDER = "~/Library/Caches" if sys.platform == "darwin" else "~/.cache"


def cache_path(name: str) -> str:
    """The path of a file in the user's cache folder; "" where the system names no such folder.

    `XDG_CACHE_HOME` names it on every system, unless it is empty or relative.
    """
    folder = os.environ.get("XDG_CACHE_HOME", "")
    if not isabs(folder):
        folder = os.environ.get("LOCALAPPDATA", "") if os.name == "nt" else expanduser(_FOLDER)
    return join(folder, "convcalc", name) if isabs(folder) else ""


def read_cache(name: str) -> bytes:
    """What a file of the cache contains: at most MOST_BYTES, nothing where it is missing or no regular file."""
    path = cache_path(name)
    with suppress(OSError, ValueError):
        if S_ISREG(os.stat(path).st_mode):  # a pipe would be waited for
            with open(path, "rb") as stream:
                return stream.read(MOST_BYTES)
    return b""


def write_cache(name: str, data: bytes) -> None:
    """Write a file of the cache; where it cannot be written nothing happens."""
    path = cache_path(name)
    with suppress(OSError, ValueError):
        if path and (not os.path.lexists(path) or S_ISREG(os.stat(path).st_mode)):
            make_folder(dirname(path))
            write_text(path, data)
