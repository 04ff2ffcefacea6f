"""A count as a tree: every block before what is in it, and the sum over it."""

import pytest

from convcalc.analysis.count import count, unfold
from convcalc.loader import graph


@pytest.mark.parametrize("depth", [1, 2, 3, None])
def test_the_rows_below_a_block_add_up_to_it(depth):
    counted = count(graph("googlenet"))
    rows = unfold(counted, depth)
    blocks = {row.path: row for row in rows if row.layer is None}
    assert "inception_3a" in blocks
    leaves = [row for row in rows if not any(other.path.startswith(f"{row.path}/") for other in rows)]
    for figure in ("weights", "params", "macs", "flops"):
        assert sum(row.figure(figure) for row in leaves) == counted.figure(figure)
        for path, block in blocks.items():
            inside = sum(row.figure(figure) for row in counted.rows if row.path.startswith(f"{path}/"))
            assert block.figure(figure) == inside
    assert [row.path for row in unfold(counted) if row.layer] == [row.path for row in counted.rows]
