"""Bit operations and bytes at given bits: the published figures to the unit, and how limits and formulas have them."""

import pytest

from convcalc.analysis.bits import activation_bits, operations
from convcalc.analysis.compare import compare
from convcalc.analysis.count import count
from convcalc.analysis.explain import explain_layer
from convcalc.budgets.limits import read_limits
from convcalc.budgets.measure import check_limits
from convcalc.deploy import deploy
from convcalc.language.overrides import Overrides
from convcalc.loader import graph, read
from convcalc.syntax.yaml import read as read_yaml

# HAWQ-v3 (Yao et al., ICML 2021): the tables of its repository print 1858, 116 and 34 G, and 44.6, 11.1 and 5.8 MB
HAWQ = [
    ((), 1_857_611_104_256, 46_715_648),
    (("8x8",), 116_100_694_016, 11_678_912),
    (("4x4", "stem=8x8", "classifier=8x8"), 34_714_419_200, 6_100_160),
]
# FINN's CNV on CIFAR-10 (Umuroglu et al., FPGA 2017), weights and activations of 2 bits, the image of 8
CNV = """
input: 3x32x32
bits: {weights: 2, activations: 2, layers: {first: {activations: 8}}}
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


@pytest.mark.parametrize(("bits", "bops", "weight_bytes"), HAWQ)
def test_resnet18_has_the_bops_and_the_weights_of_hawq(bits, bops, weight_bytes):
    found = count(graph("resnet18", Overrides(bits=bits)))
    assert found.figure("bops") == bops
    assert found.figure("weight_bytes") == weight_bytes


def test_resnet50_with_the_stride_in_the_first_1x1_has_the_bops_of_hawq():
    stages = "\n".join(
        f"  - bottleneck: {{filters: {filters}, stride: {stride}, first: {stride}}}\n"
        f"  - repeat: {{times: {times - 1}, layers: [bottleneck: {{filters: {filters}}}]}}"
        for filters, times, stride in ((64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2))
    )
    head = "input: 3x224x224\ninclude: residual\nbits: 8x8\nlayers:\n  - resnet_stem\n"
    found = count(read(f"{head}{stages}\n  - global_avg_pool\n  - flatten\n  - linear: 1000\n"))
    assert found.figure("macs") == 3_857_973_248
    assert found.figure("bops") == 64 * 3_857_973_248 == 246_910_287_872


def test_cnv_has_the_bops_of_qonnx():
    found = count(read(CNV))
    assert found.rows[0].figure("bops") == 1_555_200 * 2 * 8
    assert found.figure("bops") == 1_555_200 * 2 * 8 + 57_906_176 * 2 * 2 == 256_507_904


def test_products_of_activations_have_their_bits_twice():
    product = count(read("{input: {a: 4x6, b: 6x5}, bits: 2x3, layers: [matmul: {from: [a, b]}]}"))
    assert product.figure("bops") == 3 * 3 * 4 * 6 * 5


def test_work_grows_with_the_batch_and_weights_do_not():
    one, four = (count(graph("resnet18", Overrides(bits=("4x8",), batch=batch))) for batch in (1, 4))
    assert four.figure("bops") == 4 * one.figure("bops")
    assert four.figure("weight_bytes") == one.figure("weight_bytes")


def test_bits_are_packed_and_a_sum_is_filled_up_to_a_byte():
    found = count(read("{input: 3, bits: 3x5, layers: [linear: {features: 5, bias: false}]}"))
    assert found.figure("weight_bytes") == 6  # 3*5 weights of 3 bits are 45 bits


def test_a_deployed_network_keeps_its_bits():
    network = graph("resnet18", Overrides(bits=("4x4", "stem=8x8")))
    folded = count(deploy(network))
    assert folded.figure("bops") == count(network).figure("bops")
    assert str(folded.rows[0].layer.bits) == "8x8"


def test_formulas_begin_with_the_bits():
    network = read("{input: 3x8x8, bits: 2x4, layers: [conv: {filters: 5, kernel: 1, bias: false}]}")
    lines = {line.name: line for line in explain_layer(network.layers[0])}
    assert lines["BOPs"].formula == "bits_w*bits_a*C/g*K*R*S*P*Q"
    assert lines["BOPs"].value == 2 * 4 * 3 * 5 * 8 * 8
    assert lines["weight bytes"].numbers == "ceil(30/8)"
    assert lines["weight bytes"].value == 4


def test_a_layer_with_another_number_of_learned_values_stores_these():
    found = count(read("{input: 8, bits: 2x2, layers: [linear: {features: 8, learned: 20, bias: false}]}"))
    assert found.figure("weight_bytes") == 2 * 20 // 8
    assert found.figure("bops") == 2 * 2 * 8 * 8


def test_macs_of_one_bit_are_operations_of_a_64th():
    layers = "[linear: {name: a, features: 8, bits: 1x1}, linear: {name: b, features: 9}]"
    rows = count(read(f"{{input: 8, layers: {layers}}}")).rows
    assert operations(rows) == 64 // 64 + 72


def test_what_a_layer_reads_is_at_the_bits_of_its_activations():
    (row,) = count(read("{input: 3x5, bits: 1x3, layers: [flatten]}")).rows
    assert activation_bits(row, 2) == 2 * 3 * 5 * 3


def test_compare_has_the_figures_where_a_network_has_bits():
    few = count(read("{input: 8, bits: {weights: 4, activations: 8}, layers: [{linear: 10}]}"))
    plain = count(read("{input: 8, layers: [{linear: 10}]}"))
    totals = {total.figure: total.values for total in compare([plain, few])}
    assert totals["bops"] == [80 * 1024, 80 * 32]
    assert totals["weight_bytes"] == [320, 40]
    assert "bops" not in {total.figure for total in compare([plain, plain])}


@pytest.mark.parametrize(
    ("bits", "precision", "found"),
    [
        ("", "fp32", [32 * 32 * 40, 4 * (40 + 10)]),
        ("", "int8", [8 * 8 * 40, 40 + 10]),
        ("", "int16x8", [8 * 16 * 40, 40 + 2 * 10]),
        ("bits: 2x4,", "fp32", [2 * 4 * 40, 2 * 40 // 8 + 4 * 10]),
        ("bits: 2x4,", "int8", [2 * 4 * 40, 2 * 40 // 8 + 10]),
    ],
)
def test_limits_are_on_the_bits_or_else_at_the_precision(bits, precision, found):
    """`weight_bytes` is a limit on all params: biases stay at the precision."""
    network = count(read(f"{{input: 4, {bits} layers: [linear: 10]}}"))
    limits = read_limits(read_yaml(f"{{precision: {precision}, bops: 1, weight_bytes: 1}}"))
    assert [limit.value for limit in check_limits(network, limits)] == found
