"""The catalogue against torchvision's networks: params and MACs of all of them, to the unit."""

import json

import pytest
from helpers.paths import DATA

from convcalc.analysis.count import count
from convcalc.catalogue import catalogue_files
from convcalc.loader import load

REFERENCE = json.loads((DATA / "torchvision.json").read_text())["networks"]


def spec_of(name):
    """The spec of a network of torchvision; where the paper's has the name, torchvision's says whose it is."""
    own = f"{name}_torchvision"
    return own if own in catalogue_files() else name


def test_the_reference_holds_54_networks():
    assert len(REFERENCE) == 54


@pytest.mark.parametrize("name", REFERENCE)
def test_params_and_macs_to_the_unit(name):
    """The reference was measured at one input for all of a family; its auxiliary heads have params and do not run."""
    reference = REFERENCE[name]
    counted = count(load(spec_of(name), inputs="x".join(map(str, reference["input"]))))
    figures = {"params": counted.figure("params"), "macs": counted.figure("macs")}
    without = reference.get("params_without_aux")
    assert figures == {"params": without or reference["params"], "macs": reference["macs"]}
    if without:
        assert count(load(f"{spec_of(name)}@aux")).figure("params") == reference["params"]
