"""The inputs of a file: which axis is the batch, and what --input may say."""

import pytest
from onnx import helper, numpy_helper

from convcalc.analysis.count import count
from convcalc.errors import SpecError
from convcalc.importers.onnx.importer import load
from tests.importers.onnx.test_operators import node

CHANNELS_LAST = [node("Transpose", ["x"], "t", perm=[0, 3, 1, 2]), node("Conv", ["t", "w"], pads=[1] * 4)]
LSTM = [helper.make_node("LSTM", ["x", "w", "r"], ["y"], hidden_size=8)]
LSTM_WEIGHTS = {"w": (1, 32, 6), "r": (1, 32, 8)}


def file(tmp_path, nodes, weights, **inputs):
    import numpy as np

    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info(name, 1, list(shape)) for name, shape in inputs.items()],
        [helper.make_tensor_value_info("y", 1, None)],
        [numpy_helper.from_array(np.ones(shape, "float32"), name) for name, shape in weights.items()],
    )
    path = tmp_path / "m.onnx"
    path.write_bytes(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]).SerializeToString())
    return str(path)


def figures(graph):
    counted = count(graph)
    return counted.figure("params"), counted.figure("macs")


@pytest.mark.parametrize("shape", [("N", "H", "W", 3), (1, 224, 224, 3)])
@pytest.mark.parametrize("given", ["160", "160x160x3", "1x160x160x3", "Nx160x160x3"])
def test_one_number_sets_height_and_width_where_channels_are_last(tmp_path, shape, given):
    path = file(tmp_path, CHANNELS_LAST, {"w": (8, 3, 3, 3)}, x=shape)
    assert figures(load(path, [given])) == (216, 216 * 160 * 160)


def test_an_axis_named_as_a_batch_is_the_batch(tmp_path):
    path = file(tmp_path, LSTM, LSTM_WEIGHTS, x=(7, "batch", 6))
    assert figures(load(path)) == (448, 7 * 448)
    assert load(path).inputs == {"x": (7, 6)}


def test_what_a_hint_says_is_accepted(tmp_path):
    path = file(tmp_path, LSTM, LSTM_WEIGHTS, x=("steps", "N", 6))
    with pytest.raises(SpecError) as error:
        load(path)
    given = error.value.problems[0].hint.rpartition(" ")[2]
    assert figures(load(path, [given])) == (448, 128 * 448)


@pytest.mark.parametrize("batch", [1, 2, 3, 4])
def test_steps_before_the_batch_are_found_whatever_the_batch_is(tmp_path, batch):
    graph = load(file(tmp_path, LSTM, LSTM_WEIGHTS, x=(7, batch, 6)))
    assert figures(graph) == (448, 7 * 448)
    assert f"axis 1 of the input, of size {batch}, was taken as the batch" in graph.provenance.note


def test_three_rows_are_a_batch_like_two(tmp_path):
    nodes = [node("MatMul", ["x", "w"])]
    for batch in (1, 2, 3, 4):
        assert figures(load(file(tmp_path, nodes, {"w": (8, 5)}, x=(batch, 10, 8)))) == (40, 400)


def test_which_axis_was_taken_as_the_batch_is_said(tmp_path):
    conv = [node("Conv", ["x", "w"])]
    assert (
        "axis 0 of the input, of size 4"
        in load(file(tmp_path, conv, {"w": (2, 3, 1, 1)}, x=(4, 3, 8, 8))).provenance.note
    )
    for shape in [(1, 3, 8, 8), ("N", 3, 8, 8)]:
        assert load(file(tmp_path, conv, {"w": (2, 3, 1, 1)}, x=shape)).provenance.note == ""


def test_steps_and_batch_merged_and_parted_again_keep_the_batch(tmp_path):
    """10 steps of a batch of 2, as 20 rows through a product: 10 also divides by 2."""
    nodes = [
        node("Transpose", ["x"], "t", perm=[1, 0, 2]),
        node("Reshape", ["t", "rows"], "r"),
        node("MatMul", ["r", "w"], "m"),
        node("Reshape", ["m", "steps"], "s"),
        node("ReduceMean", ["s"], axes=[0], keepdims=0),
    ]
    path = tmp_path / "m.onnx"
    import numpy as np

    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", 1, [2, 10, 8])],
        [helper.make_tensor_value_info("y", 1, None)],
        [
            numpy_helper.from_array(np.ones((8, 8), "float32"), "w"),
            numpy_helper.from_array(np.array([20, 8]), "rows"),
            numpy_helper.from_array(np.array([10, 2, 8]), "steps"),
        ],
    )
    path.write_bytes(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]).SerializeToString())
    found = load(str(path))
    assert figures(found) == (64, 640)
    assert [layer.output for layer in found.outputs] == [(8,)]


@pytest.mark.parametrize("inputs", [["w", "onnx::Conv_7"], ["onnx::Conv_7"], ["c/merged_input", ""]])
def test_weights_that_were_computed_are_no_folded_batch_norm(tmp_path, inputs):
    weights = {name: (4, 3, 3, 3) if at == 0 else (4,) for at, name in enumerate(inputs) if name}
    path = file(tmp_path, [node("Conv", ["x", *inputs])], weights, x=(1, 3, 8, 8))
    assert "batch norm" not in load(path).provenance.note


def test_weights_and_bias_that_were_computed_are_one(tmp_path):
    weights = {"onnx::Conv_7": (4, 3, 3, 3), "onnx::Conv_8": (4,)}
    path = file(tmp_path, [node("Conv", ["x", *weights])], weights, x=(1, 3, 8, 8))
    assert "batch norm was folded" in load(path).provenance.note
