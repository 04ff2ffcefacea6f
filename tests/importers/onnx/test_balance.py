"""What layers count and what is in no layer add up to what a file stores."""

import json
import random

import pytest
from helpers.onnx_models import node, numbers, save
from helpers.process import params
from onnx import load as load_onnx
from onnx import save as save_onnx

from convcalc.analysis.count import count
from convcalc.errors import SpecError
from convcalc.graph import Balance, LeftOut
from convcalc.importers.onnx import importer
from convcalc.language.overrides import Overrides
from convcalc.loader import graph
from convcalc.tables.count import balance_lines


def test_tensors_in_no_layer_are_named_with_the_reason(tmp_path):
    nodes = [
        node("Conv", ["x", "w"], "c"),
        node("Conv", ["x", "v"], "d"),
        node("Slice", ["bank", "zero", "one"], "first"),
        node("Add", ["c", "first"]),
    ]
    weights = {"w": (4, 3, 3, 3), "v": (4, 3, 3, 3), "idle": (7, 7), "bank": (1, 4, 1, 1), "zero": numbers(0)}
    found = graph(str(save(tmp_path / "m.onnx", nodes, {**weights, "one": numbers(1)})))
    balance = found.balance
    assert {(tensor.name, tensor.elements, tensor.why) for tensor in balance.left_out} == {
        ("v", 4 * 3 * 3 * 3, "no output needs it"),
        ("idle", 7 * 7, "never used"),
    }
    assert (balance.stored, balance.counted) == (2 * 108 + 49 + 4, 108 + 4)
    assert balance.unneeded_macs == count(found).figure("macs")  # of the other convolution, which is as large
    assert balance.difference == 0


def test_the_report_and_json_say_what_is_in_no_layer(tmp_path):
    path = save(tmp_path / "m.onnx", [node("Conv", ["x", "w"])], {"w": (4, 3, 3, 3), "idle": (7, 7)})
    assert "of 157 stored params 49 are in no layer: idle (49, never used)" in params(path, text=True).stdout
    (table,) = json.loads(params(path, "-f", "json", text=True).stdout)["tables"]
    assert table["balance"]["left_out"] == [{"name": "idle", "elements": 49, "why": "never used"}]


def test_params_that_do_not_add_up_are_said_and_with_strict_an_error(tmp_path, monkeypatch):
    path = save(tmp_path / "m.onnx", [node("Conv", ["x", "w"])], {"w": (4, 3, 3, 3)})
    monkeypatch.setattr(importer, "balance", lambda *given: Balance(stored=108, counted=100))
    (line,) = balance_lines(graph(str(path)))
    assert line == "params do not add up: 100 are counted, and with those in no layer that is 8 fewer than are stored"
    with pytest.raises(SpecError, match="params do not add up: 100 counted, 108 stored"):
        graph(str(path), Overrides(strict=True))


def test_slices_of_one_parameter_that_the_exporter_has_folded_apart_both_count(tmp_path):
    nodes = [node("Conv", ["x", "a"], "c"), node("Conv", ["x", "b"], "d"), node("Add", ["c", "d"])]
    path = save(tmp_path / "m.onnx", nodes, {"a": (4, 3, 3, 3), "b": (4, 3, 3, 3)}, producer="pytorch")
    model = load_onnx(path)
    entry = model.graph.metadata_props.add()
    entry.key, entry.value = "pkg.torch.export.ExportedProgram.graph_signature", "p_w: PARAMETER target='w'"
    for name in "ab":
        folded = model.graph.value_info.add(name=name).metadata_props.add()
        folded.key, folded.value = "pkg.onnxscript.optimizer.folded_from", "['w', 'val_0']"
    save_onnx(model, path)
    found = graph(str(path))
    assert count(found).figure("params") == 2 * 4 * 3 * 3 * 3
    assert found.balance.difference == 0


def test_scales_of_quantisation_are_not_learned_but_a_quantised_bias_is(tmp_path):
    nodes = [
        node("DequantizeLinear", ["w", "scales"], "wd", axis=0),
        node("DequantizeLinear", ["b", "scales"], "bd", axis=0),
        node("Conv", ["x", "wd", "bd"]),
    ]
    weights = {"w": numbers(*[1] * 108, kind="int8").reshape(4, 3, 3, 3), "b": numbers(*[1] * 4, kind="int32")}
    weights["scales"] = numbers(*[0.1] * 4, kind="float32")
    found = graph(str(save(tmp_path / "m.onnx", nodes, weights)))
    assert count(found).figure("params") == 108 + 4
    assert (found.balance.stored, found.balance.difference) == (108 + 4, 0)


@pytest.mark.parametrize("seed", range(40))
def test_the_balance_closes_however_nodes_share_tensors(tmp_path, seed):
    chance = random.Random(seed)
    weights = {"bank": (3, 8, 8), "matrix": (8, 8), "wide": (8, 24), "b": (8,), "idle": (5, 2)}
    weights |= {f"n{number}": numbers(number) for number in (0, 8, 16, 24, 1)} | {"square": numbers(8, 8)}
    nodes, value = [], "x"
    for step in range(6):
        weight = f"w{step}"
        pick = chance.randrange(5)
        if pick == 0:
            nodes.append(node("Identity", ["matrix"], weight))
        elif pick == 1:
            nodes.append(node("Transpose", ["matrix"], weight, perm=[1, 0]))
        elif pick == 2:
            start = chance.choice((0, 8, 16))
            nodes.append(node("Slice", ["wide", f"n{start}", f"n{start + 8}", "n1"], weight))
        elif pick == 3:
            nodes.append(node("Gather", ["bank", chance.choice(("n0", "n1"))], f"g{step}", axis=0))
            nodes.append(node("Reshape", [f"g{step}", "square"], weight))
        else:
            nodes.append(node("Slice", ["wide", "n8", "n16", "n1"], f"s{step}"))
            nodes.append(node("Add", [f"s{step}", "matrix"], weight))
        bias = [] if chance.random() < 0.5 else ["b"]
        output = f"y{step}" if step < 5 else "y"
        nodes.append(node("Gemm", [value, weight, *bias], output, transB=chance.choice((0, 1))))
        value = output
    found = graph(str(save(tmp_path / "m.onnx", nodes, weights, (1, 8))))
    balance = found.balance
    assert balance.difference == 0
    assert balance.counted == count(found).figure("params")
    assert balance.stored == 3 * 64 + 64 + 8 * 24 + 8 + 10
    assert LeftOut("idle", 10, "never used") in balance.left_out
