"""What changed between two networks: matched by what layers are as well as by name, every cost accounted for."""

import json
import random
import re
import subprocess

import pytest

from convcalc.analysis.align import align
from convcalc.analysis.count import count
from convcalc.analysis.diff import diff
from convcalc.cli import run
from convcalc.loader import load, read

OLD = """\
name: small
input: 3x32x32
blocks:
  unit:
    args: [filters]
    layers:
      - conv: {name: wide, filters: "${filters}", kernel: 3, padding: same}
      - relu
layers:
  - conv: {name: stem, filters: 64, kernel: 3, padding: same}
  - relu
  - unit: {name: first, filters: 128}
  - max_pool: 2
  - unit: {name: second, filters: 128}
  - global_avg_pool
  - flatten
  - dropout: 0.5
  - linear: {name: classifier, features: 10}
"""


def counted(text):
    return count(read(text))


def changes(new, old=OLD):
    return [(one.sort, one.path, one.what) for one in diff(counted(old), counted(new)).changes]


def changed(*pairs):
    text = OLD
    for old, new in pairs:
        assert old in text
        text = text.replace(old, new, 1)
    return text


def test_nothing():
    found = diff(counted(OLD), counted(OLD))
    assert (found.changes, found.renumbered, found.causes()) == ([], 0, [])


def test_more_filters_and_what_they_cost_behind():
    found = diff(counted(OLD), counted(changed(("filters: 64", "filters: 96"))))
    assert [(one.sort, one.path, one.what) for one in found.changes] == [
        ("changed", "stem", "64 -> 96 filters"),
        ("affected", "first/wide", "because of stem"),
    ]
    (cause,) = found.causes()
    assert (cause.path, cause.what, cause.layers) == ("stem", "64 -> 96 filters", ["first/wide"])
    assert cause.itself["weights"] == 32 * 3 * 9
    assert cause.affected["weights"] == 32 * 9 * 128
    assert cause.affected["macs"] == 32 * 9 * 128 * 32 * 32


def test_a_renamed_layer_is_not_removed_and_added():
    assert changes(changed(("name: stem", "name: first_conv"))) == [("renamed", "first_conv", "renamed from stem")]


def test_a_renamed_block_is_one_line():
    assert changes(changed(("name: second", "name: deep"))) == [("renamed", "deep", "renamed from second")]


def test_a_renamed_layer_that_changed_too():
    new = changed(("name: stem, filters: 64", "name: entry, filters: 32"))
    assert changes(new)[0] == ("changed", "entry", "64 -> 32 filters, renamed from stem")


def test_a_layer_put_in_between_leaves_the_others_as_they_are():
    new = changed(("  - max_pool: 2\n", "  - max_pool: 2\n  - conv: {filters: 128, kernel: 1}\n  - relu\n"))
    assert changes(new) == [("new", "conv1", "new (conv)"), ("new", "relu2", "new (relu)")]


def test_automatic_names_may_have_another_number():
    old = "input: 3x8x8\nlayers: [{conv: {filters: 4, kernel: 1}}, relu, {conv: {filters: 8, kernel: 1}}, relu]"
    new = old.replace("layers: [", "layers: [{conv: {filters: 3, kernel: 3, padding: same}}, tanh, ")
    found = diff(counted(old), counted(new))
    assert [(one.sort, one.path) for one in found.changes] == [("new", "conv1"), ("new", "tanh1")]
    assert found.renumbered == 2


def test_a_moved_block():
    second = "  - unit: {name: second, filters: 128}\n"
    first = second.replace("second", "first")
    found = changes(changed((second, ""), (first, second + first)))
    assert all(sort not in ("new", "removed") for sort, path, _ in found if path.endswith("wide"))


def test_what_costs_nothing_is_listed_too():
    assert changes(changed(("dropout: 0.5", "dropout: 0.2"))) == [("changed", "dropout1", "rate 0.5 -> 0.2")]
    assert changes(changed(("max_pool: 2", "avg_pool: 2"))) == [("changed", "avg_pool1", "max_pool -> avg_pool")]


