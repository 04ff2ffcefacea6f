"""Models of torchvision as both of PyTorch's exporters wrote them (tests/data/onnx/make.py says how).

MACs are torchvision's own, to the unit. Learned values are those that the file stores, counted here from the file;
against torchvision's they differ by what the exporter folded: batch norm's scale and shift into a bias.
"""

from math import prod

import onnx
import pytest
from helpers.onnx_models import figures, node, numbers, save
from helpers.paths import DATA
from onnx import TensorProto, helper

from convcalc.analysis.count import count
from convcalc.cli import FINE, run
from convcalc.errors import SpecError
from convcalc.exporters.yaml.writer import write_spec
from convcalc.language.overrides import Overrides
from convcalc.loader import graph

MODELS = DATA / "onnx"
# MACs and learned values of torchvision 0.29 (eval mode, no auxiliary heads), and the lines that a spec may take
KNOWN = {
    "alexnet": (714_188_480, 61_100_840, 30),
    "convnext_tiny": (4_455_531_264, 28_589_128, 50),
    "densenet121": (2_834_161_664, 7_978_856, 45),
    "efficientnet_b0": (385_814_752, 5_288_548, 110),
    "googlenet": (1_498_376_192, 6_624_904, 50),
    "inception_v3": (5_713_216_096, 23_834_568, 110),
    "mnasnet1_0": (314_415_872, 4_383_312, 110),
    "mobilenet_v2": (300_774_272, 3_504_872, 50),
    "mobilenet_v3_large": (216_589_760, 5_483_032, 110),
    "mobilenet_v3_small": (56_510_400, 2_542_856, 90),
    "regnet_y_400mf": (401_842_848, 4_344_144, 60),
    "resnet18": (1_814_073_344, 11_689_512, 50),
    "resnet34": (3_663_761_408, 21_797_672, 60),
    "resnet50": (4_089_184_256, 25_557_032, 50),
    "shufflenet_v2_x1_0": (144_907_992, 2_278_604, 60),
    "squeezenet1_1": (349_151_936, 1_235_496, 40),
    "swin_t": (4_490_566_656, 28_288_354, 140),
    "vit_b_16": (17_563_828_224, 86_567_656, 60),
    # no reference but the formula: 16 tokens through two bidirectional LSTM layers and a linear layer, ...
    "deeplabv3_resnet50": (31_310_548_992, 39_633_729, 60),
    "tagger": (16 * (2 * 4 * 128 * (64 + 128) + 2 * 4 * 128 * (256 + 128)) + 256 * 10, 660_490 + 1 * 0, 20),
    # ... and through three transformer layers (projections, two products, two linear layers) and the output layer
    "language": (3 * (16 * 4 * 64 * 64 + 2 * 16 * 16 * 64 + 16 * 2 * 64 * 256) + 16 * 64 * 1000, 213_952, 60),
}
FILES = sorted(MODELS.glob("*.onnx"))


def read(path):
    _, how, _ = path.name.split(".")
    return graph(str(path), Overrides(inputs=("3x224x224",) if how == "free" else (), strict=True))


def stored_in(path):
    """Learned values in the file: floats that nodes read, running statistics left out; copies that Identity makes of
    a tensor, equal when the file was written, each count."""
    network = onnx.load(str(path)).graph
    floats = {
        t.name: prod(t.dims) for t in network.initializer if t.data_type == TensorProto.FLOAT and prod(t.dims) > 1
    }
    statistics = {name for node in network.node if node.op_type == "BatchNormalization" for name in node.input[3:]}
    made = {node.output[0]: node.input[0] for node in network.node if node.op_type == "Identity"}
    masks = ("ScatterND", "Identity")  # pieces of an attention mask; copies
    read = {name for node in network.node if node.op_type not in masks for name in node.input} - statistics
    return sum(size for name in read if (size := floats.get(made.get(name, name), 0)) > 1)


