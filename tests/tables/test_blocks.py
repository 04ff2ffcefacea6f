"""The blocks of the catalogue are listed with their arguments, each where its own file defines it."""

from __future__ import annotations

from convcalc.catalogue import catalogue_paths
from convcalc.language.document_loader import load
from convcalc.tables.blocks import blocks_report


def test_every_block_is_listed_once_with_the_file_that_defines_it() -> None:
    rows = blocks_report().tables[0].rows
    names = [row[0] for row in rows]
    assert len(set(names)) == len(names)
    assert {row[1] for row in rows} == set(catalogue_paths("blocks"))
    for name, file, _, text in rows:
        for argument, node in load(file).blocks[name].arguments.items():
            assert argument in text
            assert (f"{argument}=" in text) == (node.value is not None)


def test_a_pattern_fits_a_block_or_its_file() -> None:
    rows = blocks_report("yolo_c*").tables[0].rows
    assert [row[0] for row in rows] == ["yolo_conv", "yolo_c3k", "yolo_c3k2"]
    assert rows[0][1:] == ["yolo", "input", "filters, kernel=3, stride=1"]
    assert {row[1] for row in blocks_report("yolo").tables[0].rows} == {"yolo"}
