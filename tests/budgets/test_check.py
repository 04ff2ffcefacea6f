"""convcalc check: each kind of limit fires, and does not where it holds; units are strict; formats are well formed."""

import csv
import subprocess

import pytest

from convcalc.analysis.count import count
from convcalc.budgets.limits import FIGURES
from convcalc.budgets.measure import measure
from convcalc.cli import BAD, FINE, run
from convcalc.loader import read

BROKEN = 1
# 280 params (3*10*3*3 + 10), 243,000 MACs (270 * 30*30), output of 9,000 elements
LAYERS = "input: 3x32x32\nlayers:\n  - conv: {name: head, filters: FILTERS, kernel: 3}\n"


def write(path, budget, filters=10):
    path.write_text(LAYERS.replace("FILTERS", str(filters)) + "budget:\n" + budget)
    return str(path)


@pytest.mark.parametrize(
    ("limit", "holds", "breaks"),
    [
        ("params: {}", "280", "279"),
        ("weights: {}", "270", "269"),
        ("macs: {}", "243k", "242_999"),
        ("flops: {}", "495k", "494k"),
        ("weight_bytes: {}", "1120 B", "1119 B"),
        ("precision: int8\n  weight_bytes: {}", "280 B", "279 B"),
        ("activation: {}", "9_000", "8999"),
        ("activation_bytes: {}", "36kB", "35kB"),
        ("depth: {}", "1", "0"),
        ("output: {}", "10x30x30", "9x30x30"),
        ("output: {}", "[10, 30, 30]", "[9, 30, 30]"),
        ("params: {{at_most: {}}}", "280", "1"),
        ("layers: {{he*: {{macs: {}}}}}", "1M", "1k"),
        ("kinds: {{conv: {{params: {}}}}}", "1M", "100"),
    ],
)
def test_each_limit_fires_one_past_the_value(limit, holds, breaks, tmp_path, capsys):
    assert run(["check", write(tmp_path / "n.yaml", f"  {limit.format(holds)}\n")]) == FINE
    assert run(["check", write(tmp_path / "n.yaml", f"  {limit.format(breaks)}\n")]) == BROKEN
    assert "head" in capsys.readouterr().out or "output" in limit


NET = "input: 3x16x16\nlayers:\n  - conv: {name: head, filters: FILTERS, kernel: 3}\n"
SCOPES = ("", "layers: {head: {LIMIT}}", "layers: {'h*': {LIMIT}}", "kinds: {conv: {LIMIT}}")
RULES = {"at_most": "1", "max_increase": "1%", "ratchet": "true"}


@pytest.fixture(scope="module")
def committed(tmp_path_factory):
    """A repository whose last commit holds the network with fewer filters."""
    folder = tmp_path_factory.mktemp("repository")
    (folder / "n.yaml").write_text(NET.replace("FILTERS", "10"))
    for words in (["init", "-q"], ["add", "."], ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "one"]):
        subprocess.run(["git", *words], cwd=folder, check=True)
    return folder


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("scope", SCOPES)
@pytest.mark.parametrize("metric", FIGURES)
def test_every_metric_in_every_scope_by_every_rule_fires(metric, scope, rule, committed, monkeypatch):
    """The same limit holds for the network that it was written for, and is broken by a larger one."""
    monkeypatch.chdir(committed)
    bound = {"at_most": count(read(NET.replace("FILTERS", "10"))), "max_increase": None, "ratchet": None}[rule]
    value = RULES[rule] if bound is None else measure(bound, metric, bound.rows)
    limit = f"{metric}: {{{rule}: {value}}}"
    budget = f"budget: {{{scope.replace('LIMIT', limit) if scope else limit}}}\n"
    base = [] if rule == "at_most" else ["--base", "HEAD"]
    for filters, ends in ((10, FINE), (12, BROKEN)):
        larger = NET.replace("FILTERS", str(filters))
        if metric == "depth" and ends == BROKEN:  # more filters are no deeper
            larger += "  - conv: {name: head2, filters: 12, kernel: 1}\n"
            if "head:" in scope:
                continue
        (committed / "n.yaml").write_text(larger + budget)
        assert run(["check", "n.yaml", "--no-config", *base]) == ends, (filters, budget)


@pytest.mark.parametrize(
    ("budget", "said"),
    [
        ("params: 5m", "did you mean '5M'?"),
        ("params: 1,5M", "a whole number was expected, found '1,5M'"),
        ("params: 5M params", "a whole number was expected"),
        ("params: -5", "a whole number was expected"),
        ("params: 5K", "did you mean '5k'?"),
        ("params: 1.0005k", "a whole number was expected"),
        ("weight_bytes: 5M", "no unit 'M'"),
        ("weight_bytes: 0.3 KiB", "not a whole number of bytes"),
        ("output: [10, ten]", "a shape was expected"),
        ("weight_bytes: 5mb", "did you mean MB?"),
        ("weight_bytes: 5kb", "did you mean kB?"),
        ("parms: 5M", "did you mean 'params'?"),
        ("params: {at_least: 5M}", "a limit has no 'at_least'"),
        ("params: {level: error}", "this entry limits nothing"),
        ("params: {at_most: 5M, level: fatal}", "'level' cannot be 'fatal'"),
        ("macs: {max_increase: 2% and 3%}", "one percentage and one amount"),
        ("layers: {haed: {params: 5M}}", "did you mean 'head'?"),
        ("kinds: {relu: {macs: 1}}", "matches no layer"),
        ("precision: fp12", "no precision 'fp12'"),
    ],
)
def test_what_a_budget_cannot_mean_is_2_and_not_a_pass(budget, said, tmp_path, capsys):
    assert run(["check", write(tmp_path / "n.yaml", f"  {budget}\n")]) == BAD
    err = capsys.readouterr().err
    assert said in err
    assert "n.yaml:5:" in err


