"""`solve` against the plainest way there is: count every combination and look."""

import json
import re
from decimal import Decimal
from itertools import product

import pytest

from convcalc.analysis.count import count
from convcalc.cli import run
from convcalc.errors import SpecError
from convcalc.language.builder import build
from convcalc.language.document_loader import load
from convcalc.language.overrides import Overrides

NET = """
name: net
input: 3x33x33
vars: {width: 0.5, filters: 6, times: 1, act: relu}
layers:
  - conv: {filters: "${make_divisible(40 * width, 8)}", kernel: 3}
  - repeat: {times: "${times}", layers: [{conv: {filters: "${filters}", kernel: 3, groups: 2}}, "${act}"]}
  - global_avg_pool
  - flatten
  - linear: 10
"""
WIDTHS = [Decimal(n) / 20 for n in range(1, 41)]
FILTERS = range(1, 25)


@pytest.fixture
def net(tmp_path):
    path = tmp_path / "net.yaml"
    path.write_text(NET)
    return str(path)


def counted(net, **variables):
    try:
        found = count(build(load(net), Overrides(variables)))
    except SpecError:
        return None
    return {"params": found.figure("params"), "macs": found.figure("macs")}


def solve(capsys, *words):
    assert run(["solve", *words, "-f", "json"]) == 0
    return json.loads(capsys.readouterr().out)["tables"][0]["rows"]


@pytest.mark.parametrize("budget", [700_000, 2_000_000, 5_000_000])
def test_one_variable_is_the_largest_that_fits(net, budget, capsys):
    (row,) = solve(capsys, net, "--vary", "width=0.05:2:0.05", "--max-macs", str(budget))
    best = max(width for width in WIDTHS if (c := counted(net, width=width)) and c["macs"] <= budget)
    assert row == {"width": float(best), **counted(net, width=best)}


def test_one_variable_is_the_smallest_that_reaches(net, capsys):
    (row,) = solve(capsys, net, "--vary", "filters=1:24", "--min-params", "2k")
    best = min(n for n in FILTERS if (c := counted(net, filters=n)) and c["params"] >= 2000)
    assert row == {"filters": best, **counted(net, filters=best)}


def test_several_variables_give_the_frontier(net, capsys):
    words = ["--vary", "filters=1:24", "--vary", "width=0.05:2:0.05", "--vary", "times=0:2"]
    rows = solve(capsys, net, *words, "--max-macs", "1.5M", "--max-params", "3k")
    fits = {}
    for filters, width, times in product(FILTERS, WIDTHS, range(3)):
        found = counted(net, filters=filters, width=width, times=times)
        if found and found["macs"] <= 1_500_000 and found["params"] <= 3000:
            fits[filters, width, times] = found
    best = {p for p in fits if not any(q != p and all(a >= b for a, b in zip(q, p, strict=True)) for q in fits)}
    assert {(row["filters"], Decimal(str(row["width"])), row["times"]) for row in rows} == best
    for row in rows:
        assert {"params": row["params"], "macs": row["macs"]} == fits[
            row["filters"], Decimal(str(row["width"])), row["times"]
        ]


@pytest.mark.parametrize("target", [1_000_000, 1_400_000])
def test_nearest_from_both_sides(net, target, capsys):
    rows = solve(capsys, net, "--vary", "width=0.05:2:0.05", "--near", f"macs={target}")
    every = [(counted(net, width=width)["macs"], float(width)) for width in WIDTHS]
    below = max(macs for macs, _ in every if macs <= target)
    above = min(macs for macs, _ in every if macs >= target)
    assert [(row["macs"], row["width"]) for row in rows] == [p for p in every if p[0] == below] + [
        p for p in every if p[0] == above
    ]


def test_nearest_to_another_network_of_equal_cost(net, capsys):
    rows = solve(capsys, net, "--vary", "filters=2:8:2", "--near", f"macs={net}")
    assert rows == [{"filters": 6, **counted(net), "difference": 0}]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--vary", "width", "--max-macs", "3"], "nothing meets macs <= 3: the least of these values is"),
        (["--vary", "filters=1,3", "--max-macs", "3M"], "none of these values gives a valid network"),
        (["--vary", "width", "--max-macs", "500k", "--min-params", "4k"], "at once"),
        (["--vary", "wdth", "--max-macs", "3M"], "did you mean 'width'"),
        (["--vary", "act=relu,gelu", "--max-macs", "3M"], "its values have no order"),
        (["--vary", "act", "--max-macs", "3M"], "give the values to try"),
        (["--vary", "width"], "no limit"),
        (["--vary", "width", "--max-macs", "3Q"], "a whole number was expected"),
        (["--vary", "width=4:1", "--max-macs", "3M"], "never ends"),
        (
            ["--vary", "filters=1:1000000", "--vary", "times=1:1000000", "--max-macs", "3M"],
            "a grid of 1,000,000,000,000",
        ),
    ],
    ids=lambda words: " ".join(words) if isinstance(words, list) else "",
)
def test_bad_input_is_one_clear_line(net, words, says, capsys):
    assert run(["solve", net, *words]) == 2
    assert re.search(says, capsys.readouterr().err)
