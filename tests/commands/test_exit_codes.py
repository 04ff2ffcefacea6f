"""How the installed program ends: 0 fine, 1 a broken budget, 2 bad usage or spec, 3 a bug, 130 Ctrl-C, 141 closed pipe.

1 is a broken budget and nothing else. Data is on stdout, messages on stderr, and JSON alone on stdout.
"""

import fcntl
import json
import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from helpers.paths import ROOT

SPEC = "input: 3x8x8\nlayers:\n" + "  - conv: {filters: 8, kernel: 3, padding: same}\n" * 3_000
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}
ENVIRONMENT.pop("PYTHONUNBUFFERED", None)  # it makes Python itself forget what a closed pipe did not take
INSTALLED = Path(sys.executable).with_name("convcalc")
PROGRAM = [str(INSTALLED)] if INSTALLED.exists() else [sys.executable, "-m", "convcalc"]
PIPE = subprocess.PIPE


@pytest.fixture
def spec(tmp_path):
    (tmp_path / "net.yaml").write_text(SPEC)
    return str(tmp_path / "net.yaml")


def start(*words, program=PROGRAM, **options):
    options = {"bufsize": 0, "stdin": subprocess.DEVNULL, "stdout": PIPE, "stderr": PIPE, "env": ENVIRONMENT, **options}
    return subprocess.Popen([*program, *words], **options)


def end(process, data=None):
    out, err = process.communicate(data, timeout=30)
    return process.returncode, out, err.decode()


def test_fine(spec):
    code, out, err = end(start("params", spec))
    assert (code, err) == (0, "")
    assert out


@pytest.mark.parametrize(
    ("words", "ends"),
    [
        (["check", "NET", "--max-params", "1"], 1),
        (["check", "NET", "--max-params", "1G"], 0),
        (["check", "NET", "--max-params", "1", "--exit-zero"], 0),
        (["check", "NET", "--max-params", "1", "-f", "json"], 1),
        (["check", "NET", "--max-params", "1", "-f", "sarif"], 1),
        (["check", "NET", "nosuch.yaml", "--max-params", "1"], 2),
        (["diff", "NET", "resnet18", "--exit-code", "--totals"], 1),
        (["diff", "NET", "NET", "--exit-code"], 0),
        (["diff", "NET", "resnet18", "--totals"], 0),
    ],
)
def test_one_is_a_broken_budget_and_what_was_asked_for(spec, words, ends):
    code, _, err = end(start(*(spec if word == "NET" else word for word in words)))
    assert code == ends
    assert "Traceback" not in err


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["nosuch"],
        ["params"],
        ["params", "--nosuch"],
        ["params", "nosuch.yaml"],
        ["params", "-f", "nosuch", "x"],
        ["compare", "nosuch.yaml", "nosuch.yaml"],
        ["explain", "nosuch"],
    ],
)
def test_bad_usage_or_a_bad_spec(words):
    code, out, err = end(start(*words))
    assert (code, out) == (2, b"")
    assert err
    assert "Traceback" not in err


def test_a_spec_from_stdin():
    code, out, _ = end(start("params", "-", "-f", "json", stdin=PIPE), SPEC.encode())
    assert code == 0
    assert json.loads(out)["tables"]
    code, out, err = end(start("params", "-", stdin=PIPE), b"input: 3x8x8\nlayers: [relo]")
    assert (code, out) == (2, b"")
    assert err.startswith("<stdin>:2:10: error: no layer kind or block 'relo'")


def test_stdin_that_is_a_terminal_is_not_waited_for():
    own, theirs = pty.openpty()
    code, _, err = end(start("params", "-", stdin=theirs))
    os.close(own)
    os.close(theirs)
    assert code == 2
    assert "standard input is a terminal" in err


def test_stdin_that_cannot_be_read(tmp_path):
    with (tmp_path / "written").open("wb") as only_written:
        code, _, err = end(start("params", "-", stdin=only_written))
    assert (code, err) == (2, "error: standard input cannot be read: Bad file descriptor\n")


def test_a_bug():
    patch = "import convcalc.commands.params as p; p.command.callback = lambda **options: 1 // 0"
    code, out, err = end(
        start("params", "x", program=[sys.executable, "-c", f"{patch}; from convcalc.cli import main; main()"])
    )
    assert (code, out) == (3, b"")
    assert "Traceback" not in err
    assert "a bug in convcalc (ZeroDivisionError)" in err
    log = Path(err.split()[-1])
    assert "ZeroDivisionError" in log.read_text()
    log.unlink()


