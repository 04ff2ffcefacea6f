"""What README and the pages of docs/ show is what happens: every `console` block is run, and its output compared.

A `yaml` or `python` block whose first line is `# NAME.yaml` or `# NAME.py` is a file that the blocks of its page use.
The table of blocks in docs/catalogue.md and the pictures are generated too. After a change of output, or of a file in
layers/, one command renews everything that is generated:

    python tests/docs/test_readme.py
"""

import os
import re
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from convcalc.catalogue import catalogue_files
from convcalc.kinds import KINDS
from convcalc.language.document_loader import load as load_document
from convcalc.tables.kinds import example_spec

ROOT = Path(__file__).parents[2]
RENEW = "run 'python tests/docs/test_readme.py' and read the difference that it makes"
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
CATALOGUE = ROOT / "docs" / "catalogue.md"
LESSONS = sorted(path.relative_to(ROOT) for path in (ROOT / "layers" / "lessons").glob("reduce-5x5-*.yaml"))
PICTURES = {  # the files of docs/ that a command draws
    "catalogue.svg": ("list", "--folder", "networks", "-o", os.devnull, "--svg"),
    "reduce-5x5.svg": ("compare", *LESSONS, "-f", "svg", "-o"),
}
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
COMMAND = re.compile(r"^\$ (.*)$", re.MULTILINE)


def blocks(page, language):
    return [text for name, text in BLOCK.findall(page.read_text("utf-8")) if name == language]


def prepare(page, folder):
    """Write into a folder what a page's blocks need: its files, the catalogue, and convcalc on the path."""
    for text in (*blocks(page, "yaml"), *blocks(page, "python")):
        name = re.match(r"# (\S+\.(?:yaml|py))\n", text)
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
    """Run a block's commands; return the block with their real output, stdout and stderr in one."""
    script = "code=0\n"
    for command in COMMAND.findall(block):
        script += f"printf '%s\\n' {quote('$ ' + command)}\n(exit $code)\n{command}\ncode=$?\n"
    environment = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "FORCE_COLOR")}
    environment |= {"PATH": f"{folder / 'bin'}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT), "PYTHONUTF8": "1"}
    result = subprocess.run(
        ["bash", "-c", script],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        check=False,
    )
    return result.stdout


def quote(text):
    return "'" + text.replace("'", "'\\''") + "'"


def renewed(page):
    """The page's text with the real output in every console block, and the real table of blocks."""
    with tempfile.TemporaryDirectory() as folder:
        prepare(page, Path(folder))

        def with_output(match):
            return f"```console\n{outcome(match[2], Path(folder))}```" if match[1] == "console" else match[0]

        text = BLOCK.sub(with_output, page.read_text("utf-8"))
    if page not in LISTS:
        return text
    head, rows = LISTS[page]
    return text.partition(head)[0] + head + rows()


def blocks_table():
    """The rows of docs/catalogue.md: each file of layers/blocks/ with the blocks that it defines."""
    files = {name: path for name, path in sorted(catalogue_files().items()) if path.parent.name == "blocks"}
    rows = []
    for name in files:
        own = [block.name for block in load_document(name).blocks.values() if block.home.file.name == f"{name}.yaml"]
        rows.append(f"| `{name}` | {', '.join(f'`{block}`' for block in own)} |\n")
    return "".join(rows)


def modules_table():
    """The rows of docs/from-pytorch.md: each module of PyTorch that a kind names, with that kind and its example."""
    kinds = {module: kind for kind in KINDS.values() for module in kind.torch.split()}
    rows = []
    for module in sorted(kinds, key=str.lower):
        kind = kinds[module]
        entry = example_spec(kind).partition("  - ")[2]
        rows.append(f"| `{module}` | `{kind.name}` | `{entry}` |\n")
    return "".join(rows)


LISTS = {  # the list that a page ends with: its head, and its rows
    CATALOGUE: ("| file | blocks |\n|---|---|\n", blocks_table),
    ROOT / "docs" / "from-pytorch.md": ("| PyTorch | kind | as a layer of a spec |\n|---|---|---|\n", modules_table),
}


def draw(name, path):
    """Draw a picture of docs/ into a file."""
    subprocess.run([sys.executable, "-m", "convcalc", *map(str, (*PICTURES[name], path))], cwd=ROOT, check=True)


SHOWN = [
    pytest.param(page, block, id=f"{page.name}: {block.splitlines()[0]}")
    for page in PAGES
    for block in blocks(page, "console")
]


@pytest.mark.parametrize(("page", "block"), SHOWN)
def test_a_block_shows_what_happens(page, block, tmp_path):
    prepare(page, tmp_path)
    assert outcome(block, tmp_path) == block, f"a block of {page.name} is out of date: {RENEW}"


@pytest.mark.parametrize("page", LISTS, ids=lambda page: page.name)
def test_a_page_ends_with_the_whole_list(page):
    head, rows = LISTS[page]
    assert page.read_text("utf-8").partition(head)[2] == rows(), f"out of date: {RENEW}"


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_is_what_its_command_draws(name, tmp_path):
    draw(name, tmp_path / "new.svg")
    is_equal = (tmp_path / "new.svg").read_bytes() == (ROOT / "docs" / name).read_bytes()
    assert is_equal, f"docs/{name} is out of date: {RENEW}"
    assert any(f"{name})" in page.read_text("utf-8") for page in PAGES), f"no page shows docs/{name}"


def anchors(page):
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", page.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}


def test_links_lead_somewhere():
    for page in PAGES:
        for target, anchor in re.findall(r"\]\(([^)#:]*)(?:#([^)]*))?\)", page.read_text("utf-8")):
            path = page.parent / target if target else page
            assert path.exists(), f"{page.name} links to {target}"
            assert not anchor or anchor in anchors(path), (
                f"{page.name} links to {target}#{anchor}, and there is no such heading"
            )


def main():
    """Renew everything that is generated."""
    for page in PAGES:
        text = renewed(page)
        if text != page.read_text("utf-8"):
            page.write_text(text, "utf-8")
            print(f"renewed {page.relative_to(ROOT)}")
    for name in PICTURES:
        path = ROOT / "docs" / name
        before = path.read_bytes() if path.exists() else b""
        draw(name, path)
        if path.read_bytes() != before:
            print(f"renewed {path.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
