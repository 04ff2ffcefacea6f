"""Bits: published figures to the unit, and what holds for every kind."""

from __future__ import annotations

import pytest

from convcalc.analysis.bits import FLOAT, operations, parse_bits, parse_option, quantized, read_bits, total_weight_bytes
from convcalc.analysis.compare import compare
from convcalc.analysis.count import count
from convcalc.budgets.limits import Limit
from convcalc.budgets.measure import check_limits
from convcalc.errors import SpecError, UserError
from convcalc.graph import Graph
from convcalc.kinds import KINDS
from convcalc.language.input_shapes import parse_shape
from convcalc.loader import load, read
from convcalc.syntax.yaml import read as read_yaml

# FINN's network for CIFAR-10 with weights of 2 bits and activations of 2, of 8 in the first layer: qonnx's example
FINN_CNV = """
input: 3x32x32
bits: {weights: 2, activations: 2, layers: {first: 2x8}}
layers:
  - conv: {name: first, filters: 64, kernel: 3, bias: false}
  - conv: {filters: 64, kernel: 3, bias: false}
  - max_pool: 2
  - conv: {filters: 128, kernel: 3, bias: false}
  - conv: {filters: 128, kernel: 3, bias: false}
  - max_pool: 2
  - conv: {filters: 256, kernel: 3, bias: false}
  - conv: {filters: 256, kernel: 3, bias: false}
  - flatten
  - linear: {features: 512, bias: false}
  - linear: {features: 512, bias: false}
  - linear: {features: 10, bias: false}
"""


def bops(rows):
    return sum(row.bops for row in rows)


@pytest.mark.parametrize(
    ("options", "operations_of_bits", "weight_bytes"),
    [
        ([], 1_857_611_104_256, 4 * 11_678_912),
        (["8x8"], 116_100_694_016, 11_678_912),
        (["4x4", "stem*=8x8", "classifier=8x8"], 34_714_419_200, 6_100_160),
    ],
    ids=["float", "uniform 8", "uniform 4, with 8 first and last"],
)
def test_resnet_18_of_hawq(options, operations_of_bits, weight_bytes):
    rows = quantized(count(load("resnet18")), [parse_option(option) for option in options])
    assert bops(rows) == operations_of_bits
    assert total_weight_bytes(rows) == weight_bytes


def test_finn_cnv():
    counted = count(read(FINN_CNV))
    assert bops(quantized(counted)) == 1_555_200 * 2 * 8 + 57_906_176 * 2 * 2 == 256_507_904


def test_later_rules_win_and_half_a_rule_keeps_the_rest():
    text = "{input: 8, bits: {weights: 4, kinds: {linear: {activations: 8}}, layers: {b: 2x2}}, layers: [%s]}"
    layers = ", ".join(f"{{linear: {{name: {name}, features: 8}}}}" for name in "abc")
    counted = count(read(text % layers))
    assert [str(row.bits) for row in quantized(counted)] == ["4x8", "2x2", "4x8"]
    assert [str(row.bits) for row in quantized(counted, [parse_option("c=1x1")])] == ["4x8", "2x2", "1x1"]
    assert {str(row.bits) for row in quantized(counted, [parse_option("8x8")])} == {"8x8"}


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_one_bit_by_one_bit_is_a_mac_and_bits_multiply(kind):
    text, fields = KINDS[kind].example
    one = Graph(kind)
    inputs = [one.add_input(f"x{number}", parse_shape(shape)) for number, shape in enumerate(text.split())]
    one.add(kind, KINDS[kind](**fields), inputs)
    counted = count(one)
    assert bops(quantized(counted, [parse_option("1x1")])) == counted.figure("macs")
    products = counted.tallies.get("matmul_macs", 0)
    expected = 3 * 5 * (counted.figure("macs") - products) + 5 * 5 * products
    assert bops(quantized(counted, [parse_option("3x5")])) == expected
    assert total_weight_bytes(quantized(counted)) == counted.figure("weights") * FLOAT // 8


def test_ops_of_binary_networks():
    text = "{input: 8, layers: [{linear: {name: a, features: 8}}, {linear: {name: b, features: 9}}]}"
    rows = quantized(count(read(text)), [parse_option("a=1x1")])
    assert operations(rows) == 64 // 64 + 72


def test_limits_on_bops_and_on_bytes_follow_the_bits():
    text = "{input: 8, bits: {weights: 4, activations: 8}, layers: [{linear: 10}]}"
    (found, stored) = check_limits(count(read(text)), [Limit("bops", at_most=2_000), Limit("weight_bytes", at_most=80)])
    assert (found.value, found.ok) == (8 * 10 * 4 * 8, False)
    assert (stored.value, stored.ok) == (8 * 10 * 4 // 8 + 10 * 4, True)
    (plain,) = check_limits(count(read("{input: 8, layers: [{linear: 10}]}")), [Limit("bops", at_most=90_000)])
    assert plain.value == 8 * 10 * FLOAT * FLOAT


def test_compare_has_the_figures_where_a_network_states_bits():
    few = count(read("{input: 8, bits: {weights: 4, activations: 8}, layers: [{linear: 10}]}"))
    plain = count(read("{input: 8, layers: [{linear: 10}]}"))
    totals = {total.figure: total.values for total in compare([plain, few])}
    assert totals["bops"] == [80 * 1024, 80 * 32]
    assert totals["weight_bytes"] == [320, 40]
    assert "bops" not in {total.figure for total in compare([plain, plain])}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{weights: 99}", "<text>:1:11: error: a number has 1 to 64 bits, found 99"),
        ("{activation: 2}", "<text>:1:2: error: bits have no key 'activation'"),
        ("{weights: 8x8}", "<text>:1:11: error: a number of bits was expected, found '8x8'"),
        ("{layers: {a: 8}}", "<text>:1:14: error: bits were expected, found '8'"),
        ("{layers: {a: {weight: 8}}}", "<text>:1:15: error: bits have no key 'weight'"),
        ("{kinds: [8]}", "<text>:1:9: error: 'kinds' is a mapping, found a list"),
    ],
)
def test_one_mistake_is_one_error_with_its_location(text, expected):
    with pytest.raises(SpecError) as caught:
        read_bits(read_yaml(text))
    errors = [line for line in str(caught.value).splitlines() if ": error: " in line]
    assert errors == [expected]


def test_a_name_that_no_layer_has_is_an_error_with_the_nearest():
    counted = count(read("{input: 8, bits: {layers: {tail: 8x8}}, layers: [{linear: {name: tale, features: 8}}]}"))
    with pytest.raises(SpecError, match="bits: 'tail' matches no layer"):
        quantized(counted)


@pytest.mark.parametrize("text", ["8", "8x", "x8", "8x8x8", "0x8", "8x65", "100x1", "-1x8", "８x8"])
def test_what_is_no_bits_is_refused(text):
    with pytest.raises(UserError):
        parse_bits(text)
