"""Sizes of the input at hand and of named layers, `like:`, and fields without a value."""

import json

import pytest
from click.testing import CliRunner

from convcalc.analysis.count import count
from convcalc.cli import cli
from convcalc.errors import SpecError
from convcalc.kinds import KINDS
from convcalc.language.builder import build
from convcalc.language.document_loader import parse
from convcalc.language.overrides import Overrides
from convcalc.language.sources import File
from convcalc.loader import read


def last(text, **overrides):
    graph = build(parse(File("net.yaml", text.encode(), None), is_strict=False), Overrides(**overrides))
    return graph.layers[-1].output


@pytest.mark.parametrize(
    ("shape", "sizes"),
    [
        ("4x6", {"channels": 4, "length": 6}),
        ("4x6x8", {"channels": 4, "height": 6, "width": 8}),
        ("4x6x8x10", {"channels": 4, "depth": 6, "height": 8, "width": 10}),
    ],
)
def test_every_axis_has_a_name_and_a_number(shape, sizes):
    words = {**sizes, **{f"axis{number}": size for number, size in enumerate(sizes.values())}}
    words["last"] = [*sizes.values()][-1]
    for word, size in words.items():
        text = f'input: {shape}\nlayers:\n  - constant: ["${{{word}}}"]\n'
        assert last(text) == (size,), word
        assert last(text.replace(word, f"input.{word}")) == (size,), word


def test_a_size_that_the_shape_does_not_have_is_an_error_that_names_those_it_has():
    with pytest.raises(SpecError, match="the shape 4x6 has no height") as error:
        read('input: 4x6\nlayers:\n  - constant: ["${height}"]')
    assert "length" in error.value.problems[0].hint


@pytest.mark.parametrize("word", ["input.hight", "nope.height", "split1.height"])
def test_a_size_of_no_layer_or_of_several_outputs_is_an_error(word):
    with pytest.raises(SpecError) as error:
        read(f'input: 4x6x6\nlayers:\n  - split: 2\n  - constant: ["${{{word}}}"]')
    assert len(error.value.problems) == 1


def test_an_output_of_several_has_sizes():
    assert last('input: 4x6x6\nlayers:\n  - split: [1, 3]\n  - constant: ["${split1.1.channels}"]') == (3,)


def test_a_layer_that_reads_nothing_has_no_sizes():
    with pytest.raises(SpecError, match="reads nothing, so there is no channels here"):
        read('input: 4\nlayers:\n  - parameter: {shape: ["${channels}"], from: []}')


def test_a_variable_or_an_argument_goes_before_a_size():
    text = """
input: 4x6x6
vars: {width: 0.5}
blocks: {b: {args: {height: 3}, layers: [constant: ["${height}", "${2 * width}", "${axis2}"]]}}
layers: [b]
"""
    assert last(text) == (3, 1, 6)


def test_a_default_sees_the_sizes_of_every_input_of_its_block():
    text = """
input: {a: 4x6x6, b: 3x6x6}
blocks:
  two:
    inputs: [left, right]
    args: {filters: "${left.channels + right.channels}"}
    layers: [conv: {from: left, filters, kernel: 1}]
layers: [two: {from: [a, b]}]
"""
    assert last(text) == (7, 6, 6)


LIKE = {
    "upsample": "8x10x10",
    "center_crop": "8x40x50",
    "crop": "8x40x51",
    "pad": "8x10x11",
    "adaptive_avg_pool": "8x40x51",
    "adaptive_max_pool": "8x40x51",
}


def test_every_kind_with_like_is_tested():
    assert {name for name, kind in KINDS.items() if kind.like_field} == {*LIKE, "slice"}


@pytest.mark.parametrize("kind", LIKE)
def test_like_gives_the_output_the_size_of_another_layer(kind):
    text = f"input: {{other: 3x20x30, x: {LIKE[kind]}}}\nlayers:\n  - {kind}: {{from: x, like: other}}"
    assert last(text) == (8, 20, 30)
    assert last(text, inputs=["other=3x21x29"]) == (8, 21, 29)


