"""What holds for the memory of every network, kind and profile."""

from itertools import pairwise
from math import prod
from random import Random

import pytest
from helpers.networks import CASES, example, network

from convcalc.analysis.memory.arena import ALIGNMENT, Buffer, plan
from convcalc.analysis.memory.live import memory
from convcalc.analysis.memory.precision import PRECISIONS
from convcalc.analysis.memory.profile import profile, profile_names
from convcalc.kinds import KINDS
from convcalc.language.overrides import Overrides
from convcalc.loader import graph, read

INT8 = PRECISIONS["int8"]
NETWORKS = ("densenet", "googlenet", "shufflenet_v2", "unet", "mobilenet_v3", "vit", "convnext", "lenet5", "resnet8")
PROFILE = pytest.mark.parametrize("rules", profile_names())


def needed(network, rules="tflm", precision=INT8):
    return memory(network, profile(rules), precision)


def check_moments(found):
    """What is alive is what is read, written or read later, and nothing twice."""
    operators = found.program.operators
    for at, moment in enumerate(found.moments):
        assert moment.bytes == sum(found.sizes[tensor] for tensor in moment.alive)
        assert len(set(moment.alive)) == len(moment.alive)
        assert {*moment.operator.reads, *moment.operator.writes} <= {*moment.alive}
        before = {*found.program.inputs, *(tensor for one in operators[:at] for tensor in one.writes)}
        later = {tensor for one in operators[at:] for tensor in one.reads} | {*found.program.outputs}
        assert before & later <= {*moment.alive}
    assert found.floor <= found.peak <= found.arena


@PROFILE
@pytest.mark.parametrize("name", NETWORKS)
def test_floor_peak_arena_and_what_is_alive(name, rules):
    found = needed(graph(name), rules)
    check_moments(found)
    assert found.peak == max(moment.bytes for moment in found.moments)
    assert found.arena % ALIGNMENT == 0


@PROFILE
@pytest.mark.parametrize("kind", sorted(KINDS))
def test_every_kind_has_operators_that_end_in_its_outputs(kind, rules):
    one = example(KINDS[kind])
    found = needed(one, rules)
    check_moments(found)
    if one.all[-1].inputs:
        written = {found.program.tensors[tensor].elements for tensor in found.program.outputs}
        assert one.batch * prod(one.all[-1].output) in written or kind == "split" or kind in profile(rules).views


@PROFILE
@pytest.mark.parametrize("case", CASES)
def test_layers_with_other_fields(case, rules):
    check_moments(needed(network(case), rules))


@PROFILE
@pytest.mark.parametrize("name", NETWORKS)
def test_a_batch_multiplies_peak_and_floor_and_leaves_flash(name, rules):
    one, many = needed(graph(name), rules), needed(graph(name, Overrides(batch=7)), rules)
    assert (many.peak, many.floor, many.flash) == (7 * one.peak, 7 * one.floor, one.flash)


@pytest.mark.parametrize("name", NETWORKS)
def test_bytes_are_linear_in_the_precision(name):
    one = needed(graph(name))
    for precision in ("float16", "float32", "float64"):
        wide = needed(graph(name), precision=PRECISIONS[precision])
        times = PRECISIONS[precision].bits // 8
        assert (wide.peak, wide.floor) == (times * one.peak, times * one.floor)
        assert [moment.bytes for moment in wide.moments] == [times * moment.bytes for moment in one.moments]


def test_the_peak_of_a_chain_is_its_largest_input_and_output():
    random = Random(5)
    for _ in range(50):
        sizes = [random.randint(1, 500) for _ in range(random.randint(2, 9))]
        layers = ", ".join(f"linear: {size}" for size in sizes[1:])
        found = needed(read(f'{{input: "{sizes[0]}", layers: [{layers}]}}'))
        assert found.peak == found.floor == max(map(sum, pairwise(sizes)))


def test_buffers_that_are_alive_together_do_not_overlap():
    random = Random(7)
    for _ in range(200):
        starts = [random.randint(0, 9) for _ in range(random.randint(1, 12))]
        buffers = [Buffer(random.randint(1, 90), start, start + random.randint(0, 4)) for start in starts]
        size, offsets = plan(buffers)
        assert size == max(-(-(at + one.size) // 16) * 16 for at, one in zip(offsets, buffers, strict=True))
        for number, (ours, at) in enumerate(zip(buffers, offsets, strict=True)):
            assert at % ALIGNMENT == 0
            for theirs, other in zip(buffers[:number], offsets, strict=False):
                if ours.first <= theirs.last and theirs.first <= ours.last:
                    assert at + ours.size <= other or other + theirs.size <= at


def test_what_follows_from_weights_alone_is_no_tensor():
    found = needed(read("{input: 4x8, layers: [{parameter: {name: p, shape: [8, 4]}}, "
                        "{permute: {name: q, order: [1, 0]}}, {add: {from: [input, q]}}]}"))  # fmt: skip
    assert [operator.name for operator in found.program.operators] == ["add"]
    assert found.peak == 2 * 4 * 8


def test_an_activation_is_inside_the_layer_that_it_alone_reads():
    spec = "{{input: 3x8x8, layers: [{{conv: {{name: c, filters: 4, kernel: 1}}}}, {{relu: {{name: r}}}}{more}]}}"
    inside, apart = read(spec.format(more="")), read(spec.format(more=", {add: {from: [c, r]}}"))
    assert [operator.name for operator in needed(inside).program.operators] == ["conv"]
    assert [operator.name for operator in needed(apart).program.operators] == ["conv", "relu", "add"]


def test_a_norm_is_folded_only_into_a_convolution():
    after = read("{input: 3x8x8, layers: [{conv: {filters: 4, kernel: 1}}, batch_norm, relu]}")
    before = read("{input: 3x8x8, layers: [batch_norm, relu, {conv: {filters: 4, kernel: 1}}]}")
    assert [operator.name for operator in needed(after).program.operators] == ["conv"]
    assert [operator.name for operator in needed(before).program.operators] == ["multiply", "add", "conv"]


def test_an_unknown_shape_is_named_and_never_zero_bytes_in_silence():
    found = needed(read("{input: 3x8x8, layers: [{opaque: {operator: Odd, name: odd}}]}"))
    assert found.unknown == ["odd"]
