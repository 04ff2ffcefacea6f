"""Specs as they were at a git revision, with their includes from that revision; nothing is checked out."""

from __future__ import annotations

import os
from os.path import basename, dirname, join, realpath, relpath

from convcalc.catalogue import catalogue_folder
from convcalc.errors import UserError, quoted
from convcalc.language.git import Entry, find
from convcalc.language.sources import Files
from convcalc.syntax.encoding import MOST_BYTES


class Revision(Files):
    """Reads specs from a revision. `merge_base`: from where the present branch left it, so that only its own changes
    count. Raises UserError where there is no such revision.
    """

    def __init__(self, revision: str, spec: str, root: str | None = None, merge_base: bool = True) -> None:
        super().__init__(root)
        repository = find(dirname(spec))
        if repository is None:
            raise UserError(f"--base: {quoted(spec)} is in no git repository")
        commit = repository.commit(revision)
        if commit is None:
            hint = repository.advice(revision)
            raise UserError(f"base {quoted(revision)} is not in this repository", hint=hint)
        self.repository = repository
        self.commit = (repository.merge_base(commit, "HEAD") if merge_base else None) or commit
        self.name = revision

    def exists(self, path: str) -> bool:
        return self._entry(path) is not None

    def path_before(self, path: str) -> str | None:
        """The path of a file before it was moved, where the revision has that; None where it is new."""
        place = self._place(path)
        before = None if place is None else self.repository.path_before(self.commit, place)
        return None if before is None else relpath(join(self.repository.root, before))

    def load(self, path: str, name: str = "") -> bytes:
        entry = self._entry(path)
        if entry is None and path.startswith(catalogue_folder()):
            return super().load(path, name)
        shown = quoted(name or path)
        if entry is None or not entry.mode.startswith("100"):
            what = "is a link" if entry is not None and entry.mode == "120000" else "cannot be read"
            raise UserError(f"{shown} {what} at {quoted(self.name)}")
        try:
            data = self.repository.blob(entry.object_id, MOST_BYTES)
        except UserError as error:
            raise UserError(f"{shown} cannot be read at {quoted(self.name)}", hint=error.hint) from None
        if data is None:
            raise UserError(f"{shown} is larger than {MOST_BYTES // 2**20} MiB at {quoted(self.name)}")
        return data

    def _entry(self, path: str) -> Entry | None:
        """What the commit holds under a path."""
        place = self._place(path)
        return None if place is None else self.repository.entry(self.commit, place)

    def _place(self, path: str) -> str | None:
        """A path from the root, None outside. The folder's links are resolved as they are now, a link itself is not."""
        place = relpath(join(realpath(dirname(path)), basename(path)), self.repository.root)
        return None if place.startswith("..") else place.replace(os.sep, "/")
