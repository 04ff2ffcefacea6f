"""The only place that runs git: on the repository that a working tree belongs to, and on no other.

Git runs programs that a repository's configuration names, and takes any folder with the right files in it for a
repository; tracked files are enough for that. So the repository is found here, by its `.git`, which cannot be a tracked
file, git is told where it is, and nothing that its configuration names is run.
"""

from __future__ import annotations

import os
import re
import subprocess
from os.path import isabs, isdir, isfile, join, realpath
from typing import NamedTuple

from convcalc.errors import UserError, printable, quoted
from convcalc.language.sources import file_name

SECONDS = 60
MOST_NAME = 1_000
NOTHING, NETWORK = "none", "https:http:file"  # transports: without ssh, ext and the rest, which run programs
_ENVIRONMENT = ("PATH", "SYSTEMROOT", "TMPDIR", "TEMP", "TMP")
_FOR_NETWORK = (
    "HOME",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "http_proxy",
    "https_proxy",
    "HTTPS_PROXY",
    "no_proxy",
    "NO_PROXY",
)
# keys of a repository's configuration that name a program, and those that start further processes
_CONFIGURATION = (
    "safe.bareRepository=explicit",
    "core.fsmonitor=false",
    f"core.hooksPath={os.devnull}",
    f"core.attributesFile={os.devnull}",
    "core.alternateRefsCommand=true",
    "core.sshCommand=false",
    "credential.helper=",  # clears the list
    "gpg.program=false",
    "log.showSignature=false",
    "gc.auto=0",
    "maintenance.auto=false",
)
_FIXED = {
    "GIT_ASKPASS": "",  # set, so that core.askPass does not count
    "GIT_ATTR_NOSYSTEM": "1",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_PAGER": "cat",
    "GIT_SSH_COMMAND": "false",
    "GIT_TERMINAL_PROMPT": "0",
    "LC_ALL": "C",
}
_ALONE = {"GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull}
_ID = re.compile(rb"[0-9a-f]{40}|[0-9a-f]{64}")
_PLAIN = re.compile(r"[A-Za-z0-9_][\w./-]*", re.ASCII)


class Entry(NamedTuple):
    """What a commit holds under a path: the mode (100644, 120000 for a link, 040000 for a folder) and the object."""

    mode: str
    object_id: str


class Result(NamedTuple):
    """How a git command ended."""

    code: int
    output: bytes
    message: str


class Repository(NamedTuple):
    """A repository: the root of its working tree and its git directory, links resolved."""

    root: str
    git_dir: str

    def run(self, *words: str, transports: str = NOTHING, seconds: float = SECONDS) -> Result:
        """Run a git command. `transports`: how it may reach other repositories. Raises UserError."""
        has_network = transports != NOTHING
        variables = environment(*(_FOR_NETWORK if has_network else ()), outside=self.root)
        variables |= _FIXED | ({} if has_network else _ALONE)
        variables |= {"GIT_DIR": self.git_dir, "GIT_WORK_TREE": self.root, "GIT_ALLOW_PROTOCOL": transports}
        configuration = [word for setting in _CONFIGURATION for word in ("-c", setting)]
        process = subprocess.Popen(
            [_program(variables["PATH"]), "--no-pager", *configuration, *words],
            cwd=self.root,
            env=variables,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,  # a process group, so that a time limit ends what git started too
        )
        try:
            output, message = process.communicate(timeout=seconds)
        except BaseException as error:
            _kill(process)
            if isinstance(error, subprocess.TimeoutExpired):
                raise UserError(f"git {words[0]} takes longer than {seconds:g} seconds") from None
            raise
        return Result(process.returncode, output, message.decode("utf-8", "replace").strip())

    def commit(self, revision: str) -> str | None:
        """The id of the commit that a revision names; None where there is none. Raises UserError."""
        if len(revision) > MOST_NAME or not revision.isprintable():
            return None
        found = self.run("rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
        name = found.output.strip()
        if found.code == 0:
            return name.decode() if _ID.fullmatch(name) else None  # ^REV is a revision too, but no commit
        if found.code == 128 and found.message and not self.is_partial():
            raise UserError(f"git cannot read this repository: {printable(found.message.splitlines()[0])}")
        return None

    def merge_base(self, commit: str, other: str) -> str | None:
        """The commit where two branches parted; None where the history that is here does not show it."""
        found = self.run("merge-base", "--end-of-options", commit, other)
        return found.output.split()[0].decode() if found.code == 0 and found.output.strip() else None

    def entry(self, commit: str, path: str) -> Entry | None:
        """What a commit holds under a path from the root. Raises UserError where that cannot be known."""
        if len(path) > MOST_NAME * 4 or "\0" in path:
            return None
        found = self.run("--literal-pathspecs", "ls-tree", "-z", "--full-tree", commit, "--", path)
        if found.code:
            raise UserError(f"the files of {commit[:10]} cannot be read", hint=self._missing(commit))
        if not found.output:
            return None
        mode, _, object_id = found.output.partition(b"\t")[0].decode().split()
        return Entry(mode, object_id)

    def path_before(self, commit: str, path: str) -> str | None:
        """The path at a commit of a file that was moved since, as git tells by its content; None where it was not.

        Compares with what is staged: to read the working tree, git would run the filters of its configuration.
        """
        words = ["--cached", "-z", "-M", "--name-status", "--diff-filter=R", "--no-ext-diff", "--no-textconv"]
        found = self.run("diff-index", *words, "--ignore-submodules=all", commit, "--")
        fields = found.output.split(b"\0")[:-1] if found.code == 0 else []
        moves = {os.fsdecode(new): os.fsdecode(old) for old, new in zip(fields[1::3], fields[2::3], strict=True)}
        return moves.get(path)

    def blob(self, object_id: str, most: int) -> bytes | None:
        """The bytes of a file; None where there are more than `most`. Raises UserError."""
        size = self.run("cat-file", "-s", object_id)
        if size.code == 0 and int(size.output) > most:
            return None
        found = self.run("cat-file", "blob", object_id)
        if found.code:
            raise UserError(f"object {object_id[:10]} cannot be read", hint=self._missing(object_id))
        return found.output

    def fetch(self, branch: str, seconds: float = 300) -> str | None:
        """Fetch a branch of `origin`, over https, with what the checkout has for credentials; its commit, or None."""
        depth = ["--depth=1"] if self.is_shallow() else []
        words = ["--quiet", "--no-tags", "--no-recurse-submodules", "--no-auto-gc", "--upload-pack=git-upload-pack"]
        found = self.run("fetch", *words, *depth, "origin", f"refs/heads/{branch}", transports=NETWORK, seconds=seconds)
        return self.commit("FETCH_HEAD") if found.code == 0 else None

    def differs(self, commit: str, other: str, patterns: tuple[str, ...]) -> bool:
        """Whether a file whose name fits a pattern is another in two commits; so it is where that cannot be known."""
        words = ["--quiet", "--no-ext-diff", "--no-textconv", "--ignore-submodules=all"]
        return self.run("diff-tree", "-r", *words, "--end-of-options", commit, other, "--", *patterns).code != 0

    def is_shallow(self) -> bool:
        """Whether the history that is here was cut."""
        return self.run("rev-parse", "--is-shallow-repository").output.strip() == b"true"

    def is_partial(self) -> bool:
        """Whether objects were left out of the clone, to be fetched when they are needed."""
        found = self.run("config", "--get-regexp", r"^(extensions\.partialclone|remote\..*\.promisor)$")
        return found.code == 0

    def advice(self, revision: str) -> str:
        """How to get a revision that is not here."""
        remote, _, branch = revision.rpartition("/")
        if not _PLAIN.fullmatch(revision):  # what is shown is copied into a shell
            return "fetch it first"
        hint = f"run: git fetch --depth=1 {remote or 'origin'} {branch}"
        return f"{hint}; or clone with its history (actions/checkout: fetch-depth: 0)" if self.is_shallow() else hint

    def _missing(self, object_id: str) -> str:
        if self.is_partial():
            return f"the clone is partial, and nothing is fetched here; run: git cat-file -e {object_id}"
        return "run: git fsck"


def find(folder: str) -> Repository | None:
    """The repository that a folder is in, found without git; None outside of one. Raises UserError.

    A folder of files that only looks like a repository is none: what counts is a `.git` on the way up.
    """
    at = realpath(file_name(folder or "."))
    while True:
        git_dir = _git_dir(at)
        if git_dir is not None:
            return Repository(at, git_dir)
        above = os.path.dirname(at)
        if above == at:
            return None
        at = above


def _git_dir(root: str) -> str | None:
    """The git directory of a working tree; of a linked one or a submodule the one that its file `.git` names."""
    path = join(root, ".git")
    if isfile(path):
        try:
            with open(path, "rb") as stream:
                text = os.fsdecode(stream.read(5_000)).rstrip("\r\n")
        except OSError as error:
            raise UserError(f"{quoted(path)} cannot be read: {error.strerror}") from None
        target = join(root, text.removeprefix("gitdir: "))
        if not text.startswith("gitdir: ") or "\0" in text or not _is_git_dir(target):
            raise UserError(f"{quoted(path)} names no repository")
        path = target
    elif not _is_git_dir(path):
        return None
    path = realpath(path)
    if _is_inside(path, root) and ".git" not in os.path.relpath(path, root).split(os.sep):
        raise UserError(f"{quoted(join(root, '.git'))} names a folder of the working tree, which may be anyone's")
    return path


def _is_git_dir(path: str) -> bool:
    is_linked = isfile(join(path, "commondir"))
    return os.path.lexists(join(path, "HEAD")) and (is_linked or isdir(join(path, "objects")))


def _is_inside(path: str, folder: str) -> bool:
    return path == folder or path.startswith(join(folder, ""))


def environment(*names: str, outside: str = "") -> dict[str, str]:
    """The variables that a child process gets: `names`, and where programs and temporary files are; no secret.

    Programs are looked for in absolute folders only, and in none inside of `outside`.
    """
    kept = {name: os.environ[name] for name in (*_ENVIRONMENT, *names) if name in os.environ}
    folders = [folder for folder in kept.get("PATH", os.defpath).split(os.pathsep) if isabs(folder)]
    if outside and os.path.dirname(outside) != outside:
        folders = [folder for folder in folders if not _is_inside(realpath(folder), realpath(outside))]
    return {**kept, "PATH": os.pathsep.join(folders)}


def _program(path: str) -> str:
    """Where git is, looked up here: on Windows a plain `git` would mean one of the current folder too."""
    name = "git.exe" if os.name == "nt" else "git"
    for folder in path.split(os.pathsep):
        if folder and os.access(join(folder, name), os.X_OK) and isfile(join(folder, name)):
            return join(folder, name)
    raise UserError("--base needs git, which is not installed")


def _kill(process: subprocess.Popen[bytes]) -> None:
    try:
        if os.name == "nt":
            process.kill()
        else:
            os.killpg(process.pid, 9)
    except OSError:
        pass
    process.communicate()