def test_both_exporters_are_here():
    kinds = [path.name.split(".")[1] for path in FILES]
    assert {how: kinds.count(how) for how in set(kinds)} == {"traced": 13, "free": 2, "training": 2, "dynamo": 6}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_model(path):
    macs, params, most_lines = KNOWN[path.name.partition(".")[0]]
    network = read(path)
    counted = count(network)
    assert counted.figure("macs") == macs
    assert not counted.uncounted
    if "training" in path.name:  # nothing folded: what torchvision has
        assert counted.figure("params") == params
    assert counted.figure("params") == pytest.approx(params, rel=0.02)
    assert counted.figure("params") == stored_in(path)
    text = write_spec(network)  # proves itself against the network's figures
    assert text.count("\n") <= most_lines


def test_input_sizes_are_bound_on_the_command_line():
    path = str(MODELS / "resnet18.free.onnx")
    with pytest.raises(SpecError) as error:
        graph(path)
    assert "the input 'x' has free sizes: N x 3 x H x W" in str(error.value)
    assert "--input 3x224x224" in str(error.value)
    macs = [
        count(graph(path, Overrides(inputs=(text,)))).figure("macs") for text in ("3x160x160", "160", "x=1x3x160x160")
    ]
    assert macs == [925_798_400] * 3


def test_names_are_those_of_the_modules():
    paths = {layer.path for name in ("traced", "dynamo") for layer in read(MODELS / f"resnet50.{name}.onnx").layers}
    assert {"conv1", "layer1/0/conv1", "layer1/0/downsample/0", "fc", "maxpool"} <= paths


def test_a_tied_output_layer_counts_its_weights_once():
    network = read(MODELS / "language.dynamo.onnx")
    (head,) = [layer for layer in network.layers if layer.shares is not None]
    assert network.all[head.shares].kind.name == "embedding"
    assert head.kind.name == "linear"


def test_weights_shared_by_two_nodes_count_once(tmp_path):
    nodes = [
        node("Conv", ["x", "w", "b"], "a", pads=[1] * 4),
        node("Relu", ["a"], "r"),
        node("Conv", ["r", "w", "b"], pads=[1] * 4),
    ]
    path = save(tmp_path / "m.onnx", nodes, {"w": (3, 3, 3, 3), "b": (3,)})
    assert figures(path) == (84, 2 * 81 * 256)


def test_an_operator_without_a_rule_keeps_its_place(tmp_path):
    nodes = [
        node("Conv", ["x", "w"], "a"),
        node("Magic", ["a", "m"], "b", domain="my.own", name="the/magic"),
        node("Conv", ["b", "v"], "c"),
        node("Relu", ["c"]),
    ]
    path = save(tmp_path / "m.onnx", nodes, {"w": (8, 3, 3, 3), "m": (5, 7), "v": (4, 8, 1, 1)})
    counted = count(graph(path))
    assert [layer.kind.name for layer in counted.graph.layers] == ["conv", "opaque", "opaque", "opaque"]
    assert counted.figure("params") == 8 * 27 + 35 + 32  # learned values are known even there
    assert [layer.path for layer in counted.uncounted if not layer.kind.unknown_input] == ["the/Magic1"]
    with pytest.raises(SpecError, match=r"1 operator has no rule: my\.own:Magic \(the/Magic1\)"):
        graph(path, Overrides(strict=True))


