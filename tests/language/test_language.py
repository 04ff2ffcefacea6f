"""The spec language, a sentence a test."""

import pytest

from convcalc.analysis.count import count
from convcalc.errors import SpecError
from convcalc.language.builder import build
from convcalc.language.document_loader import parse
from convcalc.language.overrides import Overrides
from convcalc.language.sources import File
from convcalc.loader import read


def layers(text):
    """The layers of a spec: path -> output shape."""
    return {layer.path: layer.output for layer in read(text).layers}


def after(entry, shape="8x16x16", more=""):
    """The output of one layer on an input."""
    (found,) = list(layers(f"input: {shape}\n{more}\nlayers:\n  - {entry}\n").values())[-1:]
    return found


def params(text, **settings):
    return count(build(parse(File("net.yaml", text.encode(), None)), Overrides(**settings))).figure("params")


# -- shapes and layers -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", ["256x28x28", "[256, 28, 28]", "256 x 28 x 28", "256X28X28", "'256×28×28'"])
def test_a_shape_is_text_or_a_list(shape):
    assert read(f"input: {shape}\nlayers: []").inputs == {"input": (256, 28, 28)}


def test_several_inputs_are_a_mapping():
    graph = read("input: {image: 3x8x8, word: 5}\nlayers:\n  - relu: {from: word}")
    assert graph.inputs == {"image": (3, 8, 8), "word": (5,)}
    assert graph.layers[0].output == (5,)


def test_input_names_every_input():
    assert layers("input: {a: 3x8x8, b: 5x8x8}\nlayers:\n  - concat: {from: input}") == {"concat1": (8, 8, 8)}


@pytest.mark.parametrize("entry", ["relu", "relu:", "relu: {}", "{relu: }"])
def test_an_entry_is_a_name_or_one_key(entry):
    assert after(entry) == (8, 16, 16)


def test_a_kind_with_one_obvious_field_takes_it_bare():
    assert after("linear: 10", "32") == (10,)
    assert after("max_pool: 2") == (8, 8, 8)
    assert after("dropout: 0.5") == (8, 16, 16)


def test_without_from_a_layer_takes_the_one_above():
    assert list(layers("input: 4\nlayers: [{linear: 5}, {linear: 6}, relu]").values()) == [(5,), (6,), (6,)]


def test_from_names_a_layer_above():
    found = layers("input: 4\nlayers:\n  - linear: {name: a, features: 5}\n  - linear: 6\n  - relu: {from: a}")
    assert found["relu1"] == (5,)


def test_from_names_several_layers():
    text = "input: 4\nlayers: [{relu: {name: a}}, {relu: {name: b}}, {concat: {from: [a, b, input]}}]"
    assert layers(text)["concat1"] == (12,)


def test_an_output_of_several_is_named_by_its_number():
    text = "input: 8x4x4\nlayers: [{split: {name: s, parts: [2, 6]}}, {relu: {from: s.0}}, {relu: {from: s.1}}]"
    assert layers(text)["relu1"] == (2, 4, 4)
    assert layers(text)["relu2"] == (6, 4, 4)


def test_layers_without_a_name_take_their_kind_with_a_number():
    found = layers("input: 4\nlayers: [relu, {linear: 4}, relu, {relu: {name: relu3}}, relu, relu]")
    assert list(found) == ["relu1", "linear1", "relu2", "relu3", "relu4", "relu5"]


def test_a_name_may_be_a_number_or_a_word_of_old_yaml():
    assert list(layers("input: 4\nlayers: [{relu: {name: 1}}, {relu: {name: no}}, {relu: {from: 1}}]"))[:2] == [
        "1",
        "no",
    ]


# -- joins -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("join", "shape"), [("concat", (24, 16, 16)), ("add", (8, 16, 16)), ("multiply", (8, 16, 16))])
def test_joins_hold_their_branches(join, shape):
    assert after(f"{join}: [[relu], [tanh, relu], []]") == shape


def test_the_empty_branch_is_the_skip():
    graph = read("input: 4\nlayers: [{relu: {name: a}}, {add: [[relu], []]}]")
    assert [graph.all[ref.layer].path for ref in graph.layers[-1].inputs] == ["relu1", "a"]


