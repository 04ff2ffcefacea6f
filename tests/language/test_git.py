"""Git runs on the repository that the working tree belongs to, and runs nothing that a repository names."""

import os
import subprocess
import time
from pathlib import Path

import pytest

from convcalc.cli import BAD
from convcalc.cli import run as convcalc
from convcalc.errors import UserError
from convcalc.language import git
from convcalc.language.git import environment, find
from convcalc.language.revision import Revision

SPEC = "input: 3x8x8\nlayers:\n  - conv: {filters: FILTERS, kernel: 3}\nbudget: {params: {max_increase: 1}}\n"
WHO = ["-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "init.defaultBranch=main"]


def run(folder, *words, **options):
    words = ["git", *WHO, "-c", "protocol.file.allow=always", *map(str, words)]
    return subprocess.run(
        words, cwd=folder, check=True, capture_output=True, encoding="utf-8", **options
    ).stdout.strip()


def write(folder, filters, name="nets/net.yaml"):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(SPEC.replace("FILTERS", str(filters)))


def commit(folder, message="work"):
    run(folder, "add", "-A")
    run(folder, "commit", "-qm", message)
    return run(folder, "rev-parse", "HEAD")


@pytest.fixture
def origin(tmp_path):
    """A repository with 8 filters on `main`, which `pull` raises to 8,000."""
    folder = tmp_path / "origin"
    folder.mkdir()
    run(folder, "init", "-q", ".")
    write(folder, 8)
    commit(folder)
    run(folder, "checkout", "-qb", "pull")
    write(folder, 8000)
    commit(folder)
    return folder


def clone(origin, *words, name="checkout"):
    run(origin.parent, "clone", "-q", "--branch=pull", *words, f"file://{origin}", name)
    return origin.parent / name


class Trap:
    """A program that leaves a mark where it runs."""

    def __init__(self, folder):
        self.program, self.mark = folder / "trap.sh", folder / "ran"
        self.program.write_text(f'#!/bin/sh\nprintf "%s %s\\n" "$0" "$*" >> {self.mark}\nexit 1\n')
        self.program.chmod(0o755)

    def ran(self):
        return self.mark.read_text() if self.mark.exists() else ""


@pytest.fixture
def trap(tmp_path):
    return Trap(tmp_path)


def content(revision, spec):
    return Revision(revision, str(spec)).load(str(spec)).decode()


def bare_files(folder, trap):
    """What makes git take a folder for a repository, all of it files that can be tracked."""
    for name in ("objects", "refs"):
        (folder / name).mkdir(parents=True)
        (folder / name / "keep").write_text("x")
    (folder / "HEAD").write_text("ref: refs/heads/main\n")
    (folder / "config").write_text(
        f"""[core]
\trepositoryformatversion = 1
\tbare = true
\tsshCommand = {trap.program}
\tfsmonitor = {trap.program}
[extensions]
\tpartialClone = origin
[remote "origin"]
\turl = ssh://localhost/x
\tpromisor = true
"""
    )


def test_a_folder_of_tracked_files_is_no_repository(origin, trap):
    bare_files(origin / "nets", trap)
    commit(origin)
    base = run(origin, "rev-parse", "main")
    checkout = clone(origin)
    probe = subprocess.run(["git", "cat-file", "-e", base], cwd=checkout / "nets", capture_output=True, check=False)
    if probe.returncode and trap.ran():
        trap.mark.unlink()  # the trap works, where git does as it likes
    for revision in (base, "origin/main", "HEAD~2", base[:9]):
        found = Revision(revision, str(checkout / "nets/net.yaml"))
        assert found.commit == base
        assert "filters: 8," in found.load(str(checkout / "nets/net.yaml")).decode()
    assert find(str(checkout / "nets")).root == str(checkout)
    assert not trap.ran()


@pytest.mark.parametrize("is_bare", ["true", "false"])
def test_a_clone_of_the_repository_inside_of_it_does_not_hide_the_base(is_bare, origin, trap):
    """The copy has the right commit in it, where the spec is `nets/net.yaml` and not the `net.yaml` looked for."""
    checkout = clone(origin)
    base = run(checkout, "rev-parse", "origin/main")
    run(origin.parent, "clone", "-q", "--bare", f"file://{origin}", "bare")
    for path in (origin.parent / "bare").iterdir():
        path.rename(checkout / "nets" / path.name)
    run(checkout, "config", "-f", "nets/config", "core.bare", is_bare)
    run(checkout, "config", "-f", "nets/config", "core.worktree", ".")
    assert "filters: 8," in content(base, checkout / "nets/net.yaml")


CONFIGURATION = {
    "core.fsmonitor": "TRAP",
    "core.sshCommand": "TRAP",
    "core.gitProxy": "TRAP",
    "core.askPass": "TRAP",
    "core.pager": "TRAP",
    "core.editor": "TRAP",
    "core.alternateRefsCommand": "TRAP",
    "core.hooksPath": "HOOKS",
    "pager.rev-parse": "TRAP",
    "pager.cat-file": "TRAP",
    "pager.diff-tree": "TRAP",
    "diff.external": "TRAP",
    "diff.evil.command": "TRAP",
    "diff.evil.textconv": "TRAP",
    "filter.evil.clean": "TRAP",
    "filter.evil.smudge": "TRAP",
    "filter.evil.process": "TRAP",
    "filter.evil.required": "true",
    "merge.evil.driver": "TRAP %O",
    "gpg.program": "TRAP",
    "gpg.ssh.program": "TRAP",
    "log.showSignature": "true",
    "credential.helper": "!TRAP",
    "alias.rev-parse": "!TRAP",
    "alias.ls-tree": "!TRAP",
    "uploadpack.packObjectsHook": "TRAP",
    "remote.origin.uploadpack": "TRAP",
    "remote.origin.promisor": "true",
    "extensions.partialClone": "origin",
    "protocol.allow": "always",
    "protocol.ext.allow": "always",
    "url.ext::TRAP .insteadOf": "file://",
    "fetch.recurseSubmodules": "true",
    "gc.auto": "1",
    "trace2.eventTarget": "TRACE",
}
HOOKS = (
    "reference-transaction",
    "post-checkout",
    "pre-auto-gc",
    "post-index-change",
    "fsmonitor-watchman",
    "query-watchman",
)


def make_hostile(checkout, trap, keys=CONFIGURATION):
    """Configuration, hooks, attributes and alternates that name the trap at every place there is."""
    hooks = checkout / ".git/hooks"
    for hook in HOOKS:
        (hooks / hook).write_text(trap.program.read_text())
        (hooks / hook).chmod(0o755)
    text = "[core]\n\trepositoryformatversion = 1\n"
    included = checkout.parent / "included.config"
    included.write_text(text)
    for key, value in CONFIGURATION.items():
        value = value.replace("TRAP", str(trap.program)).replace("HOOKS", str(hooks))
        value = value.replace("TRACE", str(checkout.parent / "trace"))
        if key in keys:
            run(checkout, "config", "-f", included, key.replace("TRAP", str(trap.program)), value)
    run(checkout, "config", "core.repositoryformatversion", "1")
    (checkout / ".git/config").write_text((checkout / ".git/config").read_text() + f"[include]\n\tpath = {included}\n")
    (checkout / ".git/info/attributes").write_text("* diff=evil filter=evil merge=evil\n")
    (checkout / ".gitattributes").write_text("* diff=evil filter=evil merge=evil\n")
    (checkout / "nets/net.yaml").touch()


def test_nothing_that_the_configuration_names_is_run(origin, trap, tmp_path):
    checkout = clone(origin)
    base = run(checkout, "rev-parse", "origin/main")
    head = run(checkout, "rev-parse", "HEAD")
    other = clone(origin, name="alternate")
    (checkout / ".git/objects/info/alternates").write_text(f"{other}/.git/objects\n")
    make_hostile(checkout, trap)
    spec = checkout / "nets/net.yaml"
    assert "filters: 8," in content(base, spec)
    assert "filters: 8," in content("origin/main", spec)
    repository = find(str(checkout))
    assert repository.differs(base, head, ("*.yaml",))
    assert not repository.differs(head, head, ("*.yaml",))
    assert not repository.differs(base, head, ("*.toml",))
    missing = "1234567890" * 4
    assert repository.commit(missing) is None, "a promisor remote is not asked"
    with pytest.raises(UserError, match="cannot be read"):
        repository.blob(missing, 100)
    with pytest.raises(UserError, match="cannot be read"):
        repository.entry(missing, "nets/net.yaml")
    assert repository.fetch("main") is None, "by ext::"
    assert not trap.ran()
    assert not (tmp_path / "trace").exists()
    subprocess.run(["git", "status"], cwd=checkout, capture_output=True, check=False)
    assert trap.ran(), "where git does as it likes"


def test_a_fetch_runs_nothing_either(origin, trap):
    """The same with an address that a fetch may use: it fetches, although the configuration asks for the rest."""
    checkout = clone(origin)
    run(origin, "checkout", "-q", "main")
    write(origin, 9)
    new = commit(origin)
    other = clone(origin, name="alternate")
    (checkout / ".git/objects/info/alternates").write_text(f"{other}/.git/objects\n")
    make_hostile(checkout, trap, set(CONFIGURATION) - {"url.ext::TRAP .insteadOf"})
    assert find(str(checkout)).fetch("main") == new
    assert find(str(checkout)).fetch("nosuch") is None
    assert not trap.ran()
    subprocess.run(["git", "fetch"], cwd=checkout, capture_output=True, check=False)
    assert trap.ran(), "where git does as it likes"


@pytest.mark.parametrize("url", ["ext::TRAP %S", "ssh://localhost/x", "localhost:x", "git://localhost/x", "trap::x"])
def test_what_is_fetched_over(url, origin, trap, monkeypatch):
    checkout = clone(origin)
    helper = trap.program.with_name("git-remote-trap")
    helper.write_text(trap.program.read_text())
    helper.chmod(0o755)
    monkeypatch.setenv("PATH", f"{helper.parent}{os.pathsep}{os.environ['PATH']}")
    make_hostile(checkout, trap, set(CONFIGURATION) - {"url.ext::TRAP .insteadOf"})
    run(checkout, "remote", "set-url", "origin", url.replace("TRAP", str(trap.program)))
    assert find(str(checkout)).fetch("main") is None
    assert not trap.ran()


def test_a_server_that_asks_for_a_password_gets_none(origin, trap, refusing):
    checkout = clone(origin)
    run(checkout, "remote", "set-url", "origin", refusing)
    run(checkout, "config", f"credential.{refusing}.helper", f"!{trap.program}")
    make_hostile(checkout, trap, {"credential.helper", "core.askPass"})
    assert find(str(checkout)).fetch("main") is None
    assert not trap.ran()


@pytest.fixture
def refusing():
    """The address of a server that answers 401."""
    import threading
    from http.server import BaseHTTPRequestHandler, HTTPServer

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="x"')
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *words):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


