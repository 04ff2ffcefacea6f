"""What is longer than the screen is shown in a pager where somebody reads it, and nowhere else."""

import sys

import pytest
from helpers.terminal import SGR, on_terminal

from convcalc.cli import BAD, BROKEN, FINE

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")
LONG = ("compare", "googlenet", "nin_imagenet")
MARK = "import sys; text = sys.stdin.read(); print('PAGED'); print(text)"


@pytest.fixture
def pager(tmp_path):
    """A pager that says that it was one, as the words of PAGER."""

    def made(text=MARK):
        program = tmp_path / "a pager.py"
        program.write_text(text)
        return f"{sys.executable} '{program}' --option"

    return made


def test_what_is_longer_than_the_screen_is_paged_in_colours_with_the_answer_first(pager):
    code, text = on_terminal(*LONG, PAGER=pager())
    assert code == FINE
    assert text.startswith("PAGED\n")
    assert "\x1b[1m" in text
    lines = SGR.sub("", text).split("\n")
    assert lines.index("relative to googlenet".replace("googlenet", "GoogLeNet")) < 20


@pytest.mark.parametrize(
    ("words", "terminal"),
    [
        (LONG, {"rows": 2000}),
        ((*LONG, "--no-pager"), {}),
        (LONG, {"CI": "true"}),
        (LONG, {"TERM": "dumb"}),
        (LONG, {"is_read": False}),
        (LONG, {"PAGER": ""}),
        (LONG, {"PAGER": "no-such-program"}),
        (LONG, {"PAGER": "'"}),
        (("export", "googlenet", "--to", "mermaid"), {}),
    ],
)
def test_what_fits_and_what_nobody_pages_is_printed(words, terminal, pager):
    code, text = on_terminal(*words, **{"PAGER": pager(), **terminal})
    assert code == FINE
    assert "PAGED" not in text
    assert len(text) > 1000


def test_printed_the_answer_is_last():
    _, text = on_terminal(*LONG, "--no-pager")
    lines = SGR.sub("", text).split("\n")
    assert "relative to GoogLeNet" in lines[-4:]
    _, text = on_terminal(*LONG, "--no-pager", rows=2000)
    assert "relative to GoogLeNet" in SGR.sub("", text).split("\n")[:20]


def test_no_shell_runs_the_pager(pager, tmp_path):
    _, text = on_terminal(*LONG, PAGER=f"{pager()}; touch {tmp_path / 'made'}")
    assert text.startswith("PAGED\n")
    assert not (tmp_path / "made").exists()


def test_less_keeps_colours_and_is_told_how_unless_the_user_says(pager):
    tell = pager("import os, sys; sys.stdin.read(); print(os.environ['LESS'])")
    assert on_terminal(*LONG, PAGER=tell)[1] == "FRX\n"
    assert on_terminal(*LONG, PAGER=tell, LESS="S")[1] == "S\n"


@pytest.mark.parametrize(
    "program",
    [
        "import sys; sys.stdin.readline(); print('left')",
        "print('left')",
        "import os, signal, sys; os.kill(os.getppid(), signal.SIGINT); sys.stdin.read(); print('left')",
        "import os, signal, sys; print('left', flush=True); os.kill(os.getpid(), signal.SIGINT)",
    ],
)
def test_to_leave_the_pager_or_to_press_ctrl_c_in_it_is_no_error(program, pager):
    code, text = on_terminal("explain", "googlenet", "*", PAGER=pager(program))
    assert code == FINE
    assert text.startswith("left\n")
    assert "error" not in text
    assert "interrupted" not in text


def test_the_exit_code_is_that_of_the_command(pager):
    code, text = on_terminal("diff", "googlenet", "resnet50", "--exit-code", PAGER=pager())
    assert code == BROKEN
    assert text.startswith("PAGED\n")


@pytest.mark.parametrize("words", [("params", "no-such-network"), ("params", "--nope"), ("nope",)])
def test_errors_have_colours_on_a_terminal_unless_none_are_wanted(words):
    code, text = on_terminal(*words)
    assert code == BAD
    assert "\x1b[1;31merror\x1b[0m: " in text
    assert "\x1b[36m   hint: " in text
    for never in (("--color", "never"), ("--color=never",)):
        assert "\x1b" not in on_terminal(*words, *never)[1]
    assert "\x1b" not in on_terminal(*words, NO_COLOR="1")[1]
    assert "\x1b" not in on_terminal(*words, TERM="dumb")[1]
