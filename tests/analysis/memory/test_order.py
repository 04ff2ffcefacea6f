"""The best order against every order of small networks, and of DenseNet, whose floor is below its peak."""

from itertools import permutations
from random import Random

import pytest

from convcalc.analysis.memory.live import Memory, memory
from convcalc.analysis.memory.order import best_order
from convcalc.analysis.memory.precision import PRECISIONS
from convcalc.analysis.memory.profile import profile
from convcalc.graph import Graph
from convcalc.kinds.joins import Concat
from convcalc.kinds.linear import Linear
from convcalc.loader import graph

INT8 = PRECISIONS["int8"]


def random_network(random):
    network = Graph("random")
    values = [network.add_input("x", (random.randint(1, 40),))]
    for number in range(6):
        read = random.sample(values, min(len(values), random.randint(1, 2)))
        kind = Concat() if len(read) > 1 else Linear(features=random.randint(1, 60))
        values.append(network.add(f"n{number}", kind, read))
    return network


def in_order(needed, order):
    """The memory of the same operators in another order; None where it is not one."""
    operators = tuple(needed.program.operators[number] for number in order)
    known = {*needed.program.inputs}
    for operator in operators:
        if not {*operator.reads} <= known:
            return None
        known |= {*operator.writes}
    return Memory(needed.program._replace(operators=operators), INT8)


@pytest.mark.parametrize("seed", range(12))
def test_no_order_of_a_small_network_needs_less(seed):
    needed = memory(random_network(Random(seed)), profile("tflm"), INT8)
    found = best_order(needed)
    peaks = [one.peak for order in permutations(range(6)) if (one := in_order(needed, order))]
    assert found.peak == min(peaks) == in_order(needed, found.order).peak


def test_densenet_is_in_its_best_order_although_its_floor_is_lower():
    needed = memory(graph("densenet"), profile("tflm_pad"), INT8)
    assert (needed.floor, best_order(needed).peak, needed.peak) == (1_634_560, 2_107_392, 2_107_392)


def test_what_a_search_did_not_end_is_not_known():
    assert best_order(memory(graph("unet"), profile("tflm"), INT8), most_states=2) is None


@pytest.mark.parametrize("name", ["resnet8", "densenet", "unet"])
def test_the_chart_has_a_point_an_operator_and_its_highest_is_the_peak(name):
    from convcalc.tables.memory import memory_chart

    needed = memory(graph(name), profile("tflm"), INT8)
    chart = memory_chart(graph(name), needed)
    assert [x for x, _ in chart.points] == [*range(1, len(needed.moments) + 1)]
    assert max(y for _, y in chart.points) == needed.peak == dict(chart.levels)["peak"]
