"""convcalc as a process of its own: pipes, terminals, colours, shell completion, and what it loads."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from helpers.paths import ROOT

from convcalc.cli import FINE


def process(*words, **environment):
    return subprocess.run(
        [sys.executable, "-m", "convcalc", *words],
        capture_output=True,
        env={"PATH": "", "PYTHONPATH": str(ROOT), **environment},
        encoding="utf-8",
        check=False,
    )


def test_piped_it_is_plain_and_whole(spec):
    plain = process("params", spec, COLUMNS="40").stdout
    assert "\x1b" not in plain
    assert "…" not in plain
    assert plain == process("params", spec).stdout == process("params", spec, NO_COLOR="1", FORCE_COLOR="1").stdout


def test_colour_is_forced_by_option_and_environment(spec):
    assert "\x1b[" in process("params", spec, "--color", "always", NO_COLOR="1").stdout
    assert "\x1b[" in process("params", spec, FORCE_COLOR="1").stdout
    assert "\x1b[" not in process("params", spec, FORCE_COLOR="0").stdout
    assert "\x1b[" not in process("params", spec, "--color", "never", FORCE_COLOR="1").stdout


@pytest.mark.parametrize("columns", [40, 60, 80, 120, 200])
def test_a_narrow_terminal_never_cuts_a_number(spec, columns):
    shown = process("params", spec, "--color", "always", "--exact", COLUMNS=str(columns)).stdout
    assert "…" not in shown
    assert "13,246,464" in process("params", spec, "--depth", "1", "--exact").stdout
    for number in ("4,096", "12,800", "10,035,200"):
        assert number in shown


def test_a_spec_from_standard_input(spec):
    found = subprocess.run(
        [sys.executable, "-m", "convcalc", "params", "-"],
        input=Path(spec).read_text(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode == FINE
    assert "total" in found.stdout


def test_the_library_is_loaded_only_as_far_as_it_is_used():
    import convcalc

    assert all(getattr(convcalc, name) for name in convcalc.__all__)
    code = "import sys, convcalc; print([name for name in ('yaml', 'click', 'convcalc.kinds') if name in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("par", "params"),
        ("kinds transposed", "transposed_conv"),
        ("explain net.yaml first/wi", "first/wide"),
        ("params net.yaml -f js", "json"),
    ],
)
def test_a_shell_completes(words, expected, spec):
    count = len(words.split())
    environment = {"_CONVCALC_COMPLETE": "bash_complete", "COMP_WORDS": f"convcalc {words}", "COMP_CWORD": str(count)}
    program = [sys.executable, "-c", "from convcalc.cli import main; main()"]
    found = subprocess.run(
        program,
        env={"PYTHONPATH": str(ROOT), **environment},
        cwd=Path(spec).parent,
        capture_output=True,
        text=True,
        check=True,
    )
    assert expected in [line.partition(",")[2] for line in found.stdout.split("\n")]


@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")
@pytest.mark.parametrize("columns", [80, 200])
def test_on_a_terminal_every_line_fits(spec, columns):
    import fcntl
    import pty
    import struct
    import termios

    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    environment = {"PYTHONPATH": str(ROOT), "TERM": "xterm", "PYTHONUTF8": "1"}
    program = [sys.executable, "-m", "convcalc", "params", spec]
    subprocess.run(program, stdin=subprocess.DEVNULL, stdout=theirs, env=environment, check=True)
    os.close(theirs)
    text = b""
    try:
        while part := os.read(ours, 65536):
            text += part
    except OSError:  # the other end is closed: all is read
        pass
    os.close(ours)
    lines = re.sub(r"\x1b\[[0-9;]*m", "", text.decode()).split("\r\n")
    assert "\x1b[1m" in text.decode()
    assert max(map(len, lines)) <= columns
    assert any("total" in line and "100.0%" in line for line in lines)