def test_keras_habits(tmp_path):
    """Channels last outside, asymmetric padding, a depthwise kernel reshaped in the graph, a bias of its own."""
    nodes = [
        node("Transpose", ["x"], "t", perm=[0, 3, 1, 2]),
        node("Conv", ["t", "w", "b"], "c", auto_pad="SAME_UPPER", strides=[2, 2]),
        node("Clip", ["c", "zero", "six"], "r"),
        node("Reshape", ["d", "shape"], "dw"),
        node("Conv", ["r", "dw"], "e", group=8, pads=[0, 0, 1, 1], strides=[2, 2]),
        node("Transpose", ["e"], "u", perm=[0, 2, 3, 1]),
        node("ReduceMean", ["u"], "g", axes=[1, 2], keepdims=0),
        node("MatMul", ["g", "k"], "m"),
        node("Add", ["m", "o"]),
    ]
    weights = {"w": (8, 3, 3, 3), "b": (8,), "d": (3, 3, 8, 1), "k": (8, 5), "o": (5,), "shape": numbers(8, 1, 3, 3)}
    weights |= {"zero": numbers(0, kind="float32").reshape(()), "six": numbers(6, kind="float32").reshape(())}
    path = save(tmp_path / "m.onnx", nodes, weights, ("N", 17, 17, 3), 13)
    kinds = [layer.kind.name for layer in graph(path).layers]
    assert kinds == ["permute", "conv", "relu6", "conv", "permute", "reduce", "linear"]
    assert figures(path) == (216 + 8 + 72 + 40 + 5, 216 * 81 + 72 * 16 + 40)


def test_a_batch_stored_in_the_model_is_left_out(tmp_path):
    nodes = [node("Conv", ["x", "w"], "a"), node("Reshape", ["a", "s"], "r"), node("Gemm", ["r", "k"])]
    path = save(tmp_path / "m.onnx", nodes, {"w": (8, 3, 3, 3), "s": numbers(4, -1), "k": (1568, 10)}, (4, 3, 16, 16))
    assert figures(path) == (216 + 15_680, 216 * 196 + 15_680)


@pytest.mark.parametrize("opset", [7, 9, 11, 13, 17, 21, 23])
def test_opsets(tmp_path, opset):
    """What changed its form on the way: Upsample, Squeeze, Dropout, Clip, ReduceMean with axes as input."""
    as_input = opset >= 13
    nodes = [
        node("Conv", ["x", "w", "b"], "a", pads=[1] * 4),
        node("Clip", ["a"], "c", min=0.0, max=6.0) if opset < 11 else node("Clip", ["a", "zero", "six"], "c"),
        node("Upsample", ["c"], "u", scales=[1.0, 1.0, 2.0, 2.0])
        if opset < 9
        else node("Upsample", ["c", "scales"], "u")
        if opset < 11
        else node("Resize", ["c", "", "scales"], "u"),
        node("Dropout", ["u"], "d"),
        node("ReduceMean", ["d", "axes"], "m") if opset >= 18 else node("ReduceMean", ["d"], "m", axes=[2, 3]),
        node("Squeeze", ["m", "axes"], "s") if as_input else node("Squeeze", ["m"], "s", axes=[2, 3]),
        node("Gemm", ["s", "k", "o"]),
    ]
    weights = {"w": (8, 3, 3, 3), "b": (8,), "k": (8, 5), "o": (5,), "axes": numbers(2, 3)}
    weights |= {"zero": numbers(0, kind="float32").reshape(()), "six": numbers(6, kind="float32").reshape(())}
    weights["scales"] = numbers(1, 1, 2, 2, kind="float32")
    path = save(tmp_path / "m.onnx", nodes, weights, opset=opset)
    kinds = [layer.kind.name for layer in graph(path).layers]
    assert kinds == ["conv", "relu6", "upsample", "global_avg_pool", "flatten", "linear"]
    assert figures(path) == (216 + 8 + 40 + 5, 216 * 256 + 40)


