"""What `explain` says is what is counted: every formula, worked out again, gives the counted number."""

from random import Random

import pytest

from convcalc.analysis.count import count
from convcalc.analysis.explain import Part, explain_layer, find, rows_of
from convcalc.errors import SpecError
from convcalc.graph import Graph
from convcalc.kinds import KINDS
from convcalc.kinds.activation import Relu
from convcalc.kinds.joins import Add
from convcalc.language.builder import build
from convcalc.language.document_loader import parse
from convcalc.language.input_shapes import parse_shape
from convcalc.language.sources import File


def graph_of(text):
    return build(parse(File("net.yaml", text.encode(), None)))


def example(kind, batch=1):
    """A graph of one layer: the kind's own example."""
    shapes, values = kind.example
    graph = Graph(kind.name)
    graph.batch = batch
    refs = [graph.add_input(f"x{at}", parse_shape(shape)) for at, shape in enumerate(shapes.split())]
    graph.add("it", kind(**values), refs)
    return graph.layers[-1]


@pytest.mark.parametrize("name", sorted(KINDS))
@pytest.mark.parametrize("batch", [1, 3])
def test_formula_numbers_and_result_agree(name, batch):
    layer = example(KINDS[name], batch)
    lines = explain_layer(layer, batch)
    assert lines[0].name == "output"
    assert lines[0].value == layer.output
    for line in lines:
        if isinstance(line.value, tuple):
            continue
        numbers = line.numbers.replace(",", "")
        assert eval(numbers, {"__builtins__": {}}) == line.value, line


def test_the_first_lesson():
    graph = graph_of("input: 256x28x28\nlayers:\n- conv: {name: wide, filters: 32, kernel: 5, padding: 2}")
    lines = {line.name: line for line in explain_layer(graph.layers[0])}
    assert lines["weights"][1:] == ("C/g*K*R*S", "256*32*5*5", 204_800)
    assert lines["MACs"][1:] == ("C/g*K*R*S*P*Q", "256*32*5*5*28*28", 160_563_200)
    assert lines["P"].formula == "(H + p + p - d*(R - 1) - 1)//s + 1"


BRANCHES = """
input: 64x8x8
blocks:
  mixed:
    layers:
      - concat:
        - - conv: {name: wide, filters: 8, kernel: 3, padding: 1}
          - relu
        - - conv: {name: narrow, filters: 4, kernel: 1}
layers:
  - conv: {name: stem, filters: 16, kernel: 1}
  - mixed: {name: first}
  - mixed: {name: second}
"""


PARTS = ("wide", "relu1", "narrow", "concat1")


def test_a_join_is_the_sum_over_its_branches():
    counted = count(graph_of(BRANCHES))
    (part,) = find(counted, "first/concat1")
    assert [row.path for row in rows_of(part, counted)] == [
        "first/wide",
        "first/relu1",
        "first/narrow",
        "first/concat1",
    ]


def test_a_block_and_the_network_are_the_sums_over_their_parts():
    counted = count(graph_of(BRANCHES))
    (block,) = find(counted, "second")
    whole = find(counted, "")[-1]
    assert [row.path for row in rows_of(whole, counted)] == ["stem", "first", "second"]
    assert sum(row.figure("params") for row in rows_of(whole, counted)) == counted.figure("params")
    assert [row.path for row in rows_of(block, counted)] == [f"second/{name}" for name in PARTS]


def test_a_layer_is_found_by_path_end_and_pattern():
    counted = count(graph_of(BRANCHES))
    assert [part.path for part in find(counted, "first/wide")] == ["first/wide"]
    assert [part.path for part in find(counted, "stem")] == ["stem"]
    assert [part.path for part in find(counted, "*/wide")] == ["first/wide", "second/wide"]
    with pytest.raises(SpecError, match="'wide' ends 2 names"):
        find(counted, "wide")
    with pytest.raises(SpecError, match="did you mean 'narrow'"):
        find(counted, "narow")


@pytest.mark.parametrize("axes", range(1, 9))
@pytest.mark.parametrize("kind", ["gather", "constant", "parameter"])
def test_a_letter_for_every_axis_there_may_be(kind, axes):
    graph = graph_of(f"input: 3x8x8\nlayers: [{{{kind}: {{shape: {list(range(2, 2 + axes))}}}}}, relu]")
    for layer in graph.layers:
        line = explain_layer(layer)[0]
        assert line.value == tuple(range(2, 2 + axes))
        assert len(set(line.formula.split(" x "))) == axes


def above(graph, index):
    found, waiting = set(), [index]
    while waiting:
        index = waiting.pop()
        if index not in found:
            found.add(index)
            waiting.extend(ref.layer for ref in graph.all[index].inputs)
    return found


@pytest.mark.parametrize("seed", range(20))
def test_a_join_is_explained_by_what_is_above_some_of_its_branches_only(seed):
    random = Random(seed)
    graph = Graph("random")
    refs = [graph.add_input("x", (4, 8, 8))]
    for number in range(60):
        many = random.choice((1, 1, 2, 3, 7))
        picked = [random.choice(refs[-random.choice((2, 5, 50)) :]) for _ in range(many)]
        refs.append(graph.add(f"layer{number}", Add() if many > 1 else Relu(), picked))
    counted = count(graph)
    for join in (layer for layer in graph.layers if layer.kind.has_branches):
        branches = [above(graph, ref.layer) for ref in join.inputs]
        between = set.union(*branches) - set.intersection(*branches) | {join.index}
        expected = [layer.path for layer in graph.layers if layer.index in between]
        assert [row.path for row in rows_of(Part(join.path, "add", join), counted)] == expected


def test_a_join_is_explained_without_a_walk_to_the_input():
    visits = []

    class Layers(list):
        def __getitem__(self, index):
            visits.append(index)
            return super().__getitem__(index)

    graph = Graph("residual")
    ref = graph.add_input("x", (4, 8, 8))
    for number in range(200):
        ref = graph.add(f"add{number}", Add(), (graph.add(f"relu{number}", Relu(), (ref,)), ref))
    counted = count(graph)
    graph.all = Layers(graph.all)
    for number in (3, 199):
        visits.clear()
        join = next(layer for layer in graph.layers if layer.path == f"add{number}")
        visits.clear()
        assert [row.path for row in rows_of(Part(join.path, "add", join), counted)] == [f"relu{number}", f"add{number}"]
        assert len(visits) <= 6
