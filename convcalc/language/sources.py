"""Where specs come from: a path, standard input, the catalogue, an include. Nothing outside the spec's root is read.

Paths are texts here: importing pathlib takes a tenth of the time that counting a network does.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from os.path import abspath, dirname, join, normpath, realpath
from stat import S_ISDIR, S_ISREG

from convcalc.catalogue import catalogue_paths, family
from convcalc.errors import UserError, nearest, printable, quoted
from convcalc.record import Record
from convcalc.storage import note_as_read
from convcalc.syntax.encoding import MOST_BYTES

SUFFIXES = (".yaml", ".yml")


def file_name(text: str) -> str:
    """Return a text that may name a file. Raises UserError for one with a NUL, which no system takes.

    >>> file_name("a.yaml")
    'a.yaml'
    """
    if "\0" in text:
        raise UserError(f"{quoted(text)} cannot name a file", hint="it contains the character U+0000")
    return text


class File(Record):
    """The name to show in messages, the bytes, and the folder that includes start from (None for the catalogue)."""

    name: str
    data: bytes
    folder: str | None


def repository(folder: str) -> str | None:
    """The root of the git repository that a folder is in, found without git; None outside of one."""
    at = abspath(folder)
    while not os.path.exists(join(at, ".git")):
        above = dirname(at)
        if above == at:
            return None
        at = above
    return at


def _near(name: str, known: Iterable[str], otherwise: str) -> str:
    near = nearest(name, known)
    return f"did you mean '{near}'?" if near else otherwise


class Files:
    """Reads specs for one command. `root` is the folder that includes may not leave: the spec's own by default."""

    def __init__(self, root: str | os.PathLike[str] | None = None) -> None:
        self.root = root

    def open(self, spec: str) -> File:
        """The spec a user named: a path, `-` for standard input, or a name of the catalogue. Raises UserError."""
        if spec == "-":
            if sys.stdin is None or sys.stdin.isatty():
                what = "is a terminal" if sys.stdin is not None else "is closed"
                raise UserError(f"standard input {what}", hint="pipe a spec into it, or name a file")
            try:
                data = sys.stdin.buffer.read(MOST_BYTES + 1)
            except OSError as error:
                raise UserError(f"standard input cannot be read: {error.strerror or error}") from None
            return File("<stdin>", self._limit(data, "<stdin>"), "")
        if spec and self.exists(file_name(spec)):
            return File(spec, self.load(spec), dirname(spec))
        known = catalogue_paths()
        if spec in known:
            return File(f"{spec}.yaml", self.load(known[spec]), None)
        if "/" in spec or spec.endswith(SUFFIXES):
            raise UserError(f"no file {quoted(spec)}")
        network, variant = family(spec)
        if variant and network in known:
            raise UserError(
                f"no file {quoted(spec)}, and in the catalogue it is a variant",
                hint=f"write {quoted(spec)} or {quoted(f'{network}@{variant}')}, with no other variant",
            )
        hint = _near(spec, known, "'convcalc list' shows them")
        raise UserError(f"no file and no catalogue network {quoted(spec)}", hint=hint)

    def include(self, target: str, origin: File, top: File) -> File:
        """The file an `include:` names: a path beside the including file, or a catalogue block. Raises UserError."""
        if not target.endswith(SUFFIXES):
            known = catalogue_paths("blocks")
            if target in known:
                return File(f"{target}.yaml", self.load(known[target]), None)
            raise UserError(f"no catalogue block {quoted(target)}", hint=_near(target, known, "a file ends in .yaml"))
        if origin.folder is None:
            raise UserError("a catalogue block includes by name only")
        path = normpath(join(origin.folder, file_name(target)))
        root, resolved = realpath(file_name(str(self.root or top.folder or "."))), realpath(path)
        if not resolved.startswith(join(root, "")):
            where = "the folder of the spec" if self.root is None else quoted(self.root)
            raise UserError(f"{quoted(target)} is outside {where}", hint="name a wider folder with --root")
        if not self.exists(resolved):
            raise UserError(f"no file {quoted(target)}", hint=f"looked for {printable(path)}")
        return File(path, self.load(resolved, path), dirname(path))

    def exists(self, path: str) -> bool:
        """Whether something is there."""
        try:
            os.stat(path)
        except (OSError, ValueError):
            return False
        return True

    def load(self, path: str, name: str = "") -> bytes:
        """The bytes of a regular file of at most MOST_BYTES; `name` is what to call it. Raises UserError."""
        name = name or path
        file_name(path)
        try:
            found = os.stat(path)
            mode = found.st_mode
            if S_ISDIR(mode):
                raise UserError(f"{quoted(name)} is a folder", hint="name the file, for example net.yaml")
            if not S_ISREG(mode):
                raise UserError(f"{quoted(name)} is not a regular file", hint="use - to read standard input")
            note_as_read(found)
            with open(path, "rb") as stream:
                return self._limit(stream.read(MOST_BYTES + 1), name)
        except OSError as error:
            raise UserError(f"{quoted(name)} cannot be read: {error.strerror or error}") from None

    def _limit(self, data: bytes, name: str) -> bytes:
        if len(data) > MOST_BYTES:
            hint = "use repeat: for what repeats"
            raise UserError(f"{quoted(name)} is larger than {MOST_BYTES // 2**20} MiB", hint=hint)
        return data


class CatalogueFiles(Files):
    """Reads networks of the catalogue alone, whatever files there are of their names."""

    def exists(self, path: str) -> bool:
        return False
