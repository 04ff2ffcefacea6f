"""Fourier transforms: 5 N log2(N) operations of N complex numbers, half of that of real ones."""

import pytest
from helpers.onnx_models import node, numbers, save

from convcalc.analysis.count import count
from convcalc.analysis.explain import explain_layer
from convcalc.exporters.yaml.writer import write_spec
from convcalc.language.overrides import Overrides
from convcalc.loader import graph, read


def counted(folder, nodes, weights, shape, opset=20):
    found = count(graph(save(folder / "m.onnx", nodes, weights, {"x": shape}, opset=opset), Overrides(strict=True)))
    assert count(read(write_spec(found.graph))).tallies == found.tallies
    return found


def work(found):
    """Additions and multiplications, and the shape."""
    return found.tallies["additions"], found.tallies["multiplications"], found.graph.outputs[0].output


@pytest.mark.parametrize("batch", [1, 2, 3])
@pytest.mark.parametrize(
    ("inputs", "attributes", "shape", "opset", "right"),
    [
        # 3 N log2(N) additions and 2 N log2(N) multiplications of 64 complex numbers, for each of 5
        (["x"], {}, (5, 64, 2), 20, (5 * 3 * 64 * 6, 5 * 2 * 64 * 6, (5, 64, 2))),
        (["x"], {"inverse": 1}, (5, 64, 2), 20, (5 * 3 * 64 * 6, 5 * 2 * 64 * 6, (5, 64, 2))),
        # as many as of 32 complex ones, with 6 steps, where they are real; one half of the frequencies or both
        (["x"], {}, (5, 64, 1), 20, (5 * 3 * 32 * 6, 5 * 2 * 32 * 6, (5, 64, 2))),
        (["x"], {"onesided": 1}, (5, 64, 1), 20, (5 * 3 * 32 * 6, 5 * 2 * 32 * 6, (5, 33, 2))),
        (["x"], {"onesided": 1, "inverse": 1}, (5, 33, 2), 20, (5 * 3 * 32 * 6, 5 * 2 * 32 * 6, (5, 64, 1))),
        # cut to another length; 20 numbers have 5 steps, as 32 have
        (["x", "n"], {}, (5, 64, 2), 20, (5 * 3 * 20 * 5, 5 * 2 * 20 * 5, (5, 20, 2))),
        # along another axis: an input since opset 20, an attribute before
        (["x", "", "one"], {}, (32, 7, 2), 20, (7 * 3 * 32 * 5, 7 * 2 * 32 * 5, (32, 7, 2))),
        (["x"], {"axis": 2}, (5, 64, 2), 17, (5 * 3 * 64 * 6, 5 * 2 * 64 * 6, (5, 64, 2))),
        (["x"], {}, (32, 7, 2), 17, (7 * 3 * 32 * 5, 7 * 2 * 32 * 5, (32, 7, 2))),
    ],
)
def test_a_transform_counts_by_its_length(tmp_path, batch, inputs, attributes, shape, opset, right):
    weights = {name: numbers(*value) for name, value in {"n": [20], "one": [1]}.items() if name in inputs}
    weights = {name: value.reshape(()) for name, value in weights.items()}
    found = counted(tmp_path, [node("DFT", inputs, **attributes)], weights, (batch, *shape), opset)
    assert work(found) == right
    assert (found.figure("params"), found.figure("macs")) == (0, 0)


@pytest.mark.parametrize(
    ("inputs", "attributes", "shape", "right"),
    [
        # (128 - 32) / 8 + 1 = 13 frames of 32 real numbers, each times a window
        (["x", "step", "window"], {}, (128, 1), (13 * 3 * 16 * 5, 13 * (2 * 16 * 5 + 32), (13, 17, 2))),
        (["x", "step", "window"], {"onesided": 0}, (128, 1), (13 * 3 * 16 * 5, 13 * (2 * 16 * 5 + 32), (13, 32, 2))),
        (["x", "step", "", "n"], {}, (128, 1), (13 * 3 * 16 * 5, 13 * 2 * 16 * 5, (13, 17, 2))),
        # complex numbers have two parts, and the window is for both
        (
            ["x", "step", "window"],
            {"onesided": 0},
            (128, 2),
            (13 * 3 * 32 * 5, 13 * (2 * 32 * 5 + 2 * 32), (13, 32, 2)),
        ),
    ],
)
def test_a_transform_of_frames(tmp_path, inputs, attributes, shape, right):
    numbers_of = {"step": numbers(8).reshape(()), "n": numbers(32).reshape(()), "window": [1.0] * 32}
    weights = {name: value for name, value in numbers_of.items() if name in inputs}
    found = counted(tmp_path, [node("STFT", inputs, **attributes)], weights, (1, *shape))
    assert work(found) == right
    assert found.figure("params") == 0


def test_the_report_states_the_convention_and_explain_its_terms(tmp_path):
    (layer,) = counted(tmp_path, [node("DFT", ["x"])], {}, (1, 5, 64, 2)).graph.layers
    assert layer.kind.rule == "5 N log2(N) operations (FFTW)"
    lines = {line.name: (line.formula, line.value) for line in explain_layer(layer, 1)}
    assert lines["additions"] == ("3*transforms*N*log2(N)", 3 * 5 * 64 * 6)


@pytest.mark.parametrize(
    ("nodes", "weights", "shape", "reason"),
    [
        ([node("DFT", ["x", "", "axis"])], {"axis": [2]}, (1, 8, 2), "transform of the real and imaginary part"),
        ([node("DFT", ["x"])], {}, (1, 8, 3), "3 numbers for a complex one"),
        ([node("STFT", ["x", "axis"])], {"axis": [2]}, (1, 8, 1), "neither a window nor the length of a frame"),
        ([node("STFT", ["x", "axis", "", "n"])], {"axis": [2], "n": [9]}, (1, 8, 1), "frames of 9 every 2 in 8"),
    ],
)
def test_what_is_no_transform_has_its_reason(tmp_path, nodes, weights, shape, reason):
    found = count(graph(save(tmp_path / "m.onnx", nodes, weights, {"x": shape}, opset=20), Overrides()))
    assert reason in found.uncounted[0].kind.reason


def test_windows_and_filters_that_numbers_give_are_not_learned(tmp_path):
    nodes = [
        node("HannWindow", ["n"], "w"),
        node("Mul", ["x", "w"], "m"),
        node("MelWeightMatrix", ["bands", "points", "rate", "low", "high"], "f"),
        node("MatMul", ["m", "f"]),
    ]
    weights = {"n": [17], "bands": [8], "points": [32], "rate": [8000], "low": [0.0], "high": [4000.0]}
    found = counted(tmp_path, nodes, weights, (1, 5, 17))
    assert (found.figure("params"), found.figure("macs")) == (0, 5 * 17 * 8)
