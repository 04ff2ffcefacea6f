"""Files that no exporter wrote: each is refused in one clear line, soon, and nothing beside the file is opened."""

import random
import time
from itertools import pairwise

import pytest
from helpers.paths import DATA
from onnx import TensorProto, helper, load

from convcalc.errors import SpecError
from convcalc.exporters.yaml.writer import write_spec
from convcalc.importers.onnx.operators import RULES
from convcalc.importers.onnx.protobuf import Malformed, fields
from convcalc.language.overrides import Overrides
from convcalc.loader import graph

MODELS = DATA / "onnx"


def model(nodes, weights=(), shape=(1, 3, 8, 8)):
    """The bytes of a model whose input is x and whose output is y, unchecked."""
    graph = helper.make_graph(nodes, "g", [], [])
    graph.input.append(helper.make_tensor_value_info("x", TensorProto.FLOAT, list(shape)))
    graph.output.append(helper.make_tensor_value_info("y", TensorProto.FLOAT, None))
    for name, dims in weights:
        graph.initializer.add(name=name, dims=dims, data_type=TensorProto.FLOAT)
    return helper.make_model(graph)


def relu(source, target):
    return helper.make_node("Relu", [source], [target])


def refused(path, data):
    path.write_bytes(data)
    start = time.process_time()
    with pytest.raises(SpecError) as error:
        graph(str(path))
    assert time.process_time() - start < 5
    return str(error.value)


RESNET = (MODELS / "resnet50.traced.onnx").read_bytes()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "is empty"),
        (b"input: 3x8x8\nlayers: []\n", "is not an ONNX model but text"),
        (b"\x89PNG\r\n\x1a\n" + bytes(99), "but a PNG image"),
        (b"PK\x03\x04" + bytes(99), "but a zip archive (PyTorch, Keras)"),
        (b"\x80\x02}q\x00." + bytes(99), "but a Python pickle"),
        (b"version https://git-lfs.github.com/spec/v1\n", "the model itself was not fetched"),
        (bytes(1000), "is not an ONNX model, or truncated"),
        (b"\xff" * 1000, "is not an ONNX model, or truncated"),
        (RESNET[: len(RESNET) // 2], "bytes, 12,8"),
        (RESNET[:-1], "are left"),
        (b"\x08\x08\x3a\xff\xff\xff\xff\x07" + bytes(10), "a field claims 2,147,483,647 bytes, 10 are left"),
    ],
)
def test_what_is_no_model(tmp_path, data, message):
    assert message in refused(tmp_path / "m.onnx", data)


def test_a_folder_and_a_missing_file(tmp_path):
    for path in (tmp_path / "folder.onnx", tmp_path / "missing.onnx"):
        if path.name.startswith("folder"):
            path.mkdir()
        with pytest.raises(SpecError, match="no file"):
            graph(str(path))


def test_a_cycle(tmp_path):
    nodes = [relu("b", "a"), relu("a", "b"), helper.make_node("Add", ["x", "b"], ["y"])]
    assert "the graph has a cycle at node 'a'" in refused(tmp_path / "m.onnx", model(nodes).SerializeToString())


def test_a_node_that_reads_itself(tmp_path):
    assert "has a cycle at node 'y'" in refused(tmp_path / "m.onnx", model([relu("y", "y")]).SerializeToString())


def test_too_many_nodes(tmp_path):
    node = b"\x0a\x01x\x12\x01y\x22\x04Relu"
    nodes = (b"\x0a" + bytes([len(node)]) + node) * 260_000
    size, length = len(nodes), b""
    while size > 127:
        length, size = length + bytes([size & 127 | 128]), size >> 7
    data = b"\x08\x08\x3a" + length + bytes([size]) + nodes
    assert "more than 250,000 nodes" in refused(tmp_path / "m.onnx", data)


def test_a_tensor_too_large_to_be_one(tmp_path):
    nodes = [helper.make_node("Conv", ["x", "w"], ["y"])]
    data = model(nodes, [("w", (2**31, 2**31, 3, 3))]).SerializeToString()
    assert "the tensor 'w' claims 2147483648x2147483648x3x3 elements" in refused(tmp_path / "m.onnx", data)


