"""Nothing that a spec, a file or a model brings is a command to GitHub's runner, which reads the log."""

import io
import json
import re

import pytest

from convcalc.cli import cli, run
from convcalc.formats import names
from convcalc.workflow_log import HarmlessStream, harmless

ANNOTATION = re.compile(r"::(error|warning|notice) title=convcalc[^:]*::|::debug::convcalc: ")


def commands(text):
    """The lines that a runner takes for commands (Runner.Common/ActionCommand.cs), but our own annotations."""
    lines = re.split(r"\r\n|\r|\n", text)
    return [line for line in lines if "##[" in line or (line.strip().startswith("::") and not ANNOTATION.match(line))]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("::error::x", r":\u003aerror::x"),
        ("a\n  ::error::x\n::b", "a\n  :\\u003aerror::x\n:\\u003ab"),
        ("\u00a0\t\ufeff\u3000::x", "\u00a0\t\ufeff\u3000:\\u003ax"),
        ("a\r::x\r\n::y", "a\r:\\u003ax\r\n:\\u003ay"),
        (":::", r":\u003a:"),
        ("a ::b:: c: :d", "a ::b:: c: :d"),
        ("a ##[error]x ##[b]", r"a ##\u005berror]x ##\u005bb]"),
        ("###[", r"###\u005b"),
        ("# #[ [##", "# #[ [##"),
        ("::##[a]", r":\u003a##\u005ba]"),
    ],
)
def test_harmless_however_it_is_cut(text, shown):
    assert harmless(text) == shown
    assert not commands(shown)
    for first in range(len(text) + 1):
        for second in range(first, len(text) + 1):
            kept = io.StringIO(newline="")
            stream = HarmlessStream(kept)
            stream.writelines([text[:first], text[first:second], text[second:]])
            assert kept.getvalue() == shown, (first, second)


def test_one_character_at_a_time():
    text = "a::b\n ::c\n:\n::\n\n\u2003::d##[e]##\n[##[\r:: "
    kept = io.StringIO(newline="")
    stream = HarmlessStream(kept)
    for character in text:
        stream.write(character)
    assert kept.getvalue() == harmless(text)
    assert not commands(kept.getvalue())


HOSTILE = ("::stop-commands::token", "::add-mask::a", "##[add-mask]error", "::error file=a::b", " ::debug::x##[group]y")
SPEC = """\
name: "NAME"
source: "NAME"
input: 3x8x8
vars: {width: 8}
layers:
  - conv: {filters: "${width}", kernel: 3}
  - relu
budget:
  params: {at_most: 5, message: "NAME"}
"""
WORDS = {
    "check": (["check", "FILE", "--max-macs", "5"], names()),
    "params": (["params", "FILE"], names()),
    "diff": (["diff", "FILE", "reduce-5x5-1-direct"], names()),
    "compare": (["compare", "FILE", "FILE"], names()),
    "explain": (["explain", "FILE"], names()),
    "sweep": (["sweep", "FILE", "--over", "width=4,8"], names()),
    "show": (["show", "FILE"], []),
    "export": (["export", "FILE", "--to"], ["torch", "dot", "mermaid"]),
    "suggest": (["suggest", "FILE"], []),
}


@pytest.fixture
def workflow(tmp_path, monkeypatch):
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("command", sorted(WORDS.keys() & set(cli.list_commands(None))))
def test_no_command_prints_a_command(command, text, workflow, capfd):
    name = f"{text.replace('/', '')}.yaml"
    (workflow / name).write_text(SPEC.replace("NAME", text))
    words, forms = WORDS[command]
    words = [name if word == "FILE" else word for word in words]
    for form in forms or [""]:
        more = [] if not form else [form] if command == "export" else ["-f", form]
        assert run([*words, *more]) in (0, 1, 2)
        found = capfd.readouterr()
        assert found.out + found.err, (words, more)
        assert not commands(found.out), (words, more)
        assert not commands(found.err), (words, more)


@pytest.mark.parametrize("text", HOSTILE)
def test_errors_are_none_either(text, workflow, capfd):
    name = f"{text}.yaml"
    for spec in (f'input: 3x8x8\nlayers: ["{text}"]\n', f"{text}\n", f"'{text}': 1\n"):
        (workflow / name).write_text(spec)
        for words in (
            ["params", name],
            ["check", name],
            ["params", name, "-f", "json"],
            ["check", name, "-f", "github"],
        ):
            assert run(words) == 2
    assert run([text]) == 2
    assert run([f"--{text}\n{text}"]) == 2
    assert run(["params", f"-\n{text}"]) == 2
    assert run(["params", f"x\n{text}"]) == 2
    assert run(["params", name, "-f", f"\n{text}"]) == 2
    found = capfd.readouterr()
    assert not commands(found.out)
    assert not commands(found.err)
    assert found.err


def test_annotations_stay_what_they_are(workflow, capfd):
    (workflow / "net.yaml").write_text(SPEC.replace("NAME", "##[add-mask]a"))
    assert run(["check", "net.yaml", "--report", "github=-"]) == 1
    lines = capfd.readouterr().out.splitlines()
    found = [line for line in lines if line.startswith("::")]
    assert found == [
        "::error title=convcalc (params/at_most),file=net.yaml,line=9,col=11::"
        r"##\u005badd-mask]a: params: 224 is 219 over the limit of 5; ##\u005badd-mask]a",
        "::notice title=convcalc::1 limit in 1 network: 1 failed",
    ]


def test_a_file_of_ours_is_no_log_and_json_stays_json(workflow, capfd):
    (workflow / "net.yaml").write_text(SPEC.replace("NAME", "##[add-mask]a"))
    assert run(["params", "net.yaml", "-f", "json", "-o", "out"]) == 0
    assert run(["params", "net.yaml", "-f", "json"]) == 0
    written, printed = (workflow / "out").read_text(), capfd.readouterr().out
    assert "##[" in written
    assert "##[" not in printed
    assert json.loads(printed) == json.loads(written)


def test_outside_of_a_workflow_nothing_changes(workflow, capfd, monkeypatch):
    monkeypatch.delenv("GITHUB_ACTIONS")
    (workflow / "net.yaml").write_text(SPEC.replace("NAME", "::a##[b]"))
    assert run(["params", "net.yaml"]) == 0
    assert capfd.readouterr().out.startswith("::a##[b]\n")
