"""The networks, lessons and blocks that come with convcalc, and the families among their names.

Paths are texts here: importing pathlib takes a tenth of the time that counting a network does.
"""

from __future__ import annotations

import os
from os.path import abspath, dirname, isdir, join
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def catalogue_folder() -> str:
    """The folder of the catalogue: inside the installed package, or beside it in a checkout."""
    package = dirname(abspath(__file__))
    inside = join(package, "layers")
    return inside if isdir(inside) else join(dirname(package), "layers")


def catalogue_paths(*folders: str) -> dict[str, str]:
    """The paths of the specs in folders of the catalogue by name, in all of them where none is named.

    Networks come before lessons and blocks.
    """
    found: dict[str, str] = {}
    for folder in (join(catalogue_folder(), name) for name in folders or ("networks", "lessons", "blocks")):
        for file in sorted(os.listdir(folder)) if isdir(folder) else ():
            if file.endswith(".yaml"):
                found.setdefault(file.removesuffix(".yaml"), join(folder, file))
    return found


def catalogue_files() -> dict[str, Path]:
    """Every spec of the catalogue by name."""
    from pathlib import Path

    return {name: Path(path) for name, path in catalogue_paths().items()}


def family(name: str) -> tuple[str, str]:
    """The network of the catalogue and its variant that are written together as one name; any other, and no variant.

    >>> family("resnet18"), family("efficientnet_b0"), family("nosuch")
    (('resnet', '18'), ('efficientnet', 'b0'), ('nosuch', ''))
    """
    stems = [stem for stem in catalogue_paths("networks") if name.startswith(stem)]
    stem = max(stems, key=len, default=name)
    return (stem, name[len(stem) :].removeprefix("_")) if stem != name.rstrip("_") else (name, "")


def network_and_variant(name: str) -> tuple[str, str]:
    """The network and the variant of NAME@VARIANT, or of a name of a family.

    >>> network_and_variant("resnet@18"), network_and_variant("resnet18")
    (('resnet', '18'), ('resnet', '18'))
    """
    network, _, variant = name.partition("@")
    return (network, variant) if network in catalogue_paths() else family(name)
