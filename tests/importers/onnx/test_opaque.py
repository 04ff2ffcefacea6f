"""Operators without a rule, or of a form that the rule does not cover: what the user is told, to the letter."""

import json

import pytest
from helpers.onnx_models import build, node, save
from onnx import helper

from convcalc.analysis.count import count
from convcalc.cli import BAD, FINE, run
from convcalc.errors import SpecError
from convcalc.exporters.yaml.writer import write_spec
from convcalc.importers.onnx.operators import RULES
from convcalc.importers.onnx.values import Unsupported
from convcalc.kinds.sizes import UNKNOWN
from convcalc.language.overrides import Overrides
from convcalc.loader import graph
from convcalc.tables.count import lower_bound

MISFIT = [node("Flatten", ["x"], "f"), node("Gemm", ["f", "k"], name="fc")]
GEMM = "Gemm (Gemm1: input of 768 features for weights of 1)"


@pytest.fixture
def read(tmp_path):
    def saved(nodes, weights=None, *shape, **options):
        return save(tmp_path / "m.onnx", nodes, weights, *shape, **options)

    return saved


def footer(path):
    return lower_bound(count(graph(path)))


def test_a_form_without_a_rule_is_named_in_the_table(read, capsys):
    assert run(["params", read(MISFIT, {"k": (1, 5)})]) == FINE
    assert f"\ntotals are lower bounds (>=): no rule for {GEMM}\n" in capsys.readouterr().out


def test_a_form_without_a_rule_is_named_by_strict(read, capsys):
    path = read(MISFIT, {"k": (1, 5)})
    assert run(["params", path, "--strict"]) == BAD
    assert capsys.readouterr().err == (
        f"error: '{path[:60]}{'...' if len(path) > 60 else ''}': 1 operator has no rule: {GEMM}\n"
        "   hint: without --strict they stay in the graph, and the totals are lower bounds\n"
    )


def test_a_form_without_a_rule_is_named_in_json(read, capsys):
    nodes = [*MISFIT[:1], node("Gemm", ["f", "k"], "g"), node("Magic", ["g"], "m"), node("Relu", ["m"])]
    assert run(["params", read(nodes, {"k": (1, 5)}), "-f", "json"]) == FINE
    (table,) = json.loads(capsys.readouterr().out)["tables"]
    assert table["uncounted"] == ["Gemm1", "Magic1", "Relu1"]
    assert table["uncounted_reasons"] == {
        "Gemm1": "input of 768 features for weights of 1",
        "Magic1": "no rule for Magic",
        "Relu1": "the shape of its input is not known",
    }


def test_a_network_counted_whole_has_no_reasons(read, capsys):
    assert run(["params", read([node("Relu", ["x"])]), "-f", "json"]) == FINE
    (table,) = json.loads(capsys.readouterr().out)["tables"]
    assert (table["status"], table["uncounted"], table["uncounted_reasons"]) == ("complete", [], {})


def test_an_operator_without_a_rule(read):
    nodes = [node("Magic", ["x"], "m"), node("Relu", ["m"], "r"), node("Tanh", ["r"])]
    assert footer(read(nodes)) == (
        "totals are lower bounds (>=): no rule for Magic (Magic1); 2 layers after them have inputs of unknown shape"
    )


def test_an_operator_of_another_domain_is_named_with_it(read):
    """As ONNX Runtime writes convolutions whose layout it has changed; ONNX's rule for Conv says nothing of these."""
    nodes = [
        node("Magic", ["x"], "m"),
        node("Conv", ["m", "w"], "a", domain="com.example"),
        node("Conv", ["a", "w"], domain="com.example"),
    ]
    path = read(nodes, {"w": (16, 16, 3, 3)})
    assert footer(path) == (
        "totals are lower bounds (>=): no rule for Magic (Magic1), com.example:Conv (Conv1 and 1 more)"
    )
    with pytest.raises(SpecError) as error:
        graph(path, Overrides(strict=True))
    assert "3 operators have no rule: Magic (Magic1), com.example:Conv (Conv1 and 1 more)" in str(error.value)


