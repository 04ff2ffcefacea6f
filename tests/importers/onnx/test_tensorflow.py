"""What tf2onnx, and Keras through it, write: its names, its ways to spell layers out, its loops."""

import pytest
from helpers.onnx_models import figures, node, numbers, save
from onnx import TensorProto, helper, numpy_helper

from convcalc.analysis.count import count
from convcalc.importers.onnx.importer import load
from convcalc.language.overrides import Overrides
from convcalc.loader import graph


def kinds(path, **options):
    return [layer.kind.name for layer in graph(path, Overrides(**options)).layers]


def test_what_tensorflow_names_as_a_variable_is_learned_and_what_no_training_changes_is_not(tmp_path):
    nodes = [
        node("Mul", ["x", "net/normalization_1/truediv_recip:0"], "n", name="net/normalization_1/truediv"),
        node("Add", ["n", "const_fold_opt__3"], "a", name="net/rescaling_1/add"),
        node("Add", ["a", "net/position/add/y:0"], "p"),
        node("Mul", ["p", "net/bn_1/batchnorm/mul:0"], "s"),
        node("Add", ["s", "const_fold_opt__12"], "b"),
        node("MatMul", ["b", "net/dense/MatMul/ReadVariableOp:0"], "m"),
        node("Add", ["m", "net/dense/BiasAdd/ReadVariableOp:0"], "d"),
        node("Concat", ["d", "net/rnn/zeros:0"], "y", axis=1),
    ]
    weights = {
        "net/normalization_1/truediv_recip:0": (1, 6),
        "const_fold_opt__3": (1, 6),
        "net/position/add/y:0": (1, 6),
        "net/bn_1/batchnorm/mul:0": (1, 6),
        "const_fold_opt__12": (1, 6),
        "net/dense/MatMul/ReadVariableOp:0": (6, 1),
        "net/dense/BiasAdd/ReadVariableOp:0": (1,),
        "net/rnn/zeros:0": (1, 6),
    }
    path = save(tmp_path / "m.onnx", nodes, weights, (1, 6))
    assert figures(path) == (6 + 6 + 6 + 1, 6)


@pytest.mark.parametrize(("size", "wanted"), [(50, 20), (1000, 400), (5, 2), (7, 2), (1, 0)])
def test_a_factor_that_is_stored_rounded_gives_the_size_it_is_for(tmp_path, size, wanted):
    nodes = [node("Resize", ["x", "", "scales"])]
    path = save(tmp_path / "m.onnx", nodes, {"scales": numbers(1, 1, 0.4, 0.4, kind="float32")}, (1, 3, size, size))
    (layer,) = graph(path).layers
    assert layer.output == (3, wanted, wanted) if wanted else layer.kind.name == "opaque"


def test_pads_below_zero_make_the_output_of_a_transposed_convolution_larger(tmp_path):
    nodes = [node("ConvTranspose", ["x", "w"], "c", strides=[3, 3], pads=[0, 0, -1, -1]), node("Add", ["c", "b"])]
    path = save(tmp_path / "m.onnx", nodes, {"w": (3, 5, 2, 2), "b": (1, 5, 1, 1)}, (1, 3, 8, 8))
    (layer,) = graph(path).layers
    assert layer.output == (5, 24, 24)
    assert figures(path) == (60 + 5, 60 * 64)


def test_names_are_those_of_the_layers_and_a_norm_that_was_folded_is_told(tmp_path):
    nodes = [
        node("Transpose", ["x"], "t__1:0", perm=[0, 3, 1, 2]),
        helper.make_node("Conv", ["t__1:0", "net_1.00/c_1/convolution/merged_input:0", "b"], ["c"], name="Conv__7"),
        helper.make_node("Relu", ["c"], ["r"], name="net_1.00/relu_1/Relu6"),
        helper.make_node("Mul", ["r", "net_1.00/bn_1/batchnorm/mul:0"], ["m"], name="net_1.00/bn_1/batchnorm/mul_1"),
        helper.make_node("Add", ["m", "const_fold_opt__3"], ["y"], name="net_1.00/bn_1/batchnorm/add_1"),
    ]
    weights = {"net_1.00/c_1/convolution/merged_input:0": (8, 3, 1, 1), "b": (8,)}
    weights |= {"net_1.00/bn_1/batchnorm/mul:0": (1, 8, 1, 1), "const_fold_opt__3": (1, 8, 1, 1)}
    found = load(save(tmp_path / "m.onnx", nodes, weights, (1, 5, 5, 3)))
    assert [layer.path for layer in found.layers] == ["permute1", "net_1.00/c_1", "net_1.00/relu_1", "net_1.00/bn_1"]
    assert "batch norm was folded" in found.provenance.note
    assert count(found).figure("params") == 24 + 8 + 16


