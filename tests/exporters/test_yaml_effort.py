"""Graphs that were hard to write as a spec: the effort grows no faster than the graph."""

from random import Random

import pytest
from helpers.effort import calls

from convcalc.exporters.yaml.writer import write_spec
from convcalc.graph import Graph
from convcalc.kinds import KINDS


def net():
    graph = Graph("net")
    return graph, graph.add_input("x", (3, 8, 8))


def add(graph, kind, *inputs):
    return graph.add(f"{kind}{len(graph.all)}", KINDS[kind](), inputs)


def wide_concatenation(size):
    graph, x = net()
    add(graph, "concat", *(add(graph, "add", add(graph, "relu", x), x) for _ in range(size)))
    return graph


def kinds_in_any_order(size):
    graph, x = net()
    random = Random(1)
    for _ in range(size):
        x = add(graph, random.choice(("relu", "sigmoid", "tanh", "hard_swish", "elu")), x)
    return graph


def chain_read_in_its_middle(size):
    graph, x = net()
    chain = [x]
    for _ in range(size):
        chain.append(add(graph, "relu", chain[-1]))
    add(graph, "add", chain[-1], chain[size // 2])
    return graph


def chain_read_everywhere(size):
    graph, x = net()
    chain = [x]
    for _ in range(size):
        chain.append(add(graph, "relu", chain[-1]))
    for _ in range(2):
        add(graph, "concat", *chain)
    return graph


def joins_of_far_layers(size):
    graph, x = net()
    last = x
    for _ in range(size):
        last = add(graph, "relu", last)
        add(graph, "add", last, x)
    return graph


def joins_over_one_chain(size):
    """Each join would take the whole chain into a branch, and a dead end in it forbids that to all of them."""
    graph, x = net()
    last = x
    for _ in range(300):
        last = add(graph, "relu", last)
        add(graph, "tanh", last)
    tops = [add(graph, "sigmoid", last) for _ in range(size)]
    for top in tops:
        add(graph, "add", top, x)
    return graph


def inputs_of_one_name(size):
    graph = Graph("net")
    for number in range(size):
        graph.add_input("x" * 60 + f"/{number}", (3, 8, 8))
    return graph


@pytest.mark.parametrize(
    "make",
    [
        wide_concatenation,
        kinds_in_any_order,
        chain_read_in_its_middle,
        chain_read_everywhere,
        joins_of_far_layers,
        joins_over_one_chain,
        inputs_of_one_name,
    ],
)
def test_work_grows_with_the_graph(make):
    write_spec(make(5))
    small, large = (calls(write_spec, make(size)) for size in (100, 400))
    assert large < 6 * small, (small, large)
