"""Specs as they were at a git revision, with their includes from that revision; nothing is checked out."""

from __future__ import annotations

import subprocess
from os.path import basename, dirname, isdir

from convcalc.catalogue import catalogue_folder
from convcalc.errors import UserError, printable, quoted
from convcalc.language.sources import Files


def _git(folder: str, *words: str) -> subprocess.CompletedProcess[bytes]:
    try:
        return subprocess.run(["git", *words], cwd=folder or ".", capture_output=True, check=False)
    except FileNotFoundError:
        raise UserError("--base needs git, which is not installed") from None


class Revision(Files):
    """Reads specs from a revision. `merge_base`: from where the present branch left it, so that only its own changes
    count. Raises UserError where there is no such revision.
    """

    def __init__(self, revision: str, spec: str, root: str | None = None, merge_base: bool = True) -> None:
        super().__init__(root)
        folder = dirname(spec)
        found = _git(folder, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
        if found.returncode:
            remote, _, branch = revision.rpartition("/")
            fetch = f"git fetch --depth=1 {remote or 'origin'} {branch}"
            raise UserError(f"base {quoted(revision)} is not in this repository", hint=f"run: {printable(fetch)}")
        self.commit = found.stdout.decode().strip()
        if merge_base:
            common = _git(folder, "merge-base", self.commit, "HEAD")
            self.commit = common.stdout.decode().strip() if not common.returncode else self.commit
        self.name = revision

    def exists(self, path: str) -> bool:
        folder = dirname(path)
        if folder and not isdir(folder):
            return False
        return _git(folder, "cat-file", "-e", f"{self.commit}:./{basename(path)}").returncode == 0

    def load(self, path: str, name: str = "") -> bytes:
        if path.startswith(catalogue_folder()) and not self.exists(path):
            return super().load(path, name)
        found = _git(dirname(path), "show", f"{self.commit}:./{basename(path)}")
        if found.returncode:
            raise UserError(f"{quoted(name or path)} cannot be read at {quoted(self.name)}")
        return self._limit(found.stdout, name or path)