PATTERNS = {
    "silu": [node("Sigmoid", ["x"], "s"), node("Mul", ["x", "s"])],
    "hard_swish": [node("HardSigmoid", ["x"], "s"), node("Mul", ["s", "x"])],
    "hard_swish ": [
        node("Add", ["x", "three"], "a"),
        node("Clip", ["a", "zero", "six"], "c"),
        node("Mul", ["x", "c"], "m"),
        node("Div", ["m", "six"]),
    ],
    "hard_sigmoid": [
        node("Add", ["x", "three"], "a"),
        node("Clip", ["a", "zero", "six"], "c"),
        node("Div", ["c", "six"]),
    ],
    "mish": [node("Softplus", ["x"], "p"), node("Tanh", ["p"], "t"), node("Mul", ["x", "t"])],
    "gelu": [
        node("Div", ["x", "root"], "d"),
        node("Erf", ["d"], "e"),
        node("Add", ["e", "one"], "a"),
        node("Mul", ["x", "a"], "m"),
        node("Mul", ["m", "half"]),
    ],
    "layer_norm": [
        node("ReduceMean", ["x"], "mean", axes=[-1]),
        node("Sub", ["x", "mean"], "c"),
        node("Pow", ["c", "two"], "q"),
        node("ReduceMean", ["q"], "variance", axes=[-1]),
        node("Add", ["variance", "tiny"], "v"),
        node("Sqrt", ["v"], "r"),
        node("Div", ["c", "r"], "n"),
        node("Mul", ["n", "scale"], "k"),
        node("Add", ["k", "shift"]),
    ],
    "channel_shuffle": [
        node("Reshape", ["x", "apart"], "a"),
        node("Transpose", ["a"], "t", perm=[0, 2, 1, 3, 4]),
        node("Reshape", ["t", "together"]),
    ],
}


@pytest.mark.parametrize("kind", PATTERNS)
def test_several_nodes_that_are_one_layer(tmp_path, kind):
    values = {"three": 3, "zero": 0, "six": 6, "one": 1, "two": 2, "half": 0.5, "root": 1.4142135, "tiny": 1e-5}
    weights = {name: numbers(value, kind="float32").reshape(()) for name, value in values.items()}
    weights |= {"scale": (16,), "shift": (16,), "apart": numbers(1, 2, 4, 16, 16), "together": numbers(1, 8, 16, 16)}
    path = save(tmp_path / "m.onnx", PATTERNS[kind], weights, (1, 8, 16, 16), 13)
    assert [layer.kind.name for layer in graph(path).layers] == [kind.strip()]


def test_a_pattern_that_others_read_into_stays_apart(tmp_path):
    nodes = [node("Sigmoid", ["x"], "s"), node("Mul", ["x", "s"], "m"), node("Add", ["m", "s"])]
    path = save(tmp_path / "m.onnx", nodes, {})
    assert [layer.kind.name for layer in graph(path).layers] == ["sigmoid", "multiply", "add"]


def test_einsum(tmp_path):
    nodes = [
        node("Einsum", ["x", "w"], "q", equation="bld,hde->bhle"),
        node("Einsum", ["q", "q"], "s", equation="bhle,bhme->bhlm"),
        node("Softmax", ["s"], "p", axis=-1),
        node("Einsum", ["p", "q"], "o", equation="bhlm,bhme->blhe"),
        node("Einsum", ["o", "v"], equation="blhe,hed->bld"),
    ]
    path = save(tmp_path / "m.onnx", nodes, {"w": (4, 32, 8), "v": (4, 8, 32)}, ("B", 10, 32))
    assert figures(path) == (2048, 2 * 10 * 1024 + 2 * 4 * 10 * 10 * 8)


def test_a_branch_on_a_known_condition_is_taken(tmp_path):
    def body(name, operator):
        return helper.make_graph(
            [helper.make_node(operator, ["x"], [name])], name, [], [helper.make_tensor_value_info(name, 1, None)]
        )

    nodes = [
        node("Shape", ["x"], "s"),
        node("Gather", ["s", "at"], "n"),
        node("Equal", ["n", "want"], "c"),
        node("If", ["c"], then_branch=body("a", "Relu"), else_branch=body("b", "Tanh")),
    ]
    path = save(tmp_path / "m.onnx", nodes, {"at": numbers(2).reshape(()), "want": numbers(16).reshape(())})
    assert [layer.kind.name for layer in graph(path).layers] == ["relu"]


