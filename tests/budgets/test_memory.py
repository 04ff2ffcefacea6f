"""Limits on the memory of the deployed network."""

import pytest

from convcalc.analysis.count import count
from convcalc.budgets.limits import read_limits
from convcalc.budgets.measure import check_limits
from convcalc.errors import SpecError
from convcalc.loader import read
from convcalc.syntax.yaml import read as read_yaml

SPEC = (
    "{input: 3x8x8, layers: [{conv: {name: wide, filters: 16, kernel: 3, padding: 1, bias: false}}, batch_norm, relu]}"
)


def checked(budget):
    return check_limits(count(read(SPEC)), read_limits(read_yaml(budget)))


@pytest.mark.parametrize(("precision", "times", "bias"), [("int8", 1, 4), ("fp16", 2, 2), ("float32", 4, 4)])
def test_limits_are_at_the_precision(precision, times, bias):
    limits = checked(f"{{precision: {precision}, peak_bytes: 1, arena_bytes: 1, flash_bytes: 1}}")
    activations, weights = (3 + 16) * 8 * 8, 3 * 16 * 3 * 3
    assert [limit.value for limit in limits] == [times * activations, times * activations, times * weights + 16 * bias]
    assert not any(limit.ok for limit in limits)


def test_the_largest_parts_are_what_is_alive_and_what_is_stored():
    peak, flash = checked("{precision: int8, peak_bytes: 2k, flash_bytes: 2k}".replace("2k", "2 kB"))
    assert (peak.ok, peak.heaviest) == (True, [("wide", 16 * 8 * 8), ("input", 3 * 8 * 8)])
    assert flash.heaviest[0] == ("wide", 3 * 16 * 3 * 3 + 16 * 4)


def test_a_layer_has_no_limit_on_the_memory_of_the_network():
    with pytest.raises(SpecError, match="peak_bytes"):
        checked("{layers: {wide: {peak_bytes: 1}}}")