REVISIONS = [
    *(
        "--output=owned",
        "--all",
        "-h",
        "--git-dir=/",
        "--upload-pack=touch owned",
        "^HEAD",
        "HEAD..main",
        "HEAD...main",
    ),
    *("$(touch owned)", "`touch owned`", "; touch owned", "| touch owned", "a\0b", "a\nb", "\x1b[31m", "\ud800", ""),
    *(
        "HEAD:nets/net.yaml",
        "HEAD^{tree}",
        "HEAD^@",
        "HEAD^!",
        "@{99}",
        "x" * 200_000,
        "../../etc/passwd",
        "ext::sh",
        "-",
    ),
]


@pytest.mark.parametrize("revision", REVISIONS, ids=lambda text: repr(text[:20]))
def test_hostile_revisions_are_refused(revision, origin, monkeypatch):
    checkout = clone(origin)
    monkeypatch.chdir(checkout)
    before = sorted(Path().rglob("*"))
    with pytest.raises(UserError, match="is not in this repository") as caught:
        Revision(revision, "nets/net.yaml")
    assert "touch" not in caught.value.hint
    assert sorted(Path().rglob("*")) == before


@pytest.mark.parametrize(
    "revision", ["main", "refs/heads/main", "v1", "FULL", "SHORT", "HEAD~1", "v1^{commit}", "main@{0}"]
)
@pytest.mark.parametrize("form", ["sha1", "sha256"])
def test_an_ordinary_repository(revision, form, tmp_path):
    run(tmp_path, "init", "-q", f"--object-format={form}", ".")
    write(tmp_path, 8)
    base = commit(tmp_path)
    run(tmp_path, "tag", "-am", "one", "v1")
    run(tmp_path, "checkout", "-qb", "pull")
    write(tmp_path, 8000)
    commit(tmp_path)
    name = {"FULL": base, "SHORT": base[:9]}.get(revision, revision)
    found = Revision(name, str(tmp_path / "nets/net.yaml"))
    assert found.commit == base
    assert "filters: 8," in found.load(str(tmp_path / "nets/net.yaml")).decode()


