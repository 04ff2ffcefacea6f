"""The files of devices: every figure has a source, and every error its location."""

from __future__ import annotations

import pytest

from convcalc.analysis.roofline.device import device_names, load_device, read_device
from convcalc.errors import SpecError


@pytest.mark.parametrize("name", device_names())
def test_every_shipped_device_has_peaks_a_bandwidth_and_a_source_for_each(name):
    device = load_device(name)
    figures = {"peak", "bandwidth"} | ({"on_chip"} if device.on_chip else set())
    assert {*device.sources} == figures
    assert all(peak >= 10**8 for peak in device.peak.values())
    assert device.bandwidth >= 10**8


def test_a_dozen_devices_are_shipped():
    assert len(device_names()) >= 12


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "name: x\npeak: {int8: 4Q}\nbandwidth: 3\nsources: {peak: a, bandwidth: b}",
            "mine.yaml:2:14: error: a whole number was expected, found '4Q'",
        ),
        (
            "name: x\npeak: {flat8: 4T}\nbandwidth: 3\nsources: {peak: a, bandwidth: b}",
            "mine.yaml:2:8: error: no precision 'flat8'",
        ),
        (
            "name: x\npeak: {int8: 4T}\nbandwith: 3\nsources: {peak: a}",
            "mine.yaml:3:1: error: a device has no key 'bandwith'",
        ),
        ("name: x\npeak: {int8: 4T}\nsources: {peak: a}", "mine.yaml:1:1: error: 'bandwidth' is missing"),
        (
            "name: x\npeak: {int8: 4T}\nbandwidth: 3\nsources: {peak: a}",
            "mine.yaml:3:12: error: 'bandwidth' has no source",
        ),
        (
            "name: x\npeak: {int8: 0}\nbandwidth: 3\nsources: {peak: a, bandwidth: b}",
            "mine.yaml:2:14: error: a number of at least 1 was expected, found 0",
        ),
        (
            "name: x\npeak: [int8]\nbandwidth: 3\nsources: {peak: a, bandwidth: b}",
            "mine.yaml:2:7: error: 'peak' is a mapping, found a list",
        ),
        ("[1]", "mine.yaml:1:1: error: a mapping was expected, found a list"),
    ],
)
def test_one_mistake_is_one_error_with_its_location(text, expected):
    with pytest.raises(SpecError) as caught:
        read_device(text, "mine.yaml")
    errors = [line for line in str(caught.value).splitlines() if ": error: " in line]
    assert len(errors) == 1
    assert errors[0].startswith(expected)


def test_a_precision_that_a_device_lacks_names_those_that_it_has():
    with pytest.raises(SpecError, match="NVIDIA T4 has no peak for float8"):
        load_device("t4").precision("float8")
    assert load_device("t4").precision().name == "float16"
    assert load_device("t4").precision("fp32").name == "float32"
