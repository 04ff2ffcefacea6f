"""What the networks of the catalogue cost: counted once, then read from the user's cache folder.

A cache is of no use once anything that a figure depends on differs, so it carries a hash of all of it: the specs of the
catalogue and the source files of this package. It contains whole numbers alone. A word, such as a variant's name, is
given by where it begins and ends in the text of its spec: whatever is in the file, no text of it is ever shown.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from os.path import abspath, dirname, join
from typing import Any, NamedTuple

from convcalc import __version__
from convcalc.cache import read_cache, write_cache
from convcalc.catalogue import catalogue_folder, catalogue_paths
from convcalc.digest import new_digest
from convcalc.numerals import whole_number

NAME = "catalogue.json"
_NUMBERS = 7  # of a row, before the sizes of its inputs
_LARGEST = 2**63


class Network(NamedTuple):
    """A network or a variant of one. The fields are named as the columns of `list` are."""

    name: str
    params: int
    macs: int
    depth: int
    input: str
    source: str


def networks_of(names: Iterable[str]) -> list[Network]:
    """The networks with these names and their variants: from the cache, or counted, and then added to it.

    >>> [row[:4] for row in networks_of(["resnet8"])]
    [('resnet8', 78186, 12501632, 8)]
    """
    paths = catalogue_paths()
    key = catalogue_hash()
    cached = _read(key)
    rows: list[Network] = []
    new: dict[str, Any] = {}
    for name in names:
        text = _text(paths[name])
        kept = _unpacked(name, text, cached.get(name))
        if kept is None:
            kept = count_variants(name)
            if (packed := _packed(text, kept)) is not None:
                new[name] = packed
        rows += kept
    if new and catalogue_hash() == key:  # nothing was edited in the meantime
        write_cache(NAME, json.dumps([key, {**cached, **new}], separators=(",", ":")).encode())
    return rows


def count_variants(name: str) -> list[Network]:
    """A row for a spec and each of its variants; none for the spec itself where a variant changes nothing of it."""
    from convcalc.analysis.count import count
    from convcalc.kinds import shape_text
    from convcalc.language.builder import build
    from convcalc.language.document_loader import load
    from convcalc.language.overrides import Overrides
    from convcalc.language.sources import CatalogueFiles

    document = load(name, CatalogueFiles())
    rows = []
    is_named = any(set(given) <= {"expect"} for given in document.variants.values())
    for variant in (*(() if is_named else ("",)), *document.variants):
        graph = build(document, Overrides(variant=variant))
        counted = count(graph)
        inputs = " and ".join(map(shape_text, graph.inputs.values()))
        full = f"{name}@{variant}" if variant else name
        source = " ".join(graph.provenance.source.split())
        rows.append(Network(full, counted.figure("params"), counted.figure("macs"), counted.depth, inputs, source))
    return rows


def catalogue_hash() -> str:
    """A hash of the names and contents of all that the figures depend on; of the files themselves, not of their dates.

    Some 430 small files, 2 MB: about 10 ms.
    """
    package = dirname(dirname(abspath(__file__)))
    files = {
        join(path, file)
        for folder in (package, catalogue_folder())  # the catalogue of an installed package is inside it
        for path, _, names in os.walk(folder)
        for file in names
        if file.endswith((".py", ".yaml"))
    }
    digest = new_digest("blake2b", __version__.encode(), digest_size=32)
    for path in sorted(files):
        try:
            with open(path, "rb", buffering=0) as stream:
                data = stream.read()
        except OSError:  # a link to nothing, such as an editor's lock
            data = b""
        digest.update(f"{path[len(dirname(package)) :]}\0{len(data)}\0".encode(errors="surrogateescape"))
        digest.update(data)
    return str(digest.hexdigest())


def _text(path: str) -> str:
    """A spec as one line with single spaces, in which the words of its rows are found."""
    with open(path, encoding="utf-8") as stream:
        return " ".join(stream.read().split())


def _read(key: str) -> dict[str, Any]:
    """What the cache has for each name, still to be checked; nothing where its key differs."""
    try:
        found, rows = json.loads(read_cache(NAME))
    except (ValueError, TypeError, RecursionError):
        return {}
    return rows if found == key and isinstance(rows, dict) else {}


def _packed(text: str, rows: Sequence[Network]) -> list[Any] | None:
    """Rows as whole numbers; None where one of their words is not in the text of the spec."""
    packed: list[Any] = []
    for row in rows:
        words = (row.name.partition("@")[2], row.source)
        if any(word not in text for word in words):
            return None
        starts = [text.index(word) for word in words]
        places = [number for start, word in zip(starts, words, strict=True) for number in (start, start + len(word))]
        shapes = [shape.split("x") for shape in row.input.split(" and ")]
        if not all(size.isdecimal() for shape in shapes for size in shape):
            return None
        packed.append([row.params, row.macs, row.depth, *places, [list(map(whole_number, shape)) for shape in shapes]])
    return packed


def _unpacked(name: str, text: str, packed: Any) -> list[Network] | None:
    """The rows of a network in the cache; None where it has none, or anything but what `_packed` makes."""
    if not isinstance(packed, list) or not packed:
        return None
    rows = []
    for row in packed:
        if not isinstance(row, list) or len(row) != _NUMBERS + 1 or not _are_numbers(row[:_NUMBERS]):
            return None
        params, macs, depth, *places, shapes = row
        if not isinstance(shapes, list) or not all(isinstance(shape, list) and _are_numbers(shape) for shape in shapes):
            return None
        variant, source = text[places[0] : places[1]], text[places[2] : places[3]]
        inputs = " and ".join("x".join(map(str, shape)) for shape in shapes)
        rows.append(Network(f"{name}@{variant}" if variant else name, params, macs, depth, inputs, source))
    return rows


def _are_numbers(values: Sequence[Any]) -> bool:
    return bool(values) and all(type(value) is int and 0 <= value < _LARGEST for value in values)
