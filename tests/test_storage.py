"""Every file is written beside its target and moved into place: old or new content is there, never a part."""

import ast
import os
import resource
import signal
import subprocess
import sys
import threading
import time

import pytest
from helpers.paths import ROOT
from helpers.sources import FILES, relative, tree

from convcalc import storage
from convcalc.cli import BAD, run

OLD, NEW = "old content\n", "new content\n" * 10_000
NET = "input: 3x8x8\nlayers: [{conv: {filters: 8, kernel: 3}}]\nbudget: {params: 500M}\n"
CALLS = ("open", "stat", "access", "write", "fchmod", "fsync", "replace", "urandom", "close")


@pytest.fixture
def target(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "target"
    path.write_text(OLD)
    return path


def program(code, *words, **options):
    return subprocess.run(
        [sys.executable, "-c", code, *words],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        **options,
    )


def others(target):
    return sorted(path.name for path in target.parent.iterdir() if path != target)


def test_a_file_is_replaced_and_nothing_is_left(target):
    storage.write_text(target, NEW)
    assert target.read_text() == NEW
    storage.write_text(target, b"\x00\xff")
    assert target.read_bytes() == b"\x00\xff"
    assert others(target) == []


def test_mode_and_links_stay_as_they_are(target):
    target.chmod(0o640)
    link = target.with_name("link")
    link.symlink_to(target.name)
    storage.write_text(link, NEW)
    assert link.is_symlink()
    assert target.read_text() == NEW
    assert target.stat().st_mode & 0o7777 == 0o640


def test_a_new_file_has_the_usual_mode_and_a_link_to_nothing_makes_what_it_names(tmp_path):
    usual, own, link = tmp_path / "usual", tmp_path / "own", tmp_path / "link"
    usual.write_text("")
    link.symlink_to(own)
    storage.write_text(link, NEW)
    assert own.read_text() == NEW
    assert own.stat().st_mode == usual.stat().st_mode


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()], ids=["full", "ctrl-c"])
@pytest.mark.parametrize("call", CALLS)
def test_a_failure_at_any_call_leaves_old_or_new_and_nothing_else(call, error, target, monkeypatch):
    own = getattr(os, call)
    for number in range(1, 100):
        count = 0

        def fail(*words, number=number, **options):
            nonlocal count
            count += 1
            if count == number:
                raise error
            return own(*words, **options)

        target.write_text(OLD)
        with monkeypatch.context() as patch:
            patch.setattr(os, call, fail)
            try:
                storage.write_text(target, NEW)
                has_failed = False
            except (OSError, KeyboardInterrupt):
                has_failed = True
        assert target.read_text() in (OLD, NEW)
        assert has_failed or target.read_text() == NEW
        assert others(target) == []
        if count < number:
            return
    pytest.fail("never got past the failures")


@pytest.mark.parametrize("step", ["write", "flush", "fileno"])
def test_a_failure_while_the_text_is_made_leaves_the_old_content(step, target):
    def text(stream):
        stream.write(NEW)
        if step == "flush":
            stream.flush()
        if step == "fileno":
            os.fsync(stream.fileno())
        raise RuntimeError(step)

    with pytest.raises(RuntimeError), storage.replacement(target) as stream:
        text(stream)
    assert target.read_text() == OLD
    assert others(target) == []


def test_a_full_disk_leaves_the_old_content_of_every_kind_of_file(target):
    spec = target.with_name("net.yaml")
    spec.write_text(
        NET.replace("[{conv: {filters: 8, kernel: 3}}]", "[" + "{conv: {filters: 8, kernel: 1}}, " * 2_000 + "]")
    )
    limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))  # noqa: E731
    for words in (
        ["params", "net.yaml", "-f", "json", "-o", "target"],
        ["check", "net.yaml", "--report", "json=target"],
        ["check", "net.yaml", "--report", "junit=target", "--baseline", "target", "--update-baseline"],
        ["check", "net.yaml", "--baseline", "new.yaml", "--update-baseline"],
        ["export", "net.yaml", "--to", "torch", "-o", "target"],
        ["schema", "-o", "target"],
        ["list", "--svg", "target"],
    ):
        if "target" in words and "--baseline" in words:
            target.write_text("convcalc_baseline: 1\nnetworks: {}\n")
        before = target.read_text()
        found = program(f"from convcalc.cli import main; main({words!r})", preexec_fn=limit, cwd=target.parent)
        assert found.returncode == BAD, (words, found.stderr)
        assert "cannot be written: File too large" in found.stderr
        assert target.read_text() == before
        assert others(target) == ["net.yaml"]


KILLED = """
import os, signal, sys
from convcalc import storage
call, number = sys.argv[1], int(sys.argv[2])
own = getattr(os, call)
count = 0
def kill(*words, **options):
    global count
    count += 1
    if count == number:
        os.kill(os.getpid(), {signal})
    return own(*words, **options)
setattr(os, call, kill)
with storage.replacement("target") as stream:
    stream.write("new content\\n" * 10_000)
"""


