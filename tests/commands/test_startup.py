"""What a command does not load: a module that nobody needs is time that everybody waits."""

import os
import subprocess
import sys

import pytest
from helpers.paths import ROOT

from convcalc.cli import cli

HEAVY = {
    *("numpy", "dask", "pyarrow", "onnx", "torch", "rich", "jinja2", "networkx", "sympy", "pydantic"),
    *("importlib.metadata", "dataclasses", "difflib", "pathlib", "pkgutil", "concurrent.futures", "asyncio", "tomllib"),
}
SPEC = "input: 3x8x8\nlayers: [relu]\nbudget: {params: 1M}\n"
COMMANDS = [
    ["params"],
    ["params", "--format", "json"],
    ["params", "--by", "kind", "--format", "csv"],
    ["check"],
    ["params", "--format", "markdown"],
    ["params", "--format", "latex"],
    ["params", "--color", "never"],
]


@pytest.mark.parametrize("words", [words for words in COMMANDS if words[0] in cli.list_commands(None)], ids=" ".join)
def test_what_is_not_needed_is_not_loaded(words, tmp_path):
    spec = tmp_path / "net.yaml"
    spec.write_text(SPEC)
    program = "import sys; from convcalc.cli import run; code = run(sys.argv[1:]); print(*sys.modules, file=sys.stderr)"
    found = subprocess.run(
        [sys.executable, "-c", program, words[0], str(spec), *words[1:]],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert found.stdout
    assert not HEAVY & set(found.stderr.split())


def test_the_terminal_is_drawn_by_rich(tmp_path):
    spec = tmp_path / "net.yaml"
    spec.write_text(SPEC)
    program = "import sys; from convcalc.cli import run; code = run(sys.argv[1:]); print(*sys.modules, file=sys.stderr)"
    words = [sys.executable, "-c", program, "params", str(spec), "--color", "always"]
    found = subprocess.run(
        words, capture_output=True, text=True, check=True, env={**os.environ, "PYTHONPATH": str(ROOT)}
    )
    loaded = set(found.stderr.split())
    assert "rich.table" in loaded
    assert not {"pygments", "markdown_it", "rich.progress", "rich.traceback"} & loaded