def test_shapes_that_grow_without_end_are_not_followed(tmp_path):
    names = ["x", *(f"v{number}" for number in range(80)), "y"]
    nodes = [helper.make_node("Concat", [a, a], [b], axis=1) for a, b in pairwise(names)]
    (tmp_path / "m.onnx").write_bytes(model(nodes).SerializeToString())
    network = graph(str(tmp_path / "m.onnx"))
    assert any(not layer.kind.is_counted for layer in network.layers)


def test_an_input_out_of_range(tmp_path):
    data = model([relu("x", "y")], shape=(1, 2**40, 8, 8)).SerializeToString()
    assert "sizes out of range" in refused(tmp_path / "m.onnx", data)


def test_a_window_that_does_not_fit_names_its_node(tmp_path):
    nodes = [helper.make_node("Conv", ["x", "w"], ["y"], name="stem/conv")]
    text = refused(tmp_path / "m.onnx", model(nodes, [("w", (4, 3, 9, 9))]).SerializeToString())
    assert "node 'stem/conv' (Conv): kernel 9 does not fit the 8x8 input" in text


def test_weights_in_other_files_are_never_opened(tmp_path):
    network = model([helper.make_node("Conv", ["x", "w"], ["y"])], [("w", (4, 3, 3, 3))])
    tensor = network.graph.initializer[0]
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="../../../../etc/passwd")
    (tmp_path / "m.onnx").write_bytes(network.SerializeToString())
    assert graph(str(tmp_path / "m.onnx")).layers[0].output == (4, 6, 6)


def test_variables_of_a_model(tmp_path):
    with pytest.raises(SpecError, match="is a model and has no variables"):
        graph(str(MODELS / "alexnet.traced.onnx"), Overrides(sets=("width=2",)))


@pytest.mark.parametrize("name", ["tagger.traced.onnx", "resnet18.free.onnx", "language.dynamo.onnx"])
def test_bytes_changed_at_random(tmp_path, name):
    """Whatever stands in the file: a network, or a SpecError."""
    chance = random.Random(name)
    whole = (MODELS / name).read_bytes()
    path = tmp_path / "m.onnx"
    for _ in range(150):
        data = bytearray(whole)
        for _ in range(chance.choice((1, 1, 3, 30))):
            at = chance.randrange(len(data))
            data[at : at + chance.choice((0, 1, 1, 1, 9))] = bytes([chance.randrange(256)]) * chance.choice((1, 1, 2))
        path.write_bytes(data)
        try:
            write_spec(graph(str(path), Overrides(inputs=("3x64x64",) if "free" in name else ())))
        except SpecError as error:
            assert "could not be written" not in str(error)


@pytest.mark.parametrize("name", ["tagger.traced.onnx", "googlenet.traced.onnx", "language.dynamo.onnx"])
def test_models_changed_at_random(tmp_path, name):
    """Operators, edges, attributes and shapes swapped for others: a network, or a SpecError."""
    chance = random.Random(name)
    whole = load(str(MODELS / name))
    sizes = (0, 1, 2, 3, 7, -1, -2, 2**31, 2**62, -(2**63), 10**9)
    path = tmp_path / "m.onnx"
    for _ in range(60):
        changed = type(whole)()
        changed.CopyFrom(whole)
        nodes, tensors = changed.graph.node, changed.graph.initializer
        for _ in range(chance.choice((1, 2, 5))):
            node, tensor = chance.choice(nodes), chance.choice(tensors)
            if node.attribute and chance.random() < 0.5:
                attribute = chance.choice(node.attribute)
                attribute.i = chance.choice(sizes)
                attribute.ints[:] = [chance.choice(sizes) for _ in attribute.ints]
            if node.input and chance.random() < 0.4:
                node.input[chance.randrange(len(node.input))] = chance.choice(nodes).output[0]
            if chance.random() < 0.3:
                node.op_type = chance.choice(nodes).op_type
            if tensor.dims and chance.random() < 0.4:
                tensor.dims[chance.randrange(len(tensor.dims))] = chance.choice(sizes)
        path.write_bytes(changed.SerializeToString())
        try:
            write_spec(graph(str(path)))
        except SpecError as error:
            assert "could not be written" not in str(error)


