"""What stands in a folder of the package: commands, formats and kinds are found by their files."""

from __future__ import annotations

from os import listdir
from os.path import dirname


def modules(file: str, folder: str = "") -> list[str]:
    """The names of the public modules in the folder of `file`, or in a folder beside it.

    `pkgutil` would do, but its import takes longer than to look.

    >>> "discovery" in modules(__file__), "params" in modules(__file__, "commands")
    (True, True)
    """
    names = sorted(listdir(f"{dirname(file)}/{folder}"))
    return [name[:-3] for name in names if name.endswith(".py") and name[0] != "_"]
