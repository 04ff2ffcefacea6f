"""Every network and lesson of the catalogue, in every variant: what it expects is what is counted."""

import pytest
from helpers.paths import ROOT

from convcalc.analysis.count import count
from convcalc.analysis.expect import compare
from convcalc.catalogue import catalogue_files
from convcalc.errors import SpecError
from convcalc.language.document_loader import load as load_document
from convcalc.language.overrides import Overrides
from convcalc.loader import graph, read


def folder(path):
    return str(path).replace("\\", "/").split("/")[-2]


NAMES = [name for name, path in catalogue_files().items() if folder(path) != "blocks"]
SPECS = [spec for name in NAMES for spec in (name, *(f"{name}@{variant}" for variant in load_document(name).variants))]


@pytest.mark.parametrize("spec", SPECS)
def test_every_published_total_is_ours(spec):
    found = compare(count(graph(spec)))
    assert found, f"{spec} has no expect:"
    wrong = [f"{one.key}: {one.stated} is published, {one.actual} is counted" for one in found if not one.ok]
    assert not wrong


@pytest.mark.parametrize("name", NAMES)
def test_every_spec_says_where_it_comes_from(name):
    assert load_document(name).text("source")


def test_a_name_stands_for_one_file():
    files = [path.name for path in (ROOT / "layers").rglob("*.yaml")]
    assert sorted(files) == sorted(set(files))


def test_a_wrong_total_is_seen():
    text = "input: 8x4x4\nlayers: [{conv: {filters: 4, kernel: 1, bias: false}}]\n"
    found = compare(count(read(text + "expect: {weights: 33, macs: 512, output: 4x4x5}")))
    assert [(one.key, one.ok) for one in found] == [("weights", False), ("macs", True), ("output", False)]


@pytest.mark.parametrize("entry", ["wieghts: 3", "macs: [3]", "macs: 3.5.5M", "output: 3x", "params: true"])
def test_what_expect_cannot_hold_is_refused_with_its_place(entry):
    text = f"input: 8x4x4\nlayers: [relu]\nexpect: {{{entry}}}\n"
    with pytest.raises(SpecError, match=r":3:\d+: error: "):
        compare(count(read(text)))


def test_a_changed_network_expects_nothing():
    assert compare(count(graph("reduce-5x5-1-direct", Overrides(inputs=("14",))))) == []
