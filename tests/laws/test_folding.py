"""Laws for every network of the catalogue: each folding, grouping and explanation adds up to the same total."""

import pytest

from convcalc import count, load
from convcalc.analysis.count import FIGURES, add_up, by_kind, by_mixing, fold
from convcalc.analysis.explain import explain_sum, find, rows_of
from convcalc.catalogue import catalogue_files

NETWORKS = [name for name, path in catalogue_files().items() if path.parent.name in ("networks", "lessons")]


@pytest.fixture(scope="module", params=NETWORKS)
def counted(request):
    return count(load(request.param))


def test_every_folding_adds_up(counted):
    deepest = max(row.path.count("/") for row in counted.rows) + 1
    for depth in range(1, deepest + 1):
        rows = fold(counted, depth)
        assert add_up(row.tallies for row in rows) == counted.tallies
        assert sum(row.layers for row in rows) == len(counted.rows)
        assert sum(row.nonlinearities for row in rows) == counted.nonlinearities
        assert all(row.path.count("/") < depth for row in rows)


def test_every_grouping_adds_up(counted):
    for rows in (by_kind(counted), by_mixing(counted)):
        assert add_up(row.tallies for row in rows) == counted.tallies


def test_a_group_explained_is_the_sum_of_its_layers(counted):
    whole = find(counted, "")[-1]
    assert add_up(row.tallies for row in rows_of(whole, counted)) == counted.tallies
    values = {line.name: line.value for line in explain_sum(rows_of(whole, counted))}
    assert values.get("params", 0) == counted.figure("params")
    for group in counted.graph.groups[:20]:
        (part,) = find(counted, group.path)
        inside = [row for row in counted.rows if row.path.startswith(f"{group.path}/")]
        for name in FIGURES:
            assert sum(row.figure(name) for row in rows_of(part, counted)) == sum(row.figure(name) for row in inside)