def test_the_point_where_a_branch_left_the_base(origin):
    left = run(origin, "rev-parse", "main")
    run(origin, "checkout", "-q", "main")
    write(origin, 9)
    commit(origin)
    run(origin, "checkout", "-q", "pull")
    assert Revision("main", str(origin / "nets/net.yaml")).commit == left


def test_a_linked_working_tree(origin):
    run(origin, "worktree", "add", "-qb", "third", "../linked", "pull")
    linked = origin.parent / "linked"
    assert (linked / ".git").is_file()
    assert "filters: 8," in content("main", linked / "nets/net.yaml")
    assert find(str(linked / "nets")).root == str(linked)


def test_a_linked_working_tree_of_a_bare_repository(origin):
    run(origin.parent, "clone", "-q", "--bare", f"file://{origin}", "bare")
    run(origin.parent / "bare", "worktree", "add", "-q", "../linked", "pull")
    assert "filters: 8," in content("main", origin.parent / "linked/nets/net.yaml")


def test_a_submodule(origin, tmp_path):
    outer = tmp_path / "outer"
    outer.mkdir()
    run(outer, "init", "-q", ".")
    run(outer, "submodule", "add", "-q", "-b", "pull", f"file://{origin}", "sub")
    commit(outer)
    assert (outer / "sub/.git").is_file()
    assert "filters: 8," in content("origin/main", outer / "sub/nets/net.yaml")
    assert find(str(outer / "sub/nets")).root == str(outer / "sub")


