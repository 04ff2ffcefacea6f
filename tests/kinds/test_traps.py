"""The wrong answers of this field, each as a named test with a number that can be checked by hand."""

import pytest

from convcalc.analysis.count import count
from convcalc.errors import UserError
from convcalc.graph import Graph
from convcalc.kinds import tallied, total
from convcalc.kinds.conv import Conv, TransposedConv
from convcalc.kinds.linear import Attention, Linear
from convcalc.kinds.pool import AvgPool, MaxPool
from convcalc.kinds.recurrent import Gru, Lstm


def cost(layer, *shapes):
    return {name: total(products) for name, products in tallied(layer, shapes, layer.output(*shapes)).items()}


def test_reduce_before_5x5_saves_12_1_times():
    direct = cost(Conv(filters=32, kernel=5, padding="same", bias=False), (256, 28, 28))
    reduced = cost(Conv(filters=16, kernel=1, bias=False), (256, 28, 28))
    wide = cost(Conv(filters=32, kernel=5, padding="same", bias=False), (16, 28, 28))
    assert direct["weights"] == 256 * 5 * 5 * 32 == 204_800
    assert reduced["weights"] + wide["weights"] == 4_096 + 12_800 == 16_896
    assert (direct["conv_macs"], reduced["conv_macs"] + wide["conv_macs"]) == (160_563_200, 13_246_464)


def test_transposed_convolution_is_counted_on_the_input_grid():
    assert cost(TransposedConv(filters=8, kernel=2, stride=2), (16, 5, 5))["conv_macs"] == 16 * 8 * 2 * 2 * 5 * 5


def test_transposed_convolution_has_the_macs_of_the_convolution_with_swapped_ends():
    up = TransposedConv(filters=8, kernel=4, stride=2, padding=1)
    down = Conv(filters=16, kernel=4, stride=2, padding=1)
    assert up.output((16, 5, 5)) == (8, 10, 10)
    assert down.output((8, 10, 10)) == (16, 5, 5)
    assert cost(up, (16, 5, 5))["conv_macs"] == cost(down, (8, 10, 10))["conv_macs"]


def test_transposed_convolution_output_padding_and_dilation():
    assert TransposedConv(filters=8, kernel=3, stride=2, padding=1, output_padding=1).output((16, 5, 5)) == (8, 10, 10)
    assert TransposedConv(filters=8, kernel=3, dilation=2).output((16, 5, 5)) == (8, 9, 9)
    assert TransposedConv(filters=8, kernel=3, stride=2, padding="same").output((16, 5, 7)) == (8, 10, 14)


def test_grouped_transposed_convolution():
    assert cost(TransposedConv(filters=8, kernel=2, stride=2, groups=4), (16, 5, 5))["conv_macs"] == 4 * 8 * 4 * 25