def test_ctrl_c_while_it_reads():
    # a shell's background job ignores SIGINT and hands that on; the program must meet it as a terminal's does
    process = start("params", "-", stdin=PIPE, preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
    time.sleep(3)
    process.send_signal(signal.SIGINT)
    code, out, err = end(process)
    assert (code, out, err) == (130, b"", "interrupted\n")


@pytest.mark.parametrize("form", ["table", "json", "csv", "markdown"])
def test_a_closed_pipe(spec, form):
    process = start("params", spec, "-f", form)
    fcntl.fcntl(process.stdout, fcntl.F_SETPIPE_SZ, 4096)
    assert process.stdout.read(1)
    process.stdout.close()
    assert process.wait(timeout=30) == 141
    with process.stderr:
        assert process.stderr.read() == b""


def test_a_pipe_closed_before_anything_is_written(spec):
    reader, writer = os.pipe()
    os.close(reader)
    process = start("params", spec, "--by", "kind", stdout=writer)
    os.close(writer)
    code, _, err = end(process)
    assert (code, err) == (141, "")


def test_a_closed_stderr_leaves_the_exit_code():
    reader, writer = os.pipe()
    os.close(reader)
    process = start("params", "nosuch.yaml", stderr=writer)
    os.close(writer)
    assert process.wait(timeout=30) == 2
    process.stdout.close()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_no_room_for_the_output(spec):
    with Path("/dev/full").open("wb") as full:
        code, _, err = end(start("params", spec, stdout=full))
    assert code == 2
    assert err == "error: the output cannot be written: No space left on device\n"


def test_no_stdout_at_all(spec):
    code, _, err = end(start("params", spec, program=["sh", "-c", '"$0" -m convcalc "$@" >&-', sys.executable]))
    assert code in (0, 2), err
    assert "Traceback" not in err


BAD_SPEC = "input: 3x8x8\nlayers:\n  - conv: {filters: 8, kernal: 3}\n  - linear: ten\n"


@pytest.mark.parametrize("words", [["params"], ["compare"], ["explain"]], ids=" ".join)
def test_json_alone_is_on_stdout_also_for_an_error(words, tmp_path):
    (tmp_path / "net.yaml").write_text(BAD_SPEC)
    specs = ["net.yaml"] * (2 if words == ["compare"] else 1)
    code, out, err = end(start(*words, *specs, "-f", "json", cwd=tmp_path))
    assert code == 2
    assert "net.yaml:3:24: error: conv has no field 'kernal'" in err
    data = json.loads(out)
    assert data["schema_version"] == 1
    first, second = data["error"]["problems"][:2]
    assert first == {
        "message": "conv has no field 'kernal'",
        "file": "net.yaml",
        "line": 3,
        "column": 24,
        "notes": [],
        "hint": "did you mean 'kernel'?",
    }
    assert (second["line"], second["column"]) == (4, 13)


def test_other_formats_leave_stdout_empty_on_an_error(tmp_path):
    (tmp_path / "net.yaml").write_text(BAD_SPEC)
    for form in ("table", "csv", "markdown", "latex"):
        code, out, _ = end(start("params", "net.yaml", "-f", form, cwd=tmp_path))
        assert (code, out) == (2, b"")
    code, out, _ = end(start("params", "net.yaml", "-f", "json", "-o", "out.json", cwd=tmp_path))
    assert (code, out) == (2, b"")
    assert not (tmp_path / "out.json").exists()


@pytest.mark.parametrize("words", [["--help"], ["--version"], ["params", "--help"], ["list"], ["completion", "bash"]])
def test_a_pipe_that_is_closed_is_141_whatever_is_printed(words):
    reader, writer = os.pipe()
    os.close(reader)
    process = start(*words, stdout=writer)
    os.close(writer)
    code, _, err = end(process)
    assert (code, err) == (141, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
@pytest.mark.parametrize("words", [["nosuch"], ["params", "--nosuch"], ["params"], ["params", "nosuch.yaml"], []])
def test_bad_usage_is_2_where_stderr_takes_nothing(words):
    with Path("/dev/full").open("wb") as full:
        process = start(*words, stderr=full)
        with process.stdout:
            assert (process.stdout.read(), process.wait(30)) == (b"", 2)
    assert end(start(program=["sh", "-c", '"$0" -m convcalc "$@" 2>&-', sys.executable, *words]))[0] == 2


ENTRY = [sys.executable, "-c", "from convcalc.entry import main; main()"]


def test_ctrl_c_before_anything_is_imported():
    """A module that takes its time stands for the imports: the signal comes while the command line is being loaded."""
    slow = (
        "import sys\n"
        "class Slow:\n"
        "    def find_spec(self, name, *words):\n"
        "        if name == 'click':\n"
        "            print('loading', flush=True)\n"
        "            import time; time.sleep(20)\n"
        "sys.meta_path.insert(0, Slow())\n"
        "from convcalc.entry import main; main()"
    )
    process = start(
        "params",
        program=[sys.executable, "-c", slow],
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert process.stdout.readline() == b"loading\n"
    process.send_signal(signal.SIGINT)
    assert end(process) == (130, b"", "interrupted\n")


def test_ctrl_c_at_any_moment_is_130_without_a_traceback(spec):
    ends = set()
    for number in range(12):
        process = start("params", spec, program=ENTRY, preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
        time.sleep(0.05 + 0.05 * number)
        process.send_signal(signal.SIGINT)
        code, _, err = end(process)
        if "convcalc/" not in err and "Traceback" in err:
            continue  # Python itself was still starting, before any line of this program
        assert "Traceback" not in err
        assert code in (0, 130, -signal.SIGINT)
        ends.add(code)
    assert 130 in ends


def test_a_background_job_ignores_ctrl_c(spec):
    process = start("params", spec, program=ENTRY, preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN))
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    assert end(process)[0] == 0


def test_stdin_that_is_closed():
    code, _, err = end(start(program=["sh", "-c", '"$0" -m convcalc params - <&-', sys.executable]))
    assert code == 2
    assert err.startswith("error: standard input is closed\n")


@pytest.mark.parametrize("words", [["params", "NET", "--batch", "９"], ["params", "NET", "--depth", "٣"]])
def test_digits_of_other_scripts_are_refused(words, spec):
    code, _, err = end(start(*(spec if word == "NET" else word for word in words)))
    assert code == 2
    assert "is not a whole number in the digits 0 to 9" in err


@pytest.mark.parametrize(
    ("figure", "text", "hint"),
    [
        ("params", "5 MiB", "weight_bytes limits bytes"),
        ("params", "5MB", "weight_bytes limits bytes"),
        ("macs", "1GiB", "macs are counted, not measured in bytes"),
        ("params", "5B", "did you mean '5G'?"),
    ],
)
def test_bytes_for_a_count_are_explained(figure, text, hint, spec):
    code, _, err = end(start("check", spec, f"--max-{figure}", text))
    assert code == 2
    assert hint in err