def test_a_separate_git_directory(origin, tmp_path):
    checkout = clone(origin, "--separate-git-dir=elsewhere")
    assert find(str(checkout)).git_dir == str(tmp_path / "elsewhere")
    assert "filters: 8," in content("origin/main", checkout / "nets/net.yaml")


def test_a_git_file_may_not_name_a_folder_of_the_working_tree(origin, trap):
    checkout = clone(origin)
    bare_files(checkout / "fake", trap)
    inner = checkout / "nets"
    (checkout / ".git").rename(checkout.parent / "moved")
    for folder, target in ((checkout, "fake"), (checkout, "nosuch"), (inner, "\0"), (inner, "x" * 10_000)):
        (folder / ".git").write_text(f"gitdir: {target}\n")
        with pytest.raises(UserError, match=r"names no repository|folder of the working tree"):
            Revision("HEAD", str(inner / "net.yaml"))
    assert not trap.ran()


def test_a_shallow_clone(origin):
    checkout = clone(origin, "--depth=1", "--single-branch")
    with pytest.raises(UserError, match="is not in this repository") as caught:
        Revision("origin/main", str(checkout / "nets/net.yaml"))
    assert caught.value.hint == (
        "run: git fetch --depth=1 origin main; or clone with its history (actions/checkout: fetch-depth: 0)"
    )
    base = find(str(checkout)).fetch("main")
    assert base == run(origin, "rev-parse", "main")
    assert "filters: 8," in content(base, checkout / "nets/net.yaml")


def test_a_partial_clone_is_an_error_and_no_new_spec(origin):
    """Its old files are not here: that must not pass for a spec that was not there."""
    run(origin, "config", "uploadpack.allowFilter", "true")
    checkout = clone(origin, "--filter=blob:none")
    found = Revision("origin/main", str(checkout / "nets/net.yaml"))
    assert found.exists(str(checkout / "nets/net.yaml"))
    with pytest.raises(UserError, match="cannot be read at 'origin/main'") as caught:
        found.load(str(checkout / "nets/net.yaml"))
    assert "the clone is partial" in caught.value.hint
    command = caught.value.hint.partition("run: ")[2].split()
    run(checkout, *command[1:])
    assert b"filters: 8," in found.load(str(checkout / "nets/net.yaml"))


@pytest.mark.parametrize("left_out", ["blob:none", "tree:0"])
def test_a_partial_clone_on_the_command_line(left_out, origin, capsys):
    run(origin, "config", "uploadpack.allowFilter", "true")
    checkout = clone(origin, f"--filter={left_out}")
    assert convcalc(["check", str(checkout / "nets/net.yaml"), "--base", "origin/main"]) == BAD
    assert "the clone is partial" in capsys.readouterr().err
    assert convcalc(["diff", str(checkout / "nets/net.yaml"), "--base", "origin/main"]) == BAD
    assert "the clone is partial" in capsys.readouterr().err


def test_what_is_not_there(origin, tmp_path):
    checkout = clone(origin)
    found = Revision("origin/main", str(checkout / "nets/net.yaml"))
    for path in (
        "nets/other.yaml",
        "nosuch/net.yaml",
        "nets/*.yaml",
        ":(top)nets/net.yaml",
        "../x.yaml",
        "a\0b",
        "x" * 9_999,
    ):
        assert not found.exists(str(checkout / path)), path
    for path in ("nets", "nets/other.yaml"):
        with pytest.raises(UserError, match="cannot be read at 'origin/main'"):
            found.load(str(checkout / path))
    (tmp_path / "alone").mkdir()
    if find(str(tmp_path / "alone")) is None:
        with pytest.raises(UserError, match="is in no git repository"):
            Revision("main", str(tmp_path / "alone/net.yaml"))


