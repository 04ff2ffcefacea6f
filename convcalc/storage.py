"""The only place that writes files: beside the target, then moved into its place, so that nobody reads a part.

Whatever happens, a target has its old content or all of the new. What a kill leaves beside it begins with a dot, and
the next writing of the same target removes it.
"""

from __future__ import annotations

import errno
import io
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from os.path import abspath, basename, dirname, join, realpath
from stat import S_IMODE, S_ISFIFO, S_ISREG
from typing import Any, TextIO

MARK = ".convcalc-"
SECONDS_FOR_A_READER = 2.0
SECONDS_FOR_A_LOCK = 60.0
_OLD = 60.0  # seconds after which a file beside the target may be one that a kill left
_PAUSE = 0.02

_read: set[tuple[int, int]] = set()


def note_as_read(found: os.stat_result) -> None:
    """Remember a file as one that this command reads: it is not written by accident."""
    _read.add((found.st_dev, found.st_ino))


def forget_what_was_read() -> None:
    """Begin a command: what earlier ones of the same process read may be written."""
    _read.clear()


def make_folder(path: str | os.PathLike[str]) -> None:
    """Make a folder, and those that it is in, where they are missing. Raises OSError."""
    os.makedirs(path, exist_ok=True)


def write_text(path: str | os.PathLike[str], text: str | bytes) -> None:
    """Write text in UTF-8, or bytes, in place of what a file contains. Raises OSError."""
    with replacement(path) as stream:
        stream.buffer.write(text.encode() if isinstance(text, str) else text)


@contextmanager
def replacement(path: str | os.PathLike[str], also_if_read: bool = False) -> Iterator[TextIO]:
    """A stream whose text, in UTF-8, takes the place of what a file contains when the block ends without an error.

    A link stays, and what it names is replaced. A pipe or a device is written as it is. Raises OSError.
    """
    target = realpath(path)
    found = _state(path)  # not of the target: /dev/stdout may lead to a name under /proc that is no file
    if found is not None and (not S_ISREG(found.st_mode) or _is_a_descriptor(path, found)):
        with _text(_open_as_it_is(path, found)) as stream:
            yield stream
        return
    if found is not None and not also_if_read and (found.st_dev, found.st_ino) in _read:
        raise OSError(errno.EEXIST, "this command reads it; name another file")
    if found is not None and not os.access(target, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    remove_left_files(target)
    beside = _beside(target, f"{os.getpid()}-{os.urandom(4).hex()}")
    with _removed_unless_moved(beside):
        with _text(os.open(beside, _FLAGS, 0o666 if found is None else 0o600)) as stream:
            with suppress(OSError):  # a file system without locks: what a kill leaves there stays
                _lock(stream.fileno())
            yield stream
            _finish(stream, found)
        os.replace(beside, target)
        _settle_folder(dirname(target))


_FLAGS = os.O_CREAT | os.O_EXCL | os.O_WRONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)


def append_text(path: str | os.PathLike[str], text: str) -> None:
    """Add text at the end of a file: all of it, or nothing. Raises OSError."""
    descriptor = os.open(path, os.O_CREAT | os.O_APPEND | os.O_WRONLY | getattr(os, "O_BINARY", 0), 0o666)
    try:
        length = os.fstat(descriptor).st_size
        data = memoryview(text.encode())
        try:
            while data:
                data = data[os.write(descriptor, data) :]
        except BaseException:
            with suppress(OSError):
                os.ftruncate(descriptor, length)
            raise
    finally:
        os.close(descriptor)


@contextmanager
def lock(path: str | os.PathLike[str], seconds: float = SECONDS_FOR_A_LOCK) -> Iterator[None]:
    """Nobody else who asks for it holds the lock of this file. A kill releases it.

    Raises TimeoutError where another process holds it for all of the time, and OSError where there are no locks.
    """
    name = _beside(realpath(path), "lock")
    end = time.monotonic() + seconds
    while (descriptor := _try_lock(name)) is None:
        if time.monotonic() > end:
            raise TimeoutError(errno.ETIMEDOUT, f"another process has held its lock for {seconds:g} seconds")
        time.sleep(_PAUSE)
    try:
        yield
    finally:
        with suppress(OSError):
            os.unlink(name)  # while it is held, so that nobody holds a lock on a file that is gone; see _try_lock
        os.close(descriptor)


def _try_lock(name: str) -> int | None:
    """Lock a file, made for that, and return its descriptor; None where someone else holds the lock."""
    descriptor = os.open(name, os.O_CREAT | os.O_RDWR | getattr(os, "O_CLOEXEC", 0), 0o666)
    is_ours = False
    try:
        is_ours = _lock(descriptor) and _is_still_there(name, descriptor)
    finally:
        if not is_ours:
            os.close(descriptor)
    return descriptor if is_ours else None