def test_no_limit_at_all_is_2(tmp_path, capsys):
    (tmp_path / "n.yaml").write_text(LAYERS.replace("FILTERS", "10"))
    assert run(["check", str(tmp_path / "n.yaml")]) == BAD
    assert "no limits to check" in capsys.readouterr().err


def test_levels_and_the_command_line(tmp_path, capsys):
    spec = write(tmp_path / "n.yaml", "  params: {at_most: 1, level: warn}\n")
    assert run(["check", spec]) == FINE
    assert run(["check", spec, "--max-warnings", "0"]) == BROKEN
    assert run(["check", spec, "--max-warnings", "0", "--exit-zero"]) == FINE
    assert run(["check", spec, "--max-macs", "1k"]) == BROKEN
    strict = write(tmp_path / "n.yaml", "  params: 1\n")
    assert run(["check", strict, "--max-params", "5M"]) == BROKEN, "an option does not loosen the spec's own limit"


def test_expected_figures_are_checked(tmp_path, capsys):
    path = tmp_path / "n.yaml"
    path.write_text(LAYERS.replace("FILTERS", "10") + "expect: {params: 281}\n")
    assert run(["check", str(path)]) == BROKEN
    assert "params is 280, expect: says 281" in capsys.readouterr().out


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """A branch point with 10 filters, in a repository of its own."""
    monkeypatch.chdir(tmp_path)

    def git(*words):
        who = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
        subprocess.run(["git", *who, *words], check=True, capture_output=True)

    git("init", "-q", "-b", "main")
    write(tmp_path / "n.yaml", "  params: 5M\n")
    git("add", ".")
    git("commit", "-q", "-m", "first")
    return tmp_path / "n.yaml"


@pytest.mark.parametrize(
    ("limit", "code"),
    [
        ("max_increase: 9%", BROKEN),
        ("max_increase: 10%", FINE),
        ("max_increase: 27", BROKEN),
        ("max_increase: 28", FINE),
        ("max_increase: 9% and 28", FINE),
        ("max_increase: 10% and 27", FINE),
        ("max_increase: 9% and 27", BROKEN),
        ("ratchet: true", BROKEN),
    ],
)
def test_growth_against_a_revision(limit, code, repository, capsys):
    write(repository, f"  params: {{{limit}}}\n", filters=11)  # 280 params were, 308 are
    assert run(["check", "n.yaml", "--base", "main"]) == code
    if code:
        assert "head +28" in capsys.readouterr().out


def test_deploy_folds_the_base_as_well(repository):
    """A convolution without bias and its batch norm: folded, 270 + 20 params become 270 + 10, on both sides."""
    layers = "layers: [{conv: {filters: 10, kernel: 3, bias: false}}, batch_norm]"
    repository.write_text(f"input: 3x8x8\n{layers}\nbudget: {{params: {{ratchet: true}}}}\n")
    who = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
    subprocess.run(["git", *who, "commit", "-qam", "norm"], check=True)
    rows = repository.with_name("rows.csv")
    assert run(["check", "n.yaml", "--base", "main", "--deploy", "-f", "csv", "-o", str(rows)]) == FINE
    with rows.open(newline="") as stream:
        (row,) = csv.DictReader(stream)
    assert (row["value"], row["limit"], row["headroom"]) == ("280", "280", "0")


def test_a_new_spec_and_a_base_that_is_not_there(repository, capsys):
    write(repository.parent / "new.yaml", "  params: {ratchet: true}\n")
    assert run(["check", "new.yaml", "--base", "main"]) == FINE
    assert "new: it does not exist at main; 1 limit on growth not checked" in capsys.readouterr().out
    assert run(["check", "n.yaml", "--base", "origin/dev"]) == BAD
    assert "git fetch --depth=1 origin dev" in capsys.readouterr().err
    assert run(["check", "n.yaml", "--base=--all"]) == BAD


def test_with_strict_what_nothing_uses_is_an_error_with_its_location(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    text = "input: 3x8x8\nvars: {depth: 2}\nbudget: {params: 1k}\nlayers: [{conv: {filters: 4, kernel: 1}}]\n"
    (tmp_path / "net.yaml").write_text(text)
    assert run(["check", "net.yaml"]) == 0
    assert run(["check", "net.yaml", "--strict"]) == 2
    assert "net.yaml:2:8: error: nothing uses the variable 'depth'" in capsys.readouterr().err
    (tmp_path / "net.yaml").write_text(text.replace("vars: {depth: 2}\n", ""))
    assert run(["check", "net.yaml", "--strict"]) == 0
