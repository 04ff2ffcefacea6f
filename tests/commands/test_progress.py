"""Long work shows on stderr that it goes on: after a moment, on a terminal, and it leaves nothing behind."""

import subprocess
import sys

import pytest
from helpers.terminal import on_terminal

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")
WORK = """
import time, convcalc.commands._progress as p
p.MOMENT = {moment}
for _ in p.tracked(range(3), "a [bold] :rocket: name", 3):
    time.sleep(0.2)
print("end")
"""


def worked(moment=0.0, **options):
    code, text = on_terminal(program=("-c", WORK.format(moment=moment)), **options)
    assert code == 0
    return text


def test_the_bar_names_the_work_and_is_gone_at_the_end():
    text = worked()
    assert "a [bold] :rocket: name" in text
    assert "/3" in text
    assert "\x1b[2K" in text.rpartition("name")[2]  # the line is erased
    assert text.endswith("end\n")
    assert "\x1b[3" in text


def test_it_has_no_colour_where_none_is_wanted():
    text = worked(NO_COLOR="1")
    assert "a [bold] :rocket: name" in text
    assert "\x1b[3" not in text


@pytest.mark.parametrize("options", [{"moment": 60}, {"stderr": subprocess.DEVNULL}, {"CI": "1"}, {"TERM": "dumb"}])
def test_there_is_none_for_a_moment_and_where_nobody_looks(options):
    assert worked(**options) == "end\n"


def test_a_command_shows_it():
    start = "import sys, convcalc.commands._progress as p; p.MOMENT = 0.0"
    program = f"{start}; from convcalc.cli import main; main(sys.argv[1:])"
    code, text = on_terminal("list", "goog*", program=("-c", program), rows=200)
    assert code == 0
    before, erased, after = text.rpartition("\x1b[2K")
    assert "list" in before
    assert erased
    assert "googlenet" in after
