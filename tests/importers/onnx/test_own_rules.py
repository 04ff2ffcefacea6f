"""Operators that a user's rules count: their shapes, figures and weights, and what a rule does not fit."""

import json
import random

import pytest
from helpers.onnx_models import build, node
from helpers.process import params
from onnx import helper

from convcalc.analysis.by_rule import rule_of
from convcalc.analysis.count import count
from convcalc.analysis.explain import explain_layer
from convcalc.errors import SpecError
from convcalc.exporters.yaml.writer import write_spec
from convcalc.language.overrides import Overrides
from convcalc.loader import graph, read

MIX = """\
com.example:Mix:
  inputs: {x: [N, C, H, W], weight: [K, C], bias?: [K]}
  attributes: {heads: 1, mode: sum, window: [R, S]}
  ignore: seed
  outputs: [[N, K, H - R + 1, W - S + 1], [N, heads], x]
  params: C*K + bias
  macs: N*K*C*(H - R + 1)*(W - S + 1)
  exponentials: 2*output
"""


def own(operator="Mix", inputs=("x", "w", "b"), outputs=("y",), domain="com.example", **attributes):
    return helper.make_node(operator, list(inputs), list(outputs), domain=domain, **attributes)


def mix(inputs=("x", "w", "b"), **attributes):
    return own(inputs=inputs, **{"window": [3, 2], "mode": "sum", **attributes})


def counted(folder, nodes, weights, rules=MIX, shape=(2, 4, 6, 6), **options):
    """What a model counts under a file of rules; its spec counts alike."""
    (folder / "rules.yaml").write_text(rules)
    (folder / "m.onnx").write_bytes(build(nodes, weights, shape).SerializeToString())
    found = count(graph(str(folder / "m.onnx"), Overrides(rules=(str(folder / "rules.yaml"),), **options)))
    write_spec(found.graph)
    return found


WEIGHTS = {"w": (8, 4), "b": (8,)}


@pytest.mark.parametrize("batch", [1, 2, 3])
def test_an_operator_counts_as_its_rule_says_for_one_input(tmp_path, batch):
    found = counted(tmp_path, [mix()], WEIGHTS, shape=(batch, 4, 6, 6))
    (layer,) = found.graph.layers
    assert layer.output == (8, 4, 5)
    assert (found.figure("params"), found.figure("macs")) == (8 * 4 + 8, 8 * 4 * 4 * 5)
    assert found.tallies["exponentials"] == 2 * 8 * 4 * 5
    assert not found.uncounted
    assert found.graph.balance.difference == 0


def test_an_input_that_is_left_out_has_no_elements(tmp_path):
    assert counted(tmp_path, [mix(inputs=("x", "w"))], WEIGHTS).figure("params") == 8 * 4


def test_params_that_a_rule_leaves_out_are_those_of_the_tensors(tmp_path):
    rules = MIX.replace("  params: C*K + bias\n", "")
    found = counted(tmp_path, [mix()], WEIGHTS, rules)
    assert (found.figure("params"), found.graph.balance.difference) == (8 * 4 + 8, 0)


def test_params_that_are_not_those_of_the_tensors_leave_the_node_uncounted(tmp_path):
    found = counted(tmp_path, [mix()], WEIGHTS, MIX.replace("C*K + bias", "C*K"))
    (layer,) = found.uncounted
    assert "rules.yaml:1: custom would count 32 params, its weights have 40 elements" in layer.kind.reason
    assert (found.figure("params"), found.graph.balance.difference) == (8 * 4 + 8, 0)


def test_params_in_attributes_are_in_no_tensor_and_balance(tmp_path):
    rules = "com.example:Table: {inputs: {x: [N, C, H, W]}, attributes: {rows: }, output: x, params: rows*C}"
    found = counted(tmp_path, [own("Table", ["x"], rows=7)], {}, rules)
    assert found.figure("params") == 7 * 4
    assert (found.graph.balance.not_stored, found.graph.balance.difference) == (7 * 4, 0)


def test_weights_that_other_layers_use_too_count_once(tmp_path):
    rules = "com.example:Scale: {inputs: {x: [N, C, H, W], w: [K, C, 1, 1]}, output: [N, K, H, W], params: K*C}"
    nodes = [node("Conv", ["x", "w"], "a"), own("Scale", ["a", "w"], ["y"])]
    found = counted(tmp_path, nodes, {"w": (4, 4, 1, 1)}, rules)
    assert [row.figure("params") for row in found.rows] == [16, 0]
    assert found.graph.balance.difference == 0


def test_several_outputs_are_one_layer_of_work(tmp_path):
    nodes = [own(outputs=("a", "b2", "c"), window=[1, 1], mode="sum", heads=6), node("Relu", ["b2"])]
    found = counted(tmp_path, nodes, WEIGHTS)
    assert [layer.output for layer in found.graph.layers] == [(8, 6, 6), (6,), (6,)]
    assert found.figure("macs") == 8 * 4 * 6 * 6  # although only the second output is used