def test_every_branch_begins_where_the_join_stands():
    graph = read("input: 4\nlayers: [{relu: {name: a}}, {add: [[{relu: {name: b}}], [{relu: {name: c}}]]}]")
    reads = {layer.path: [before.path for before in inputs] for layer, inputs in graph.walk()}
    assert reads["b"] == reads["c"] == ["a"]


def test_a_join_with_fields_takes_branches():
    assert after("concat: {name: both, branches: [[relu], []]}") == (16, 16, 16)


# -- blocks ----------------------------------------------------------------------------------------------------------

UNIT = """
blocks:
  unit:
    args: {filters: , kernel: 3, stride: 1}
    layers:
      - conv: {name: a, filters: "${filters}", kernel: "${kernel}", stride: "${stride}", padding: same}
      - relu
"""


def test_a_block_is_used_like_a_kind_and_its_names_nest():
    found = layers(f"input: 3x8x8\n{UNIT}\nlayers: [{{unit: {{name: u, filters: 4}}}}, {{unit: {{filters: 5}}}}]")
    assert found == {"u/a": (4, 8, 8), "u/relu1": (4, 8, 8), "unit1/a": (5, 8, 8), "unit1/relu1": (5, 8, 8)}


def test_arguments_have_defaults_and_the_first_may_be_bare():
    assert after("unit: 4", "3x8x8", UNIT) == (4, 8, 8)
    assert after("unit: {filters: 4, stride: 2}", "3x8x8", UNIT) == (4, 4, 4)


def test_arguments_may_be_a_list_of_names():
    blocks = 'blocks: {b: {args: [f], layers: [{linear: "${f}"}]}}'
    assert after("b: 7", "3", blocks) == (7,)


def test_a_default_may_use_other_arguments_variables_and_channels():
    blocks = 'vars: {r: 4}\nblocks: {b: {args: {f: "${channels // r}", g: "${f + 1}"}, layers: [{linear: "${g}"}]}}'
    assert after("b", "16", blocks) == (5,)
    assert after("b: {f: 9}", "16", blocks) == (10,)


def test_inside_a_block_input_is_what_it_is_given():
    blocks = "blocks: {b: {layers: [{linear: 5}, {concat: {from: [input, linear1]}}]}}"
    assert after("b", "3", blocks) == (8,)


def test_a_block_may_take_several_inputs_by_name():
    blocks = "blocks: {b: {inputs: [left, right], layers: [{concat: {from: [left, right, right]}}]}}"
    text = f"input: 3\n{blocks}\nlayers:\n  - linear: {{name: a, features: 2}}\n  - b: {{from: [a, input]}}"
    assert layers(text)["b1/concat1"] == (8,)


def test_names_inside_a_block_are_its_own():
    with pytest.raises(SpecError, match="no layer 'a' above"):
        layers(f"input: 3x8x8\n{UNIT}\nlayers: [{{unit: {{name: u, filters: 4}}}}, {{relu: {{from: a}}}}]")


def test_a_layer_inside_a_block_is_reached_by_its_path():
    found = layers(f"input: 3x8x8\n{UNIT}\nlayers: [{{unit: {{name: u, filters: 4}}}}, {{tanh: {{from: u/a}}}}]")
    assert found["tanh1"] == (4, 8, 8)


def test_a_block_of_the_network_sees_its_variables_and_an_argument_wins():
    blocks = 'vars: {f: 7, g: 2}\nblocks: {b: {args: {f: 3}, layers: [{linear: "${f * g}"}]}}'
    assert after("b", "3", blocks) == (6,)
    assert after("b: 5", "3", blocks) == (10,)


def test_a_block_may_hold_blocks_but_not_itself():
    blocks = "blocks: {a: {layers: [b, b]}, b: {layers: [relu]}}"
    assert list(layers(f"input: 3\n{blocks}\nlayers: [a]")) == ["a1/b1/relu1", "a1/b2/relu1"]


def test_a_kind_may_be_an_argument():
    blocks = 'blocks: {b: {args: {act: relu}, layers: ["${act}"]}}'
    assert list(layers(f"input: 3\n{blocks}\nlayers: [b, {{b: tanh}}]")) == ["b1/relu1", "b2/tanh1"]


