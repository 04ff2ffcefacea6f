"""What the README and the pages of docs/ show is what happens: every `console` block is run, and its output compared.

A `yaml` block whose first line is `# NAME.yaml` is the file that the blocks of its page use. After a change of the
output, `python tests/docs/test_readme.py` writes the new one into the pages.
"""

import os
import re
import stat
import subprocess
import sys
from pathlib import Path

import click
import pytest
from helpers.paths import ROOT

from convcalc.cli import cli

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
COMMAND = re.compile(r"^\$ (.*)$", re.MULTILINE)


def blocks(page, language):
    return [text for found, text in BLOCK.findall(page.read_text("utf-8")) if found == language]


def prepare(page, folder):
    """A folder to run a page's blocks in: its files, the catalogue, and convcalc on the path."""
    for text in blocks(page, "yaml"):
        name = re.match(r"# (\S+\.yaml)\n", text)
        if name:
            (folder / name[1]).parent.mkdir(parents=True, exist_ok=True)
            (folder / name[1]).write_text(text, "utf-8")
    if not (folder / "layers").exists():
        (folder / "layers").symlink_to(ROOT / "layers")
        (folder / "models").symlink_to(ROOT / "tests" / "data" / "onnx")
        (folder / "bin").mkdir()
        program = folder / "bin" / "convcalc"
        program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m convcalc "$@"\n')
        program.chmod(program.stat().st_mode | stat.S_IXUSR)


def outcome(block, folder):
    """A block with the output that its commands really give, stdout and stderr in one."""
    script = "code=0\n"
    for command in COMMAND.findall(block):
        script += f"printf '%s\\n' {quote('$ ' + command)}\n(exit $code)\n{command}\ncode=$?\n"
    environment = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "FORCE_COLOR")}
    environment |= {"PATH": f"{folder / 'bin'}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT), "PYTHONUTF8": "1"}
    found = subprocess.run(
        ["bash", "-c", script],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        check=False,
    )
    return found.stdout


def quote(text):
    return "'" + text.replace("'", "'\\''") + "'"


SHOWN = [
    pytest.param(page, block, id=f"{page.name}: {block.splitlines()[0]}")
    for page in PAGES
    for block in blocks(page, "console")
]


@pytest.mark.parametrize(("page", "block"), SHOWN)
def test_a_block_shows_what_happens(page, block, tmp_path):
    prepare(page, tmp_path)
    assert outcome(block, tmp_path) == block


def test_every_command_stands_in_the_readme():
    text = PAGES[0].read_text("utf-8")
    missing = [name for name in cli.list_commands(click.Context(cli)) if f"convcalc {name}" not in text]
    assert not missing


def test_links_lead_somewhere():
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text("utf-8")):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def update():
    """Write the real output into every page."""
    import tempfile

    for page in PAGES:
        with tempfile.TemporaryDirectory() as folder:
            prepare(page, Path(folder))

            def fresh(found, folder=folder):
                if found[1] != "console":
                    return found[0]
                return f"```console\n{outcome(found[2], Path(folder))}```"

            page.write_text(BLOCK.sub(fresh, page.read_text("utf-8")), "utf-8")


if __name__ == "__main__":
    update()
