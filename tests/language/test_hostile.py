"""Files and includes that would hang, grow or escape another reader: each ends in one clear message, and soon.

A mistake that is harmless to run has its text in errors/; here are those about growth and the file system.
"""

import os
import socket

import pytest
from helpers.process import params, refused

import convcalc
from convcalc.cli import BAD, run
from convcalc.errors import SpecError

HEAD = "input: 3x8x8\nlayers:\n"
GROWTH = {
    "a long repeat": (HEAD + "  - repeat: {times: 1000000000, layers: [relu]}", "from 0 to 250,000"),
    "nested repeats": (
        HEAD + "  - repeat: {times: 9999, layers: [{repeat: {times: 9999, layers: [relu]}}]}",
        "expands to more than 250,000 layers",
    ),
    "nested repeats of nothing": (
        HEAD + "  - repeat: {times: 250000, layers: [{repeat: {times: 250000, layers: []}}]}",
        "expands to more than 250,000 layers",
    ),
    "blocks that double": (
        "input: 3x8x8\nblocks:\n  b0: {layers: []}\n"
        + "\n".join(f"  b{i}: {{layers: [b{i - 1}, b{i - 1}]}}" for i in range(1, 31))
        + "\nlayers: [b30]",
        "expands to more than 250,000 layers",
    ),
}


@pytest.mark.parametrize("case", GROWTH)
def test_growth_that_is_refused(case, tmp_path):
    path = tmp_path / "net.yaml"
    text, *texts = GROWTH[case]
    path.write_text(text)
    refused(params(path), *texts)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("/dev/zero", "is not a regular file"),
        ("fifo.yaml", "is not a regular file"),
        ("socket.yaml", "is not a regular file"),
        ("folder.yaml", "is a folder"),
        (".", "is a folder"),
        ("nosuch.yaml", "no file 'nosuch.yaml'"),
        ("dangling.yaml", "no file 'dangling.yaml'"),
        ("loop.yaml", "loop.yaml"),
        ("x" * 5_000 + ".yaml", "no file 'xxx"),
        ("a\tb.yaml", "no file 'a\\tb.yaml'"),
        ("", "no file and no catalogue network ''"),
    ],
)
def test_what_is_no_file(name, text, tmp_path, monkeypatch):
    os.mkfifo(tmp_path / "fifo.yaml")
    (tmp_path / "folder.yaml").mkdir()
    (tmp_path / "dangling.yaml").symlink_to("gone.yaml")
    (tmp_path / "loop.yaml").symlink_to("loop.yaml")
    with socket.socket(socket.AF_UNIX) as server:
        monkeypatch.chdir(tmp_path)
        server.bind("socket.yaml")
        refused(params(name, cwd=tmp_path), text)


@pytest.mark.parametrize(
    ("target", "text"),
    [
        ("../secret.yaml", "outside the folder of the spec"),
        ("link.yaml", "outside the folder of the spec"),
        ("deep/../../secret.yaml", "outside the folder of the spec"),
        ("/etc/hosts.yaml", "outside the folder of the spec"),
        ("fifo.yaml", "is not a regular file"),
        ("folder.yaml", "is a folder"),
        ("nosuch.yaml", "no file 'nosuch.yaml'"),
        ("circle.yaml", "circular reference: net.yaml -> circle.yaml -> net.yaml"),
        ("nosuch", "no catalogue block 'nosuch'"),
        ("latin.yaml", "byte 0xe9 is not UTF-8 text"),
        ("http://example.org/a.yaml", "no file 'http://example.org/a.yaml'"),
    ],
)
def test_what_cannot_be_included(target, text, tmp_path):
    (tmp_path / "secret.yaml").write_text("blocks: {key: {layers: [relu]}}")
    root = tmp_path / "root"
    (root / "deep").mkdir(parents=True)
    (root / "link.yaml").symlink_to("../secret.yaml")
    (root / "folder.yaml").mkdir()
    (root / "circle.yaml").write_text("include: net.yaml\nblocks: {b: {layers: [relu]}}")
    (root / "latin.yaml").write_bytes(b"source: caf\xe9\nblocks: {b: {layers: [relu]}}")
    os.mkfifo(root / "fifo.yaml")
    (root / "net.yaml").write_text(f"include: {target}\n{HEAD}  - relu")
    refused(params("net.yaml", cwd=root), text)


def test_an_include_may_leave_the_folder_when_told(tmp_path):
    (tmp_path / "parts.yaml").write_text("blocks: {twice: {layers: [relu, relu]}}")
    (tmp_path / "nets").mkdir()
    (tmp_path / "nets" / "net.yaml").write_text(f"include: ../parts.yaml\n{HEAD}  - twice")
    assert params("nets/net.yaml", "--root", ".", cwd=tmp_path).returncode == 0


def test_a_long_file_of_plain_layers_is_no_mistake(tmp_path):
    path = tmp_path / "net.yaml"
    path.write_text(HEAD + "  - conv: {filters: 8, kernel: 3, padding: same}\n" * 10_000)
    result = params(path, "--by", "kind")
    assert (result.returncode, result.stderr) == (0, b"")


NUL = "a\0b.yaml"


@pytest.mark.parametrize(
    "text", ['include: "a\\0b.yaml"', 'include: ["a\\0b"]', 'include: ["../a\\0.yaml", "/\\0.yaml"]']
)
def test_an_include_with_a_nul_is_an_error(text, tmp_path):
    path = tmp_path / "net.yaml"
    path.write_text(f"{text}\ninput: 3x8x8\nlayers: [relu]\n")
    refused(params(path), "U+0000")


WITH_NUL = [
    *(["params", NUL], ["params", "a\0.onnx"], ["params", "a\0b.py:Net"], ["params", "net.yaml", "--root", NUL]),
    *(["params", "net.yaml", "-o", NUL], ["export", "net.yaml", "--to", "dot", "-o", NUL], ["schema", "-o", NUL]),
    *(
        ["check", "net.yaml", "--config", NUL],
        ["check", "net.yaml", "--baseline", NUL],
        ["check", "net.yaml", "--base", NUL],
    ),
    *(["check", "net.yaml", "--report", f"json={NUL}"], ["list", "--svg", NUL], ["diff", NUL, "net.yaml"]),
]


@pytest.mark.parametrize("words", WITH_NUL, ids=range(len(WITH_NUL)))
def test_a_file_name_with_a_nul_is_an_error(words, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.yaml").write_text("input: 3x8x8\nlayers: [relu]")
    assert run(words) == BAD
    assert "U+0000" in capsys.readouterr().err


def test_the_library_refuses_a_name_with_a_nul(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.yaml").write_text("input: 3x8x8\nlayers: [relu]")
    (tmp_path / "convcalc.toml").write_text("")
    for call in (
        lambda: convcalc.load(NUL),
        lambda: convcalc.load("a\0.onnx"),
        lambda: convcalc.check(NUL, params="1M"),
        lambda: convcalc.check("net.yaml", params="1M", base=NUL),
        lambda: convcalc.check(NUL, params="1M", base="HEAD"),
        lambda: convcalc.check("net.yaml", params="1M", settings=NUL),
    ):
        with pytest.raises(SpecError):
            call()


def test_settings_with_a_nul_are_an_error(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for name, text in (
        ("convcalc.yaml", 'specs: ["a\\0b"]'),
        ("pyproject.toml", '[tool.convcalc]\nspecs = ["a\\u0000b"]'),
    ):
        (tmp_path / name).write_text(text)
        assert run(["check"]) == BAD
        assert "U+0000" in capsys.readouterr().err or name == "pyproject.toml"
        (tmp_path / name).unlink()