def test_two_changes_that_make_up_for_each_other():
    old = "input: 8x8x8\nlayers: [conv: {name: a, filters: 8, kernel: 3}, conv: {name: b, filters: 8, kernel: 1}]"
    new = old.replace("kernel: 3", "kernel: X").replace("kernel: 1", "kernel: 3").replace("kernel: X", "kernel: 1")
    found = diff(counted(old), counted(new))
    assert [(one.path, one.what) for one in found.changes] == [("a", "kernel 3 -> 1"), ("b", "kernel 1 -> 3")]
    assert sum(one.change("weights") for one in found.changes) == 0


def test_another_input():
    found = diff(count(load("resnet18")), count(load("resnet18", inputs="3x160x160")))
    assert {one.causes for one in found.changes} == {("input",)}


def test_a_layer_that_reads_another():
    old = "input: 4x8x8\nlayers: [linear: {name: a, features: 4, axis: 0}, conv: {filters: 4, kernel: 1, from: a}]"
    found = changes(old.replace("from: a", "from: input"), old)
    assert found == [("changed", "conv1", "reads input, not a")]


def test_an_activation_that_passes_a_shape_on_is_no_cause():
    old = "input: 8x8x8\nlayers: [conv: {name: a, filters: 4, kernel: 1}, relu, conv: {name: b, filters: 4, kernel: 1}]"
    new = old.replace("filters: 4, kernel: 1}, relu", "filters: 6, kernel: 1}, relu6")
    assert changes(new, old) == [
        ("changed", "a", "4 -> 6 filters"),
        ("changed", "relu6_1", "relu -> relu6"),
        ("affected", "b", "because of a"),
    ]
    put_in = "conv: {name: r, filters: 2, kernel: 1}, tanh, conv: {name: b"
    assert changes(old.replace("conv: {name: b", put_in), old)[-1] == ("affected", "b", "because of r")


def test_a_removed_layer_is_the_cause_of_what_is_behind_it():
    found = changes(changed(("  - max_pool: 2\n", "")))
    assert ("removed", "max_pool1", "removed (max_pool)") in found
    assert ("affected", "second/wide", "because of max_pool1") in found


NETWORKS = ["resnet18", "resnet34", "mobilenet_v2", "googlenet", "vgg11", "squeezenet1_1", "densenet121"]


@pytest.mark.parametrize("old", NETWORKS)
@pytest.mark.parametrize("new", NETWORKS)
def test_the_rows_sum_to_the_change_of_the_totals(old, new):
    before, after = count(load(old)), count(load(new))
    there, back = diff(before, after), diff(after, before)
    for name in ("weights", "params", "macs"):
        change = after.figure(name) - before.figure(name)
        assert sum(one.change(name) for one in there.changes) == change
        assert sum(one.change(name) for one in back.changes) == -change
        assert sum(one.itself[name] + one.affected[name] for one in there.causes()) == change
    pairs = align(before.rows, after.rows)
    assert sorted(pair.old.path for pair in pairs if pair.old) == sorted(row.path for row in before.rows)
    assert [pair.new.path for pair in pairs if pair.new] == [row.path for row in after.rows]


@pytest.mark.parametrize("seed", range(12))
def test_random_names_are_never_removed_and_added(seed):
    chance = random.Random(seed)
    lines = [
        f"  - conv: {{name: layer_{at}, filters: {chance.choice([4, 8])}, kernel: {chance.choice([1, 3])}}}\n"
        for at in range(30)
    ]
    text = "input: 3x99x99\nlayers:\n" + "".join(lines)
    new = re.sub(r"layer_(\d+)", lambda match: f"other_{match[1]}" if chance.random() < 0.5 else match[0], text)
    assert {sort for sort, _, _ in changes(new, text)} <= {"renamed"}


def test_ten_thousand_layers():
    lines = [f"  - conv: {{filters: {4 + at % 7}, kernel: 1}}\n  - relu\n" for at in range(5_000)]
    old = counted("input: 8x4x4\nlayers:\n" + "".join(lines))
    lines[10] = "  - conv: {filters: 7, kernel: 3, padding: 1}\n  - relu\n"
    lines[4_000:4_000] = ["  - conv: {filters: 6, kernel: 1, bias: false}\n"]
    found = diff(old, counted("input: 8x4x4\nlayers:\n" + "".join(lines)))
    own = [(one.sort, one.path) for one in found.changes if one.sort != "affected"]
    assert own == [("changed", "conv11"), ("new", "conv4001")]