def _lock(descriptor: int) -> bool:
    """Lock an open file until it is closed or the process ends; whether nobody else had locked it. Raises OSError."""
    try:
        if os.name == "nt":
            msvcrt: Any = __import__("msvcrt")
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.EACCES, errno.EAGAIN, errno.EWOULDBLOCK, errno.EDEADLK):
            return False
        if error.errno in (errno.ENOSYS, errno.ENOTSUP, errno.ENOLCK):
            raise OSError(error.errno, "its file system has no locks") from None
        raise
    return True


def _is_still_there(name: str, descriptor: int) -> bool:
    """Whether the name is still that of the open file: the one who held the lock before may have removed it."""
    found, own = _state(name), os.fstat(descriptor)
    return found is not None and os.path.samestat(found, own)


def _state(path: str | os.PathLike[str]) -> os.stat_result | None:
    try:
        return os.stat(path)
    except FileNotFoundError:
        return None


def _is_a_descriptor(path: str | os.PathLike[str], found: os.stat_result) -> bool:
    """Whether a path is one of /dev/stdout and the like, or the file that stdout or stderr was redirected to."""
    if abspath(path).startswith(("/dev/fd/", "/proc/")):
        return True
    return _descriptor_of(found) is not None


def _descriptor_of(found: os.stat_result) -> int | None:
    for descriptor in (1, 2):
        with suppress(OSError):
            if os.path.samestat(os.fstat(descriptor), found):
                return descriptor
    return None


def _open_as_it_is(path: str | os.PathLike[str], found: os.stat_result) -> int:
    """Open what is no regular file; a pipe only where someone reads from it. Raises OSError."""
    shared = _descriptor_of(found)
    if shared is not None:
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:
                stream.flush()
        return os.dup(shared)
    if not S_ISFIFO(found.st_mode):
        return os.open(path, os.O_WRONLY | (os.O_TRUNC if S_ISREG(found.st_mode) else 0))
    end = time.monotonic() + SECONDS_FOR_A_READER
    while True:
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_NONBLOCK)
            break
        except OSError as error:
            if error.errno != errno.ENXIO:
                raise
            if time.monotonic() > end:
                raise OSError(errno.ENXIO, "nobody reads from this pipe") from None
        time.sleep(_PAUSE)
    os.set_blocking(descriptor, True)
    return descriptor


@contextmanager
def _text(descriptor: int) -> Iterator[TextIO]:
    """The text stream of a descriptor, closed without a second error where there is one already."""
    stream = io.TextIOWrapper(io.BufferedWriter(io.FileIO(descriptor, "w")), encoding="utf-8", newline="")
    try:
        yield stream
        stream.flush()
    except BaseException:
        with suppress(OSError, ValueError):
            stream.close()
        raise
    stream.close()


def _finish(stream: TextIO, found: os.stat_result | None) -> None:
    """Bring all of a new file to the disk, with the owner and mode of the one that it replaces."""
    stream.flush()
    if found is not None and os.name != "nt":
        if (found.st_uid, found.st_gid) != (os.geteuid(), os.getegid()):
            with suppress(OSError):
                os.fchown(stream.fileno(), found.st_uid, found.st_gid)
        os.fchmod(stream.fileno(), S_IMODE(found.st_mode))
    os.fsync(stream.fileno())


def _settle_folder(folder: str) -> None:
    """Bring a move to the disk, where folders can be opened for that."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _beside(target: str, end: str) -> str:
    name = os.fsencode(basename(target))[:200]  # names have at most 255 bytes
    return join(dirname(target), f".{os.fsdecode(name)}{MARK}{end}")


def remove_left_files(target: str) -> None:
    """Remove what a kill left of earlier writings of a target: old, and locked by nobody."""
    start = basename(_beside(target, ""))
    with suppress(OSError):
        for entry in os.scandir(dirname(target)):
            if entry.name.startswith(start) and time.time() - entry.stat(follow_symlinks=False).st_mtime > _OLD:
                _remove_if_unlocked(entry.path)


def _remove_if_unlocked(path: str) -> None:
    with suppress(OSError):
        descriptor = os.open(path, os.O_WRONLY | getattr(os, "O_NOFOLLOW", 0))
        try:
            if _lock(descriptor):
                os.unlink(path)
        finally:
            os.close(descriptor)


@contextmanager
def _removed_unless_moved(path: str) -> Iterator[None]:
    """Remove the file at the end where it is still there; also where a signal asks the process to end."""
    handlers: dict[int, Any] = {}
    try:
        _handle_signals(handlers, path)
        yield
    except BaseException:
        with suppress(OSError):
            os.unlink(path)
        raise
    finally:
        import signal

        for number, handler in handlers.items():
            signal.signal(number, handler)


def _handle_signals(handlers: dict[int, Any], path: str) -> None:
    """Remove the file before the signals that end a process do so; `handlers` gets those that were there."""
    import signal
    import threading

    def end(number: int, _: Any) -> None:
        with suppress(OSError):
            os.unlink(path)
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)

    if threading.current_thread() is not threading.main_thread():
        return
    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is signal.SIG_DFL:
            handlers[number] = signal.SIG_DFL
            signal.signal(number, end)
