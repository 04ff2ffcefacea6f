"""Branches that are left out, loops side by side, blocks with several outputs."""

import pytest

from convcalc.analysis.count import count
from convcalc.errors import SpecError
from convcalc.language.builder import build
from convcalc.language.document_loader import parse
from convcalc.language.overrides import Overrides
from convcalc.language.sources import File
from convcalc.loader import read

CONV = "{conv: {filters: %s, kernel: 1, bias: false}}"


def layers(text, **variables):
    graph = build(parse(File("net.yaml", text.encode(), None), is_strict=False), Overrides(variables))
    return {layer.path: layer.output for layer in graph.layers}


def weights(text):
    return count(read(text)).figure("weights")


# -- conditions --------------------------------------------------------------------------------------------------------

OPTIONAL = """
input: 8x4x4
vars: {extra: 0}
layers:
  - JOIN:
      name: join
      branches:
        - - conv: {name: a, filters: 8, kernel: 1}
        - when: "${extra}"
          layers: [conv: {name: b, filters: 8, kernel: 1}]
  - relu: {from: join}
"""


@pytest.mark.parametrize("join", ["concat", "add", "multiply", "maximum"])
def test_a_branch_that_is_left_out_leaves_a_join_of_one_branch_which_vanishes(join):
    text = OPTIONAL.replace("JOIN", join)
    assert layers(text) == {"a": (8, 4, 4), "relu1": (8, 4, 4)}
    with_both = layers(text, extra=1)
    assert list(with_both) == ["a", "b", "join", "relu1"]
    assert with_both["join"] == ((16, 4, 4) if join == "concat" else (8, 4, 4))


def test_a_join_of_two_of_three_branches_stays():
    text = f"input: 8x4x4\nlayers:\n  - concat: [[], [{CONV % 3}], {{when: 0, layers: [relu]}}]"
    assert layers(text) == {"conv1": (3, 4, 4), "concat1": (11, 4, 4)}


def test_a_join_that_is_written_with_one_branch_stays_as_it_was():
    assert list(layers("input: 8\nlayers: [concat: [[relu]]]")) == ["relu1", "concat1"]


def test_else_is_what_a_branch_is_instead():
    branch = f"{{when: '${{on}}', layers: [{CONV % 8}], else: []}}"
    text = f"input: 8x4x4\nvars: {{on: 0}}\nlayers:\n  - add: [[relu], {branch}]"
    assert list(layers(text)) == ["relu1", "add1"]
    assert list(layers(text, on=1)) == ["relu1", "conv1", "add1"]
    assert list(layers(text.replace("else: []", "else: [tanh]"))) == ["relu1", "tanh1", "add1"]


@pytest.mark.parametrize("branch", ["[%s]", "{layers: [%s]}", "{when: 1, layers: [%s]}", "{times: 1, layers: [%s]}"])
@pytest.mark.parametrize("join", ["concat", "add", "parallel"])
def test_a_skip_that_only_conditions_make_is_an_error_that_says_what_to_write(branch, join):
    inside = branch % "{relu: {when: 0}}, {conv: {filters: 8, kernel: 1, when: 0}}"
    with pytest.raises(SpecError, match="'when' leaves out every layer of this branch") as error:
        read(f"input: 8x4x4\nlayers:\n  - {join}: [[tanh], {inside}]")
    (problem,) = error.value.problems
    assert "else: []" in problem.hint and "layers: [...]" in problem.hint


def test_a_branch_that_begins_elsewhere_may_be_that_layer():
    text = """
input: 8x4x4
layers:
  - tanh: {name: far}
  - relu
  - add: [{from: far}, [gelu], {from: far, layers: [sigmoid: {when: 0}]}]
"""
    graph = read(text)
    assert [layer.path for layer in graph.layers] == ["far", "relu1", "gelu1", "add1"]
    assert [graph.all[ref.layer].path for ref in graph.layers[-1].inputs] == ["far", "gelu1", "far"]