def test_the_encoding_ends_where_it_says():
    with pytest.raises(Malformed, match="wire type 3 has no meaning"):
        list(fields(b"\x0b", (0, 1)))
    with pytest.raises(Malformed, match="a number does not end"):
        list(fields(b"\x08\xff\xff", (0, 3)))


def constants(network, **tensors):
    for name, (dims, element, values) in tensors.items():
        network.graph.initializer.append(helper.make_tensor(name, element, dims, values))
    return network


def test_arithmetic_on_constants_that_does_not_end(tmp_path):
    chain = [helper.make_node("Transpose", [f"c{number}"], [f"c{number + 1}"]) for number in range(1000)]
    nodes = [*chain, helper.make_node("Reshape", ["x", "c1000"], ["y"])]
    network = constants(model(nodes), c0=((64, 64), TensorProto.INT64, range(4096)))
    assert "computes with more than 5,000,000 constants" in refused(tmp_path / "m.onnx", network.SerializeToString())


@pytest.mark.parametrize("most", ["", "m"])
def test_a_loop_that_does_not_end(tmp_path, most):
    outputs = [helper.make_tensor_value_info(name, 1, None) for name in ("going", "later")]
    inputs = [helper.make_tensor_value_info(name, 1, None) for name in ("number", "going", "now")]
    body = helper.make_graph([relu("now", "later")], "body", inputs, outputs)
    network = model([helper.make_node("Loop", [most, "t", "x"], ["y"], body=body)])
    constants(network, m=((), TensorProto.INT64, [2**63 - 1]), t=((), TensorProto.BOOL, [True]))
    (tmp_path / "m.onnx").write_bytes(network.SerializeToString())
    start = time.process_time()
    (only,) = graph(str(tmp_path / "m.onnx")).layers
    assert only.kind.operator == "Loop"
    assert time.process_time() - start < 5


def test_casts_behind_casts(tmp_path):
    names = [f"v{number}" for number in range(3000)]
    casts = [helper.make_node("Cast", [a], [b], to=1) for a, b in pairwise(names)]
    nodes = [helper.make_node("Sigmoid", ["x"], ["v0"]), *casts, helper.make_node("Mul", ["v2999", "x"], ["y"])]
    (tmp_path / "m.onnx").write_bytes(model(nodes).SerializeToString())
    assert [layer.kind.name for layer in graph(str(tmp_path / "m.onnx")).layers] == ["sigmoid", "multiply"]


def test_very_many_readers_and_parts(tmp_path):
    """What takes time in proportion to the file, and not to its square."""
    count = 20_000
    nodes = [helper.make_node("Sigmoid", ["x"], [f"s{number}"]) for number in range(count)]
    nodes += [helper.make_node("Mul", ["x", f"s{number}"], [f"m{number}"]) for number in range(count)]
    nodes += [helper.make_node("Concat", [f"m{number}" for number in range(count)], ["y"], axis=1)]
    (tmp_path / "m.onnx").write_bytes(model(nodes, shape=(1, 1, 1, 1)).SerializeToString())
    start = time.process_time()
    assert graph(str(tmp_path / "m.onnx")).layers[-1].output == (count, 1, 1)
    assert time.process_time() - start < 15


def test_a_file_whose_name_holds_what_a_spec_may_not(tmp_path):
    path = tmp_path / "a\x12b.onnx"
    path.write_bytes(model([relu("x", "y")]).SerializeToString())
    assert "\x12" not in write_spec(graph(str(path)))


@pytest.mark.parametrize(
    "scopes", ["{[]: 1}", "[]", "[" * 4_000, "['', 'a', 'b']" * 200, "-" * 3_999 + "1", "[1, 2]", "['a.b', x]", "\0"]
)
def test_the_scopes_of_a_node_may_be_any_text(scopes, tmp_path):
    made = model([relu("x", "y")])
    made.graph.node[0].metadata_props.add(key="pkg.torch.onnx.name_scopes", value=scopes)
    (tmp_path / "m.onnx").write_bytes(made.SerializeToString())
    assert len(graph(str(tmp_path / "m.onnx")).layers) == 1


