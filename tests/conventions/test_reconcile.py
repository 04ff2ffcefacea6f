"""From a claimed number back to the convention, size and batch that explain it."""

import json

import pytest
from helpers.paths import DATA

from convcalc.cli import BAD, run
from convcalc.conventions.reconcile import nearest, read_claim, readings, reconcile
from convcalc.errors import SpecError, UserError
from convcalc.language.overrides import Overrides
from convcalc.loader import graph

NETWORKS = DATA / "conventions"
RESNET = NETWORKS / "resnet50.yaml"


@pytest.fixture(scope="module")
def found():
    def at(size, folded):
        try:
            return graph(str(RESNET), Overrides(inputs=(size,) if size else (), deploy=folded))
        except SpecError:
            return None

    return readings(at, (160, 256))


@pytest.mark.parametrize(
    ("claim", "tool", "changes"),
    [
        ("4133742592", "thop@0.1.1", ()),
        ("4111512576", "fvcore@0.1.5", ()),
        ("8267485184", "thop@0.1.1", ("doubled",)),
        ("8178368512", "torch", ()),
        ("16535000000", None, None),
        ("4087136256", "paper", ("without classifier",)),
    ],
)
def test_a_claim_finds_its_convention(found, claim, tool, changes):
    ways = reconcile(read_claim(claim), found)
    if changes is None:
        assert tool is None or not ways
        return
    assert (tool, changes) in [(way.tool, way.changes) for way in ways]
    assert all(str(way.figure) == claim for way in ways)


def test_other_sizes_and_batches(found):
    at_256 = reconcile(read_claim("5.34G"), found)
    assert ("paper", "3x256x256") in {(way.tool, way.size) for way in at_256}
    twice = reconcile(read_claim(str(2 * 4_089_184_256)), found)
    assert ("paper", ("batch 2",)) in {(way.tool, way.changes) for way in twice}


def test_the_least_changed_comes_first(found):
    steps = [way.steps for way in reconcile(read_claim("8.2G"), found)]
    assert steps
    assert steps == sorted(steps)


def test_params_are_reconciled_too(found):
    assert [way.changes for way in reconcile(read_claim("25557032 params"), found)] == [()]
    assert [way.changes for way in reconcile(read_claim("params=25530472"), found)] == [("batch norm folded",)]
    assert ("without the head",) in [way.changes for way in reconcile(read_claim("params=23508032"), found)]


def test_what_nothing_explains_has_nearest(found):
    claim = read_claim("1.234G")
    assert reconcile(claim, found) == []
    assert len(nearest(claim, found)) == 3


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [("4.1G", 4_050_000_000, 4_150_000_000), ("600M", 599_500_000, 600_500_000), ("12,345", 12_345, 12_345)],
)
def test_digits_say_how_precise_a_claim_is(text, low, high):
    claim = read_claim(text)
    assert claim.holds(low)
    assert claim.holds(high)
    assert not claim.holds(low - 1)
    assert not claim.holds(high + 1)


@pytest.mark.parametrize("text", ["", "four", "4.1 apples", "0", "-3G", "params="])
def test_what_is_not_a_number_is_refused(text):
    with pytest.raises(UserError):
        read_claim(text)


def test_the_command(capsys):
    assert run(["reconcile", str(RESNET), "--claim", "4133742592", "-f", "json"]) == 0
    (table,) = json.loads(capsys.readouterr().out)["tables"]
    assert table["explanations"] >= 2
    assert run(["reconcile", str(RESNET), "--claim", "many"]) == BAD
    assert "a number was expected, found 'many'" in capsys.readouterr().err
