"""What a folder of the package holds: commands, formats, kinds, importers and rewrites are found by their files."""

from __future__ import annotations

from os import listdir
from os.path import dirname, isfile


def modules(file: str, folder: str = "") -> list[str]:
    """The names of the public modules in the folder of `file`, or in a folder beside it.

    `pkgutil` would do, but its import takes longer than to look.

    >>> "discovery" in modules(__file__), "params" in modules(__file__, "commands")
    (True, True)
    """
    names = sorted(listdir(f"{dirname(file)}/{folder}"))
    return [name[:-3] for name in names if name.endswith(".py") and name[0] != "_"]


def packages(file: str, folder: str, module: str) -> list[str]:
    """The names of the packages in a folder beside `file` that have a module of this name.

    >>> packages(__file__, "importers", "importer")
    ['onnx']
    """
    path = f"{dirname(file)}/{folder}"
    return [name for name in sorted(listdir(path)) if isfile(f"{path}/{name}/{module}.py")]
