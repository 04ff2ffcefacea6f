"""Every command, found by its file: help, every format, exit codes, and nothing on stdout that is not the result."""

import csv
import io
import json
import re
from pathlib import Path

import click
import pytest

from convcalc.cli import BAD, FINE, cli, run
from convcalc.commands._options import SpecArgument
from convcalc.formats import names

CONTEXT = click.Context(cli)
COMMANDS = {name: cli.get_command(CONTEXT, name) for name in cli.list_commands(CONTEXT)}


def takes_specs_alone(command):
    """Whether specs are all that a command needs, so that every format can be tried on it."""
    needed = [parameter for parameter in command.params if isinstance(parameter, click.Argument) and parameter.required]
    has_format = any(parameter.name == "form" for parameter in command.params)
    return has_format and all(isinstance(parameter.type, SpecArgument) for parameter in needed)


# options without which a command has nothing to do
NEEDED = {
    "sweep": ["--set", "width=8,16"],
    "solve": ["--vary", "width", "--max-macs", "1G"],
    "reconcile": ["--claim", "1G"],
    "check": ["--max-params", "1G"],
    "verify": ["--all"],
}


def arguments(command, spec):
    count = 0
    for parameter in command.params:
        if isinstance(parameter, click.Argument) and (parameter.required or command.name == "check"):
            count += 2 if parameter.nargs == -1 else 1
    return [spec] * count + NEEDED.get(command.name, [])


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help(name, capsys):
    assert run([name, "-h"]) == FINE
    text = capsys.readouterr().out
    assert f"convcalc {name}" in text, "help shows an example"
    assert COMMANDS[name].get_short_help_str(), name


TRIED = [name for name, command in COMMANDS.items() if takes_specs_alone(command)]


def test_the_commands_of_the_calculator_are_tried():
    assert {"params", "compare", "explain", "kinds"} <= set(TRIED)


@pytest.mark.parametrize("form", names())
@pytest.mark.parametrize("name", TRIED)
def test_every_format_serves_every_command(name, form, spec, capsys):
    assert run([name, *arguments(COMMANDS[name], spec), "-f", form]) == FINE
    out, err = capsys.readouterr()
    assert out.endswith("\n") or (form == "jsonl" and not out)
    assert not err
    assert "\x1b" not in out
    if form == "json":
        data = json.loads(out)
        assert data["schema_version"] == 1
        assert all(table["rows"] for table in data["tables"] if name != "list")
    elif form == "csv":
        lines = list(csv.reader(io.StringIO(out)))
        assert len({len(line) for line in lines}) == 1
    elif form == "latex":
        assert out.count(r"\begin{") == out.count(r"\end{") > 0


@pytest.mark.parametrize("name", TRIED)
def test_output_goes_to_a_file(name, spec, tmp_path, capsys):
    path = tmp_path / "out.json"
    assert run([name, *arguments(COMMANDS[name], spec), "-f", "json", "-o", str(path)]) == FINE
    assert capsys.readouterr().out == ""
    assert json.loads(path.read_text("utf-8"))["command"] == name
    assert run([name, *arguments(COMMANDS[name], spec), "-o", str(tmp_path)]) == BAD


WRONG = [
    ["params"],
    ["params", "nosuch.yaml"],
    ["params", "net.yaml", "--columns", "wieghts"],
    ["params", "net.yaml", "--sort", "wieghts"],
    ["params", "net.yaml", "--set", "widht=3"],
    ["params", "net.yaml", "--set", "width"],
    ["params", "net.yaml", "--variant", "narow"],
    ["params", "net.yaml@narow"],
    ["params", "net.yaml", "--input", "3xx3"],
    ["params", "net.yaml", "-f", "yaml"],
    ["params", "net.yaml", "--depth", "0"],
    ["params", "net.yaml", "--batch", "0"],
    ["compare", "net.yaml"],
    ["explain", "net.yaml", "nosuch"],
    ["kinds", "convv"],
    ["show", "nosuch"],
    ["list", "--sort", "nosuch"],
    ["list", "--where", "params <"],
    ["completion", "tcsh"],
    ["nosuch"],
]


@pytest.mark.parametrize("words", WRONG, ids=" ".join)
def test_bad_usage_exits_2_with_a_message(words, spec, monkeypatch, capsys):
    monkeypatch.chdir(Path(spec).parent)
    assert run(words) == BAD
    out, err = capsys.readouterr()
    assert out == ""
    assert "rror" in err
    assert "Traceback" not in err


