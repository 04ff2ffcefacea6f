"""What the formats of findings share: paths as their readers know them, and marks that tell findings apart."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from os.path import lexists
from pathlib import Path

from convcalc.language.sources import repository
from convcalc.report import Finding


def path(file: str) -> str:
    """A file's path from the root of the repository one stands in, with /; as it is for what is no file there."""
    root = repository(".")
    here = Path.cwd() / file
    found = Path(file)
    if root and lexists(here) and here.resolve().is_relative_to(Path(root).resolve()):
        found = here.resolve().relative_to(Path(root).resolve())
    return found.as_posix().encode("utf-8", "backslashreplace").decode()


def fingerprints(findings: Sequence[Finding]) -> list[str]:
    """A mark for each finding that stays when its location or its figures change, and that no other has.

    >>> first, second = fingerprints([Finding("error", "params", text, "net.yaml") for text in "ab"])
    >>> first == fingerprints([Finding("warn", "params", "c", "net.yaml", 7)])[0], first == second
    (True, False)
    """
    seen: dict[str, int] = {}
    found = []
    for one in findings:
        key = f"{one.rule}\0{path(one.spec or one.file)}\0{one.scope}"
        seen[key] = seen.get(key, 0) + 1
        found.append(sha256(f"{key}\0{seen[key]}".encode("utf-8", "backslashreplace")).hexdigest())
    return found