def test_functions_of_the_model_are_put_in_place(tmp_path):
    path = tmp_path / "m.onnx"
    save(path, [node("Block", ["x", "w"], domain="local")], {"w": (3, 3, 3, 3)})
    network = onnx.load(str(path))
    inside = [node("Conv", ["a", "k"], "c", pads=[1] * 4), node("Relu", ["c"], "d")]
    network.functions.append(
        helper.make_function("local", "Block", ["a", "k"], ["d"], inside, [helper.make_opsetid("", 17)])
    )
    path.write_bytes(network.SerializeToString())
    assert [layer.kind.name for layer in graph(str(path), Overrides(strict=True)).layers] == ["conv", "relu"]


def test_recurrence_over_rows(tmp_path):
    """Every row of an image as a sequence of its own: the rows lie in the batch axis."""
    nodes = [
        node("Transpose", ["x"], "t", perm=[0, 2, 3, 1]),
        node("Reshape", ["t", "rows"], "r"),
        node("Transpose", ["r"], "s", perm=[1, 0, 2]),
        node("LSTM", ["s", "w", "u", "b"], "y", hidden_size=5),
    ]
    weights = {"w": (1, 20, 3), "u": (1, 20, 5), "b": (1, 40), "rows": numbers(16, 16, 3)}
    assert figures(save(tmp_path / "m.onnx", nodes, weights)) == (60 + 100 + 40, (60 + 100) * 16 * 16)


@pytest.mark.parametrize("command", ["params", "compare", "sweep", "suggest", "space"])
def test_commands_take_a_model_where_they_take_a_spec(command, capsys):
    path = str(MODELS / "squeezenet1_1.traced.onnx")
    specs = {"compare": [path, path], "sweep": [path, "--set", "input=224,96"]}.get(command, [path])
    assert run([command, *specs]) == FINE
    assert "squeezenet1_1" in capsys.readouterr().out


def test_import_writes_a_file_that_counts_alike(tmp_path, capsys):
    model, spec = str(MODELS / "resnet18.free.onnx"), str(tmp_path / "net.yaml")
    assert run(["import", model, "--input", "96", "-o", spec]) == FINE
    assert count(graph(spec)).tallies == count(graph(model, Overrides(inputs=("96",)))).tallies


def test_what_is_behind_an_operator_whose_shape_is_known_counts(tmp_path):
    """Regions of interest: their sampling has no figure, the layers on them do."""
    nodes = [
        node("Conv", ["x", "w"], "c"),
        node("RoiAlign", ["c", "rois", "which"], "r", output_height=7, output_width=7),
        node("Reshape", ["r", "flat"], "f"),
        node("Gemm", ["f", "k"]),
    ]
    weights = {
        "w": (8, 3, 3, 3),
        "flat": numbers(5, -1),
        "k": (392, 4),
        "rois": (5, 4),
        "which": numbers(0, 0, 0, 0, 0),
    }
    counted = count(graph(save(tmp_path / "m.onnx", nodes, weights)))
    assert [layer.kind.operator for layer in counted.uncounted] == ["RoiAlign"]
    assert counted.figure("macs") == 216 * 196 + 5 * 392 * 4


def test_deformable_convolution(tmp_path):
    nodes = [
        node("Conv", ["x", "o"], "offset", pads=[1] * 4),
        node("DeformConv", ["x", "w", "offset", "b"], pads=[1] * 4),
    ]
    path = save(tmp_path / "m.onnx", nodes, {"o": (18, 3, 3, 3), "w": (8, 3, 3, 3), "b": (8,)}, opset=19)
    assert figures(path) == (18 * 27 + 216 + 8, (18 * 27 + 216) * 256)


def test_the_spec_of_a_model_that_is_not_understood_whole_says_so(tmp_path):
    path = save(tmp_path / "m.onnx", [node("Magic", ["x"], "a", domain="my.own"), node("Relu", ["a"])], {})
    text = write_spec(graph(path))
    assert "totals are lower bounds: 2 layers have no rule and are opaque" in text
    assert "expect:" not in text