def test_a_slice_is_as_long_as_the_axis_of_another_layer():
    text = "input: {other: 3x20x30, x: 8x40x50}\nlayers:\n  - slice: {from: x, like: other, axis: 2}"
    assert last(text) == (8, 40, 30)


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("crop: {like: large}", "16x16 is smaller than"),
        ("pad: {like: small}", "is larger than"),
        ("upsample: {like: large, size: 3}", "either 'size' or 'like'"),
        ("upsample: {like: large, scale: 2}", "either 'scale' or 'size'"),
        ("upsample: {like: nope}", "no layer 'nope' above"),
        ("relu: {like: large}", "no field 'like'"),
    ],
)
def test_a_like_that_does_not_fit_is_one_error(entry, message):
    with pytest.raises(SpecError, match=message) as error:
        read(f"input: {{small: 4x8x8, x: 4x16x16, large: 4x32x32}}\nlayers:\n  - identity: {{from: x}}\n  - {entry}")
    assert len(error.value.problems) == 1


def test_a_sweep_over_inputs_and_filters_counts_sizes_and_like_as_one_network_each(tmp_path):
    text = """
input: 3x64x48
vars: {filters: 8}
layers:
  - conv: {name: stem, filters, kernel: 3, stride: 2, padding: 1}
  - max_pool: 3
  - upsample: {like: stem}
  - crop: {like: max_pool1}
  - pad: {like: stem}
  - slice: {axis: 1, like: max_pool1}
  - reshape: ["${channels}", "${height * width}"]
  - linear: {axis: last, features: "${stem.width}"}
"""
    path = tmp_path / "net.yaml"
    path.write_text(text)
    options = ["--set", "input=3x64x48,3x80x81", "--set", "filters=8,16", "-f", "json"]
    found = CliRunner().invoke(cli, ["sweep", str(path), *options])
    assert found.exit_code == 0, found.output
    rows = json.loads(found.stdout)["tables"][0]["rows"]
    plain = []
    for shape in ("3x64x48", "3x80x81"):
        for filters in (8, 16):
            counted = count(
                build(parse(File("net.yaml", text.encode(), None)), Overrides({"filters": filters}, "", [shape]))
            )
            plain.append((counted.figure("params"), counted.figure("macs")))
    assert [(row["params"], row["macs"]) for row in rows] == plain


def test_a_size_in_vars_is_an_error_that_says_where_sizes_are_known():
    with pytest.raises(SpecError, match="no variable 'height'") as error:
        read('input: 4x6x6\nvars: {half: "${height // 2}"}\nlayers: []')
    assert "only in the layers" in error.value.problems[0].hint


def test_a_field_without_a_value_takes_the_argument_or_variable_of_its_name():
    text = """
input: 3x8x8
vars: {filters: 6, stride: 2}
blocks: {cb: {args: {filters: , kernel: 3}, layers: [conv: {filters, kernel, padding: same, bias: false}]}}
layers: [cb: {filters}, conv: {filters: 2, stride, kernel: 1, bias: false}]
"""
    graph = read(text)
    assert [layer.output for layer in graph.layers] == [(6, 8, 8), (2, 4, 4)]
    assert count(graph).figure("params") == 3 * 3 * 3 * 6 + 6 * 2


def test_an_argument_that_cannot_be_worked_out_is_one_error():
    text = """
input: 4x8x8
blocks: {wide: {args: {c: "${channels}"}, layers: [conv: {filters: "${c}", kernel: 1}]}}
layers:
  - reshape: {name: b, shape: [1, 2]}
  - wide
  - relu: {from: wide1}
  - tanh: {from: wide1/conv1}
"""
    with pytest.raises(SpecError) as error:
        read(text)
    assert [problem.message[:25] for problem in error.value.problems] == ["4x8x8 cannot be reshaped "]