@pytest.mark.parametrize(
    ("branches", "message"),
    [
        ("[{when: 0, layers: [relu]}, {when: 0, layers: [relu]}]", "no branch of add is left"),
        ("[{times: 0, layers: [relu]}]", "no branch of add is left"),
        ("[[], {layer: [relu]}]", "a branch has no key 'layer'"),
        ("[[], {relu: {}}]", "a branch has no key 'relu'"),
        ("[[], {when: 1}]", "a branch needs 'layers' or 'from'"),
        ("[[], {layers: relu}]", "'layers' of a branch must be a list"),
        ("[[], {layers: [relu], else: []}]", "'else' needs 'when'"),
        ("[[], {when: maybe, layers: [relu]}]", "'when' must be a condition"),
        ("[[], {times: 2, over: [1], layers: [relu]}]", "either 'times' or 'over'"),
        ("[[], {over: 3, layers: [relu]}]", "'over' takes a list"),
        ("[[], {over: {i: [1, 2], c: [1]}, layers: [relu]}]", "'i' has 2 items, 'c' has 1"),
        ("[[], {over: {index: 2}, layers: [relu]}]", "'index' cannot name the items of a loop"),
        ("[[], {over: {i: -1}, layers: [relu]}]", "found -1"),
        ("[[], relu]", "takes a list of branches"),
    ],
)
def test_a_branch_that_is_none_is_one_error(branches, message):
    with pytest.raises(SpecError) as error:
        read(f"input: 8x4x4\nlayers:\n  - add: {branches}")
    (problem,) = error.value.problems
    assert message in problem.message and problem.place is not None


# -- loops -------------------------------------------------------------------------------------------------------------


def test_branches_side_by_side_all_read_the_layer_above_the_join():
    text = f"input: 8x4x4\nlayers:\n  - add: [{{times: 3, layers: [{CONV % 8}, batch_norm]}}, []]"
    graph = read(text)
    assert [layer.path for layer in graph.layers][-1] == "add1"
    assert len(graph.layers[-1].inputs) == 4
    assert weights(text) == 3 * 8 * 8


def test_a_loop_over_a_list_knows_its_item_and_its_number():
    conv = CONV % "'${10 * index + item}'"
    text = f"input: 8x4x4\nlayers:\n  - concat: [{{over: [2, 3], layers: [{conv}]}}]"
    assert list(layers(text).values()) == [(12, 4, 4), (23, 4, 4), (35, 4, 4)]


def test_a_loop_over_a_variable_and_over_words():
    text = """
input: 8x4x4
vars: {acts: [relu, tanh]}
layers:
  - concat: [{over: "${acts}", layers: ["${item}"]}]
  - repeat: {over: "${acts}", layers: ["${item}"]}
"""
    assert list(layers(text)) == ["relu1", "tanh1", "concat1", "repeat1/1/relu1", "repeat1/2/tanh1"]


def test_a_repeat_over_names_with_lists_is_a_table_of_stages():
    text = """
input: 3x32x32
layers:
  - repeat:
      over: {filters: [8, 16], stride: [1, 2]}
      layers: [conv: {filters, kernel: 3, stride, padding: 1, bias: false}, relu]
"""
    assert list(layers(text).values()) == [(8, 32, 32)] * 2 + [(16, 16, 16)] * 2
    assert weights(text) == 9 * (3 * 8 + 8 * 16)


def test_loops_in_loops_see_the_names_of_those_around():
    text = """
input: 1x4x4
layers:
  - concat:
    - over: {i: 2}
      layers:
        - concat:
          - {over: {j: 3}, layers: [conv: {name: "c${i}${j}", filters: "${10 * i + j}", kernel: 1}]}
"""
    found = layers(text)
    assert [found[f"c{i}{j}"][0] for i in (1, 2) for j in (1, 2, 3)] == [11, 12, 13, 21, 22, 23]


def test_skips_that_a_later_loop_takes_back():
    text = """
input: 3x16x16
layers:
  - repeat:
      name: down
      times: 3
      layers: [max_pool: {kernel: 2, when: "${index > 1}"}, conv: {filters: "${4 * index}", kernel: 1}]
  - repeat:
      name: up
      times: 2
      layers: [upsample: 2, concat: [[], {from: "down/${3 - index}"}], conv: {filters: "${channels // 2}", kernel: 1}]
"""
    found = layers(text)
    assert [found[f"up/{number}/concat1"] for number in (1, 2)] == [(12 + 8, 8, 8), (10 + 4, 16, 16)]


def test_rounds_that_share_weights_name_the_first_of_them():
    text = f"""
input: 8x4x4
blocks: {{sep: {{layers: [{CONV % 8}]}}}}
layers:
  - parallel:
    - over: [3, 4, 5]
      layers:
        - conv: {{name: "c${{item}}", share: c3, filters: 8, kernel: 1, bias: false}}
        - batch_norm
        - sep: {{name: "s${{item}}", share: s3}}
"""
    counted = count(read(text))
    assert counted.figure("weights") == 8 * 8 + 8 * 8
    assert counted.figure("other_params") == 3 * 2 * 8
    assert counted.figure("macs") == 3 * 2 * 8 * 8 * 4 * 4


