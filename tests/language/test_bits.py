"""Which bits a layer has: the nearer statement wins, and among equals the later."""

import numpy as np
import pytest

from convcalc.errors import SpecError
from convcalc.exporters.yaml.writer import write_spec
from convcalc.language.bits import read_rules, set_bits
from convcalc.language.document_loader import parse
from convcalc.language.overrides import Overrides
from convcalc.language.sources import File
from convcalc.loader import graph, read
from convcalc.sweep.vectorized import Model
from convcalc.syntax.node import Node
from convcalc.syntax.yaml import read as read_yaml

STEM = "conv: {name: stem, filters: 4, kernel: 3%s}"
LAYERS = f"layers: [{STEM}, conv: {{name: wide, filters: 4, kernel: 1}}, flatten, linear: 10]"


def bits(text, own="", options=()):
    network = read(f"{{input: 3x8x8, {text} {LAYERS % own}}}")
    if options:
        set_bits(network, (), options)
    return {layer.path: str(layer.bits) for layer in network.layers if layer.kind.weighted}


@pytest.mark.parametrize(
    ("text", "own", "found"),
    [
        ("bits: 8x4,", "", ["8x4", "8x4", "8x4"]),
        ("bits: 8,", "", ["8x8", "8x8", "8x8"]),
        ("bits: {weights: 2},", "", ["2x32", "2x32", "2x32"]),
        ("", ", bits: 2x4", ["2x4", "32x32", "32x32"]),
        ("bits: {layers: {stem: 8x8}, kinds: {conv: 2x2}, weights: 4, activations: 4},", "", ["8x8", "2x2", "4x4"]),
        ('bits: {weights: 4, activations: 4, layers: {"s*": 2x2, stem: {activations: 8}}},', "", ["2x8", "4x4", "4x4"]),
        ("bits: {weights: 4, activations: 4, layers: {stem: 8x8}},", ", bits: {weights: 1}", ["1x8", "4x4", "4x4"]),
        ('vars: {w: 3}, bits: "${w}x${w + 1}",', "", ["3x4", "3x4", "3x4"]),
    ],
)
def test_the_nearer_statement_wins(text, own, found):
    assert [*bits(text, own).values()] == found


def test_options_win_over_the_spec_and_later_ones_over_earlier():
    assert [*bits("", ", bits: 2x4", ["4x4", "w*=8x8", "wide=16x16"]).values()] == ["4x4", "16x16", "4x4"]
    assert [*bits("bits: 4x4,", "", ["kind:conv=2x2", "stem=1x1"]).values()] == ["1x1", "2x2", "4x4"]
    network = graph("resnet18", Overrides(bits=("4x4", "stage1=8x8")))  # a block is all that is in it
    assert {str(layer.bits) for layer in network.layers if layer.path.startswith("stage1/")} == {"8x8"}


def test_a_network_that_says_nothing_has_no_bits():
    network = graph("resnet18")
    assert not network.has_bits
    assert all(layer.bits is None for layer in network.layers)


def test_a_name_that_no_layer_has_is_an_error():
    with pytest.raises(SpecError, match="--bits: 'stme' matches no layer"):
        graph("resnet18", Overrides(bits=("stme=8x8",)))


@pytest.mark.parametrize("options", [("4x8",), ("4x4", "stem=8x8", "stage3/more=2x4")])
def test_a_written_spec_keeps_the_bits(options):
    network = graph("resnet18", Overrides(bits=options))
    again = read(write_spec(network))
    assert [layer.bits for layer in again.layers] == [layer.bits for layer in network.layers]


@pytest.mark.parametrize(
    "text", ["8", "8x", "x8", "8x8x8", "0x8", "8x65", "100x1", "-1x8", "８x8", "kind:=8", "a=", ""]
)
def test_what_is_no_bits_is_refused(text):
    with pytest.raises(SpecError, match="--bits: bits of weights x activations were expected"):
        graph("resnet18", Overrides(bits=(text,)))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "{weights: 99}",
            "<text>:1:11: error: 'weights' must be a whole number of at least 1 and at most 64, found 99",
        ),
        ("{activation: 2}", "<text>:1:2: error: bits have no 'activation'"),
        (
            "{weights: a}",
            "<text>:1:11: error: 'weights' must be a whole number of at least 1 and at most 64, found 'a'",
        ),
        ("{layers: {a: 8x}}", "<text>:1:14: error: bits of weights x activations were expected, found '8x'"),
        ("{layers: {a: {weight: 8}}}", "<text>:1:15: error: bits have no 'weight'"),
        ("{kinds: [8]}", "<text>:1:9: error: 'kinds' is a mapping, found a list"),
    ],
)
def test_one_mistake_is_one_error_with_its_location(text, expected):
    with pytest.raises(SpecError) as caught:
        read_rules(read_yaml(text), Node.plain)
    errors = [line for line in str(caught.value).splitlines() if ": error: " in line]
    assert errors == [expected]


def test_a_sweep_over_bits_gives_what_single_counts_give():
    text = 'input: 8\nvars: {w: 8}\nbits: {weights: "${w}", activations: "${w + 1}"}\nlayers: [linear: 10]\n'
    document = parse(File("net.yaml", text.encode(), None))
    model = Model(document, Overrides(variables={"w": np.array([2, 3, 8])}), (3,))
    assert model.figure("bops", (slice(0, 3),)).tolist() == [2 * 3 * 80, 3 * 4 * 80, 8 * 9 * 80]
    assert model.figure("weight_bytes", (slice(0, 3),)).tolist() == [20, 30, 80]
