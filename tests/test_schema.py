"""The schema for editors accepts what the reader accepts, and refuses what shows to be wrong without computing."""

import json

import jsonschema
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from convcalc.analysis.count import count
from convcalc.analysis.expect import KEYS, compare
from convcalc.budgets.limits import FIGURES as FIGURE_NAMES
from convcalc.budgets.limits import read_limits
from convcalc.catalogue import catalogue_files
from convcalc.errors import SpecError
from convcalc.kinds import KINDS
from convcalc.loader import read as read_graph
from convcalc.schema import rules_schema, schema
from convcalc.syntax.yaml import read
from convcalc.tables.kinds import example_spec

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
    "blocks: {b: {args: {kernel: 3}, inputs: any, outputs: [a, b], layers: [{conv: {filters: 3, kernel: }}]}}",
    "layers: [{add: [[relu], {when: '${a > 1}', layers: [relu], else: []}, {from: a}, {times: 3, layers: [relu]}]}]",
    "layers: [{parallel: [{over: [1, 2], layers: [relu]}]}, {parallel: {name: a, branches: [[relu], []]}}]",
    "layers: [{repeat: {over: {filters: [1, 2], i: 2, k: '${a}'}, layers: [{conv: {filters: , kernel: 3}}]}}]",
    "layers: [{upsample: {like: stem}}, {center_crop: {like: stem}}, {slice: {axis: 1, like: stem}}]",
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
    "layers: [{add: [[], {whenever: 1, layers: [relu]}]}]",
    "layers: [{parallel: {name: a}}]",
    "layers: [{relu: {like: stem}}]",
    "layers: [{repeat: {over: 3, layers: [relu]}}]",
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


AMOUNTS = st.sampled_from(
    [0, 5, 10**12, -1, True, None, 1.5, 3.0, [], {}, "5M", "5 M", " 5M ", "5m", "5mb", "1.5k", "1.0005k"]
)
TEXTS = st.from_regex(
    r"[0-9][0-9_,.]{0,5} ?([kMGTPKmgtp]|[kKMGmg]i?[Bb]|B|%)?( and [0-9]{1,2}[.]?[0-9]{0,2} ?[kM%B]?)?", fullmatch=True
)
LIMIT = AMOUNTS | TEXTS
SHAPES = st.sampled_from(
    [
        "10x3x3",
        "10 x 3",
        "0x3",
        "3xx3",
        "3x",
        "x",
        "1x1x1x1x1x1x1",
        [3, 3],
        [0],
        [],
        ["3"],
        5,
        0,
        "1000000000",
        "1000000001",
    ]
)
FIELDS = st.fixed_dictionaries(
    {},
    optional={
        "at_most": LIMIT,
        "max_increase": LIMIT,
        "ratchet": st.sampled_from([True, False, "yes", 1]),
        "level": st.sampled_from(["error", "warn", "info", "fatal", None]),
        "message": st.sampled_from(["ask", 3, None, True, []]),
        "at_least": LIMIT,
    },
)
METRICS = st.sampled_from([*FIGURE_NAMES, "output", "parms"])
LIMITS = st.dictionaries(METRICS, LIMIT | FIELDS, max_size=3)
BUDGETS = st.fixed_dictionaries(
    {},
    optional={
        "precision": st.sampled_from(["fp16", "fp12", 16, None]),
        "layers": st.dictionaries(st.sampled_from(["a", "b/*"]), LIMITS | LIMIT, max_size=2) | LIMIT,
        "kinds": st.dictionaries(st.just("conv"), LIMITS, max_size=1),
        "output": SHAPES,
        "params": LIMIT | FIELDS,
        "weight_bytes": LIMIT | FIELDS,
        "activation_bytes": LIMIT,
        "macs": LIMIT | FIELDS,
    },
) | st.dictionaries(METRICS, LIMIT, max_size=2)


@given(BUDGETS)
@settings(max_examples=400, deadline=None)
def test_the_schema_refuses_of_a_budget_what_check_refuses(budget):
    """Fractions of a KiB that make no whole byte are beyond a schema: the only text that it lets through."""
    text = json.dumps({"budget": budget})
    try:
        read_limits(read(text).value["budget"])
        found = []
    except SpecError as error:
        found = [problem for problem in error.problems if "whole number of bytes" not in problem.message]
        assume(found)
    assert bool(problems(text)) == bool(found), (found, problems(text))


FIGURES = st.dictionaries(st.sampled_from([*KEYS, "parms"]), LIMIT | SHAPES | TEXTS, max_size=3)


@given(FIGURES)
@settings(max_examples=200, deadline=None)
def test_the_schema_refuses_of_expect_what_check_refuses(expected):
    text = json.dumps({"input": "3x8x8", "layers": ["relu"], "expect": expected})
    try:
        compare(count(read_graph(text)))
        found = []
    except SpecError as error:
        found = error.problems
    assert bool(problems(text)) == bool(found), (found, problems(text))


RULES = jsonschema.Draft7Validator(rules_schema())


@pytest.mark.parametrize(
    ("text", "is_right"),
    [
        ("a.b:Op: {inputs: {x: [N, 3, ...], y?: }, attributes: {k: 1, m: , t: word, l: [R, S]}, output: x}", True),
        ("Op: {outputs: [[N, 2*C], x], params: 3, macs: N*C, ignore: [a], override: true}", True),
        ("Op: {output: [N], mcas: N}", False),
        ("Op: {macs: N}", False),
        ("Op: {output: x, outputs: [x]}", False),
        ("a b: {output: x}", False),
        ("Op: 3", False),
        ("{}", False),
    ],
)
def test_the_schema_of_rules_refuses_what_the_reader_refuses(text, is_right):
    jsonschema.Draft7Validator.check_schema(rules_schema())
    assert (not [*RULES.iter_errors(read(text).plain())]) == is_right
