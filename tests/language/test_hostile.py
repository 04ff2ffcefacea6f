"""Files that would hang, explode, crash or escape another reader: each ends in one clear message, and soon.

Where a file is harmless to look at, its mistake stands in errors/ with its text; here are those about bytes, size, time
and the file system. Every one runs in a process of its own, with a limit on time and memory.
"""

import os
import resource
import socket
import subprocess
import sys

import pytest
from helpers.paths import ROOT

HEAD = "input: 3x8x8\nlayers:\n"
SECONDS = 20
MEMORY = 2**30


def limit():
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))


def params(path, *words, loader="", **options):
    """Run `params` in a process of its own; `loader` is the parser of PyYAML, its C one where there is one."""
    setup = (
        f"import yaml, convcalc.syntax.yaml as s; s._LOADER = getattr(yaml, '{loader}', yaml.SafeLoader); "
        if loader
        else ""
    )
    program = f"{setup}from convcalc.cli import main; main()"
    return subprocess.run(
        [sys.executable, "-c", program, "params", str(path), *words],
        capture_output=True,
        timeout=SECONDS,
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        preexec_fn=limit,
        **options,
    )


def refused(result, *texts):
    err = result.stderr.decode()
    assert result.returncode == 2, err
    assert result.stdout == b""
    assert "Traceback" not in err
    for text in texts:
        assert text in err


def laughs(levels, width=9):
    lines = ["l0: &l0 [relu]"]
    lines += [f"l{i}: &l{i} [{', '.join([f'*l{i - 1}'] * width)}]" for i in range(1, levels + 1)]
    return "\n".join(lines)


# what stands in the file, and what the message says
BYTES = {
    "merge keys": (
        "a0: &a0 {k0: 1}\n"
        + "\n".join(f"a{i}: &a{i} {{<<: [{', '.join([f'*a{i - 1}'] * 9)}], k{i}: 1}}" for i in range(1, 9)),
        "merge keys ('<<') are not part of a spec",
    ),
    "billion laughs": (laughs(10), "expands to more than 4,000,000 values"),
    "deep lists": ("[" * 25_000, "nested deeper than 40 levels"),
    "deep mappings": ("{a: " * 25_000, "nested deeper than 40 levels"),
    "deep by indentation": ("\n".join("  " * i + "a:" for i in range(200)), "nested deeper than 40 levels"),
    "deep through aliases": (
        "a0: &a0 [1]\n" + "\n".join(f"a{i}: &a{i} [*a{i - 1}]" for i in range(1, 60)),
        "nested deeper than 40 levels",
    ),
    "a value inside itself": ("a: &a {b: *a}", "stands inside its own anchor"),
    "digits": (HEAD + "  - linear: " + "9" * 5_000, "a number of 5000 digits"),
    "an exponent": (HEAD + "  - linear: 1e999999999", "too large, too small or too long a number"),
    "empty": ("", "the file is empty"),
    "only blanks": ("\n\n  \n", "the file is empty"),
    "UTF-16": (HEAD.encode("utf-16"), "is UTF-16 text", "save it as UTF-8"),
    "UTF-16 without a mark": (HEAD.encode("utf-16-le"), "1:2: error: the character U+0000 is not allowed"),
    "Latin-1": (b"name: caf\xe9\n" + HEAD.encode(), "1:10: error: byte 0xe9 is not UTF-8 text"),
    "NUL": (HEAD + "  - re\0lu", "3:7: error: the character U+0000 is not allowed"),
    "escape": ("name: \x1b[31mred", "1:7: error: the character U+001B is not allowed"),
    "a lone surrogate": ('name: "\\ud800"\n' + HEAD, "1:"),
    "a line separator": ("name: a\u2028b\n" + HEAD, "1:8: error: the character U+2028 is not allowed"),
    "next line": ("name: a\u0085b\n" + HEAD, "1:8: error: the character U+0085 is not allowed"),
    "too many bytes": (HEAD + "  - relu\n" * 4_000_000, "is larger than 32 MiB"),
}
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
LOADERS = ["CSafeLoader", "SafeLoader"]


@pytest.mark.parametrize("loader", LOADERS)
@pytest.mark.parametrize("case", BYTES)
def test_bytes_that_are_refused(case, loader, tmp_path):
    data, *texts = BYTES[case]
    path = tmp_path / "net.yaml"
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    refused(params(path, loader=loader), *texts)


@pytest.mark.parametrize("case", GROWTH)
def test_growth_that_is_refused(case, tmp_path):
    path = tmp_path / "net.yaml"
    text, *texts = GROWTH[case]
    path.write_text(text)
    refused(params(path), *texts)


@pytest.mark.parametrize("loader", LOADERS)
@pytest.mark.parametrize(
    "data",
    [
        b"\xef\xbb\xbfinput: 3x8x8\nlayers: [relu]\n",
        b"input: 3x8x8\r\nlayers:\r\n  - relu\r\n",
        b"input: 3x8x8\rlayers:\r  - relu\r",
        b"%YAML 1.2\n---\ninput: 3x8x8\nlayers: [relu]\n...\n",
        "# größe 😀\ninput: 3x8x8\nlayers: [relu]\n".encode(),
    ],
    ids=["a byte-order mark", "CRLF", "CR", "a directive", "UTF-8"],
)
def test_bytes_that_are_read(data, loader, tmp_path):
    path = tmp_path / "net.yaml"
    path.write_bytes(data)
    result = params(path, loader=loader)
    assert (result.returncode, result.stderr) == (0, b"")


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
        ("circle.yaml", "includes go round in a circle: net.yaml -> circle.yaml -> net.yaml"),
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