@pytest.mark.parametrize("call", ["open", "fsync", "replace", "close", "fchmod"])
def test_kill_9_leaves_old_or_new_and_the_next_writing_tidies_up(call, target, monkeypatch):
    left = 0
    for number in (1, 2):
        target.write_text(OLD)
        program(KILLED.format(signal=9), call, str(number))
        assert target.read_text() in (OLD, NEW)
        left = len(others(target))
        assert all(name.startswith(".target.convcalc-") for name in others(target))
    storage.write_text(target, NEW)
    assert len(others(target)) == left, "what is young may be another process's"
    monkeypatch.setattr(storage, "_OLD", -1.0)
    storage.write_text(target, NEW)
    assert others(target) == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
@pytest.mark.parametrize("call", ["fsync", "replace", "fchmod"])
def test_a_signal_that_ends_the_process_leaves_nothing_beside(call, number, target):
    found = program(KILLED.format(signal=int(number)), call, "1")
    assert found.returncode in (-number, 1)
    assert target.read_text() in (OLD, NEW)
    assert others(target) == []


def test_a_file_that_is_being_written_is_not_removed_by_another_writer(target, monkeypatch):
    monkeypatch.setattr(storage, "_OLD", -1.0)
    with storage.replacement(target) as stream:
        storage.write_text(target, "between\n")
        stream.write(NEW)
    assert target.read_text() == NEW
    assert others(target) == []


def test_a_pipe_is_written_as_it_is_and_one_that_nobody_reads_is_an_error(target, monkeypatch, capsys):
    monkeypatch.setattr(storage, "SECONDS_FOR_A_READER", 0.1)
    os.mkfifo("pipe")
    (target.parent / "net.yaml").write_text(NET)
    assert run(["params", "net.yaml", "-f", "json", "-o", "pipe"]) == BAD
    assert "'pipe' cannot be written: nobody reads from this pipe" in capsys.readouterr().err
    reader = subprocess.Popen(["cat", "pipe"], stdout=subprocess.PIPE, text=True)
    assert run(["params", "net.yaml", "-f", "json", "-o", "pipe"]) == 0
    assert reader.communicate()[0].startswith("{")


def test_what_stdout_was_redirected_to_is_not_moved_away(target):
    code = "import sys; from convcalc.storage import write_text; print('a', flush=True); write_text('/dev/stdout', 'b')"
    with target.open("w") as stream:
        found = subprocess.run([sys.executable, "-c", code + "; print('c')"], stdout=stream, check=True, cwd=ROOT)
    assert (found.returncode, target.read_text()) == (0, "a\nbc\n")
    for path in ("/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"):
        found = program(f"from convcalc.storage import write_text; write_text('{path}', 'text')")
        assert (found.stdout, found.stderr) == ("text", "")
    storage.write_text("/dev/null", NEW)
    with pytest.raises(OSError, match="No space left"):
        storage.write_text("/dev/full", NEW)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everything")
def test_a_file_that_may_not_be_written_is_not_replaced(target):
    target.chmod(0o444)
    with pytest.raises(PermissionError):
        storage.write_text(target, NEW)


@pytest.mark.parametrize(
    "words",
    [
        ["params", "net.yaml", "-o", "net.yaml"],
        ["params", "net.yaml", "-o", "link.yaml"],
        ["params", "net.yaml", "-o", "part.yaml"],
        ["export", "net.yaml", "--to", "torch", "-o", "net.yaml"],
        ["suggest", "net.yaml", "--apply", "1", "-o", "net.yaml"],
        ["check", "net.yaml", "--report", "json=net.yaml"],
        ["check", "-o", "convcalc.yaml"],
        ["compare", "resnet18", "net.yaml", "-o", "net.yaml"],
    ],
    ids=" ".join,
)
def test_what_a_command_reads_it_does_not_overwrite(words, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    texts = {
        "net.yaml": "include: [part.yaml]\n" + NET.replace("{conv", "part, {conv").replace("kernel: 3", "kernel: 5"),
        "part.yaml": "blocks: {part: {layers: [relu]}}\n",
        "convcalc.yaml": "specs: [net.yaml]\n",
    }
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
    (tmp_path / "link.yaml").symlink_to("net.yaml")
    assert run(words) == BAD
    assert "cannot be written: this command reads it; name another file" in capsys.readouterr().err
    assert {name: (tmp_path / name).read_text() for name in texts} == texts


def test_an_appended_text_is_there_whole_or_not_at_all(target, monkeypatch):
    storage.append_text(target, "more\n")
    assert target.read_text() == OLD + "more\n"
    own = os.write
    calls = []

    def write(descriptor, data):
        calls.append(data)
        if len(calls) == 2:
            raise OSError(28, "No space left on device")
        return own(descriptor, data[:3])

    monkeypatch.setattr(os, "write", write)
    with pytest.raises(OSError, match="No space left"):
        storage.append_text(target, "again\n")
    assert target.read_text() == OLD + "more\n"


def test_a_lock_is_held_by_one_at_a_time(target):
    counts, most = [], []

    def work():
        for _ in range(20):
            with storage.lock(target):
                counts.append(1)
                most.append(len(counts))
                time.sleep(0.001)
                counts.pop()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(most), max(most)) == (80, 1)
    assert others(target) == []