def table(capsys, *words):
    assert run([*words, "-f", "json"]) == FINE
    return json.loads(capsys.readouterr().out)


@pytest.mark.parametrize("depth", [None, 1, 2])
def test_every_folding_adds_up(depth, spec, capsys):
    (found,) = table(capsys, "params", spec, *(["--depth", str(depth)] if depth else []))["tables"]
    for key in ("weights", "biases", "params", "macs"):
        assert sum(row[key] for row in found["rows"]) == found["total"][key] == found["totals"][key]


def test_by_kind_and_by_mixing_add_up(spec, capsys):
    kinds, mixing = table(capsys, "params", spec, "--by", "kind")["tables"]
    for found in (kinds, mixing):
        for key in ("layers", "weights", "params", "macs"):
            assert sum(row[key] for row in found["rows"]) == found["total"][key]
        assert sum(row["macs_share"] for row in found["rows"]) == pytest.approx(1)
    assert {row["mixing"] for row in mixing["rows"]} >= {"cross-channel (1x1)", "both (kxk)", "fully connected"}


def test_sorted_by_a_column(spec, capsys):
    (found,) = table(capsys, "params", spec, "--sort", "macs")["tables"]
    macs = [row["macs"] for row in found["rows"]]
    assert macs == sorted(macs, reverse=True)
    (found,) = table(capsys, "params", spec, "--sort", "-macs")["tables"]
    assert [row["macs"] for row in found["rows"]] == sorted(macs)


def test_options_that_change_a_spec(spec, capsys):
    def weights(*words):
        return table(capsys, "params", *words)["tables"][0]["totals"]["weights"]

    narrow = weights(spec, "--variant", "narrow")
    assert narrow == weights(f"{spec}@narrow") == weights(spec, "--set", "width=8") < weights(spec)
    plain, twice = (table(capsys, "params", spec, "--batch", str(n))["tables"][0]["totals"] for n in (1, 2))
    assert twice["macs"] == 2 * plain["macs"]
    assert twice["params"] == plain["params"]
    small = table(capsys, "params", spec, "--input", "14")["tables"][0]
    assert small["input"] == {"input": [256, 14, 14]}


def test_json_names_spec_and_conventions(spec, capsys):
    import hashlib

    data = table(capsys, "params", spec)
    assert set(data["conventions"]) == {"macs", "flops", "params"}
    assert data["tables"][0]["spec"]["sha256"] == hashlib.sha256(Path(spec).read_bytes()).hexdigest()


def test_flops_are_defined_where_they_are_shown(spec, capsys):
    run(["params", spec])
    assert "FLOPs =" not in capsys.readouterr().out
    run(["params", spec, "--columns", "name,flops"])
    assert "FLOPs = 2 per MAC" in capsys.readouterr().out


def test_the_first_story(tmp_path, capsys):
    direct, reduced = tmp_path / "direct.yaml", tmp_path / "reduced.yaml"
    wide = "- conv: {name: wide, filters: 32, kernel: 5, padding: same}\n"
    direct.write_text(f"input: 256x28x28\nlayers:\n{wide}")
    reduced.write_text(f"input: 256x28x28\nlayers:\n- conv: {{filters: 16, kernel: 1}}\n{wide}")
    assert run(["compare", str(direct), str(reduced)]) == FINE
    lines = {line.split()[0]: line.split()[1:] for line in capsys.readouterr().out.split("\n") if line}
    assert lines["weights"] == ["204,800", "16,896", "12.1x", "fewer"]
    assert lines["MACs"] == ["160,563,200", "13,246,464", "12.1x", "fewer"]
    assert run(["explain", str(direct), "wide"]) == FINE
    assert "C/g*K*R*S = 256*32*5*5 = 204,800" in capsys.readouterr().out


def test_two_specs_from_one_name_are_told_apart(spec, capsys):
    data = table(capsys, "compare", spec, spec, f"{spec}@narrow")
    names = ["reduce (1)", "reduce (2)", "reduce (2): ratio", "reduce narrow", "reduce narrow: ratio"]
    assert list(data["tables"][0]["rows"][0])[1:] == names


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_a_script(shell, capsys):
    assert run(["completion", shell]) == FINE
    assert "_CONVCALC_COMPLETE" in capsys.readouterr().out


@pytest.mark.parametrize("column", ["output", "kind", "mixing", "shares", "macs_share"])
def test_any_column_sorts(column, spec, capsys):
    for by in ("layer", "kind"):
        assert run(["params", spec, "--by", by, "--sort", column]) == FINE