def test_a_folder_that_is_no_longer_there_still_was(origin):
    found = Revision("main", str(origin / "net.yaml"))
    (origin / "nets/net.yaml").unlink()
    (origin / "nets").rmdir()
    assert found.exists(str(origin / "nets/net.yaml"))


def test_a_link_and_a_file_too_large(origin, monkeypatch):
    (origin / "nets/link.yaml").symlink_to("net.yaml")
    write(origin, 1, "nets/new\nline: 2.yaml")
    commit(origin)
    found = Revision("HEAD", str(origin / "nets/net.yaml"))
    with pytest.raises(UserError, match=r"is a link at 'HEAD'"):
        found.load(str(origin / "nets/link.yaml"))
    assert b"filters: 1," in found.load(str(origin / "nets/new\nline: 2.yaml"))
    monkeypatch.setattr("convcalc.language.revision.MOST_BYTES", 20)
    with pytest.raises(UserError, match="is larger than"):
        found.load(str(origin / "nets/net.yaml"))


def test_another_user_may_own_the_repository(origin):
    """In a container a checkout is often someone else's. Nothing of it is run, so nothing needs to be trusted first."""
    if os.getuid() != 0:
        pytest.skip("only root gives files away")
    for path in [origin, *origin.rglob("*")]:
        os.chown(path, 12345, 12345, follow_symlinks=False)
    refused = subprocess.run(
        ["git", "status"], cwd=origin, capture_output=True, check=False, env={"PATH": os.environ["PATH"]}
    )
    assert b"dubious ownership" in refused.stderr
    assert "filters: 8," in content("main", origin / "nets/net.yaml")


def test_a_broken_configuration_is_said(origin):
    (origin / ".git/config").write_text("[core\n")
    with pytest.raises(UserError, match="git cannot read this repository: fatal: bad config line 1"):
        Revision("main", str(origin / "nets/net.yaml"))


def test_the_environment_of_a_child_is_short(origin, monkeypatch):
    inner = origin / "bin"
    inner.mkdir()
    shown = origin.parent / "shown"
    (inner / "git").write_text(f"#!/bin/sh\nenv > {shown}\n")
    (inner / "git").chmod(0o755)
    monkeypatch.chdir(origin)
    monkeypatch.setenv("PATH", os.pathsep.join(["", ".", "bin", str(inner), os.environ["PATH"]]))
    monkeypatch.setenv("GIT_DIR", "/nosuch")
    monkeypatch.setenv("TOKEN", "secret")
    assert "filters: 8," in content("main", "nets/net.yaml")
    assert not shown.exists(), "a program of the repository is not git"
    assert environment(outside=str(origin))["PATH"] == os.pathsep.join(
        folder for folder in os.environ["PATH"].split(os.pathsep) if folder.startswith("/") and folder != str(inner)
    )
    elsewhere = origin.parent / "programs"
    inner.rename(elsewhere)
    monkeypatch.setenv("PATH", f"{elsewhere}{os.pathsep}{os.environ['PATH']}")
    find(str(origin)).run("version")
    names = {line.partition("=")[0] for line in shown.read_text().splitlines()} - {"PWD", "OLDPWD", "SHLVL", "_"}
    assert names <= {"PATH", "TMPDIR", "TEMP", "TMP", "SYSTEMROOT", *git._FIXED, *git._ALONE} | {
        "GIT_DIR",
        "GIT_WORK_TREE",
        "GIT_ALLOW_PROTOCOL",
    }


def test_git_is_not_installed(origin, monkeypatch):
    monkeypatch.setenv("PATH", str(origin.parent))
    with pytest.raises(UserError, match="needs git, which is not installed"):
        Revision("main", str(origin / "nets/net.yaml"))


def test_git_has_a_time_limit_and_ends_with_what_it_started(origin, tmp_path, monkeypatch):
    (tmp_path / "git").write_text("#!/bin/sh\nsleep 60 &\nsleep 60\n")
    (tmp_path / "git").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    start = time.monotonic()
    with pytest.raises(UserError, match=r"git version takes longer than 0\.2 seconds"):
        find(str(origin)).run("version", seconds=0.2)
    assert time.monotonic() - start < 20
