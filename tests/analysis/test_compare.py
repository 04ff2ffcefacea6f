"""Networks side by side: at a precision their memory is compared too, and is what `memory` says of each."""

from __future__ import annotations

import pytest

from convcalc.analysis.compare import compare
from convcalc.analysis.count import count
from convcalc.analysis.memory.figures import MEMORY
from convcalc.analysis.memory.live import memory
from convcalc.analysis.memory.precision import PRECISIONS
from convcalc.analysis.memory.profile import DEFAULT, profile
from convcalc.loader import load, read
from convcalc.tables.compare import memory_notes


@pytest.mark.parametrize("precision", ["int8", "float32"])
def test_memory_is_compared_at_a_precision_only(precision: str) -> None:
    graphs = [load("ds_cnn"), load("resnet8")]
    counts = [count(graph) for graph in graphs]
    plain = compare(counts)
    whole = compare(counts, precision)
    assert whole[: len(plain)] == plain
    needed = [memory(graph, profile(DEFAULT), PRECISIONS[precision]) for graph in graphs]
    expected = [(name, [getattr(one, name.removesuffix("_bytes")) for one in needed]) for name in MEMORY]
    assert [(total.figure, total.values) for total in whole[len(plain) :]] == expected


def test_a_memory_that_is_not_known_whole_is_said_to_be_a_lower_bound() -> None:
    text = "input: 4x8x8\nlayers:\n  - opaque: {operator: Custom}\n  - relu\n"
    counts = [count(read(text)), count(load("resnet8"))]
    notes = memory_notes(counts, ["first", "second"], "int8")
    assert any(note.startswith("first: the memory is a lower bound: the shape of ") for note in notes)
    assert not any(note.startswith("second: ") for note in notes)