def test_rows_without_weights_or_macs_are_left_out_of_a_comparison_that_is_read(capsys):
    """GoogLeNet against NiN: all rows but those of pools, ReLUs and the like; a program is given every row."""
    words = ["compare", "googlenet", "nin_imagenet"]
    assert run(words) == FINE
    short = capsys.readouterr().out
    assert run([*words, "--all"]) == FINE
    whole = capsys.readouterr().out
    left_out = int(re.search(r"^(\d+) rows without weights or MACs left out", short, re.MULTILINE)[1])
    assert len(whole.splitlines()) - len(short.splitlines()) == left_out - 1  # the note itself is a line
    assert "pool1" in whole
    assert "pool1" not in short
    assert "left out" not in whole
    assert run([*words, "-f", "csv"]) == FINE
    assert "pool1" in capsys.readouterr().out


def test_changes_without_params_or_macs_are_left_out_of_a_difference_that_is_read(tmp_path, capsys):
    """ResNet-18 against 34: new ReLUs and joins; what somebody edited stays, whatever it costs."""
    words = ["diff", "resnet18", "resnet34"]
    assert run(words) == FINE
    short = capsys.readouterr().out
    assert run([*words, "--all", "--report", f"csv={tmp_path / 'all.csv'}"]) == FINE
    whole = capsys.readouterr().out
    left_out = int(re.search(r"^(\d+) rows without params or MACs left out", short, re.MULTILINE)[1])
    assert len(whole.splitlines()) - len(short.splitlines()) == left_out - 1  # the note itself is a line
    assert "new (add) " in whole
    assert not re.search(r"^new .*new \(add\) ", short, re.MULTILINE)
    assert re.search("^renamed .* 0 +0 +0 +0$", short, re.MULTILINE)
    assert run([*words, "--report", f"csv={tmp_path / 'short.csv'}"]) == FINE
    assert (tmp_path / "short.csv").read_text() == (tmp_path / "all.csv").read_text()


def test_a_network_is_explained_as_a_tree_and_for_programs_layer_by_layer(capsys):
    assert run(["explain", "googlenet"]) == FINE
    tree = capsys.readouterr().out
    assert re.search(r"^network +weights +sum over 143 layers = 6,990,272$", tree, re.MULTILINE)
    assert re.search(r"^├ conv1 +weights +C/g\*K\*R\*S = 3\*64\*7\*7 = 9,408$", tree, re.MULTILINE)
    assert re.search(r"^├ inception_3a +weights +sum over 14 layers = 163,328$", tree, re.MULTILINE)
    assert "reduce_5x5" not in tree
    assert run(["explain", "googlenet", "--depth", "2"]) == FINE
    assert re.search(r"^│ ├ reduce_5x5 ", capsys.readouterr().out, re.MULTILINE)
    assert run(["explain", "googlenet", "-f", "json"]) == FINE
    tables = json.loads(capsys.readouterr().out)["tables"]
    assert len(tables) == 143 + 1
    assert run(["explain", "googlenet", "conv1", "--depth", "2"]) == BAD
    assert "--depth is for the costs of the whole network" in capsys.readouterr().err


@pytest.mark.parametrize("name", COMMANDS)
def test_help_lists_every_option_once_and_options_of_one_group_together(name, capsys):
    assert run([name, "--help"]) == FINE
    parts = re.split(r"^([A-Z][a-z]+):$", capsys.readouterr().out, flags=re.MULTILINE)
    sections = dict(zip(parts[1::2], parts[2::2], strict=True))
    assert len(sections) == len(parts) // 2, "no heading comes twice"
    for option in COMMANDS[name].params:
        if isinstance(option, click.Option):
            word = re.escape(next(word for word in option.opts if word.startswith("--")))
            lines = re.compile(rf"^  (?:-\w, )?{word}(?= |$)", re.MULTILINE)
            found = {title: len(lines.findall(text)) for title, text in sections.items() if lines.search(text)}
            assert found == {getattr(option, "section", "") or "Options": 1}, word


def test_the_many_options_of_check_have_headings(capsys):
    assert run(["check", "--help"]) == FINE
    headings = re.findall(r"^([A-Z][a-z]+):$", capsys.readouterr().out, re.MULTILINE)
    assert headings == ["Network", "Limits", "Growth", "Project", "Result", "Output", "Options"]
