"""What changed since the base: for programs before and after, and findings at the line that the change touched."""

import json
import subprocess
from hashlib import sha256
from pathlib import Path

import pytest

from convcalc.cli import FINE, run

BROKEN = 1
# params: stem 28 a filter, then wide 8*(9*filters + 1)
NET = """input: 3x8x8
vars: {width: 4}
layers:
  - conv: {name: stem, filters: "${width}", kernel: 3}
  - relu
  - conv:
      name: wide
      filters: 8
      kernel: 3
  - relu
budget: {params: 500}
"""


def git(*words):
    who = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
    subprocess.run(["git", *who, *words], check=True, capture_output=True)


@pytest.fixture(autouse=True)
def repository(tmp_path, monkeypatch):
    """A repository with a network of 112 + 296 params, and settings."""
    monkeypatch.chdir(tmp_path)
    Path("net.yaml").write_text(NET)
    Path("convcalc.yaml").write_text("budgets: {net*: {macs: 1M}}\n")
    git("init", "-q", "-b", "main")
    git("add", ".")
    git("commit", "-qm", "first")


def check(*words):
    code = run(["check", "net.yaml", "--base", "main", *words, "-f", "json", "-o", "json", "--report=github=github"])
    return code, json.loads(Path("json").read_text()), Path("github").read_text().splitlines()


def edit(old, new, path="net.yaml"):
    text = Path(path).read_text()
    assert old in text
    Path(path).write_text(text.replace(old, new))


def test_programs_read_each_network_before_and_after():
    edit("filters: 8", "filters: 10")
    code, data, _ = check()
    assert code == FINE
    (network,) = data["networks"]
    assert (network["path"], network["verdict"], network["limits"]) == ("net.yaml", "passed", 2)
    assert network["sha256"] == sha256(Path("net.yaml").read_bytes()).hexdigest()
    assert network["base"]["sha256"] == sha256(NET.encode()).hexdigest()
    assert network["base"]["revision"] == "main"
    assert len(network["base"]["commit"]) == 40
    assert network["figures"]["params"] == {"before": 112 + 8 * 37, "after": 112 + 10 * 37}
    (layer,) = network["layers"]
    assert (layer["path"], layer["what"], layer["params"], layer["line"]) == ("wide", "8 -> 10 filters", 74, 6)
    assert network["limits_changed"] == []


def test_a_network_without_a_base_has_figures_of_today():
    run(["check", "net.yaml", "-f", "json", "-o", "json"])
    (network,) = json.loads(Path("json").read_text())["networks"]
    assert (network["base"], network["is_new"], network["figures"]["params"]) == (None, False, {"after": 408})


def test_what_cannot_be_read_is_among_the_networks():
    Path("bad.yaml").write_text("input: 3x8x8\nlayers: [relo]\n")
    run(["check", "net.yaml", "bad.yaml", "-f", "json", "-o", "json"])
    network = json.loads(Path("json").read_text())["networks"][1]
    assert (network["path"], network["verdict"]) == ("bad.yaml", "unreadable")
    assert "relo" in network["errors"][0]


@pytest.mark.parametrize(
    ("old", "new", "path", "change"),
    [
        ("params: 500", "params: 900", "net.yaml", ("params", "at most 500", "at most 900")),
        ("params: 500", "flops: 1G, params: 500", "net.yaml", ("flops", "", "at most 1,000,000,000")),
        ("1M", "{at_most: 2M, level: warn}", "convcalc.yaml", ("macs", "at most 1,000,000", "at most 2,000,000, warn")),
        ("macs: 1M", "", "convcalc.yaml", ("macs", "at most 1,000,000", "")),
        ("1M", "{max_increase: 2% and 1k}", "convcalc.yaml", ("macs", "at most 1,000,000", "increase 2% and 1,000")),
    ],
)
def test_a_limit_that_moved_is_told_wherever_it_is_written(old, new, path, change):
    edit(old, new, path)
    _, data, _ = check()
    (limit,) = data["networks"][0]["limits_changed"]
    assert (limit["limit"], limit["before"], limit["after"]) == change


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ("      filters: 8", "      filters: 16", 8),  # a field of its own line
        ('"${width}"', "16", 4),
        ("width: 4", "width: 16", 2),  # layers that read a variable are not touched
        ("layers:\n", "\n# one\n\n# two\nlayers:\n", None),
        ("params: 500", "params: 300", None),  # the limit moved, the figure did not
    ],
)
def test_an_annotation_is_on_the_line_that_the_change_touched(old, new, line):
    edit(old, new)
    limit = [number for number, text in enumerate(Path("net.yaml").read_text().splitlines(), 1) if "budget" in text]
    code, _, lines = check("--max-params", "100")
    found = [text for text in lines if "title=convcalc (params/at_most)" in text]
    assert code == BROKEN
    assert f"line={line or limit[0]}," in found[0] or (line is None and "params: 408" in found[0])
    if line:
        assert f"the limit is from net.yaml:{limit[0]}" in found[0]


def test_without_a_base_a_finding_is_at_its_limit():
    edit("filters: 8", "filters: 80")
    run(["check", "net.yaml", "--report=github=github", "-o", "table"])
    assert "file=net.yaml,line=11," in Path("github").read_text()
