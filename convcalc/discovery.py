"""The modules in a folder: commands, exporters, formats, importers, kinds and rewrites are found by their files."""

from __future__ import annotations

from os import listdir
from os.path import dirname, isfile


def modules(file: str, folder: str = "", entry: str = "") -> list[str]:
    """List the public modules in the folder of `file`, or in `folder` from there.

    With `entry`, packages that hold a file of that name count as modules too.

    `pkgutil` would do, but its import takes longer than the look at the folder.

    >>> "discovery" in modules(__file__), "params" in modules(__file__, "commands")
    (True, True)
    >>> "torch" in modules(__file__, "exporters"), "torch" in modules(__file__, "exporters", "writer.py")
    (False, True)
    """
    path = f"{dirname(file)}/{folder}"
    files = [name[:-3] for name in listdir(path) if name.endswith(".py") and name[0] != "_"]
    return sorted([*files, *(packages(file, folder, entry) if entry else ())])


def packages(file: str, folder: str, entry: str) -> list[str]:
    """List the packages in a folder beside `file` that hold a file named `entry`.

    >>> packages(__file__, "importers", "importer.py")
    ['onnx']
    """
    path = f"{dirname(file)}/{folder}"
    return [name for name in sorted(listdir(path)) if isfile(f"{path}/{name}/{entry}")]