def test_axes_of_any_number(tmp_path):
    rules = "com.example:Norm: {inputs: {x: [..., C]}, output: [..., 2*C], additions: x}"
    for shape in ((2, 5), (2, 3, 5), (2, 3, 4, 5)):
        found = counted(tmp_path, [own("Norm", ["x"])], {}, rules, shape=shape)
        assert found.graph.layers[0].output == (*shape[1:-1], 10)
        assert found.tallies["additions"] * 2 == 2 * shape[1] * (shape[2] if len(shape) > 2 else 1) * (
            shape[3] if len(shape) > 3 else 1
        )


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"inputs": ("x", "", "b")}, "input weight is missing"),
        ({"inputs": ("x", "v", "b")}, "input weight has 1 axes, not 2"),
        ({"inputs": ("x", "u", "b")}, "C is 4, but 5 in input weight"),
        ({"inputs": ("x", "w", "b", "b")}, "input 3 (b) is not read"),
        ({"mode": "max"}, "attribute 'mode' is 'max', not 'sum'"),
        ({"window": [3]}, "attribute 'window' has 1 numbers, not 2"),
        ({"window": [9, 9]}, "is -2, not a whole number of at least 0"),
        ({"heads": "two"}, "attribute 'heads' is not a number"),
        ({"heads": 0.5}, "heads is 0.5, not a whole number"),
        ({"other": 1}, "attribute 'other' is not read"),
    ],
)
def test_a_node_that_a_rule_does_not_fit_is_opaque_with_the_reason(tmp_path, change, reason):
    found = counted(tmp_path, [mix(**change)], {**WEIGHTS, "v": (8,), "u": (8, 5)})
    assert reason in found.uncounted[0].kind.reason
    with pytest.raises(SpecError, match="1 operator has no rule"):
        counted(tmp_path, [mix(**change)], {**WEIGHTS, "v": (8,), "u": (8, 5)}, strict=True)


def test_ignored_attributes_change_nothing(tmp_path):
    assert not counted(tmp_path, [mix(seed=3)], WEIGHTS).uncounted


def test_the_report_names_the_rule_and_explain_shows_its_formula(tmp_path):
    (layer,) = counted(tmp_path, [mix()], WEIGHTS).graph.layers
    assert rule_of(layer).endswith("rules.yaml:1")
    lines = {line.name: (line.formula, line.numbers) for line in explain_layer(layer, 3)}
    assert lines["MACs"] == ("N*K*C*(H - R + 1)*(W - S + 1)", "3*8*4*4*5")
    assert lines["other_params"] == ("C*K + bias", "4*8 + 8")
    result = params(tmp_path / "m.onnx", "--rules", tmp_path / "rules.yaml", text=True).stdout
    assert f"counted by {rule_of(layer)}: com.example:Mix (Mix1)" in result
    result = params(tmp_path / "m.onnx", "--rules", tmp_path / "rules.yaml", "-f", "json", text=True).stdout
    assert json.loads(result)["tables"][0]["counted_by"] == {"Mix1": rule_of(layer)}


def test_the_spec_of_a_model_keeps_figures_and_rule_without_the_file_of_rules(tmp_path):
    found = counted(tmp_path, [mix()], WEIGHTS)
    text = write_spec(found.graph)
    (tmp_path / "rules.yaml").unlink()
    again = count(read(text))
    assert again.tallies == found.tallies
    assert [rule_of(layer) for layer in again.graph.layers] == [rule_of(found.graph.layers[0])]


def test_a_rule_replaces_one_of_ours_only_where_it_says_so(tmp_path):
    rule = "Relu: {inputs: {x: }, output: x, additions: x}"
    with pytest.raises(SpecError, match="convcalc has a rule for Relu"):
        counted(tmp_path, [node("Relu", ["x"])], {}, rule)
    found = counted(tmp_path, [node("Relu", ["x"])], {}, rule.replace("{inputs", "{override: true, inputs"))
    assert found.tallies["additions"] == 4 * 6 * 6
    assert "comparisons" not in found.tallies


def test_the_domain_tells_operators_apart(tmp_path):
    rules = "Mix: {inputs: {x: }, output: x}"
    assert counted(tmp_path, [own(inputs=["x"])], {}, rules).uncounted
    assert not counted(tmp_path, [own(inputs=["x"], domain="")], {}, rules).uncounted


def test_figures_are_the_same_for_any_batch(tmp_path):
    """Random sizes: the batch of the file changes nothing, whatever axes the operator keeps."""
    chance = random.Random(3)
    for _ in range(20):
        c, h, w, k, r = (chance.randint(2, 9) for _ in range(5))
        shapes = []
        for batch in (1, 2, c, h, 2 * k):
            nodes = [mix(window=[min(r, h), 1])]
            found = counted(tmp_path, nodes, {"w": (k, c), "b": (k,)}, shape=(batch, c, h, w))
            shapes.append((found.tallies, found.graph.layers[0].output, bool(found.uncounted)))
        assert shapes == [shapes[0]] * 5, (c, h, w, k, r)