def test_the_command(tmp_path, capsys):
    old, new = tmp_path / "old.yaml", tmp_path / "new.yaml"
    old.write_text(OLD)
    new.write_text(changed(("filters: 64", "filters: 96")))
    assert run(["diff", str(old), str(new)]) == 0
    text = capsys.readouterr().out
    assert "stem: 64 -> 96 filters: +896 params, +884,736 MACs; +36,864 params, +37,748,736 MACs after it" in text
    assert run(["diff", str(old), str(new), "--exit-code"]) == 1
    assert run(["diff", str(old), str(old), "--exit-code"]) == 0
    assert "no layer is different" in capsys.readouterr().out
    assert run(["diff", str(old), str(new), "-f", "json"]) == 0
    tables = json.loads(capsys.readouterr().out)["tables"]
    assert [row["macs"] for row in tables[1]["rows"]] == [884_736, 37_748_736]
    for form in ("csv", "jsonl", "markdown", "latex", "github", "gitlab", "junit", "sarif"):
        assert run(["diff", str(old), str(new), "-f", form]) == 0
        assert "stem" in capsys.readouterr().out


def test_reports_beside_the_text_and_the_summary_of_a_step(tmp_path, monkeypatch, capsys):
    old, new, summary = (tmp_path / name for name in ("old.yaml", "new.yaml", "summary"))
    old.write_text(OLD)
    new.write_text(changed(("filters: 64", "filters: 96")))
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    words = ["--report", f"json={tmp_path / 'd.json'}", "--report", f"github={tmp_path / 'd.txt'}"]
    assert run(["diff", str(old), str(new), *words]) == 0
    assert capsys.readouterr().out.startswith("small\n")
    assert json.loads((tmp_path / "d.json").read_text())["command"] == "diff"
    assert (tmp_path / "d.txt").read_text().startswith("::notice title=convcalc (diff/changed)")
    assert "| stem " in summary.read_text()
    assert run(["diff", str(old), str(new), "--report", "nothing"]) == 2


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["resnet18"], "diff needs two networks"),
        (["resnet18", "resnet18", "--base", "HEAD"], "--base compares one SPEC with itself"),
        (["-", "--base", "HEAD"], "no spec with a history"),
        (["resnet18", "resnetx"], "no variant 'x'"),
    ],
)
def test_what_cannot_be_compared(words, said, capsys):
    assert run(["diff", *words]) == 2
    assert said in capsys.readouterr().err


def test_against_a_revision(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)

    def git(*words):
        subprocess.run(["git", "-c", "user.name=a", "-c", "user.email=a@b", *words], check=True, capture_output=True)

    git("init", "-q")
    (tmp_path / "parts.yaml").write_text("blocks: {unit: {layers: [conv: {filters: 8, kernel: 1}]}}\n")
    (tmp_path / "net.yaml").write_text("input: 3x8x8\ninclude: parts.yaml\nlayers: [unit]\n")
    git("add", ".")
    git("commit", "-qm", "one")
    (tmp_path / "parts.yaml").write_text("blocks: {unit: {layers: [conv: {filters: 12, kernel: 1}]}}\n")
    assert run(["diff", "net.yaml", "--base", "HEAD"]) == 0
    assert "unit1/conv1: 8 -> 12 filters: +16 params, +768 MACs" in capsys.readouterr().out
    assert run(["diff", "net.yaml", "--base", "nosuch"]) == 2
    assert "is not in this repository" in capsys.readouterr().err
    (tmp_path / "new.yaml").write_text("input: 3x8x8\nlayers: [relu]\n")
    assert run(["diff", "new.yaml", "--base", "HEAD"]) == 2
    assert "there is no 'new.yaml' at 'HEAD'" in capsys.readouterr().err
