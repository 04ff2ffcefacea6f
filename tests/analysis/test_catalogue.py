"""The totals of the catalogue are those that are counted, whatever the cache contains."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from convcalc.analysis import catalogue
from convcalc.analysis.catalogue import NAME, catalogue_hash, count_variants, networks_of
from convcalc.cache import cache_path, read_cache, write_cache
from convcalc.catalogue import catalogue_paths

RESNET8 = [("resnet8", 78_186, 12_501_632)]  # a spec without variants: one row


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path


@pytest.fixture
def counted(monkeypatch):
    """The names that are counted from here on."""
    names: list[str] = []

    def count(name):
        names.append(name)
        return count_variants(name)

    monkeypatch.setattr(catalogue, "count_variants", count)
    return names


def figures(rows):
    return [row[:3] for row in rows]


def test_every_network_of_the_cache_is_what_is_counted(counted):
    names = list(catalogue_paths("networks", "lessons"))
    first = networks_of(names)
    assert counted == names
    counted.clear()
    assert networks_of(names) == first
    assert not counted, "these could not be kept in the cache"


def test_a_network_is_added_to_the_cache_when_it_is_first_asked_for(counted):
    networks_of(["resnet8"])
    networks_of(["resnet8", "alexnet"])
    networks_of(["alexnet", "resnet8"])
    assert counted == ["resnet8", "alexnet"]


@pytest.mark.parametrize("edited", ["layers/networks/vgg.yaml", "layers/blocks/resnet.yaml", "convcalc/kinds/conv.py"])
def test_an_edit_of_any_text_is_a_miss(edited, counted, tmp_path, monkeypatch):
    root = tmp_path / "root"
    for name in ("layers/networks/vgg.yaml", "layers/blocks/resnet.yaml", "convcalc/kinds/conv.py"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("a")
    monkeypatch.setattr(catalogue, "__file__", str(root / "convcalc" / "analysis" / "catalogue.py"))
    monkeypatch.setattr(catalogue, "catalogue_folder", lambda: str(root / "layers"))
    networks_of(["resnet8"])
    networks_of(["resnet8"])
    assert counted == ["resnet8"]
    (root / edited).write_text("b")  # as long as before, perhaps at the same time
    assert figures(networks_of(["resnet8"])) == RESNET8
    assert counted == ["resnet8", "resnet8"]


def test_the_hash_reads_the_catalogue_and_the_package(monkeypatch):
    key = catalogue_hash()
    monkeypatch.setattr(catalogue, "__version__", "0")
    assert catalogue_hash() != key
    monkeypatch.setattr(catalogue, "catalogue_folder", lambda: str(Path(__file__).parent))
    assert catalogue_hash() != key


def test_what_is_edited_while_it_is_counted_is_not_kept(monkeypatch):
    keys = iter(["before", "after"])
    monkeypatch.setattr(catalogue, "catalogue_hash", lambda: next(keys))
    assert figures(networks_of(["resnet8"])) == RESNET8
    assert read_cache(NAME) == b""


def packed():
    networks_of(["resnet8"])
    key, rows = json.loads(read_cache(NAME))
    return key, rows["resnet8"]


def test_the_cache_contains_whole_numbers_alone():
    _, [row] = packed()
    assert all(type(value) is int for value in [*row[:-1], *row[-1][0]])
    assert row[-1] == [[3, 32, 32]]


@pytest.mark.parametrize("value", ["7", 7.0, True, None, -7, 2**63, [7], {"a": 7}])
@pytest.mark.parametrize("place", [0, 1, 2, 3, 6, "size"])
def test_a_value_that_is_no_number_is_counted_anew(place, value, counted):
    key, [row] = packed()
    counted.clear()
    if place == "size":
        row[-1][0][1] = value
    else:
        row[place] = value
    write_cache(NAME, json.dumps([key, {"resnet8": [row]}]).encode())
    assert figures(networks_of(["resnet8"])) == RESNET8
    assert counted == ["resnet8"]


@pytest.mark.parametrize("rows", ["text", [], [[]], [[1, 2, 3]], {"a": 1}, None, 3, [None]])
def test_a_row_of_another_form_is_counted_anew(rows):
    key, _ = packed()
    write_cache(NAME, json.dumps([key, {"resnet8": rows}]).encode())
    assert figures(networks_of(["resnet8"])) == RESNET8


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[",
        b"\xff",
        b"[" * 100_000,
        b"[1,2,3]",
        b'"ab"',
        b"7",
        b"null",
        b'["KEY", 3]',
        b"[1" + b"0" * 5000 + b",2]",
    ],
)
def test_a_broken_cache_is_counted_anew(data):
    write_cache(NAME, data.replace(b"KEY", catalogue_hash().encode()))
    assert figures(networks_of(["resnet8"])) == RESNET8


def test_a_folder_that_cannot_be_written_is_no_error(folder):
    (folder / "convcalc").write_text("a file")
    assert figures(networks_of(["resnet8"])) == RESNET8
    assert Path(cache_path(NAME)).parent.read_text() == "a file"