def test_include_brings_the_blocks_of_another_file(tmp_path):
    from convcalc.loader import load

    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "more.yaml").write_text('vars: {f: 5}\nblocks: {wide: {layers: [{linear: "${f}"}]}}')
    (tmp_path / "parts.yaml").write_text("include: parts/more.yaml\nblocks: {twice: {layers: [wide, wide]}}")
    (tmp_path / "net.yaml").write_text("include: [parts.yaml]\ninput: 3\nvars: {f: 7}\nlayers: [twice]")
    graph = load(tmp_path / "net.yaml")
    assert graph.layers[-1].path == "twice1/wide2/linear1"
    assert graph.layers[-1].output == (5,), "a block keeps to the variables of its own file"


# -- repeat ----------------------------------------------------------------------------------------------------------


def test_repeat_puts_layers_one_behind_the_other():
    found = layers("input: 3x8x8\nlayers: [{repeat: {times: 3, layers: [{conv: {filters: 4, kernel: 3}}]}}]")
    assert list(found.values()) == [(4, 6, 6), (4, 4, 4), (4, 2, 2)]
    assert next(iter(found)) == "repeat1/1/conv1"


def test_index_counts_the_rounds_from_one():
    text = 'input: 3\nlayers: [{repeat: {name: r, times: 3, layers: [{linear: "${10 * index}"}]}}]'
    assert layers(text) == {"r/1/linear1": (10,), "r/2/linear1": (20,), "r/3/linear1": (30,)}


def test_a_repeat_of_nothing_is_its_input():
    assert layers("input: 3\nlayers: [{repeat: {times: 0, layers: [{linear: 9}]}}, relu]") == {"relu1": (3,)}


def test_inside_a_repeat_the_names_around_it_are_known():
    text = "input: 3\nlayers:\n  - relu: {name: stem}\n"
    text += "  - repeat: {times: 2, layers: [{add: [[], [{relu: {from: stem}}]]}]}"
    assert list(layers(text)) == ["stem", "repeat1/1/relu1", "repeat1/1/add1", "repeat1/2/relu1", "repeat1/2/add1"]


def test_the_output_of_a_repeat_has_its_name():
    assert layers("input: 3\nlayers: [{repeat: {name: r, times: 2, layers: [{linear: 4}]}}, relu, {tanh: {from: r}}]")


# -- variables -------------------------------------------------------------------------------------------------------


def test_an_expression_with_a_whole_result_is_a_size():
    assert after('linear: "${3 * 0.1 * 10}"', "3") == (3,)
    assert after('linear: "${(0.1 + 0.2 == 0.3) * 5}"', "3") == (5,)


def test_variables_may_use_each_other_in_any_order():
    assert after('linear: "${a}"', "3", 'vars: {a: "${b * 2}", b: 4}') == (8,)


def test_text_is_filled_in():
    assert list(layers('input: 3\nvars: {n: 4}\nlayers: [{relu: {name: "stage${n}_${n + 1}"}}]')) == ["stage4_5"]


def test_a_shape_may_be_computed():
    assert read("input: 3x${s}x${2 * s}\nvars: {s: 8}\nlayers: []").inputs["input"] == (3, 8, 16)
    assert read('input: [3, "${s}", 4]\nvars: {s: 8}\nlayers: []').inputs["input"] == (3, 8, 4)


def test_channels_are_those_that_arrive():
    assert after('conv: {filters: "${channels * 2}", kernel: 1}') == (16, 16, 16)


def test_a_variable_called_channels_wins():
    assert after('conv: {filters: "${channels}", kernel: 1}', more="vars: {channels: 5}") == (5, 16, 16)


VARIANTS = """
input: 4
vars: {width: 10}
variants:
  small: {width: 5}
  long: {input: 8}
layers: [{linear: "${width}"}]
"""


def test_a_variant_is_a_named_set_of_variables():
    assert params(VARIANTS) == 4 * 10 + 10
    assert params(VARIANTS, variant="small") == 4 * 5 + 5
    assert params(VARIANTS, variant="long") == 8 * 10 + 10