def test_parallel_gives_the_outputs_of_all_branches():
    text = """
input: 8x4x4
layers:
  - parallel: {name: heads, branches: [{over: [2, 3], layers: [conv: {filters: "${item}", kernel: 1}]}, []]}
  - concat
  - relu: {from: heads.1}
  - concat: {from: [heads, relu1]}
"""
    assert [shape[0] for shape in layers(text).values()] == [2, 3, 13, 3, 16]


def test_a_layer_that_reads_one_is_told_to_say_which():
    with pytest.raises(SpecError, match="'heads' has 2 outputs") as error:
        read("input: 8\nlayers:\n  - parallel: {name: heads, branches: [[relu], [tanh]]}\n  - relu: {from: heads}")
    assert "heads.0 to heads.1" in error.value.problems[0].hint


def test_one_mistake_in_a_loop_is_one_message():
    with pytest.raises(SpecError) as error:
        read("input: 8x4x4\nlayers:\n  - concat: [{over: {i: 5}, layers: [conv: {filters: 8, kernel: '${4 + i}'}]}]")
    assert len(error.value.problems) == 1


# -- blocks ------------------------------------------------------------------------------------------------------------


def test_a_block_names_its_outputs():
    text = """
input: 8x4x4
blocks:
  pair:
    outputs: [b, a]
    layers: [conv: {name: a, filters: 2, kernel: 1}, conv: {name: b, filters: 3, kernel: 1}]
layers:
  - pair
  - concat
  - relu: {from: pair1.0}
  - tanh: {from: pair1/a}
  - concat: {from: [pair1, concat1]}
"""
    assert [shape[0] for shape in layers(text).values()] == [2, 3, 5, 3, 2, 10]


def test_an_output_that_the_block_does_not_have_is_an_error_in_the_block():
    text = "input: 8\nblocks: {b: {outputs: [nope], layers: [relu]}}\nlayers: [b, tanh]"
    with pytest.raises(SpecError, match="no layer 'nope' above") as error:
        read(text)
    assert [problem.place.line for problem in error.value.problems] == [2]


def test_a_block_with_any_inputs_reads_them_by_number():
    text = """
input: {a: 2x4x4, b: 3x4x4, c: 4x4x4}
blocks:
  fuse:
    inputs: any
    layers:
      - parallel:
        - {over: {i: "${inputs}"}, from: "input.${i - 1}", layers: [conv: {filters: "${i * channels}", kernel: 1}]}
      - concat
layers:
  - fuse: {from: [a, b]}
  - fuse: {from: [a, b, c]}
"""
    found = layers(text)
    assert found["fuse1/concat1"][0] == 2 + 2 * 3
    assert found["fuse2/concat1"][0] == 2 + 2 * 3 + 3 * 4


def test_the_grid_of_u_net_plus_plus_is_exact():
    """Two loops; the figures are of a module written from the paper (arXiv:1807.10165)."""
    text = """
input: 3x96x96
vars: {width: 32}
blocks:
  double:
    args: {filters: }
    layers: [repeat: {times: 2, layers: [conv: {filters, kernel: 3, padding: 1}, batch_norm, relu]}]
layers:
  - double: {name: x1_0, filters: "${width}"}
  - parallel:
    - {over: {i: 4}, from: "x${i}_0", layers: [max_pool: 2, double: {name: "x${i + 1}_0", filters: "${2 * channels}"}]}
  - parallel:
    - over: {j: 4}
      layers:
        - parallel:
          - over: {i: 4, c: [1, 2, 4, 8]}
            when: "${i + j <= 5}"
            layers:
              - concat:
                - {over: {k: "${j}"}, from: "x${i}_${k - 1}"}
                - {from: "x${i + 1}_${j - 1}", layers: [upsample: {scale: 2, mode: bilinear}]}
              - double: {name: "x${i}_${j}", filters: "${c * width}"}
  - parallel: [{over: {j: 4}, from: "x1_${j}", layers: [conv: {name: "out${j}", filters: 1, kernel: 1}]}]
"""
    counted = count(read(text))
    assert counted.figure("params") == 9_163_428
    assert counted.figure("macs") == 4_850_417_664
