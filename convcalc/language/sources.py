"""Where specs come from: a path, standard input, the catalogue, an include. Nothing outside the spec's root is read.

Paths are texts here: importing pathlib takes a tenth of the time that counting a network does.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from os.path import abspath, dirname, isdir, join, normpath, realpath
from stat import S_ISDIR, S_ISREG
from typing import TYPE_CHECKING, NamedTuple

from convcalc.errors import UserError, nearest, printable, quoted
from convcalc.syntax.encoding import MOST_BYTES

if TYPE_CHECKING:
    from pathlib import Path

SUFFIXES = (".yaml", ".yml")


class File(NamedTuple):
    """The name to show in messages, the bytes, and the folder that includes start from (None for the catalogue)."""

    name: str
    data: bytes
    folder: str | None


def catalogue() -> str:
    """The folder of the catalogue: inside the installed package, or beside it in a checkout."""
    package = dirname(dirname(abspath(__file__)))
    inside = join(package, "layers")
    return inside if isdir(inside) else join(dirname(package), "layers")


def _catalogue(*folders: str) -> dict[str, str]:
    """The paths of the specs in some folders of the catalogue, by name."""
    found: dict[str, str] = {}
    for folder in (join(catalogue(), name) for name in folders):
        for file in sorted(os.listdir(folder)) if isdir(folder) else ():
            if file.endswith(".yaml"):
                found.setdefault(file.removesuffix(".yaml"), join(folder, file))
    return found


def catalogue_files() -> dict[str, Path]:
    """Every spec of the catalogue by name; networks come before lessons and blocks."""
    from pathlib import Path

    return {name: Path(path) for name, path in _catalogue("networks", "lessons", "blocks").items()}


def family(name: str) -> tuple[str, str]:
    """The network of the catalogue and its variant that are written together as one name; any other, and no variant.

    >>> family("resnet18"), family("efficientnet_b0"), family("nosuch")
    (('resnet', '18'), ('efficientnet', 'b0'), ('nosuch', ''))
    """
    stems = [stem for stem in _catalogue("networks") if name.startswith(stem)]
    stem = max(stems, key=len, default=name)
    return (stem, name[len(stem) :].removeprefix("_")) if stem != name.rstrip("_") else (name, "")


def without_variant(spec: str) -> str:
    """SPEC of SPEC@VARIANT; a file may have an @ in its name.

    >>> without_variant("net.yaml@x0.5"), without_variant("net.yaml")
    ('net.yaml', 'net.yaml')
    """
    return spec if os.path.exists(spec) else spec.rpartition("@")[0] or spec


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
                raise UserError("standard input is a terminal", hint="pipe a spec into it, or name a file")
            try:
                data = sys.stdin.buffer.read(MOST_BYTES + 1)
            except OSError as error:
                raise UserError(f"standard input cannot be read: {error.strerror or error}") from None
            return File("<stdin>", self._limit(data, "<stdin>"), "")
        if spec and self.exists(spec):
            return File(spec, self.load(spec), dirname(spec))
        known = _catalogue("networks", "lessons", "blocks")
        if spec in known:
            return File(f"{spec}.yaml", self.load(known[spec]), None)
        if "/" in spec or spec.endswith(SUFFIXES):
            raise UserError(f"no file {quoted(spec)}")
        hint = _near(spec, known, "'convcalc list' names them")
        raise UserError(f"no file and no catalogue network {quoted(spec)}", hint=hint)

    def include(self, target: str, origin: File, top: File) -> File:
        """The file an `include:` names: a path beside the including file, or a catalogue block. Raises UserError."""
        if not target.endswith(SUFFIXES):
            known = _catalogue("blocks")
            if target in known:
                return File(f"{target}.yaml", self.load(known[target]), None)
            raise UserError(f"no catalogue block {quoted(target)}", hint=_near(target, known, "a file ends in .yaml"))
        if origin.folder is None:
            raise UserError("a catalogue block includes by name only")
        path = normpath(join(origin.folder, target))
        root, resolved = realpath(self.root or top.folder or "."), realpath(path)
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
        try:
            mode = os.stat(path).st_mode
            if S_ISDIR(mode):
                raise UserError(f"{quoted(name)} is a folder", hint="name the file, for example net.yaml")
            if not S_ISREG(mode):
                raise UserError(f"{quoted(name)} is not a regular file", hint="use - to read standard input")
            with open(path, "rb") as stream:
                return self._limit(stream.read(MOST_BYTES + 1), name)
        except OSError as error:
            raise UserError(f"{quoted(name)} cannot be read: {error.strerror or error}") from None

    def _limit(self, data: bytes, name: str) -> bytes:
        if len(data) > MOST_BYTES:
            hint = "use repeat: for what repeats"
            raise UserError(f"{quoted(name)} is larger than {MOST_BYTES // 2**20} MiB", hint=hint)
        return data