def test_groups_divide_weights_and_macs():
    full = cost(Conv(filters=64, kernel=3, padding=1, bias=False), (32, 8, 8))
    grouped = cost(Conv(filters=64, kernel=3, padding=1, bias=False, groups=8), (32, 8, 8))
    assert {name: value // 8 for name, value in full.items()} == grouped


def test_depthwise_needs_no_filters():
    depthwise = Conv(kernel=3, padding=1, groups="channels", bias=False)
    assert depthwise.output((32, 8, 8)) == (32, 8, 8)
    assert cost(depthwise, (32, 8, 8)) == {"weights": 32 * 9, "conv_macs": 32 * 9 * 64}


def test_depthwise_with_a_multiplier():
    assert cost(Conv(filters=64, kernel=3, groups="channels", bias=False), (32, 8, 8))["weights"] == 64 * 9


def test_groups_must_divide():
    with pytest.raises(UserError, match="30 input channels cannot be divided into 4 groups"):
        Conv(filters=8, kernel=1, groups=4).output((30, 8, 8))
    with pytest.raises(UserError, match="10 filters cannot be divided into 4 groups"):
        Conv(filters=10, kernel=1, groups=4).output((32, 8, 8))


def test_dilation_widens_the_window_but_not_the_weights():
    dilated = Conv(filters=8, kernel=3, dilation=2, bias=False)
    assert dilated.output((3, 9, 9)) == (8, 5, 5)
    assert cost(dilated, (3, 9, 9))["weights"] == 3 * 8 * 9


def test_asymmetric_kernel_stride_and_padding():
    assert Conv(filters=8, kernel=[1, 7], padding=[0, 3]).output((3, 9, 9)) == (8, 9, 9)
    assert Conv(filters=8, kernel=3, stride=[2, 1], padding=[[0, 1], [1, 1]]).output((3, 8, 8)) == (8, 4, 8)


@pytest.mark.parametrize(("size", "expected"), [(224, 112), (7, 4), (8, 4), (1, 1)])
def test_same_padding_with_stride_is_the_input_over_the_stride_rounded_up(size, expected):
    assert Conv(filters=8, kernel=7, stride=2, padding="same").output((3, size, size)) == (8, expected, expected)


@pytest.mark.parametrize(
    ("shape", "kernel", "weights", "macs"),
    [((4, 10), 3, 4 * 8 * 3, 4 * 8 * 3 * 8), ((4, 6, 6, 6), 3, 4 * 8 * 27, 4 * 8 * 27 * 64)],
    ids=["1-D", "3-D"],
)
def test_one_and_three_dimensions(shape, kernel, weights, macs):
    found = cost(Conv(filters=8, kernel=kernel, bias=False), shape)
    assert found == {"weights": weights, "conv_macs": macs}


@pytest.mark.parametrize(
    ("size", "kernel", "stride", "padding", "floor", "ceil"),
    [
        (112, 3, 2, 0, 55, 56),
        (55, 3, 2, 0, 27, 27),
        (6, 2, 3, 0, 2, 2),
        (5, 2, 2, 1, 3, 3),
        (7, 2, 2, 0, 3, 4),
        (4, 1, 3, 1, 2, 2),
    ],
)
def test_ceil_mode_never_starts_a_window_in_the_padding_behind(size, kernel, stride, padding, floor, ceil):
    fields = {"kernel": kernel, "stride": stride, "padding": padding}
    assert MaxPool(**fields).output((1, size, size))[1] == floor
    assert MaxPool(**fields, ceil_mode=True).output((1, size, size))[1] == ceil


def test_a_window_larger_than_the_input_is_one_window_in_ceil_mode_if_its_stride_reaches():
    """As PyTorch and ONNX Runtime have it: (2 - 640) / 640 rounds up to 0; (2 - 640) / 2 does not."""
    assert AvgPool(kernel=640, ceil_mode=True).output((8, 2, 2)) == (8, 1, 1)
    for fields in ({}, {"ceil_mode": True, "stride": 2}):
        with pytest.raises(UserError, match="does not fit"):
            AvgPool(kernel=640, **fields).output((8, 2, 2))


def test_pooling_steps_by_its_window_unless_told():
    assert AvgPool(kernel=2).output((3, 8, 8)) == (3, 4, 4)


def test_bias_is_no_mac():
    with_bias = cost(Conv(filters=8, kernel=3), (3, 9, 9))
    without = cost(Conv(filters=8, kernel=3, bias=False), (3, 9, 9))
    assert with_bias["conv_macs"] == without["conv_macs"]
    assert (with_bias["biases"], with_bias["bias_adds"]) == (8, 8 * 49)


def test_linear_on_the_channels_is_a_1x1_convolution():
    linear = cost(Linear(features=16, axis="channels"), (256, 28, 28))
    conv = cost(Conv(filters=16, kernel=1), (256, 28, 28))
    assert linear["weights"] == conv["weights"]
    assert linear["linear_macs"] == conv["conv_macs"]


def test_linear_on_a_grid_must_say_its_axis():
    with pytest.raises(UserError, match="linear needs flat features"):
        Linear(features=10).output((256, 6, 6))


def test_attention_counts_projections_and_both_products():
    found = cost(Attention(heads=4), (7, 32))
    assert found["linear_macs"] == 4 * 7 * 32 * 32 == 28_672
    assert found["matmul_macs"] == 2 * 7 * 7 * 32


def test_recurrence_counts_every_step():
    assert cost(Lstm(features=16), (7, 8))["linear_macs"] == 7 * 4 * (8 * 16 + 16 * 16) == 10_752
    assert cost(Gru(features=16), (7, 8))["linear_macs"] == 7 * 3 * (8 * 16 + 16 * 16)


def test_totals_past_64_bits_are_exact():
    wide = cost(Conv(filters=10**9, kernel=1, bias=False), (10**9, 10**6, 10**6))
    assert wide["conv_macs"] == 10**30


def test_a_batch_multiplies_work_and_not_what_is_stored():
    graph = Graph("batch")
    graph.batch = 8
    graph.add("conv", Conv(filters=4, kernel=3), (graph.add_input("x", (3, 8, 8)),))
    found = count(graph)
    assert found.figure("weights") == 3 * 4 * 9
    assert found.figure("macs") == 8 * 3 * 4 * 9 * 36


def test_shared_weights_are_counted_once_and_their_macs_each_time():
    graph = Graph("shared")
    image = graph.add_input("x", (3, 8, 8))
    first = graph.add("a", Conv(filters=4, kernel=3), (image,))
    graph.add("b", Conv(filters=4, kernel=3), (image,), shares=first.layer)
    found = count(graph)
    assert (found.figure("weights"), found.figure("biases")) == (108, 4)
    assert found.figure("macs") == 2 * 108 * 36
    assert [row.figure("params") for row in found.rows] == [112, 0]