def test_what_is_set_wins_over_variant_and_file():
    assert params(VARIANTS, variant="small", variables={"width": 2}) == 4 * 2 + 2


def test_an_input_given_wins_over_the_file():
    assert params(VARIANTS, inputs=["6"]) == 6 * 10 + 10


# -- when and share --------------------------------------------------------------------------------------------------


def test_when_leaves_a_layer_out():
    text = 'input: 3\nlayers: [{linear: {features: 5, when: "${channels == %s}"}}, relu]'
    assert list(layers(text % 3)) == ["linear1", "relu1"]
    assert list(layers(text % 4)) == ["relu1"]


def test_a_layer_that_is_left_out_stands_for_its_input():
    text = "input: 3\nlayers: [{linear: {name: a, features: 5, when: false}}, {relu: {from: a}}]"
    assert layers(text) == {"relu1": (3,)}


def test_a_join_that_is_left_out_stands_for_the_layer_above():
    text = (
        "input: 3\nlayers: [{linear: 3}, {add: {name: a, when: %s, from: [linear1, input]}}, relu, {tanh: {from: a}}]"
    )
    assert list(layers(text % "true")) == ["linear1", "a", "relu1", "tanh1"]
    assert layers(text % "false") == {"linear1": (3,), "relu1": (3,), "tanh1": (3,)}


def test_shared_weights_are_stored_once():
    text = "input: 4\nlayers: [{linear: {name: a, features: 4}}, {linear: {share: a}}]"
    counted = count(read(text))
    assert (counted.figure("params"), counted.figure("macs")) == (20, 32)


TIED = """
input: 7
layers:
  - embedding: {name: words, entries: 50, features: 16}
  - linear: {name: head, features: 50, share: %s}
"""


@pytest.mark.parametrize(
    ("share", "params"),
    [
        ("{weights: words}", 800 + 50),
        ("{weights: {words: 300}}", 800 + 500 + 50),
        ("{weights: {words: 300}, not_counted: {biases: 50}}", 800 + 500),
        ("{weights: words, biases: {words: 20}}", 800 + 30),
    ],
)
def test_a_layer_shares_some_of_what_it_stores(share, params):
    assert count(read(TIED % share)).figure("params") == params


@pytest.mark.parametrize(
    ("share", "message"),
    [
        ("{weigths: words}", "linear has no 'weigths' to share"),
        ("{weights: {words: 900}}", "it shares more weights than it has"),
        ("{weights: {words: 0}}", "a number of elements was expected"),
        ("{weights: {words: 800}, not_counted: {weights: 1}}", "it shares more weights than it has"),
        ("{weights: nowhere}", "no layer 'nowhere' above"),
        ("{not_counted: 3}", "a number of elements for each of its sizes was expected"),
        ("{}", "'share' is empty"),
    ],
)
def test_a_share_that_does_not_fit_is_an_error(share, message):
    with pytest.raises(SpecError, match=message):
        read(TIED % share)


def test_a_block_shares_the_weights_of_another_use():
    text = (
        "input: 4\nblocks: {b: {layers: [{linear: 4}, relu, {linear: 4}]}}\nlayers: [{b: {name: x}}, {b: {share: x}}]"
    )
    counted = count(read(text))
    assert (counted.figure("params"), counted.figure("macs")) == (40, 64)
    assert [row.shares for row in counted.rows if row.kind == "linear"] == ["", "", "x/linear1", "x/linear2"]


def test_a_repeat_shares_the_weights_of_another():
    text = "input: 4\nlayers:\n  - repeat: {name: r, times: 2, layers: [{linear: 4}]}\n"
    text += "  - repeat: {share: r, times: 2, layers: [{linear: 4}]}"
    assert count(read(text)).figure("params") == 40


def test_share_may_compute_the_name():
    text = """
input: 4x8x8
layers:
  - conv: {name: c4, filters: 4, kernel: 1, bias: false}
  - conv: {filters: 4, kernel: 1, bias: false, share: "c${channels}"}
"""
    counted = count(read(text))
    assert (counted.figure("weights"), counted.figure("macs")) == (4 * 4, 2 * 4 * 4 * 8 * 8)