def body(nodes, inputs, outputs, **weights):
    """A graph inside a node; weights are numbers."""
    of = {"number": TensorProto.INT64, "going": TensorProto.BOOL, "more": TensorProto.BOOL, "next": TensorProto.INT64}
    described = [
        [helper.make_tensor_value_info(name, of.get(name, TensorProto.FLOAT), None) for name in names]
        for names in (inputs, outputs)
    ]
    return helper.make_graph(
        nodes, "body", *described, [numpy_helper.from_array(value, name) for name, value in weights.items()]
    )


CELL = [
    node("Add", ["number", "one"], "next"),
    node("Less", ["next", "length"], "more"),
    node("Gather", ["turned", "number"], "now", axis=0),
    node("MatMul", ["now", "w"], "a"),
    node("Add", ["a", "first_bias"], "b"),
    node("MatMul", ["state", "u"], "c"),
    node("Add", ["b", "c"], "d"),
    node("Squeeze", ["first", "axis"], "first_bias"),
    node("Tanh", ["d"], "later"),
    node("Identity", ["later"], "row"),
]


def recurrent_loop(path, cell, shape=("N", 7, 3), steps=(), **more):
    """Seven steps of a plain recurrent layer as a loop, whose biases are cut out of one tensor."""
    inner = body(cell, ["number", "going", "state"], ["more", "later", "row"], one=numbers(1)[0], **more)
    nodes = [
        node("Transpose", ["x"], "turned", perm=[1, 0, 2]),
        node("Shape", ["x"], "s"),
        node("Gather", ["s", "none"], "count"),
        node("Concat", ["count", "wide"], "state_shape", axis=0),
        node("Expand", ["zero", "state_shape"], "zeros"),
        helper.make_node("Split", ["biases"], ["first", "second"], axis=0),
        helper.make_node("Loop", [*steps, "true", "zeros"], ["last", "rows"], body=inner),
        node("Gather", ["rows", "end"], "y"),
    ]
    weights = {"w": (3, 5), "u": (5, 5), "biases": (2, 5), "none": numbers(0), "end": numbers(-1)[0]}
    weights |= {"zero": numbers(0, kind="float32")[0], "wide": numbers(5), "true": numbers(True, kind="bool")[0]}
    weights |= {"length": numbers(7)[0], "axis": numbers(0)}
    return save(path, nodes, weights, shape, 13)


def test_a_loop_counts_its_weights_once_and_its_work_at_every_step(tmp_path):
    path = recurrent_loop(tmp_path / "m.onnx", CELL, steps=[""])
    found = count(graph(path))
    assert not found.uncounted
    assert figures(path) == (15 + 25 + 5, 7 * (15 + 25))


def test_a_loop_whose_end_is_not_known_stays_as_it_is_with_what_it_stores(tmp_path):
    cell = [node("ReduceSum", ["state"], "sum"), node("Greater", ["sum", "zero"], "more"), *CELL[2:]]
    cell[2:3] = [node("ReduceMean", ["turned"], "now", axes=[0], keepdims=0)]
    cell[2].ClearField("attribute")
    found = count(graph(recurrent_loop(tmp_path / "m.onnx", cell, steps=[""])))
    assert [layer.kind.operator for layer in found.uncounted if not layer.kind.unknown_input] == ["Loop"]
    assert found.figure("params") == 15 + 25 + 5  # of the biases only one row is read


def test_a_scan(tmp_path):
    inner = body(
        [node("MatMul", ["now", "w"], "a"), node("Add", ["a", "state"], "later"), node("Relu", ["later"], "row")],
        ["state", "now"],
        ["later", "row"],
    )
    nodes = [
        helper.make_node(
            "Scan",
            ["net/zeros:0", "x"],
            ["last", "y"],
            body=inner,
            num_scan_inputs=1,
            scan_input_axes=[1],
            scan_output_axes=[1],
        )
    ]
    weights = {"w": (3, 5), "net/zeros:0": numbers(*[0] * 5, kind="float32").reshape(1, 5)}
    path = save(tmp_path / "m.onnx", nodes, weights, (1, 7, 3))
    assert graph(path).layers[-1].output == (7, 5)
    assert figures(path) == (15, 7 * 15)


def test_parts_of_a_tensor_are_not_each_other(tmp_path):
    nodes = [
        helper.make_node("Split", ["w"], ["a", "b"], axis=0),
        node("Conv", ["x", "a"], "p"),
        node("Conv", ["x", "b"], "q"),
        node("Conv", ["x", "a"], "r"),
        node("Add", ["p", "q"], "s"),
        node("Add", ["s", "r"]),
    ]
    path = save(tmp_path / "m.onnx", nodes, {"w": (8, 3, 1, 1)}, opset=13)
    assert figures(path) == (24, 3 * 12 * 256)


def test_a_layer_that_is_written_before_the_one_whose_weights_it_shares(tmp_path):
    """The later layer stands in the first branch: the earlier must not be written inside the join."""
    nodes = [
        node("Relu", ["x"], "r"),
        node("Conv", ["r", "w"], "a"),
        node("Relu", ["r"], "b"),
        node("Conv", ["b", "w"], "c"),
        node("Concat", ["c", "a"], "y", axis=1),
    ]
    assert figures(save(tmp_path / "m.onnx", nodes, {"w": (4, 3, 1, 1)})) == (12, 2 * 12 * 256)


