"""The schema for editors accepts what the reader accepts, and refuses what shows to be wrong without computing."""

import json

import jsonschema
import pytest

from convcalc.commands.kinds import example_spec
from convcalc.files import catalogue_files
from convcalc.kinds import KINDS
from convcalc.schema import schema
from convcalc.spec import read

CHECK = jsonschema.Draft7Validator(schema())


def problems(text):
    return [error.message for error in CHECK.iter_errors(read(text).plain())]


def test_is_a_schema_and_plain_json():
    jsonschema.Draft7Validator.check_schema(schema())
    assert json.loads(json.dumps(schema())) == schema()


@pytest.mark.parametrize("name", sorted(KINDS))
def test_every_example_fits(name):
    assert not problems(example_spec(KINDS[name]))


@pytest.mark.parametrize("name", sorted(catalogue_files()))
def test_every_catalogue_spec_fits(name):
    assert not problems(catalogue_files()[name].read_bytes())


@pytest.mark.parametrize("name", sorted(KINDS))
def test_every_key_is_described(name):
    entry = schema()["definitions"]["layer"]["anyOf"][2]["properties"][name]
    assert entry["description"]
    fields = entry["anyOf"][0] if "properties" not in entry else entry
    assert all(field.get("description") for field in fields["properties"].values())


GOOD = [
    "input: 3x8x8\nlayers: [relu, {relu: {name: 3}}, {dropout: 0.5}, {my_block: {width: 3}}, my_block]",
    "input: [3, '${size}', 8]\nvars: {size: 8, width: 0.5}\nlayers: [{conv: {filters: '${2*width}', kernel: [1, 7]}}]",
    "input: {a: 3x8x8, b: [3, 8, 8]}\nlayers: [{add: {from: [a, b]}}, {add: [[relu], []]}]",
    "input: 8x8x8\nlayers: [{repeat: {times: 3, layers: [{conv: {kernel: 3, groups: channels, padding: same}}]}}]",
    "input: 8x8x8\nlayers: [{conv: {name: a, filters: 8, kernel: 1}}, {conv: {share: a}}]",
    "blocks: {b: {args: {k: 3, f: null}, layers: [relu]}}",
    "variants: {small: {width: 0.5, expect: {params: 4.2M}}}\nexpect: {params: 6998552}",
]
BAD = [
    "inputs: 3x8x8",
    "input: three",
    "input: 3x8x8\nlayers: [{conv: {filters: 8, kernal: 3}}]",
    "input: 3x8x8\nlayers: [{conv: {filters: 8}}]",
    "input: 3x8x8\nlayers: [{conv: {filters: 0, kernel: 3}}]",
    "input: 3x8x8\nlayers: [{conv: {filters: 8, kernel: 3.5}}]",
    "input: 3x8x8\nlayers: [{conv: {filters: 8, kernel: 3, padding: full}}]",
    "input: 3x8x8\nlayers: [{conv: {filters: 8, kernel: 3}, relu: {}}]",
    "input: 3x8x8\nlayers: [{add: [relu]}]",
    "input: 3x8x8\nlayers: {relu: {}}",
    "input: 3x8x8\nlayers: [{repeat: {layers: [relu]}}]",
    "blocks: {b: {arguments: {}, layers: [relu]}}",
]


@pytest.mark.parametrize("text", GOOD)
def test_good(text):
    assert not problems(text)


@pytest.mark.parametrize("text", BAD)
def test_bad(text):
    assert problems(text)
