"""After an opaque layer without a shape every kind is a lower bound, in every command: none computes with what is
not known, and none fails."""

import json
from itertools import pairwise

import click
import pytest

from convcalc.analysis.count import count
from convcalc.cli import BAD, FINE, cli, run
from convcalc.errors import SpecError
from convcalc.graph import Graph
from convcalc.kinds import KINDS
from convcalc.kinds.primitives import Opaque
from convcalc.kinds.sizes import UNKNOWN, is_known
from convcalc.loader import read

NAMES = sorted(KINDS)
COMMANDS = (
    ["params"],
    ["params", "--by", "kind"],
    ["params", "--deploy", "--batch", "2"],
    ["params", "--columns", "all", "-f", "json"],
    ["explain"],
    ["check", "--max-params", "1k", "--max-activation", "5"],
    ["export", "--to", "onnx"],
    ["export", "--to", "dot"],
    ["export", "--to", "mermaid"],
    ["export", "--to", "torch"],
    ["export", "--to", "keras"],
    ["params", "--as", "thop"],
    ["reconcile", "12M"],
    ["suggest"],
)


def spec_after_opaque(name):
    kind = KINDS[name]
    inputs = max(1, len(kind.example[0].split()))
    fields = {**kind.example[1], "name": "asked"}
    if kind.inputs != (0, 0):
        fields["from"] = ["lost"] * inputs
    read_on = "[asked.0, asked.1]" if kind.name == "split" else "[asked, asked]"
    layers = [
        "conv: {name: stem, filters: 4, kernel: 3}",
        "opaque: {name: lost, operator: Magic, params: 7}",
        f"{name}: {json.dumps(fields, default=str)}",
        f"add: {{from: {read_on}}}",
        "repeat: {times: 2, layers: [relu, {conv: {filters: 2, kernel: 1}}]}",
    ]
    return "input: 3x8x8\nlayers:\n" + "".join(f"  - {layer}\n" for layer in layers)


@pytest.mark.parametrize("name", NAMES)
def test_every_kind_is_a_lower_bound(name):
    counted = count(read(spec_after_opaque(name)))
    asked = next(layer for layer in counted.graph.layers if layer.path == "asked")
    depends = KINDS[name].reads_shapes and KINDS[name].inputs != (0, 0)
    assert (asked in counted.uncounted) == (depends or name == "opaque")
    assert any(layer.path == "lost" for layer in counted.uncounted)
    stem = 4 * 3 * 3 * 3 + 4
    assert counted.figure("params") >= stem + 7
    if depends:
        assert counted.figure("params") == stem + 7
        assert not any(map(is_known, asked.outputs))
        assert asked.kind.operator == name
        assert counted.figure("output_elements") == 4 * 6 * 6


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_no_command_fails(command, tmp_path, capsys):
    for name in NAMES:
        path = tmp_path / f"{name}.yaml"
        path.write_text(spec_after_opaque(name))
        first, *options = command
        assert run([first, str(path), *options]) in (FINE, BAD, 1), (name, capsys.readouterr())
        capsys.readouterr()


@pytest.mark.parametrize("command", ["diff", "compare"])
def test_no_command_over_two_networks_fails(command, tmp_path):
    paths = []
    for name in NAMES:
        paths.append(tmp_path / f"{name}.yaml")
        paths[-1].write_text(spec_after_opaque(name))
    for one, other in pairwise(paths):
        assert run([command, str(one), str(other)]) == FINE


def test_an_unknown_shape_is_no_other_shape():
    assert UNKNOWN != ()
    assert () not in (UNKNOWN,)
    assert Opaque(operator="x").output() is UNKNOWN
    assert is_known(Opaque(operator="x", shape=[3]).output())


def test_a_layer_with_a_stated_shape_is_counted_after_it():
    """The shape of a `gather` is its field: what follows is known again."""
    text = "input: 3x8x8\nlayers: [{opaque: x}, {gather: [3, 8, 8]}, {conv: {filters: 4, kernel: 1}}]"
    counted = count(read(text))
    assert counted.figure("params") == 4 * 3 + 4
    assert len(counted.uncounted) == 1


def test_weights_may_be_shared_with_a_layer_after_it():
    text = """\
input: 3x8x8
layers:
  - conv: {name: a, filters: 3, kernel: 1}
  - opaque: {operator: x}
  - conv: {name: b, share: a}
  - conv: {name: c, share: b}
"""
    counted = count(read(text))
    assert counted.figure("params") == 3 * 3 + 3
    assert len(counted.uncounted) == 3


@pytest.mark.parametrize("entry", ['linear: "${channels}"', 'relu: {when: "${channels > 3}"}'])
def test_channels_that_are_not_known_are_an_error(entry):
    with pytest.raises(SpecError, match=r"<text>:4:\d+: error: the channels of 'opaque1' are not known") as caught:
        read(f"input: 3x8x8\nlayers:\n  - opaque: x\n  - {entry}\n")
    assert "give the opaque layer its 'shape'" in str(caught.value)


def test_a_graph_takes_every_kind_after_an_unknown_shape():
    for name in NAMES:
        kind = KINDS[name]
        graph = Graph("unknown")
        lost = graph.add("lost", Opaque(operator="x"), (graph.add_input("x", (3, 8, 8)),))
        inputs = [lost] * max(kind.inputs[0], len(kind.example[0].split()))
        ref = graph.add("asked", kind(**kind.example[1]), inputs)
        assert ref.layer == 2
        assert count(graph).uncounted


def commands_that_count():
    """The commands that report on a network, and refuse with --strict what is not counted."""
    context = click.Context(cli)
    for name in cli.list_commands(context):
        options = {option.name for option in cli.get_command(context, name).params}
        if {"strict", "form"} <= options:
            yield name


@pytest.mark.parametrize("name", list(commands_that_count()))
def test_every_command_says_that_figures_without_a_rule_are_lower_bounds(name, tmp_path, capsys):
    spec = tmp_path / "odd.yaml"
    odd = "  - opaque: {operator: Odd, shape: 4x8x8}\n  - conv: {filters: 4, kernel: 1}\n"
    spec.write_text(f"input: 4x8x8\nbudget: {{params: 1k}}\nlayers:\n{odd}")
    code = run([name, *[str(spec)] * (2 if name in ("compare", "diff") else 1)])
    printed = capsys.readouterr()
    if name == "verify":  # what PyTorch lacks it cannot compute
        assert code == BAD
        return
    assert code == FINE
    assert "lower bounds (>=): no rule for Odd (opaque1)" in printed.out
