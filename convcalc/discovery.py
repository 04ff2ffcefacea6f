"""The modules in a folder of the package: commands, exporters, formats and kinds are found by their files."""

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
    public = [name for name in sorted(listdir(path)) if name[0] not in "._"]
    return [
        name.removesuffix(".py")
        for name in public
        if name.endswith(".py") or (entry and isfile(f"{path}/{name}/{entry}"))
    ]
