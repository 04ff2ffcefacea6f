"""The specs that a configuration or a command line names: by file, folder, pattern, or name of the catalogue.

A configuration and all that a pattern or a folder finds may be a stranger's. Nothing of it is Python code, standard
input or a file outside the repository, links resolved; a pattern that leads out is an error before anything there is
looked at, and a look through folders ends after a number of entries. A word of a command line may be anywhere.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from itertools import takewhile
from os.path import abspath, basename, isdir, join, lexists, normpath, realpath, relpath
from stat import S_ISREG
from typing import NamedTuple

from convcalc.catalogue import catalogue_paths, network_and_variant
from convcalc.errors import Problem, SpecError, UserError, quoted
from convcalc.language.sources import SUFFIXES, Files, repository
from convcalc.loader import CatalogueName, SpecName
from convcalc.syntax.node import Node
from convcalc.syntax.yaml import scan

MOST_ENTRIES = 200_000  # of folders that the patterns of one configuration look through
_MAGIC = re.compile(r"[*?[]")
_HINT = "settings list files of the repository"
MOST_DEEP = 100  # folders inside each other
ALL_FOLDERS = "**"
SETTINGS = ("convcalc.yaml",)  # never a network
_KEYS = frozenset({"layers", "input", "budget", "expect"})  # of a network; a file of blocks has none of them


def list_specs(nodes: list[Node], folder: str) -> list[SpecName]:
    """The specs of a configuration in `folder`, sorted. Raises SpecError for every entry that is none."""
    inside = _Inside(folder)
    specs: dict[str, SpecName] = {}
    problems: list[Problem] = []
    for node in nodes:
        try:
            for name in _names(str(node.value), inside):
                specs[name.text] = name
        except UserError as error:
            problems.append(node.problem(error.message, hint=error.hint))
    if problems:
        raise SpecError(problems)
    return [specs[text] for text in sorted(specs)]


def list_files(nodes: Sequence[Node], folder: str) -> list[str]:
    """The files that a configuration in `folder` names. Raises SpecError for every entry that is none inside."""
    inside, problems = _Inside(folder), []
    for node in nodes:
        try:
            if not inside.is_file(str(node.value)):
                raise UserError(f"no file {quoted(node.value)}", hint="settings name it from their own folder")
        except UserError as error:
            problems.append(node.problem(error.message, hint=error.hint))
    if problems:
        raise SpecError(problems)
    return [inside.shown(str(node.value)) for node in nodes]


def _names(pattern: str, inside: _Inside) -> list[SpecName]:
    """The specs that an entry names: those that a pattern fits, FILE or FILE@VARIANT, a network of the catalogue."""
    path, at, variant = pattern.rpartition("@")
    if _MAGIC.search(pattern) is None:
        if inside.is_file(pattern):
            return [SpecName.file(inside.shown(pattern))]
        if at and inside.is_file(path):
            return [SpecName.file(inside.shown(path), variant)]
        network, variant = network_and_variant(pattern)
        if network in catalogue_paths():
            return [CatalogueName.of(pattern, network, variant)]
        raise UserError(f"{quoted(pattern)} matches no file")
    paths = list(inside.matches(pattern))
    if not paths:
        raise UserError(f"{quoted(pattern)} matches no file")
    return [SpecName.file(path) for path in paths]


class Selection(NamedTuple):
    """The networks to check. Those that were `found`, by their texts, need no limits; `others` hold no network.

    `unlisted` are networks that the configuration does not list, `problems` those of the words that name nothing.
    """

    names: list[SpecName]
    found: frozenset[str] = frozenset()
    others: Sequence[str] = ()
    unlisted: Sequence[str] = ()
    problems: Mapping[str, Problem] = {}


def select_specs(words: Sequence[str]) -> Selection:
    """Return what words of a command line name: a SPEC, all networks below a folder, files that a pattern fits."""
    names: dict[str, SpecName] = {}
    found: set[str] = set()
    others: dict[str, None] = {}
    problems: dict[str, Problem] = {}
    for word in words:
        try:
            if word != "-" and isdir(word):
                networks, rest = _networks_below(word)
                names.update((name.text, name) for name in networks)
                found.update(name.text for name in networks)
                others.update(dict.fromkeys(rest))
            else:
                names.update((name.text, name) for name in _named(word))
        except UserError as error:
            problems[word] = Problem(error.message, hint=error.hint)
    return Selection([*names.values()], frozenset(found), [*others], (), problems)


def select_changed(paths: Sequence[str], listed: Sequence[SpecName]) -> Selection:
    """Return what a hook checks: the `listed` networks, and where none are, those among the changed files."""
    paths = [relpath(path) for path in paths if basename(path) not in (*SETTINGS, "pyproject.toml")]
    networks = [path for path in paths if not path.endswith(SUFFIXES) or may_be_network(path)]
    if listed:
        known = {name.path for name in listed}
        return Selection([*listed], unlisted=[path for path in networks if path not in known])
    others = [path for path in paths if path not in networks]
    return Selection([SpecName.file(path) for path in networks], frozenset(networks), others)


def _named(word: str) -> list[SpecName]:
    """The SPEC that a word is, or the files that it fits as a pattern where no file is called like it."""
    name = SpecName.parse(word)
    if name.exists or name.reader or lexists(word) or _MAGIC.search(word) is None:
        return [name]
    parts = word.split("/")
    at = next(at for at, part in enumerate(parts) if _MAGIC.search(part))
    folder = "/".join(parts[:at]) or ("/" if word.startswith("/") else ".")
    paths = sorted(_Inside(folder).matches("/".join(parts[at:])))
    if not paths:
        raise UserError(f"{quoted(word)} matches no file")
    return [SpecName.file(path) for path in paths]


def _networks_below(folder: str) -> tuple[list[SpecName], list[str]]:
    """The networks in a folder and in those below, and the other YAML files there."""
    inside = _Inside(folder)
    paths = sorted(path for suffix in SUFFIXES for path in inside.matches(f"**/*{suffix}"))
    networks = [path for path in paths if may_be_network(path)]
    if not networks:
        raise UserError(f"{quoted(folder)} holds no network", hint="a network is a .yaml file with layers")
    return [SpecName.file(path) for path in networks], [path for path in paths if path not in networks]


def may_be_network(path: str) -> bool:
    """Whether a file of YAML may be meant as a network; so may one that cannot be read."""
    try:
        node, _ = scan(Files().load(path), path)
    except (SpecError, UserError):
        return True
    return isinstance(node.value, dict) and not _KEYS.isdisjoint(node.value)


class _Inside:
    """The regular files below one root: the repository that a folder is in, the folder itself outside of any."""

    def __init__(self, folder: str) -> None:
        self.folder = abspath(folder or ".")
        self.root = realpath(repository(self.folder) or self.folder)
        self.entries = 0

    def shown(self, path: str) -> str:
        """A path of the configuration as seen from the working folder."""
        return relpath(join(self.folder, path))

    def is_file(self, pattern: str) -> bool:
        """Whether there is a regular file. Raises UserError for a path outside, and for anything else that is there."""
        path = self._below(pattern)
        if not lexists(path):
            return False
        self._require(path, pattern)
        return True

    def matches(self, pattern: str) -> Iterator[str]:
        """The regular files that a pattern fits, as seen from the working folder. Raises UserError."""
        parts = relpath(self._below(pattern), self.root).split(os.sep)
        own = relpath(realpath(self.folder), self.root).split(os.sep)
        # the folder's own name is no pattern, whatever signs it has
        fixed = [part for part, _ in takewhile(lambda pair: pair[0] == pair[1], zip(parts[:-1], own, strict=False))]
        start = join(self.root, *fixed)
        for path in dict.fromkeys(self._walk(start, parts[len(fixed) :]) if isdir(start) else ()):
            if basename(path) not in SETTINGS:
                self._require(path, relpath(path, self.root))
                yield relpath(path)

    def _below(self, pattern: str) -> str:
        """A path or pattern from the root on. Raises UserError where it leads out by its text alone."""
        path = normpath(join(realpath(self.folder), pattern))
        if "\0" in pattern or not f"{path}/".startswith(join(self.root, "")):
            raise UserError(f"{quoted(pattern)} is outside the repository", hint=_HINT)
        return path

    def _require(self, path: str, name: str) -> None:
        """Raise UserError unless there is a regular file inside, links resolved."""
        self._require_inside(path, name)
        try:
            mode = os.stat(path).st_mode
        except OSError:
            raise UserError(f"{quoted(name)} is a link that leads nowhere") from None
        if not S_ISREG(mode):
            what = "a folder" if isdir(path) else "no regular file"
            raise UserError(f"{quoted(name)} is {what}", hint="settings list files: nets/*.yaml")

    def _require_inside(self, path: str, name: str) -> None:
        if not f"{realpath(path)}/".startswith(join(self.root, "")):
            raise UserError(f"{quoted(name)} leads outside the repository", hint=_HINT)

    def _walk(self, folder: str, parts: list[str]) -> Iterator[str]:
        """The paths below a folder that the parts of a pattern fit; folders only where more parts follow.

        As in a shell, a name that begins with a dot is fitted by a part that begins with one. `**` fits any number of
        folders, and follows no link.
        """
        head, rest = parts[0], parts[1:]
        if not _MAGIC.search(head):
            path = join(folder, head)
            if rest and isdir(path):
                self._require_inside(path, relpath(path, self.root))
                yield from self._walk(path, rest)
            elif not rest and lexists(path) and not isdir(path):
                yield path
            return
        if head == ALL_FOLDERS:
            while rest and rest[0] == ALL_FOLDERS:
                rest = rest[1:]
            yield from self._walk(folder, rest or ["*"])
        for entry in self._entries_of(folder):
            if entry.name.startswith(".") and not head.startswith("."):
                continue
            if head == ALL_FOLDERS:
                if entry.is_dir():
                    self._require_inside(entry.path, relpath(entry.path, self.root))
                    if not entry.is_symlink():
                        yield from self._walk(entry.path, [ALL_FOLDERS, *rest])
            elif fnmatchcase(entry.name, head):
                yield from self._walk_into(entry, rest)

    def _walk_into(self, entry: os.DirEntry[str], rest: list[str]) -> Iterator[str]:
        if not entry.is_dir():
            if not rest:
                yield entry.path
        elif rest or entry.is_symlink():
            self._require_inside(entry.path, relpath(entry.path, self.root))
            if rest:
                yield from self._walk(entry.path, rest)

    def _entries_of(self, folder: str) -> list[os.DirEntry[str]]:
        found = []
        if folder.count(os.sep) - self.root.count(os.sep) > MOST_DEEP:
            raise UserError(f"the patterns look through folders nested deeper than {MOST_DEEP}")
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    self.entries += 1
                    if self.entries > MOST_ENTRIES:
                        what = f"the patterns look through more than {MOST_ENTRIES:,} files"
                        raise UserError(what, hint="name the folder: nets/*.yaml")
                    found.append(entry)
        except OSError as error:
            raise UserError(f"{quoted(relpath(folder, self.root))} cannot be read: {error.strerror or error}") from None
        return found
