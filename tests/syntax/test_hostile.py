"""Bytes that would hang, explode or crash another reader of YAML: each ends in one clear message, and soon."""

import pytest
from helpers.process import params, refused

HEAD = "input: 3x8x8\nlayers:\n"


def laughs(levels, width=9):
    lines = ["l0: &l0 [relu]"]
    lines += [f"l{i}: &l{i} [{', '.join([f'*l{i - 1}'] * width)}]" for i in range(1, levels + 1)]
    return "\n".join(lines)


# the text of a file, and parts of the message
BYTES = {
    "merge keys": (
        "a0: &a0 {k0: 1}\n"
        + "\n".join(f"a{i}: &a{i} {{<<: [{', '.join([f'*a{i - 1}'] * 9)}], k{i}: 1}}" for i in range(1, 9)),
        "merge keys ('<<') are not part of a spec",
    ),
    "billion laughs": (laughs(10), "expands to more than 1,000,000 values"),
    "deep lists": ("[" * 25_000, "nested deeper than 40 levels"),
    "deep mappings": ("{a: " * 25_000, "nested deeper than 40 levels"),
    "deep by indentation": ("\n".join("  " * i + "a:" for i in range(200)), "nested deeper than 40 levels"),
    "deep through aliases": (
        "a0: &a0 [1]\n" + "\n".join(f"a{i}: &a{i} [*a{i - 1}]" for i in range(1, 60)),
        "nested deeper than 40 levels",
    ),
    "a value inside itself": ("a: &a {b: *a}", "is used inside its own anchor"),
    "digits": (HEAD + "  - linear: " + "9" * 5_000, "the number has 5,000 digits"),
    "an exponent": (HEAD + "  - linear: 1e999999999", "is too large, too small or too long"),
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
LOADERS = ["CSafeLoader", "SafeLoader"]


@pytest.mark.parametrize("loader", LOADERS)
@pytest.mark.parametrize("case", BYTES)
def test_bytes_that_are_refused(case, loader, tmp_path):
    data, *texts = BYTES[case]
    path = tmp_path / "net.yaml"
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    refused(params(path, loader=loader), *texts)


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
