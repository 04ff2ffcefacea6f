"""A spec with choices is many networks; `space` sums them up as building every one of them would."""

import json
from collections import Counter
from itertools import product

import pytest
from helpers.effort import calls

from convcalc.analysis.count import count
from convcalc.cli import run
from convcalc.errors import SpecError
from convcalc.language.builder import build
from convcalc.language.choices import choices
from convcalc.language.document_loader import parse
from convcalc.language.overrides import Overrides
from convcalc.language.sources import File
from convcalc.sweep.space import FIGURES, space

SPEC = """
input: 16x32x32
vars: {width: 16}
variants: {chosen: {op: sep}}
blocks:
  cell:
    args: [filters]
    layers:
      - add:
        - - choice:
              name: inner
              of:
                a: [{conv: {filters: "${filters}", kernel: 3, padding: 1}}]
                b: [{conv: {filters: "${filters}", kernel: 1}}]
        - [{conv: {filters: "${filters}", kernel: 1}}]
layers:
  - conv: {name: stem, filters: "${width}", kernel: 3, padding: 1}
  - choice:
      name: op
      of:
        full: [{conv: {filters: "${2 * width}", kernel: 3, padding: 1}}, relu]
        sep: [{conv: {kernel: 3, padding: 1, groups: channels}}, {conv: {filters: "${3 * width}", kernel: 1}}]
        skip: []
  - cell: {filters: 32}
  - repeat: {times: 2, layers: [{choice: {name: act, of: {relu: relu, gelu: gelu}}}, {cell: {filters: 24}}]}
  - choice: {name: pool, of: {two: [{max_pool: 2}], four: [{max_pool: 4}], forty: [{max_pool: 40}]}}
  - choice: {name: act2, of: {relu: relu, none: []}}
  - add: [[{choice: {name: left, of: {x: [{conv: {filters: 24, kernel: 1}}], y: []}}}], []]
  - choice:
      name: head
      of:
        gap: [global_avg_pool, flatten]
        fc: [flatten, {choice: {name: hidden, of: {no: [], yes: [{linear: 64}, relu]}}}]
  - linear: 10
"""


def document(text=SPEC):
    return parse(File("net.yaml", text.encode(), None))


def listed(text):
    """Every network of a spec, built one by one; picks that make no difference are not counted twice."""
    read = document(text)
    known = choices(read)
    sums = {name: Counter() for name in FIGURES}
    seen = set()
    for picks in product(*(choice.alternatives for choice in known.values())):
        picked = dict(zip(known, picks, strict=True))
        try:
            graph = build(read, Overrides(picked))
        except SpecError:
            continue
        used = tuple(sorted((name, picked[name]) for name in graph.provenance.used if name in known))
        if used in seen:
            continue
        seen.add(used)
        for name in FIGURES:
            sums[name][count(graph).figure(name)] += 1
    return sums


BRANCHING = SPEC.replace(
    "  - linear: 10",
    "  - linear: {name: last, features: 10}\n  - multiply: [[], [{linear: {from: last, features: 10}}]]",
)


SHARED = SPEC.replace("name: act2", "name: act")


@pytest.mark.parametrize("text", [SPEC, BRANCHING, SHARED], ids=["chain", "from", "shared"])
def test_sums_are_those_of_every_network(text):
    found = space(document(text), Overrides())
    expected = listed(text)
    assert found.summary.networks == sum(expected["params"].values()) > 50
    for name in FIGURES:
        assert found.summary.sums[name] == expected[name]
        assert found.summary.totals[name] == sum(value * times for value, times in expected[name].items())
        for ends, extreme in ((found.least, min), (found.most, max)):
            value, picks = ends[name]
            assert value == extreme(expected[name])
            assert count(build(document(text), Overrides(picks))).figure(name) == value
    assert "does not fit" in found.reason


def test_more_networks_than_could_ever_be_listed():
    layers = "".join(
        f"  - choice: {{name: op{n}, of: {{a: [{{conv: {{filters: 8, kernel: 3, padding: 1}}}}], "
        f"b: [{{conv: {{filters: 8, kernel: [{n % 5 + 1}, 1]}}}}, {{pad: [0, 0]}}], c: []}}}}\n"
        for n in range(40)
    )
    text = f"input: 8x200x200\nlayers:\n{layers}"
    found = space(document(text), Overrides())
    assert found.summary.networks == 3**40
    assert found.least["params"] == (0, {f"op{n}": "c" for n in range(40)})
    value, picks = found.most["macs"]
    assert count(build(document(text), Overrides(picks))).figure("macs") == value


def test_sums_that_are_too_many_are_rounded_and_say_so(monkeypatch):
    monkeypatch.setattr("convcalc.sweep.space.MOST_SUMS", 20)
    rough, fine = space(document(), Overrides()), listed(SPEC)
    for name in FIGURES:
        slack = rough.summary.slack[name]
        assert slack > 0
        assert rough.summary.totals[name] == sum(value * times for value, times in fine[name].items())
        exact = sorted(fine[name].elements())
        for at, value in enumerate(sorted(Counter(rough.summary.sums[name]).elements())):
            assert value <= exact[at] <= value + slack


