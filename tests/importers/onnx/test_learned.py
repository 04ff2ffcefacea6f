"""What PyTorch's newer exporter says of a model's tensors: which are learned, which it worked out and from what."""

import numpy
from helpers.onnx_models import build, figures, node

from convcalc.analysis.count import count
from convcalc.loader import graph

CALL = "%y : [num_users=1] = call_function[target=torch.ops.aten.{}](args = ({}), kwargs = {{}})"


def save(path, nodes, weights, parameters=(), buffers=(), made=None, calls=None, shape=(1, 3, 8, 8)):
    """A model made by hand with the metadata of an exported program."""
    model = build(nodes, weights, shape, 20, producer="pytorch")
    built = model.graph
    lines = [f"p_{name}: PARAMETER target='{name}'" for name in parameters]
    lines += [f"b_{name}: BUFFER target='{name}' persistent=True" for name in buffers]
    signed = "\n".join(["# inputs", *lines, "x: USER_INPUT"])
    built.metadata_props.add(key="pkg.torch.export.ExportedProgram.graph_signature", value=signed)
    for name, sources in (made or {}).items():
        stated = built.value_info.add(name=name)
        stated.metadata_props.add(key="pkg.onnxscript.optimizer.folded_from", value=str(list(sources)))
    for at, call in (calls or {}).items():
        built.node[at].metadata_props.add(key="pkg.torch.onnx.fx_node", value=call)
    path.write_bytes(model.SerializeToString())
    return str(path)


def test_buffers_are_not_learned_and_what_was_made_from_parameters_is(tmp_path):
    """A table of positions that is no parameter, one that is made from a parameter, one made from numbers alone."""
    nodes = [
        node("Add", ["x", "table"], "a"),
        node("Add", ["a", "index_2"], "b"),
        node("Add", ["b", "div_4"]),
    ]
    weights = dict.fromkeys(("table", "index_2", "div_4"), (3, 8, 8))
    made = {"index_2": ("bias.table", "index"), "div_4": ("arange", "val_3")}
    path = save(tmp_path / "m.onnx", nodes, weights, ("bias.table",), ("table", "index"), made)
    assert figures(path) == (3 * 8 * 8, 0)


def test_two_tensors_made_from_one_parameter_count_once(tmp_path):
    nodes = [node("Add", ["x", "permute"], "a"), node("Add", ["a", "slice"])]
    made = {"permute": ("table",), "slice": ("table", "val_1")}
    path = save(tmp_path / "m.onnx", nodes, {"permute": (3, 8, 8), "slice": (8, 8)}, ("table",), (), made)
    assert figures(path) == (3 * 8 * 8, 0)


def test_a_bias_of_zeros_that_the_exporter_left_out_is_there(tmp_path):
    nodes = [
        node("Conv", ["x", "c.weight"], "c"),
        node("Conv", ["c", "d.weight"], "d"),
        node("Conv", ["d", "e.weight"], "e"),
        node("MatMul", ["e", "val_4"]),
    ]
    weights = {"c.weight": (4, 3, 1, 1), "d.weight": (4, 4, 1, 1), "e.weight": (4, 4, 1, 1), "val_4": (8, 5)}
    names = ("c.weight", "c.bias", "d.weight", "n.weight", "n.bias", "e.weight", "f.weight", "f.bias")
    calls = {
        0: CALL.format("conv2d.default", "%x, %p_c_weight, %p_c_bias"),
        1: CALL.format("_native_batch_norm_legit_no_training.default", "%d, %p_n_weight, %p_n_bias, %b_n_running_mean"),
        2: CALL.format("conv2d.default", "%d, %p_e_weight"),
        3: CALL.format("linear.default", "%e, %p_f_weight, %p_f_bias"),
    }
    path = save(tmp_path / "m.onnx", nodes, weights, names, (), {"val_4": ("f.weight",)}, calls)
    assert figures(path) == (12 + 4 + 16 + 4 + 16 + 40 + 5, (12 + 16 + 16) * 64 + 40 * 4 * 8)


def test_zeros_worked_out_from_the_size_of_weights_are_no_bias(tmp_path):
    weights = {"c.weight": (4, 3, 1, 1), "val_5": numpy.zeros(4, "float32")}
    nodes = [node("Conv", ["x", "c.weight", "val_5"])]
    path = save(tmp_path / "m.onnx", nodes, weights, ("c.weight",), (), {"val_5": ("c.weight", "val_1")})
    assert figures(path) == (12, 12 * 64)


def test_tables_that_the_exporter_worked_out_are_told(tmp_path):
    made = {"index": ("table", "places"), "turned": ("w",)}
    nodes = [node("Add", ["x", "index"], "a"), node("MatMul", ["a", "turned"])]
    weights = {"index": (3, 8, 8), "turned": (8, 5)}
    network = graph(save(tmp_path / "m.onnx", nodes, weights, ("table", "w"), ("places",), made))
    assert network.provenance.note.startswith("192 params are values that the exporter computed and stored")
    assert count(network).figure("params") == 192 + 40
