"""Every suggestion is the spec with one place changed, and saves what counting both specs says."""

import json

import pytest

from convcalc.analysis.count import count
from convcalc.analysis.receptive_field import receptive_fields
from convcalc.cli import run
from convcalc.language.builder import build
from convcalc.language.document_loader import parse
from convcalc.language.overrides import Overrides
from convcalc.language.sources import File, Files
from convcalc.loader import read
from convcalc.rewrites import _trials, candidates, suggest
from convcalc.rewrites.base import Rewrite

NAIVE = """\
# the naive module
name: naive inception
input: 192x28x28
layers:
  - concat:
      - - conv: {filters: 64, kernel: 1}  # cheap
        - relu
      - - conv: {name: wide3, filters: 128, kernel: 3, padding: same}   # dear
        - relu
      - - conv:
            name: wide5   # dearest
            filters: 32
            kernel: 5
            padding: same

        - relu
      - [{max_pool: {kernel: 3, stride: 1, padding: same}}]
# the end
"""
STAGES = [(64, 2), (128, 2), (256, 3), (512, 3), (512, 3)]
VGG = (
    "input: 3x224x224\nlayers:\n"
    + "".join(
        f"  - conv: {{filters: {filters}, kernel: 3, padding: 1}}\n  - relu\n" * times + "  - max_pool: 2\n"
        for filters, times in STAGES
    )
    + """\
  - flatten          # 25088
  - linear: 4096     # fc6
  - relu
  - dropout: 0.5
  - linear: 4096     # fc7
  - relu
  - dropout: 0.5
  - linear: 1000     # fc8
"""
)
PLAIN = """\
input: 32x56x56
vars: {wide: 64}
blocks:
  twice:
    args: [filters]
    layers: [{conv: {filters: "${filters}", kernel: 3, padding: 1, bias: false}}, batch_norm, relu]
layers:
  - twice: {filters: 64}
  - repeat: {times: 3, layers: [{twice: {filters: "${wide}"}}]}
  - conv: {filters: 128, kernel: 7, stride: 2, padding: 3}
  - global_avg_pool
  - flatten
  - linear: 10
"""
SPECS = {"naive": NAIVE, "vgg": VGG, "plain": PLAIN}


def document(text):
    return parse(File("net.yaml", text.encode(), None))


def suggestions(text):
    return suggest(document(text), Overrides(), Files())


@pytest.fixture(scope="module", params=SPECS)
def spec(request):
    return SPECS[request.param], suggestions(SPECS[request.param])


def test_savings_are_what_counting_both_specs_says(spec):
    text, found = spec
    before = count(read(text))
    assert found
    for one in found:
        after = count(read(one.text))
        assert one.weights == after.figure("weights") - before.figure("weights") <= 0
        assert one.macs == after.figure("macs") - before.figure("macs") <= 0
        assert one.depth == after.depth - before.depth
        assert one.nonlinearities == after.nonlinearities - before.nonlinearities
        assert [row.output for row in after.rows][-1] == [row.output for row in before.rows][-1]
    assert [one.share for one in found] == sorted((one.share for one in found), reverse=True)


def test_everything_else_stays_as_it_is_written(spec):
    text, found = spec
    for one in found:
        old, new = text.splitlines(), one.text.splitlines()
        same = 0
        while same < min(len(old), len(new)) and old[same] == new[same]:
            same += 1
        assert same == one.place.line - 1 or one.place.line - 1 <= same  # nothing above the place has changed
        rest = next(n for n in range(len(old)) if n >= len(new) or old[-1 - n] != new[-1 - n])
        assert same + rest >= len(old) - 8  # a few lines at most
        if "global average" not in one.what:  # which takes layers away, and what is said about them
            for comment in ("# the naive module", "# cheap", "# dear", "# dearest", "# the end", "# fc6", "# fc8"):
                assert text.count(comment) == one.text.count(comment), one.what


def test_every_rewrite_is_suggested_somewhere():
    tried = {one.source for text in SPECS.values() for one in suggestions(text)}
    assert tried == {rewrite.source for rewrite in Rewrite.__subclasses__()}
    assert len(Rewrite.__subclasses__()) >= 6


def test_the_reductions_of_the_inception_paper():
    found = {(one.layer, one.what): one for one in suggestions(NAIVE)}
    for layer, what, width, filters, kernel in (
        ("wide3", "1x1 to 96 before the 3x3", 96, 128, 3),
        ("wide5", "1x1 to 16 before the 5x5", 16, 32, 5),
    ):
        area = kernel * kernel
        by_hand = 192 * width + width * area * filters - 192 * area * filters
        assert found[layer, what].weights == by_hand
        assert found[layer, what].macs == by_hand * 28 * 28
        assert (found[layer, what].depth, found[layer, what].nonlinearities) == (1, 1)


def test_the_pooling_head_of_vgg():
    found = {one.what: one for one in suggestions(VGG)}
    first = found["global average pooling before flatten"]
    assert first.weights == 512 * 4096 - 512 * 7 * 7 * 4096 == -100_663_296
    whole = found["global average pooling and one linear in place of flatten and 3 linear"]
    assert whole.weights == 512 * 1000 - (512 * 49 * 4096 + 4096 * 4096 + 4096 * 1000) == -123_121_664
    assert whole.depth == -2
    assert "fc6" not in whole.text and "fc8" in whole.text


