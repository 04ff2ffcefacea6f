"""The verdict tells what was checked and what was not, in every format: nothing that could not be checked is a pass."""

import importlib.util
import json
import re
import subprocess
from xml.etree import ElementTree

import pytest
from helpers.paths import ROOT

import convcalc
from convcalc.cli import BAD, FINE, run

BROKEN = 1
NET = "input: 3x8x8\nlayers:\n  - conv: {filters: FILTERS, kernel: 3}\n  - relu\n"
GROWTH = "budget: {params: {max_increase: 1}, macs: {ratchet: true}}\n"
FORMS = ("table", "markdown", "json", "junit", "sarif", "github", "gitlab")


def git(*words):
    who = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
    subprocess.run(["git", *who, *words], check=True, capture_output=True)


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """A repository whose branch main has nets/net.yaml, with limits on growth."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "nets").mkdir()
    write(tmp_path / "nets/net.yaml")
    git("init", "-q", "-b", "main")
    git("add", ".")
    git("commit", "-qm", "first")
    git("checkout", "-qb", "change")
    return tmp_path


def write(path, filters=8, budget=GROWTH):
    path.write_text(NET.replace("FILTERS", str(filters)) + budget)


def action():
    """The module that the GitHub action runs."""
    spec = importlib.util.spec_from_file_location("run", ROOT / "action/run.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def verdict_in(form, text):
    """The verdict as a reader of a format finds it."""
    if form == "json":
        return json.loads(text)["verdict"]["text"]
    if form == "junit":
        return ElementTree.fromstring(text).find("testsuite[@name='verdict']/system-out").text
    if form == "sarif":
        (ran,) = json.loads(text)["runs"]
        (invocation,) = ran["invocations"]
        (note,) = invocation["toolExecutionNotifications"]
        assert ran["properties"]["verdict"]["text"] == note["message"]["text"]
        gap = re.search("cannot be checked|without a network", note["message"]["text"])
        assert invocation["executionSuccessful"] == (gap is None)
        return note["message"]["text"]
    if form == "gitlab":
        issues = json.loads(text)
        assert len({issue["fingerprint"] for issue in issues}) == len(issues)
        return issues[-1]["description"]
    lines = [line for line in text.splitlines() if line]
    return lines[-1].removeprefix("- ").removeprefix("::notice title=convcalc::").replace("\\", "")


def verdicts(*words):
    """The verdict in each format, which are all the same, and the exit code."""
    codes = {run(["check", *words, *(f"--report={form}={form}" for form in FORMS), "-o", "out"])}
    texts = {}
    for form in FORMS:
        with open(form, encoding="utf-8") as stream:
            texts[form] = verdict_in(form, stream.read())
    assert set(texts.values()) == {texts["json"]}, texts
    (code,) = codes
    return texts["json"], code


@pytest.mark.parametrize("count", [1, 2])
def test_what_cannot_be_read_is_counted_in_every_format(count, repository, monkeypatch):
    monkeypatch.setenv("GITHUB_SHA", "0" * 40)
    monkeypatch.setenv("KEY", "budgets")
    write(repository / "one.yaml", budget="budget: {params: 5M, macs: 5M}\n")
    write(repository / "two.yaml", budget="budget: {params: 5M}\n")
    bad = [f"bad{number}.yaml" for number in range(count)]
    for name in bad:
        (repository / name).write_text("input: 3x8x8\nlayers: [relo]\nbudget: {params: 1}\n")
    text, code = verdicts("one.yaml", *bad, "two.yaml")
    assert code == BAD
    assert text == f"3 limits in 2 networks passed; {count} of {2 + count} networks cannot be checked"
    report, page = (json.loads((repository / "json").read_text()), (repository / "markdown").read_text())
    comment = action().body(report, page, "")
    assert f"### Architecture budgets: {text}, see the log\n" in comment
    assert "all passed" not in comment.partition("<details>")[0].partition("budgets: ")[2]


@pytest.mark.parametrize("name", ["bad.yaml", "none.yaml"])
def test_where_nothing_can_be_read_every_format_says_so(name, repository, capsys):
    (repository / "bad.yaml").write_text("input: 3x8x8\nlayers: [relo]\n")
    assert verdicts(name) == ("1 of 1 network cannot be checked", BAD)
    assert run(["check", name, "-f", "json"]) == BAD
    data = json.loads(capsys.readouterr().out)
    assert (data["tables"], data["verdict"]["unreadable"], len(data["error"]["problems"])) == ([], 1, 1)


def test_a_limit_on_growth_without_a_base_is_not_checked(repository):
    write(repository / "one.yaml", budget="budget: {params: 5M}\n")
    assert verdicts("one.yaml", "nets/net.yaml") == (
        "1 limit in 1 network passed; 1 of 2 networks cannot be checked",
        BAD,
    )


def test_a_pattern_of_the_configuration_that_fits_no_network_is_in_the_verdict(repository):
    write(repository / "one.yaml", budget="budget: {params: 5M}\n")
    (repository / "convcalc.yaml").write_text("specs: [one.yaml]\nbudgets: {two*: {params: 1}}\n")
    assert verdicts() == ("1 limit in 1 network passed; 1 pattern of the configuration without a network", BAD)


NEW = "2 limits on growth not checked in 1 new network"


@pytest.mark.parametrize(
    ("words", "settings", "code", "level"),
    [
        ([], "", FINE, "warn"),
        (["--new", "error"], "", BROKEN, "error"),
        (["--new", "ok"], "", FINE, "ok"),
        ([], "new: error\n", BROKEN, "error"),
        ([], "new: ok\n", FINE, "ok"),
        (["--new", "warn"], "new: error\n", FINE, "warn"),
        (["--max-warnings", "0"], "", BROKEN, "warn"),
    ],
)
def test_a_new_network_with_limits_on_growth_is_said_and_may_be_an_error(words, settings, code, level, repository):
    write(repository / "nets/other.yaml", 8_000, GROWTH.replace("}}", "}, flops: 1T}"))
    if settings:
        (repository / "convcalc.yaml").write_text(settings)
    assert run(["check", "nets/other.yaml", "--base", "main", *words, "-f", "json", "-o", "json"]) == code
    report = json.loads((repository / "json").read_text())
    assert report["verdict"]["text"].endswith(NEW)
    assert "all passed" not in report["verdict"]["text"]
    assert [row["level"] for row in report["tables"][0]["rows"] if row["rule"] == "new"] == [level]
    assert (report["verdict"]["new"], report["verdict"]["unchecked_limits"]) == (1, 2)
    if level != "ok":
        text, ends = verdicts("nets/net.yaml", "nets/other.yaml", "--base", "main", *words)
        assert (text, ends) == (f"3 limits in 2 networks passed; {NEW}", code)


def test_the_comment_says_what_is_new(repository, monkeypatch):
    monkeypatch.setenv("GITHUB_SHA", "0" * 40)
    monkeypatch.setenv("KEY", "budgets")
    write(repository / "other.yaml", 8_000)
    run(["check", "nets/net.yaml", "other.yaml", "--base", "main", "-f", "json", "-o", "json"])
    comment = action().body(json.loads((repository / "json").read_text()), "", "")
    assert f"### Architecture budgets: 2 limits in 2 networks passed; {NEW}\n" in comment
    assert "| other" in comment


def test_a_new_network_without_limits_on_growth_is_checked_whole(repository):
    write(repository / "other.yaml", budget="budget: {params: 5M}\n")
    assert run(["check", "other.yaml", "--base", "main", "--new", "error", "-f", "json", "-o", "json"]) == FINE
    told = json.loads((repository / "json").read_text())["verdict"]
    assert (told["limits"], told["new"], told["unchecked_limits"]) == (1, 0, 0)


@pytest.mark.parametrize("is_committed", [False, True])
@pytest.mark.parametrize("target", ["nets/other.yaml", "elsewhere/net é.yaml"])
def test_a_moved_network_is_compared_with_what_it_was(target, is_committed, repository, capsys, monkeypatch):
    (repository / "elsewhere").mkdir()
    git("mv", "nets/net.yaml", target)
    write(repository / target, 9)
    if is_committed:
        git("add", ".")
        git("commit", "-qm", "moved and grown")
    assert run(["check", target, "--base", "main"]) == BROKEN
    out = capsys.readouterr().out
    assert "moved: compared with nets/net.yaml at main" in out
    assert "(it was 224)" in out
    monkeypatch.chdir(repository / "nets")
    assert run(["check", f"../{target}", "--base", "main"]) == BROKEN
    assert run(["diff", f"../{target}", "--base", "main", "--totals"]) == FINE


def test_a_network_in_a_folder_that_looks_like_a_repository_is_compared_with_the_true_one(repository):
    bare = repository.parent / "bare"
    git("clone", "-q", "--bare", ".", str(bare))
    for path in sorted(bare.rglob("*")):
        goal = repository / "nets" / path.relative_to(bare)
        if path.is_dir():
            goal.mkdir(exist_ok=True)
        else:
            goal.write_bytes(path.read_bytes())
    write(repository / "nets/net.yaml", 8_000)
    assert run(["check", "nets/net.yaml", "--base", "main"]) == BROKEN


def test_the_configuration_knows_three_values(repository, capsys):
    (repository / "convcalc.yaml").write_text("new: warm\n")
    assert run(["check", "nets/net.yaml"]) == BAD
    assert "convcalc.yaml:1:6: error: 'new' cannot be 'warm'" in capsys.readouterr().err


def test_the_library_takes_the_same_level(repository):
    write(repository / "other.yaml")
    assert convcalc.check("other.yaml", base="main").unchecked == 2
    with pytest.raises(convcalc.OverBudget, match="does not exist at main"):
        convcalc.check("other.yaml", base="main", new="error")
    with pytest.raises(convcalc.SpecError, match="did you mean 'error'"):
        convcalc.check("other.yaml", base="main", new="eror")
