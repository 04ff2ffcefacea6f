"""Where specs come from: a path, standard input, the catalogue, an include. Nothing outside the spec's root is read."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from stat import S_ISREG
from typing import NamedTuple

from convcalc.errors import Misfit, nearest, printable, quoted
from convcalc.spec import MOST_BYTES

SUFFIXES = (".yaml", ".yml")


class File(NamedTuple):
    """The name to show in messages, the bytes, and the folder that includes start from (None for the catalogue)."""

    name: str
    data: bytes
    folder: Path | None


def catalogue() -> Path:
    """The folder of the catalogue: inside the installed package, or beside it in a checkout."""
    package = Path(__file__).parent
    inside = package / "layers"
    return inside if inside.is_dir() else package.parent / "layers"


def catalogue_files() -> dict[str, Path]:
    """Every spec of the catalogue by name; networks come before lessons and blocks."""
    found: dict[str, Path] = {}
    for folder in ("networks", "lessons", "blocks"):
        for path in sorted((catalogue() / folder).glob("*.yaml")):
            found.setdefault(path.stem, path)
    return found


def _near(name: str, known: Iterable[str], otherwise: str) -> str:
    near = nearest(name, known)
    return f"did you mean '{near}'?" if near else otherwise


class Files:
    """Reads specs for one command. `root` is the folder that includes may not leave: the spec's own by default."""

    def __init__(self, root: Path | None = None) -> None:
        self.root = root

    def open(self, spec: str) -> File:
        """The spec a user named: a path, `-` for standard input, or a name of the catalogue. Raises Misfit."""
        if spec == "-":
            if sys.stdin is None or sys.stdin.isatty():
                raise Misfit("standard input is a terminal", hint="pipe a spec into it, or name a file")
            try:
                data = sys.stdin.buffer.read(MOST_BYTES + 1)
            except OSError as error:
                raise Misfit(f"standard input cannot be read: {error.strerror or error}") from None
            return File("<stdin>", self._limit(data, "<stdin>"), Path.cwd())
        path = Path(spec)
        if spec and self.exists(path):
            return File(spec, self.load(path), path.parent)
        known = catalogue_files()
        if spec in known:
            return File(known[spec].name, known[spec].read_bytes(), None)
        if "/" in spec or spec.endswith(SUFFIXES):
            raise Misfit(f"no file {quoted(spec)}")
        raise Misfit(
            f"no file and no catalogue network {quoted(spec)}", hint=_near(spec, known, "'convcalc list' names them")
        )

    def include(self, target: str, origin: File, top: File) -> File:
        """The file an `include:` names: a path beside the including file, or a catalogue block. Raises Misfit."""
        if not target.endswith(SUFFIXES):
            known = {name: path for name, path in catalogue_files().items() if path.parent.name == "blocks"}
            if target in known:
                return File(known[target].name, known[target].read_bytes(), None)
            raise Misfit(f"no catalogue block {quoted(target)}", hint=_near(target, known, "a file ends in .yaml"))
        if origin.folder is None:
            raise Misfit("a catalogue block includes by name only")
        root = (self.root or top.folder or Path.cwd()).resolve()
        path = origin.folder / target
        try:
            resolved = path.resolve()
        except (OSError, ValueError, RuntimeError):
            raise Misfit(f"{quoted(target)} cannot be read") from None
        if not resolved.is_relative_to(root):
            where = "the folder of the spec" if self.root is None else quoted(self.root)
            raise Misfit(f"{quoted(target)} is outside {where}", hint="name a wider folder with --root")
        if not self.exists(path):
            raise Misfit(f"no file {quoted(target)}", hint=f"looked for {printable(str(path))}")
        return File(str(path), self.load(path), path.parent)

    def exists(self, path: Path) -> bool:
        try:
            return path.exists()
        except (OSError, ValueError):
            return False

    def load(self, path: Path) -> bytes:
        """The bytes of a regular file of at most MOST_BYTES. Raises Misfit."""
        try:
            if path.is_dir():
                raise Misfit(f"{quoted(path)} is a folder", hint="name the file, for example net.yaml")
            if not S_ISREG(path.stat().st_mode):
                raise Misfit(f"{quoted(path)} is not a regular file", hint="use - to read standard input")
            with path.open("rb") as stream:
                return self._limit(stream.read(MOST_BYTES + 1), str(path))
        except OSError as error:
            raise Misfit(f"{quoted(path)} cannot be read: {error.strerror or error}") from None

    def _limit(self, data: bytes, name: str) -> bytes:
        if len(data) > MOST_BYTES:
            raise Misfit(
                f"{quoted(name)} is larger than {MOST_BYTES // 2**20} MiB", hint="use repeat: for what repeats"
            )
        return data
