"""What a spec defines and nothing uses is said, with its location; outputs are the last layer's or those named."""

import json

import pytest
from click.testing import CliRunner

from convcalc.catalogue import catalogue_files
from convcalc.cli import cli
from convcalc.errors import SpecError
from convcalc.exporters.yaml.writer import write_spec
from convcalc.graph import Graph
from convcalc.kinds.activation import Relu
from convcalc.language.builder import build
from convcalc.language.document_loader import load, parse
from convcalc.language.overrides import Overrides
from convcalc.language.sources import File
from convcalc.loader import read

TRAPS = """\
input: 3x8x8
vars: {width: 2, unused: 7}
blocks:
  nothing:
    args: {a: 1, b: }
    layers: [relu: {when: "${b}"}, tanh]
  idle:
    layers: [relu]
layers:
  - conv: {filters: "${8 * width}", kernel: 3, padding: 1}
  - nothing: {a: 3, b: 1}
  - conv: {name: dead, filters: 8, kernel: 1}
  - conv: {name: live, from: nothing1, filters: 8, kernel: 1}
"""


def idle(text, **overrides):
    graph = build(parse(File("net.yaml", text.encode(), None), is_strict=False), Overrides(**overrides))
    return [(problem.place.line, problem.message) for problem in graph.provenance.unused]


def test_a_variable_a_block_an_argument_and_a_layer_that_nothing_uses_are_named_with_their_lines():
    assert idle(TRAPS) == [
        (2, "nothing uses the variable 'unused'"),
        (7, "nothing uses the block 'idle'"),
        (5, "the block 'nothing' does not use its argument 'a'"),
        (12, "nothing reads 'dead', and it is no output; its 136 params are in the total"),
    ]


def test_they_are_errors_with_strict():
    with pytest.raises(SpecError) as error:
        idle(TRAPS, strict=True)
    assert len(error.value.problems) == 4


def test_the_footer_and_json_name_them_and_the_outputs(tmp_path):
    path = tmp_path / "net.yaml"
    path.write_text(TRAPS)
    table = CliRunner().invoke(cli, ["params", str(path)]).stdout
    assert f"{path}:12:5: nothing reads 'dead'" in table
    found = json.loads(CliRunner().invoke(cli, ["params", str(path), "-f", "json"]).stdout)
    facts = found["tables"][0]
    assert facts["outputs"] == {"live": [[8, 8, 8]]}
    assert len(facts["unused"]) == 4


@pytest.mark.parametrize(
    "text",
    [
        "vars: {a: 1, b: '${a}'}\nlayers: [{dropout: '${b * 0.5}'}]",
        "vars: {rate: 0.5}\nlayers: [dropout: {rate: }]",
        "vars: {p: 0.5}\nlayers: [{choice: {name: c, of: {x: [relu], y: [{dropout: '${p}'}]}}}]",
        "vars: {p: 0.5, on: 0}\nlayers: [{dropout: {p: '${p}', when: '${on}'}}, relu]",
        "vars: {act: b}\nblocks: {b: {layers: [relu]}}\nlayers: ['${act}']",
        "blocks: {b: {layers: [relu]}, c: {args: {act: b}, layers: ['${act}']}}\nlayers: [c]",
        "blocks: {b: {args: {k: , f: '${2 * k}'}, layers: [{dropout: '${f}'}]}}\nlayers: [b: {k: 0}]",
        "blocks: {b: {args: {n: 2}, layers: [{add: [{times: '${n}', layers: [relu]}]}]}}\nlayers: [b]",
        "outputs: [a, relu1]\nlayers: [{tanh: {name: a}}, {relu: {from: input}}]",
        "layers: [{split: 3}, {relu: {from: split1.1}}]",
        "layers: [{parallel: [[relu], [tanh]]}]",
    ],
)
def test_what_is_used_in_any_way_is_not_named(text):
    assert idle(f"input: 3x8x8\n{text}") == []


def test_a_block_that_only_names_itself_is_not_used():
    assert idle("input: 3\nblocks: {b: {layers: [relu]}}\nlayers: [tanh]") == [(2, "nothing uses the block 'b'")]


def test_a_line_that_is_dead_in_many_rounds_is_named_once():
    text = "input: 3\nlayers: [{repeat: {times: 5, layers: [{relu: {name: a}}, {tanh: {from: input}}]}}]"
    assert len(idle(text)) == 1


def test_no_network_of_the_catalogue_has_a_part_that_nothing_uses():
    found = []
    for name in catalogue_files():
        document = load(str(name))
        if document.get("layers") is not None:
            for variant in ("", *document.variants):
                graph = build(document, Overrides(variant=variant))
                found += [f"{name}@{variant}: {problem.message}" for problem in graph.provenance.unused]
    assert found == []


def test_the_output_is_the_last_layer_or_those_that_are_named():
    text = "input: 3\nlayers: [{relu: {name: a}}, {tanh: {name: b, from: input}}]"
    assert [layer.path for layer in read(text).outputs] == ["b"]
    assert [layer.path for layer in read(f"outputs: [b, a]\n{text}").outputs] == ["b", "a"]
    assert [layer.path for layer in read(f"outputs: a\n{text}").outputs] == ["a"]


def test_an_output_that_when_leaves_out_is_none():
    layers = "[{relu: {name: a, when: '${aux}'}}, {tanh: {name: b, from: input}}]"
    text = f"input: 3\nvars: {{aux: 0}}\noutputs: [a, b]\nlayers: {layers}"
    assert [layer.path for layer in read(text).outputs] == ["b"]


def test_outputs_that_are_no_names_are_an_error():
    with pytest.raises(SpecError, match="'outputs' must be a name or a list of names"):
        read("input: 3\noutputs: [[a]]\nlayers: [relu]")


def test_an_input_is_no_output():
    text = "input: 3\nlayers: [{relu: {name: a}}, {tanh: {from: input, when: 0}}]"
    assert [layer.path for layer in read(text).outputs] == ["a"]


def test_an_output_that_is_no_layer_is_an_error_at_its_name():
    with pytest.raises(SpecError, match="no layer 'nope' above") as error:
        read("input: 3\noutputs: [nope]\nlayers: [relu]")
    assert error.value.problems[0].place.line == 2


def test_the_outputs_stay_those_of_the_network_when_it_is_deployed():
    layers = "[{conv: {filters: 2, kernel: 1}}, {batch_norm: {name: n}}, {dropout: {name: d}}]"
    text = f"input: 3x4x4\noutputs: [n, d]\nlayers: {layers}"
    graph = build(parse(File("net.yaml", text.encode(), None)), Overrides(deploy=True))
    assert [layer.path for layer in graph.outputs] == ["conv1"]


def test_the_spec_of_a_model_with_several_ends_names_its_outputs():
    graph = Graph("two")
    image = graph.add_input("image", (3, 4, 4))
    for name in ("left", "right"):
        graph.add(name, Relu(), (image,))
    text = write_spec(graph)
    again = read(text)
    assert "outputs: [relu1, relu2]" in text
    assert [layer.path for layer in again.outputs] == ["relu1", "relu2"] and not again.provenance.unused
