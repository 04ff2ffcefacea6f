"""The driver of the rules: what it takes back, what it fuses, what stops an import."""

from itertools import pairwise

import pytest
from helpers.onnx_models import figures, node, save
from onnx import helper

from convcalc import graph as graphs
from convcalc.cli import BUG, run
from convcalc.errors import SpecError
from convcalc.importers.onnx import importer
from convcalc.importers.onnx.operators import RULES
from convcalc.importers.onnx.values import Unsupported
from convcalc.loader import graph


def kinds(path):
    return [layer.kind.name for layer in graph(path).layers]


def test_a_rule_that_fails_leaves_no_layer_and_no_weights_behind(tmp_path, monkeypatch):
    """Its weights are counted by the opaque layer, and another layer that has them counts them no second time."""

    def halfway(ctx, node, inputs):
        ctx.layer(node, "linear", [inputs[0]], inputs[0].sizes, 0, [inputs[1]], features=16, axis="last", bias=False)
        raise Unsupported("it stops halfway", inputs[0].sizes)

    monkeypatch.setitem(RULES, "Sign", halfway)
    path = save(tmp_path / "m.onnx", [node("Sign", ["x", "w"], "s"), node("MatMul", ["s", "w"])], {"w": (16, 16)})
    assert kinds(path) == ["opaque", "linear"]
    assert figures(path) == (256, 3 * 16 * 256)


def test_a_rule_that_fails_gives_back_the_nodes_that_it_fused(tmp_path, monkeypatch):
    def halfway(ctx, node, inputs):
        first = ctx.only_reader(node.outputs[0], ("Relu",))
        ctx.fuse(node, first, ctx.only_reader(first.outputs[0], ("Tanh",)))
        raise Unsupported("it stops halfway", inputs[0].sizes)

    monkeypatch.setitem(RULES, "Sign", halfway)
    nodes = [node("Sign", ["x"], "s"), node("Relu", ["s"], "r"), node("Tanh", ["r"])]
    assert kinds(save(tmp_path / "m.onnx", nodes)) == ["opaque", "relu", "tanh"]


@pytest.mark.parametrize(
    "error", [KeyError("axis"), TypeError("no len()"), ValueError("too many"), ZeroDivisionError()]
)
def test_a_bug_in_a_rule_is_a_bug_and_no_lower_bound(tmp_path, monkeypatch, capsys, error):
    def wrong(ctx, node, inputs):
        raise error

    monkeypatch.setitem(RULES, "Relu", wrong)
    path = save(tmp_path / "m.onnx", [node("Relu", ["x"])])
    with pytest.raises(type(error)):
        graph(path)
    monkeypatch.setenv("CONVCALC_DEBUG", "1")
    assert run(["params", path]) == BUG
    assert type(error).__name__ in capsys.readouterr().err


def test_a_bias_stays_apart_from_a_product_that_a_branch_reads(tmp_path):
    def branch(name):
        output = helper.make_tensor_value_info(name, 1, None)
        return helper.make_graph([node("Relu", ["m"], name)], name, [], [output])

    nodes = [
        node("MatMul", ["x", "w"], "m"),
        node("Add", ["m", "b"], "a"),
        node("If", ["yes"], "i", then_branch=branch("t"), else_branch=branch("e")),
        node("Mul", ["a", "i"]),
    ]
    path = save(tmp_path / "m.onnx", nodes, {"w": (16, 16), "b": (16,), "yes": [1]})
    assert kinds(path) == ["linear", "parameter", "add", "relu", "multiply"]


def test_a_long_chain_of_products_of_constants(tmp_path):
    """Each is work at every run, and so a layer: 3,000 of them, one after another."""
    names = ["w", *(f"p{number}" for number in range(3000))]
    nodes = [node("MatMul", [first, "w"], last) for first, last in pairwise(names)]
    path = save(tmp_path / "m.onnx", [*nodes, node("Add", ["x", names[-1]])], {"w": (4, 4)}, (1, 4, 4))
    assert kinds(path).count("linear") == 3000
    assert figures(path) == (16, 3000 * 64)


def test_too_many_layers_are_an_error_wherever_they_come_from(tmp_path, monkeypatch):
    monkeypatch.setattr(graphs, "MOST_LAYERS", 3)
    for operator in ("Relu", "Magic"):
        nodes = [node(operator, [first], last) for first, last in ("xa", "ab", "by")]
        path = save(tmp_path / "m.onnx", nodes)
        with pytest.raises(SpecError, match="the network has more than 3 layers"):
            graph(path)
    inputs = dict.fromkeys("abcd", (1, 3))
    with pytest.raises(SpecError, match="the network has more than 3 layers"):
        graph(save(tmp_path / "m.onnx", [node("Sum", list(inputs))], {}, inputs))


def test_too_many_constants(tmp_path, monkeypatch):
    monkeypatch.setattr(importer, "MOST_CONSTANTS", 10)
    nodes = [node("Neg", ["c"], "d"), node("Reshape", ["x", "d"])]
    with pytest.raises(SpecError, match="computes with more than 10 constants"):
        graph(save(tmp_path / "m.onnx", nodes, {"c": [-1, -2, -3, -4, -5, -6, -7]}))
