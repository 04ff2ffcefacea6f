"""The layers of a scope: those that a look at every layer would find; how often patterns look is bounded."""

from fnmatch import fnmatchcase

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convcalc.analysis.count import count
from convcalc.budgets.limits import Limit
from convcalc.budgets.measure import check_limits
from convcalc.errors import SpecError, UserError
from convcalc.language.bits import set_bits
from convcalc.loader import read
from convcalc.scopes import MOST_COMPARED, Scopes

PARTS = st.sampled_from(["a", "b", "a.", "a-1", "a0", "stem", "1", "[a]"])
PATHS = st.lists(st.lists(PARTS, min_size=1, max_size=3).map("/".join), unique=True, max_size=12)
PATTERNS = st.one_of(PARTS, st.lists(PARTS, min_size=1, max_size=3).map("/".join), st.text("ab/*?[]!1", max_size=6))


@given(PATHS, PATTERNS)
def test_a_scope_has_the_layers_that_a_look_at_each_would_find(paths, pattern):
    scopes = Scopes((path, f"kind{len(path) % 2}") for path in paths)
    fits = [fnmatchcase(path, pattern) or path.startswith(f"{pattern}/") for path in paths]
    assert scopes.layers(f"layers {pattern}") == [index for index, is_one in enumerate(fits) if is_one]
    kinds = [index for index, path in enumerate(paths) if len(path) % 2]
    assert scopes.layers("kinds kind1") == kinds
    assert scopes.layers("") == [*range(len(paths))]


def test_patterns_are_bounded_and_names_blocks_and_kinds_are_not():
    size = 1_000
    scopes = Scopes((f"r/{index}/relu1", "relu") for index in range(size))
    for _ in range(MOST_COMPARED // size):
        assert scopes.layers("layers *x*") == []
    for scope in ("layers r/7", "layers r/7/relu1", "kinds relu", ""):
        assert scopes.layers(scope)
    with pytest.raises(UserError, match="compared more than 2,000,000 times"):
        scopes.layers("layers *x*")


def repeated(times, about):
    return f"input: 8\n{about}layers: [{{repeat: {{name: r, times: {times}, layers: [relu]}}}}]\n"


def test_bits_and_limits_by_too_many_patterns_are_one_error_with_its_location():
    patterns = "".join(f"    '*{number}*': 8x8\n" for number in range(900))
    with pytest.raises(SpecError, match=r"bits: patterns and the names of layers are compared more than") as caught:
        read(repeated(2_500, f"bits:\n  layers:\n{patterns}"))
    assert str(caught.value).count("are compared more than") == 1
    limits = [Limit("macs", f"layers *{number}*", at_most=9) for number in range(900)]
    with pytest.raises(SpecError, match="budget: patterns and the names of layers are compared more than"):
        check_limits(count(read(repeated(2_500, ""))), limits)
    with pytest.raises(SpecError, match="--bits: patterns and the names of layers are compared more than"):
        set_bits(read(repeated(2_500, "")), (), ["*=8x8"] * 900)