def test_a_lock_is_waited_for_no_longer_than_it_says_and_a_kill_releases_it(target):
    code = "from convcalc.storage import lock\nwith lock('target'): print('held', flush=True); input()"
    options = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    holder = subprocess.Popen(
        [sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": str(ROOT)}, cwd=target.parent, **options
    )
    assert holder.stdout.readline() == "held\n"
    with (
        pytest.raises(TimeoutError, match="another process has held its lock"),
        storage.lock(target, 0.2),
    ):
        pass
    holder.kill()
    holder.communicate()
    assert others(target) == [".target.convcalc-lock"]
    with storage.lock(target, 1):
        assert others(target) == [".target.convcalc-lock"]
    assert others(target) == []


def test_four_writers_of_one_baseline_all_end_up_in_it(tmp_path):
    for number in range(4):
        (tmp_path / f"w{number}.yaml").write_text(NET.replace("filters: 8", f"filters: {number + 1}"))
    for _ in range(3):
        (tmp_path / "figures.yaml").unlink(missing_ok=True)
        words = ["--baseline", "figures.yaml", "--update-baseline"]
        writers = [
            subprocess.Popen(
                [sys.executable, "-m", "convcalc", "check", f"w{number}.yaml", *words],
                env={**os.environ, "PYTHONPATH": str(ROOT)},
                cwd=tmp_path,
                stdout=subprocess.DEVNULL,
            )
            for number in range(4)
        ]
        assert [writer.wait(60) for writer in writers] == [0] * 4
        text = (tmp_path / "figures.yaml").read_text()
        assert [f'"w{number}.yaml"' in text for number in range(4)] == [True] * 4
        assert not list(tmp_path.glob(".*"))


# a call that may open a file for writing, by the place that may hold it, with the reason
MAY_WRITE = {
    "storage.py": "the one place that writes",
    "cli.py NamedTemporaryFile": "the log of a bug is a new file in the folder for temporary ones",
}
WRITERS = (
    "write_text",
    "write_bytes",
    "NamedTemporaryFile",
    "TemporaryFile",
    "mkstemp",
    "touch",
    "savefig",
    "symlink_to",
)
OF_OS = ("open", "replace", "rename", "renames", "link", "symlink", "truncate", "mkdir", "makedirs", "unlink", "remove")


def writes(call):
    """The name of a call that may change a file, "" for another."""
    name = getattr(call.func, "attr", getattr(call.func, "id", ""))
    owner = getattr(getattr(call.func, "value", None), "id", "")
    modes = [
        word.value for word in [*call.args, *(word.value for word in call.keywords)] if isinstance(word, ast.Constant)
    ]
    if name in ("open", "fdopen", "FileIO") and any(
        isinstance(mode, str) and len(mode) <= 3 and set(mode) & set("wax+") and set(mode) <= set("rwaxbt+")
        for mode in modes
    ):
        return name
    if owner == "os" and name in OF_OS:
        return name
    own_function = owner == "" and isinstance(call.func, ast.Name)
    return name if name in WRITERS and not own_function else ""


def test_nothing_else_in_the_package_writes_a_file():
    found = {}
    for path in FILES.values():
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.Call) and (name := writes(node)) and "devnull" not in ast.dump(node):
                found.setdefault(f"{relative(path)} {name}", []).append(node.lineno)
    strays = {
        place: lines for place, lines in found.items() if place not in MAY_WRITE and place.split()[0] not in MAY_WRITE
    }
    assert not strays, f"these write files: use convcalc/storage.py: {strays}"
    assert all(any(place.startswith(name) for place in found) for name in MAY_WRITE)


@pytest.mark.parametrize(
    ("code", "name"),
    [
        ("open('x', 'w')", "open"),
        ("path.open(mode='ab')", "open"),
        ("path.write_text(text)", "write_text"),
        ("os.replace(a, b)", "replace"),
        ("text.replace('a', 'b')", ""),
        ("path.open('rb')", ""),
        ("open(path)", ""),
        ("write_text(text, output)", ""),
    ],
)
def test_the_check_of_writing_knows_a_writer(code, name):
    assert writes(ast.parse(code, mode="eval").body) == name