def test_layers_of_one_operator_and_reason_are_one_entry(read, monkeypatch):
    def refuse(ctx, node, inputs):
        raise Unsupported(f"a sign of {len(node.inputs)}", inputs[0].sizes)

    monkeypatch.setitem(RULES, "Sign", refuse)
    names = ["x", *"abc", "y"]
    edges = zip(names[:-1], names[1:], (1, 1, 2, 1), strict=True)
    nodes = [node("Sign", [first] * times, last) for first, last, times in edges]
    assert footer(read(nodes)) == (
        "totals are lower bounds (>=): no rule for Sign (Sign1 and 2 more: a sign of 1), Sign (Sign3: a sign of 2)"
    )


def test_the_line_is_bounded(read):
    nodes = [node(f"Magic{number}", ["x"], f"v{number}") for number in range(20)]
    nodes.append(node("Concat", [f"v{number}" for number in range(20)]))
    line = footer(read(nodes))
    assert line.endswith("Magic5 (Magic51), and 14 more layers; 1 layer after them has an input of unknown shape")


def test_a_layer_that_does_not_fit_says_so(read):
    path = read([node("Concat", ["x", "z"])], {}, {"x": (1, 3, 8, 8), "z": (1, 3, 4, 4)})
    assert "no rule for Concat (Concat1: concat: branch 1 is 3x8x8, branch 2 is 3x4x4" in footer(path)


def test_a_reason_is_written_into_the_spec_and_read_again(read, tmp_path):
    text = write_spec(graph(read(MISFIT, {"k": (1, 5)})))
    assert "- opaque: {operator: Gemm, params: 5, reason: input of 768 features for weights of 1}\n" in text
    (tmp_path / "net.yaml").write_text(text)
    assert footer(str(tmp_path / "net.yaml")).endswith("(opaque1: input of 768 features for weights of 1)")


def test_what_is_behind_an_unknown_shape_is_written_into_the_spec_and_read_again(read, tmp_path):
    text = write_spec(graph(read([node("Magic", ["x"], "m"), node("Relu", ["m"])])))
    assert "- opaque: {operator: Relu, unknown_input: true}\n" in text
    (tmp_path / "net.yaml").write_text(text)
    assert footer(str(tmp_path / "net.yaml")).endswith("; 1 layer after them has an input of unknown shape")


def test_the_former_name_of_unknown_input_is_explained(tmp_path):
    (tmp_path / "net.yaml").write_text("input: 3\nlayers: [opaque: {operator: A, behind: true}]\n")
    with pytest.raises(SpecError, match="write 'unknown_input'"):
        graph(str(tmp_path / "net.yaml"))


@pytest.mark.parametrize("reason", ["x" * 300, "a\x1b[31m\nb", "costs ${width}", 'a "b": {c}, #d', "yes"])
def test_a_reason_is_bounded_printable_and_no_expression(read, tmp_path, monkeypatch, reason):
    def refuse(ctx, node, inputs):
        raise Unsupported(reason)

    monkeypatch.setitem(RULES, "Sign", refuse)
    network = graph(read([node("Sign", ["x"])]))
    shown = network.layers[0].kind.reason
    assert shown.isprintable()
    assert 0 < len(shown) <= 100
    (tmp_path / "net.yaml").write_text(write_spec(network))
    assert graph(str(tmp_path / "net.yaml")).layers[0].kind.reason == shown


def test_an_operators_name_is_bounded_printable_and_no_expression(read):
    for name, domain in (("${a}", "my.own"), ("M" * 300, "d" * 300), ("a\nb", "${x}: {")):
        network = graph(read([node(name, ["x"], domain=domain)]))
        assert network.layers[0].kind.operator.isprintable()
        write_spec(network)


def test_a_stated_shape_out_of_range_is_none(tmp_path):
    network = build([node("Magic", ["x"], "m"), node("Relu", ["m"])])
    network.graph.value_info.append(helper.make_tensor_value_info("m", 1, [1, 2**40, 3]))
    (tmp_path / "m.onnx").write_bytes(network.SerializeToString())
    assert [layer.output for layer in graph(str(tmp_path / "m.onnx")).layers] == [UNKNOWN, UNKNOWN]
