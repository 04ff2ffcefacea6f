"""check --propose: limits of today's figures in the right place of a file, of which nothing else changes."""

from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convcalc.budgets.limits import parse_limit
from convcalc.budgets.propose import Target, rounded_up, with_limits
from convcalc.catalogue import catalogue_paths
from convcalc.cli import BAD, FINE, run

HEAD = "input: 3x32x32\nlayers: [{conv: {name: head, filters: 10, kernel: 3}}]\n"  # 280 params, 243,000 MACs


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    (tmp_path / ".git").mkdir()
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (HEAD, HEAD + "budget: {params: 294, macs: 256k}\n"),
        (HEAD.rstrip("\n"), HEAD + "budget: {params: 294, macs: 256k}\n"),
        (f"# first\n{HEAD}\n# last\n", f"# first\n{HEAD}\n# last\nbudget: {{params: 294, macs: 256k}}\n"),
        (HEAD.replace("\n", "\r\n"), (HEAD + "budget: {params: 294, macs: 256k}\n").replace("\n", "\r\n")),
        ("\ufeff" + HEAD, "\ufeff" + HEAD + "budget: {params: 294, macs: 256k}\n"),
        (f"---\n{HEAD}...\n", f"---\n{HEAD}budget: {{params: 294, macs: 256k}}\n...\n"),
        (f"{{{HEAD.strip().replace(chr(10), ', ')}}}", None),
        (
            HEAD + "budget: {params: 1, macs: {max_increase: 2%}} # why\n",
            HEAD + "budget: {params: 294, macs: {max_increase: 2%}} # why\n",
        ),
        (HEAD + "budget: {}\n", HEAD + "budget: {params: 294, macs: 256k}\n"),
        (
            'budget:\n  params: {at_most: 9G, level: warn}\n  # one\n  flops: "1"\n\n  layers: {head: {macs: 1M}}\n'
            + HEAD,
            "budget:\n  params: {at_most: 294, level: warn}\n  # one\n  flops: 520k\n\n  layers: {head: {macs: 1M}}\n"
            "  macs: 256k\n" + HEAD,
        ),
        (
            HEAD + "budget:\n    precision: int8\n    weight_bytes: 1 GiB",
            HEAD + "budget:\n    precision: int8\n    weight_bytes: 294\n    params: 294\n    macs: 256k\n",
        ),
    ],
)
def test_limits_are_written_and_nothing_else_changes(before, after):
    Path("net.yaml").write_bytes(before.encode())
    assert run(["check", "--propose", "net.yaml"]) == FINE
    text = Path("net.yaml").read_bytes().decode()
    assert text == (after or before[:-1] + ", budget: {params: 294, macs: 256k}}")
    assert run(["check", "net.yaml"]) == (BAD if "max_increase" in before else FINE), "without a base"


@pytest.mark.parametrize(
    "budget",
    ["budget: &b {params: 1}\nexpect: *b\n", "name: a\nbudget: {params: 1, }\n", "budget: {\n  params: 1\n  }\n"],
)
def test_what_cannot_be_written_without_another_change_is_left_as_it_is(budget, capsys):
    Path("net.yaml").write_text(HEAD + budget)
    code = run(["check", "--propose", "0", "net.yaml"])
    text = Path("net.yaml").read_text()
    if code == FINE:
        assert "params: 280" in text
    else:
        assert text == HEAD + budget
        assert "budget: {params: 280, macs: 243000}" in capsys.readouterr().err


@pytest.mark.parametrize("path", sorted(catalogue_paths().values()), ids=lambda path: Path(path).stem)
def test_every_spec_of_the_catalogue_can_be_given_a_budget(path):
    text = Path(path).read_text("utf-8")
    new = with_limits(text, Target(path, ("budget",)), {"params": "1k", "macs": "2M"})
    assert new == f"{text}budget: {{params: 1k, macs: 2M}}\n"


@given(st.integers(0, 10**18), st.decimals(0, 1000, places=2), st.booleans())
def test_a_limit_has_its_headroom_and_less_than_a_hundredth_more(value, headroom, is_bytes):
    limit = parse_limit("weight_bytes" if is_bytes else "params", rounded_up(value, headroom, is_bytes))
    least = value * (100 + headroom) / 100
    assert limit >= value
    assert Decimal(limit) >= least.quantize(Decimal(1), "ROUND_FLOOR")
    assert limit <= least * Decimal("1.01") + 1


def test_models_and_exact_entries_are_in_the_settings():
    Path("nets").mkdir()
    Path("nets/a.yaml").write_text(HEAD)
    Path("convcalc.yaml").write_text("# ours\nspecs: [nets/*.yaml]\nbudgets:\n  nets/a.yaml: {macs: 1}  # small\n")
    assert run(["check", "--propose=100%"]) == FINE
    assert Path("nets/a.yaml").read_text() == HEAD
    assert Path("convcalc.yaml").read_text() == (
        "# ours\nspecs: [nets/*.yaml]\nbudgets:\n  nets/a.yaml: {macs: 486k, params: 560}  # small\n"
    )
    assert run(["check", "--propose", "0%"]) == FINE
    assert "{macs: 243000, params: 280}  # small" in Path("convcalc.yaml").read_text()


def test_what_was_written_is_shown(capsys):
    Path("net.yaml").write_text(HEAD + "budget: {params: 300}\n")
    assert run(["check", "net.yaml", "--propose"]) == FINE
    lines = capsys.readouterr().out.splitlines()
    assert ["net.yaml", "params", "280", "300", "294", "net.yaml"] in [line.split() for line in lines]
    assert lines[-1] == "2 limits in 1 file: today's figures and 5% headroom"


@pytest.mark.parametrize(
    "words",
    [["-"], ["net.yaml", "--input", "3x64x64"], ["resnet18"], ["net.yaml@a"], ["none.yaml"], ["n*"], ["--deploy"]],
)
def test_only_specs_as_they_are_have_a_budget_written(words):
    Path("net.yaml").write_text(HEAD) if words != ["n*"] else None
    assert run(["check", "--propose", *words]) == BAD
    assert words == ["n*"] or Path("net.yaml").read_text() == HEAD


def test_a_file_that_may_not_be_written_is_an_error(capsys, monkeypatch):
    Path("net.yaml").write_text(HEAD)

    def refuse(*words, **more):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("convcalc.budgets.propose.replacement", refuse)
    assert run(["check", "--propose", "net.yaml"]) == BAD
    assert "'net.yaml' cannot be written: Permission denied" in capsys.readouterr().err
