"""Several networks: those whose limits hold are a line each, folders and patterns are searched, all of them differ."""

import json
import os
from pathlib import Path

import pytest

from convcalc.cli import BAD, FINE, run

BROKEN = 1
SPEC = "input: 3x32x32\nlayers:\n  - conv: {name: head, filters: FILTERS, kernel: 3}\n"  # 28 params a filter
NUMBERS = ("networks", "checked", "unreadable", "limits", "failed", "without_limits", "files_without_a_network")


def write(path, filters=10, budget="budget: {params: 280, macs: 1M}\n"):
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(SPEC.replace("FILTERS", str(filters)) + budget)


@pytest.fixture(autouse=True)
def repository(tmp_path, monkeypatch):
    """nets/ with a network that keeps its limits, one that does not, one without limits, and a file of blocks."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".git").mkdir()
    write("nets/good.yaml")
    write("nets/deep/bad.yml", 11)
    write("nets/free.yaml", budget="")
    Path("nets/blocks.yaml").write_text("blocks: {x: {layers: [relu]}}\n")
    write("nets/.hidden/other.yaml", 99)
    Path("nets/convcalc.yaml").write_text("budget: {params: 1}\n")
    return tmp_path


def check(*words):
    code = run(["check", *words, "-o", "table", "--report=json=json", "--report=csv=csv"])
    return code, Path("table").read_text(), json.loads(Path("json").read_text())


def test_a_folder_is_searched_and_says_what_it_leaves_out():
    code, text, data = check("nets")
    assert code == BROKEN
    assert [data["verdict"][key] for key in NUMBERS] == [3, 2, 0, 4, 1, 1, 1]
    assert text.endswith(
        "without limits: nets/free.yaml\nwithout a network: nets/blocks.yaml\n"
        "4 limits in 2 networks: 1 failed; 1 network without limits; 1 file without a network\n"
    )


def test_a_network_whose_limits_hold_is_one_line_and_programs_have_every_limit():
    _, text, data = check("nets")
    (line,) = (line for line in text.splitlines() if line.startswith("good "))
    assert line.split() == ["good", "2", "params/at_most", "280", "280", "100.0%", "ok", "nets/good.yaml:4"]
    assert text.count("params/at_most") == 2, "its closest limit, and that of the network which fails"
    assert [len(table["rows"]) for table in data["tables"]] == [2, 2]
    assert len(Path("csv").read_text().splitlines()) == 1 + 4
    _, text, _ = check("nets", "--verbose")
    assert text.count("macs/at_most") == 2


def test_the_only_network_shows_its_limits():
    _, text, _ = check("nets/good.yaml")
    assert "macs/at_most" in text


@pytest.mark.parametrize(
    ("words", "names"),
    [
        (["nets/*.yaml"], ["blocks", "free", "good"]),
        (["nets/**/*.y*ml"], ["bad", "blocks", "free", "good"]),
        (["nets/[g]ood.yaml"], ["good"]),
        (["nets/g???.yaml", "nets/good.yaml", "./nets/good.yaml"], ["good"]),
        (["nets/deep", "nets/good.yaml"], ["bad", "good"]),
        (["{folder}/nets/g*"], ["good"]),
    ],
)
def test_a_pattern_names_what_a_shell_would_name(words, names, repository):
    words = [word.replace("{folder}", str(repository)) for word in words]
    _, _, data = check(*words, "--max-params", "5M")
    problems = data.get("error", {}).get("problems", [])
    read = {Path(table["title"].partition(" ")[0]).stem for table in data["tables"]}
    unread = {Path(problem["file"]).stem for problem in problems}
    assert sorted(read | unread) == names


def test_a_folder_may_have_the_signs_of_a_pattern_in_its_name(repository, monkeypatch):
    write("a[1]*/x.yaml")
    assert check("a[1]*")[0] == FINE
    monkeypatch.chdir(repository / "a[1]*")
    assert check("*.yaml")[0] == FINE
    Path("convcalc.yaml").write_text("specs: ['x*.yaml']\n")
    assert check()[0] == FINE


@pytest.mark.parametrize("word", ["nets/x*", "nowhere/*.yaml", "*.yaml", "nets/deep/[z].yml", "empty"])
def test_what_fits_nothing_is_an_error(word, repository, capsys):
    (repository / "empty").mkdir()
    assert run(["check", word, "nets/good.yaml"]) == BAD
    assert f"'{word}' " in capsys.readouterr().err


@pytest.mark.parametrize("word", ["nets", "nets/*.yaml", "nets/**/*.yaml"])
def test_what_is_found_may_not_lead_out_of_the_repository(word, repository, tmp_path_factory, capsys):
    secret = tmp_path_factory.mktemp("outside") / "secret.yaml"
    secret.write_text("password: hidden\n")
    (repository / "nets/link.yaml").symlink_to(secret)
    assert run(["check", word]) == BAD
    error = capsys.readouterr().err
    assert "leads outside the repository" in error
    assert "hidden" not in error
    assert run(["check", "nets/link.yaml", "--max-params", "1"]) == BAD, "a file that is named may be anywhere"


def test_what_is_found_is_never_code_and_never_a_pipe(repository, capsys):
    Path("evil.py").write_text("open('ran', 'w')\n")
    write("found/evil:Net.yaml")
    assert check("found/*")[0] == FINE
    os.mkfifo("found/pipe.yaml")
    assert run(["check", "found"]) == BAD
    assert "no regular file" in capsys.readouterr().err
    assert not Path("ran").exists()


def test_networks_of_one_name_are_told_apart_in_every_format():
    write("a/net.yaml", 11)
    write("b/net.yaml", 12)
    run(["check", "a/net.yaml", "b/net.yaml", *(f"--report={form}={form}" for form in ("junit", "sarif", "github"))])
    _, _, data = check("a/net.yaml", "b/net.yaml")
    assert [table["title"] for table in data["tables"]] == ["net (a/net.yaml)", "net (b/net.yaml)"]
    for form in ("junit", "sarif", "github"):
        text = Path(form).read_text()
        assert all(f"net ({folder}/net.yaml)" in text for folder in "ab")


def test_where_nothing_found_has_limits_nothing_is_checked(capsys):
    write("free/net.yaml", budget="")
    assert run(["check", "free"]) == BAD
    assert "no network has limits to check: free/net.yaml" in capsys.readouterr().err