def test_the_factorisation_of_mobilenet_in_every_use_of_a_block():
    found = {(one.layer, one.what): one for one in suggestions(PLAIN)}
    one = found["twice1/conv1", "depthwise 3x3 and 1x1 in place of the 3x3"]
    assert one.uses == 4
    by_hand = sum(c * 9 + c * k - c * 9 * k for c, k in ((32, 64), (64, 64), (64, 64), (64, 64)))
    assert one.weights == by_hand
    assert one.nonlinearities == 4
    graph = read(one.text)
    kinds = [layer.kind.name for layer in graph.layers][:6]
    assert kinds == ["conv", "batch_norm", "relu", "conv", "batch_norm", "relu"]


def test_smaller_windows_see_as_much():
    for one in suggestions(PLAIN):
        if one.what in ("3 times 3x3 in place of the 7x7", "1x7 and 7x1 in place of the 7x7"):
            assert one.seen_before == "15"  # four 3x3 before it: 9, and 6 more
            # a stride in the first of a stack spreads those behind it
            assert one.seen_after == ("19" if "3 times" in one.what else "15")


def test_receptive_fields_of_joins_and_strides():
    graph = read("""
input: 3x64x64
layers:
  - conv: {filters: 8, kernel: 3, stride: 2, padding: 1}
  - max_pool: {kernel: 2}
  - add:
    - [{conv: {filters: 8, kernel: [1, 3], padding: [0, 1]}}, {conv: {filters: 8, kernel: 3, padding: 1}}]
    - []
  - upsample: 2
  - global_avg_pool
""")
    assert receptive_fields(graph) == [(1, 1), (3, 3), (5, 5), (5, 13), (13, 21), (13, 21), (13, 21), None]


def test_a_comment_stays_with_its_layer():
    found = {(one.layer, one.what): one.text for one in suggestions(NAIVE)}
    text = found["wide3", "4 groups and a channel shuffle"]
    assert "padding: same, groups: 4}   # dear\n        - channel_shuffle: {groups: 4}\n" in text
    assert "kernel: 1}\n        - relu\n        - conv: {name: wide3" in found["wide3", "1x1 to 96 before the 3x3"]


def test_windows_line_ends_stay():
    text = NAIVE.replace("\n", "\r\n")
    one = next(one for one in suggestions(text) if one.layer == "wide3" and one.what.startswith("depthwise"))
    assert one.text.count("\n") == one.text.count("\r\n") == text.count("\n") + 2


def test_apply_writes_the_spec(tmp_path, capsys):
    spec, smaller = tmp_path / "net.yaml", tmp_path / "smaller.yaml"
    spec.write_text(NAIVE)
    assert run(["suggest", str(spec), "-f", "json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert "not known" in data["tables"][0]["accuracy"]
    second = data["tables"][0]["rows"][1]
    assert run(["suggest", str(spec), "--apply", "2", "-o", str(smaller)]) == 0
    before, after = (count(build(document(text))).figure("macs") for text in (NAIVE, smaller.read_text()))
    assert after == before + second["macs"]
    assert run(["suggest", str(spec), "--apply", "999"]) == 2
    assert "there are" in capsys.readouterr().err
    assert run(["suggest", str(spec)]) == 0
    assert "accuracy is not known" in capsys.readouterr().out


def test_nothing_to_suggest(tmp_path, capsys):
    spec = tmp_path / "net.yaml"
    spec.write_text("input: 3x8x8\nlayers: [relu]\n")
    assert run(["suggest", str(spec)]) == 0
    assert "0 of 0" in capsys.readouterr().out


def chain(convolutions, rest=""):
    entries = "  - conv: {filters: 8, kernel: 3, padding: same}\n  - relu\n" * convolutions
    return f"input: 8x16x16\nlayers:\n{entries}{rest}"


def all_candidates(text):
    return candidates(document(text), Overrides(), Files())


def test_sites_that_are_alike_are_built_once(monkeypatch):
    builds = []
    monkeypatch.setattr(_trials, "build", lambda *words: builds.append(1) or build(*words))
    numbers = []
    for convolutions in (4, 40):
        builds.clear()
        numbers.append((len(all_candidates(chain(convolutions))), len(builds)))
    assert numbers[1][0] == 10 * numbers[0][0]
    assert numbers[1][1] == numbers[0][1]


@pytest.mark.parametrize(
    "rest",
    [
        "",
        "  - {conv: {name: conv2_reduce, filters: 8, kernel: 1}}\n",  # a name that a rewrite of the second one takes
        "  - add: {from: [relu1, relu3]}\n",  # a rewrite before it gives relu3 another number
        "  - conv: {filters: 8, kernel: 3, padding: same, share: conv2}\n",
        "  - conv: {filters: 7, kernel: 3}\n  - conv: {filters: 9, kernel: 5, padding: 2, stride: 2}\n",
        '  - repeat: {over: {w: [8, 8, 16]}, layers: [{conv: {filters: "${w}", kernel: 3}}, relu]}\n',
        "  - concat: [[{max_pool: {kernel: 3, stride: 1, padding: 1}}], []]\n  - conv: {filters: 4, kernel: 3}\n",
    ],
)
def test_a_saving_that_was_counted_once_is_what_each_site_saves(rest):
    trials = _trials.Trials(document(chain(4, rest)), Overrides(), Files())
    found = [(one.change, one.weights, one.macs) for one in trials.candidates(None)]
    trials.is_local = False  # from here on every proposal is built
    assert found and found == [(one.change, one.weights, one.macs) for one in trials.candidates(None)]