def test_settings_fix_choices():
    assert (
        space(document(), Overrides({"head": "gap"})).summary.networks * 3
        == space(document(), Overrides()).summary.networks
    )
    fixed = space(document(), Overrides(variant="chosen"))
    assert all(picks["op"] == "sep" for ends in (fixed.least, fixed.most) for _, picks in ends.values())


def test_a_spec_without_choices_is_one_network():
    found = space(document("input: 3x8x8\nlayers: [{conv: {filters: 4, kernel: 3}}]"), Overrides())
    assert (found.summary.networks, found.least["params"]) == (1, (112, {}))


def test_the_first_alternative_is_built_unless_another_is_chosen(tmp_path, capsys):
    spec = tmp_path / "net.yaml"
    spec.write_text(SPEC)

    def paths(*words):
        assert run(["params", str(spec), *words, "-f", "json"]) == 0
        return {row["name"] for row in json.loads(capsys.readouterr().out)["tables"][0]["rows"]}

    assert "op/relu1" in paths()
    assert {"op/conv1", "op/conv2"} <= paths("--set", "op=sep") == paths("--variant", "chosen")
    assert not any(path.startswith("op/") for path in paths("--set", "op=skip"))
    assert run(["sweep", str(spec), "--set", "op=*", "--set", "width=8,16", "-f", "csv"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 7
    assert lines[1].startswith("full,8,")


@pytest.mark.parametrize(
    ("entry", "words", "says"),
    [
        ("choice: {name: a, of: {x: relu}}", ["--set", "a=y"], "the choice 'a' has no alternative 'y'"),
        ("choice: {name: a, of: {x: relu}}", ["--set", "b=y"], "has no variable 'b'"),
        ("choice: {of: {x: relu}}", [], "a choice needs 'name' and 'of'"),
        ("choice: {name: a, of: [relu]}", [], "'of' must be a mapping of names to layers"),
        ("choice: {name: a, of: {}}", [], "'of' must be a mapping of names to layers"),
        ("choice: {name: a, off: {x: relu}}", [], "did you mean 'of'?"),
        ("choice: {name: '${a}', of: {x: relu}}", [], "cannot name a choice"),
        ("choice: {name: w, of: {x: relu}}", [], "has the name of a variable"),
        ("choice: {name: a, of: {x: relu, y: rellu}}", [], "did you mean 'relu'?"),
        ("choice: {name: a, of: {x: relu, y: [{conv: {kernal: 3}}]}}", [], "did you mean 'kernel'?"),
    ],
)
def test_what_is_wrong_with_a_choice(entry, words, says, tmp_path, capsys):
    spec = tmp_path / "net.yaml"
    spec.write_text(f"input: 3x8x8\nvars: {{w: 1}}\nlayers:\n  - {entry}\n")
    assert run(["params", str(spec), *words]) == 2
    assert says in capsys.readouterr().err


def test_no_combination_is_a_network(tmp_path, capsys):
    spec = tmp_path / "net.yaml"
    spec.write_text("input: 3x8x8\nlayers: [{choice: {name: a, of: {x: [{max_pool: 9}], y: [{max_pool: 10}]}}}]\n")
    assert run(["space", str(spec)]) == 2
    assert "no combination is a valid network: window 9 does not fit" in capsys.readouterr().err


def space_of(text):
    return space(document(text), Overrides())


def choices_in_a_row(count):
    one = "  - choice: {{name: c{0}, of: {{a: relu, b: [{{conv: {{filters: {1}, kernel: 1}}}}]}}}}\n"
    return "input: 3x8x8\nlayers:\n" + "".join(one.format(number, 1 + number % 7) for number in range(count))


def test_choices_past_a_stated_limit_are_refused(monkeypatch):
    monkeypatch.setattr("convcalc.sweep.space.MOST_ADDED", 10_000)
    with pytest.raises(SpecError, match="the choices make more than 10,000 sums to add up"):
        space_of(choices_in_a_row(100))
    monkeypatch.setattr("convcalc.sweep.space.MOST_BUILT", 20)
    with pytest.raises(SpecError, match="the choices make more than 20 parts to build"):
        space_of(choices_in_a_row(15))


def test_a_part_costs_the_same_however_many_follow():
    """Twice as many choices, too few for their sums to be many, take twice the effort."""
    same = "  - choice: {{name: c{0}, of: {{a: relu, b: tanh}}}}\n"
    texts = ["input: 3x8x8\nlayers:\n" + "".join(map(same.format, range(count))) for count in (60, 240)]
    space_of(texts[0])
    small, large = (calls(space_of, text) for text in texts)
    assert large < 6 * small
