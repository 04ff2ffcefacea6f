"""Laws of bits that hold for every kind, and for every way to sum."""

import pytest
from helpers.networks import example

from convcalc.analysis.count import by_kind, count, fold
from convcalc.kinds import KINDS
from convcalc.language.bits import set_bits
from convcalc.language.overrides import Overrides
from convcalc.loader import graph

KIND = pytest.mark.parametrize("kind", [KINDS[name] for name in sorted(KINDS)], ids=lambda kind: kind.name)
FIGURES = ("bops", "weight_bytes")


def counted(kind, *texts):
    network = example(kind)
    if texts:
        set_bits(network, (), texts)
    return count(network)


@KIND
def test_bops_of_one_bit_are_macs(kind):
    one = counted(kind, "1x1")
    assert one.figure("bops") == one.figure("macs")


@KIND
def test_bops_are_bits_times_bits_times_macs(kind):
    plain, found = counted(kind), counted(kind, "3x5")
    products = plain.tallies.get("matmul_macs", 0)
    assert found.figure("bops") == 3 * 5 * (plain.figure("macs") - products) + 5 * 5 * products
    assert found.figure("weight_bytes") == -(-3 * plain.figure("weights") // 8)


@KIND
def test_without_bits_every_number_has_32(kind):
    plain, told = counted(kind), counted(kind, "32x32")
    assert [plain.figure(name) for name in FIGURES] == [told.figure(name) for name in FIGURES]


@pytest.mark.parametrize("name", ["googlenet", "mobilenet_v2", "resnet18", "vgg16"])
def test_rows_folded_or_not_add_up_to_the_total(name):
    network = count(graph(name, Overrides(bits=("3x5",))))
    for rows in (network.rows, fold(network, 1), by_kind(network)):
        for tally in ("bops", "weight_bits"):
            assert sum(row.tallies.get(tally, 0) for row in rows) == network.tallies.get(tally, 0)