def test_a_transpose_of_the_batch_that_is_written_as_a_reshape(tmp_path):
    nodes = [
        node("Reshape", ["x", "turned"], "t"),
        node("Gather", ["t", "second"], "s"),
        helper.make_node("Gemm", ["s", "w", "h"], ["y"]),
        node("MatMul", ["net/zeros:0", "u"], "h"),
    ]
    weights = {"turned": numbers(7, 1, 3), "second": numbers(1)[0], "w": (3, 5), "u": (5, 5)}
    weights["net/zeros:0"] = numbers(*[0] * 5, kind="float32").reshape(1, 5)
    path = save(tmp_path / "m.onnx", nodes, weights, (1, 7, 3))
    assert figures(path) == (15 + 25, 15 + 25)


def test_gelu_by_the_complement_of_the_error_function(tmp_path):
    nodes = [
        node("Mul", ["x", "half"], "h"),
        node("Neg", ["x"], "n"),
        node("Mul", ["n", "root"], "r"),
        node("Erfc", ["r"], "e"),
        node("Mul", ["h", "e"]),
    ]
    weights = {name: numbers(value, kind="float32")[0] for name, value in (("half", 0.5), ("root", 0.70710678))}
    assert kinds(save(tmp_path / "m.onnx", nodes, weights), strict=True) == ["gelu"]


def test_a_mask_is_not_learned_even_where_its_name_does_not_tell(tmp_path):
    mask = numbers(0, 1, 1, 0, 0, 1, 0, 0, 0, kind="float32").reshape(3, 3)
    weights = {"const_fold_opt__1": mask, "const_fold_opt__2": numbers(0, 1, 2, kind="float32")}
    nodes = [node("Add", ["x", "const_fold_opt__1"], "a"), node("Add", ["a", "const_fold_opt__2"])]
    assert figures(save(tmp_path / "m.onnx", nodes, weights, (1, 3, 3)))[0] == 3


def test_a_dilated_convolution_as_tensorflow_cuts_it_into_images(tmp_path):
    """Channels stand where the batch does while the grid is cut, and the batch where the channels do."""
    nodes = [
        node("Transpose", ["x"], "t", perm=[1, 0, 2, 3]),
        node("SpaceToDepth", ["t"], "s", blocksize=2),
        node("Transpose", ["s"], "u", perm=[1, 0, 2, 3]),
        node("Conv", ["u", "w"], "c"),
        node("Transpose", ["c"], "v", perm=[1, 0, 2, 3]),
        node("DepthToSpace", ["v"], "d", blocksize=2),
        node("Transpose", ["d"], perm=[1, 0, 2, 3]),
    ]
    path = save(tmp_path / "m.onnx", nodes, {"w": (8, 3, 3, 3)}, (1, 3, 16, 16), 13)
    assert graph(path).layers[-1].output == (8, 12, 12)
    assert figures(path) == (216, 216 * 144)


def test_resizing_that_tf2onnx_leaves_as_it_is(tmp_path):
    nodes = [node("ResizeBilinear", ["x", "size"])]
    path = save(tmp_path / "m.onnx", nodes, {"size": numbers(20, 30)}, (1, 10, 10, 3), 9)
    assert kinds(path, strict=True) == ["permute", "upsample", "permute"]
    assert graph(path).layers[-1].output == (20, 30, 3)


@pytest.mark.parametrize(
    ("mean", "shape", "scale"),
    [
        (node("GlobalAveragePool", ["x"], "mean"), (1, 10, 32), (1, 1, 32)),
        (node("ReduceMean", ["x"], "mean", axes=[1], keepdims=1), (1, 32, 5, 5), (1, 32, 1, 1)),
        (node("ReduceMean", ["x"], "mean", axes=[-1], keepdims=1), (1, 5, 5, 32), (32,)),
    ],
)
def test_a_norm_as_keras_spells_it(tmp_path, mean, shape, scale):
    again = helper.make_node(mean.op_type, ["q"], ["variance"])
    again.attribute.extend(mean.attribute)
    nodes = [
        mean,
        node("Neg", ["mean"], "minus"),
        node("Sub", ["x", "mean"], "c"),
        node("Mul", ["c", "c"], "q"),
        again,
        node("Add", ["variance", "tiny"], "v"),
        node("Sqrt", ["v"], "r"),
        node("Reciprocal", ["r"], "i"),
        node("Mul", ["i", "scale"], "f"),
        node("Mul", ["x", "f"], "m"),
        node("Mul", ["minus", "f"], "n"),
        node("Add", ["n", "shift"], "o"),
        node("Add", ["m", "o"]),
    ]
    weights = {"scale": scale, "shift": scale, "tiny": numbers(1e-3, kind="float32")[0]}
    path = save(tmp_path / "m.onnx", nodes, weights, shape, 13)
    assert kinds(path, strict=True) == ["layer_norm"]
    assert figures(path) == (64, 0)