def varied_names(length):
    """Two constants of one shape whose names differ in the last byte; the first is read."""
    one, other = ("w" * (length - 1) + last for last in "ab")
    return model([helper.make_node("Add", ["x", one], ["y"])], [(one, [1, 3, 1, 1]), (other, [1])])


def test_long_names_are_told_apart_or_refused(tmp_path):
    path = tmp_path / "m.onnx"
    path.write_bytes(varied_names(10_000).SerializeToString())
    assert [sorted(layer.kind.name for layer in graph(str(path)).layers)] == [["add", "parameter"]]
    text = refused(path, varied_names(10_001).SerializeToString())
    assert "a name has 10,001 bytes, and 10,000 is the limit" in text


def test_functions_and_attributes_with_long_names_are_told_apart(tmp_path):
    """Names that are the same for their first 200 bytes."""
    kinds = {"F" * 200 + "a": "Relu", "F" * 200 + "b": "Sigmoid"}
    functions = [
        helper.make_function(
            "d", name, ["a"], ["b"], [helper.make_node(kind, ["a"], ["b"])], [helper.make_opsetid("", 17)]
        )
        for name, kind in kinds.items()
    ]
    made = model([helper.make_node("F" * 200 + "b", ["x"], ["y"], domain="d")])
    made.functions.extend(functions)
    path = tmp_path / "m.onnx"
    path.write_bytes(made.SerializeToString())
    assert [layer.kind.name for layer in graph(str(path)).layers] == ["sigmoid"]


def packed(field):
    """A model with packed numbers in a field, the last of which is 300: bytes ac 02."""
    made = model([helper.make_node("Reshape", ["x", "shape"], ["y"])])
    made.graph.node[0].attribute.append(helper.make_attribute("axes", [1, 300] if field == "ints" else [1]))
    numbers = made.graph.initializer.add(name="shape", data_type=TensorProto.INT64, dims=[2])
    if field == "dims":
        numbers.dims[:] = [1, 300]
    elif field == "int32_data":
        numbers.data_type = TensorProto.INT32
        numbers.int32_data.extend([1, 300])
    else:
        numbers.int64_data.extend([1, 300] if field == "int64_data" else [1, 192])
    return made.SerializeToString()


def cut_off(field):
    """The last byte of a list of packed numbers says that its number goes on, and the list ends there."""
    data = packed(field)
    if b"\x01\xac\x02" not in data:  # `ints` and `dims` may be written one by one
        data = data.replace(b"\x40\x01\x40\xac\x02", b"\x42\x03\x01\xac\x02")
        data = data.replace(b"\x08\x01\x08\xac\x02", b"\x0a\x03\x01\xac\x02")
    assert data.count(b"\x01\xac\x02") == 1
    return data.replace(b"\x01\xac\x02", b"\x01\xac\x82")


@pytest.mark.parametrize("field", ["ints", "dims"])
def test_packed_numbers_that_are_cut_off_are_refused(field, tmp_path):
    assert "a number does not end" in refused(tmp_path / "m.onnx", cut_off(field))


@pytest.mark.parametrize("field", ["int64_data", "int32_data"])
def test_a_constant_whose_packed_numbers_are_cut_off_is_unknown(field, tmp_path):
    path = tmp_path / "m.onnx"
    path.write_bytes(cut_off(field))
    assert [layer.kind.name for layer in graph(str(path)).layers] == ["opaque"]


@pytest.mark.parametrize("rank", (0, 1, 3))
@pytest.mark.parametrize("weight_rank", (0, 3, 4))
def test_every_operator_takes_or_refuses_inputs_of_any_rank(rank, weight_rank, tmp_path):
    path = tmp_path / "m.onnx"
    for operator in sorted(RULES):
        nodes = [helper.make_node(operator, ["x", "w", "w", "w"][:count], ["y"]) for count in (1, 3)]
        for node in nodes:
            path.write_bytes(model([node], [("w", [2] * weight_rank)], [2] * rank).SerializeToString())
            try:
                assert graph(str(path)).all
            except SpecError as error:
                assert str(error)
