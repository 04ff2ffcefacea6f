"""Joins with thousands of branches."""

import numpy
import pytest

from convcalc.errors import UserError
from convcalc.kinds import joins
from convcalc.kinds.joins import Concat


def test_branches_of_the_same_shape_are_compared_once(monkeypatch):
    compared = []
    monkeypatch.setattr(joins, "require", lambda *words, **values: compared.append(1))
    numbers = []
    for branches in (2, 2_000):
        compared.clear()
        assert Concat().outputs(*[(3, 28, 28), (5, 28, 28)] * branches) == ((8 * branches, 28, 28),)
        numbers.append(len(compared))
    assert numbers[1] == numbers[0] > 0


def test_the_first_branch_that_differs_is_named():
    with pytest.raises(UserError, match="branch 1 is 3x28x28, branch 4 is 3x28x14"):
        Concat().outputs((3, 28, 28), (5, 28, 28), (3, 28, 28), (3, 28, 14), (3, 28, 14))


def test_sizes_may_be_arrays():
    many = numpy.array([3, 5])
    ((channels, height, _),) = Concat().outputs((many, 28, 28), (many, 28, 28), (1, 28, 28))
    assert [*channels] == [7, 11] and height == 28
