"""Networks as ONNX files: valid, the same to the unit when read back, with weights that can be run."""

import io

import numpy as np
import onnx
import pytest
import torch
from onnx.reference import ReferenceEvaluator

from convcalc.analysis.count import count
from convcalc.cli import run
from convcalc.exporters.onnx import write
from convcalc.exporters.torch.writer import TorchWriter
from convcalc.importers.onnx.file import read_bytes
from convcalc.importers.onnx.importer import graph_of
from convcalc.loader import load, read

pytestmark = pytest.mark.filterwarnings("ignore")

# a chain, joins, a split and shuffle, norms with a constant, attention and tokens, several inputs
TOKENS = """\
input: {image: 3x16x16, words: 5}
layers:
  - conv: {filters: 8, kernel: 4, stride: 4, from: image}
  - reshape: [8, -1]
  - permute: {order: [1, 0], name: patches}
  - embedding: {entries: 9, features: 8, from: words}
  - constant: {shape: [5, 8], name: positions}
  - add: {from: [embedding1, positions]}
  - parameter: {shape: [1, 8], name: token}
  - concat: {axis: 0, from: [token, patches, add1]}
  - attention: 2
  - layer_norm
"""
STEPS = "input: 7x8\nlayers: [lstm: {features: 4, layers: 2, bidirectional: true}, gru: 4]"
NAMES = ["squeezenet1_1", "shufflenet_v2_x0_5", "cifar_resnet", "mlpconv-2-mlpconv", "head-3-pooling"]


@pytest.mark.parametrize("name", [*NAMES, TOKENS, STEPS])
def test_a_file_is_valid_and_reads_back_as_the_same_network(name):
    ours = count(read(name) if "\n" in name else load(name))
    data = write(ours, None)
    onnx.checker.check_model(onnx.load_from_string(data), full_check=True)
    theirs = count(graph_of(read_bytes(data, "net.onnx"), (), "net.onnx", True))
    for figure in ("weights", "biases", "params", "macs"):
        assert ours.figure(figure) == theirs.figure(figure), figure
    assert theirs.graph.inputs == ours.graph.inputs
    if name != TOKENS:  # PyTorch's attention mixes a batch of one into other axes
        assert [layer.output for layer in theirs.graph.outputs] == [layer.output for layer in ours.graph.outputs]


SMALL = """\
input: 3x9x9
layers:
  - conv: {filters: 8, kernel: 3, stride: 2, padding: same, bias: false}
  - batch_norm
  - relu
  - add: [[conv: {filters: 8, kernel: 3, padding: 1, groups: 4}], []]
  - max_pool: {kernel: 2, padding: same}
  - global_avg_pool
  - flatten
  - linear: 4
"""


def test_it_computes_what_the_written_module_computes():
    counted = count(read(SMALL))
    model = onnx.load_from_string(write(counted, None))
    assert [node.name for node in model.graph.input] == ["input"]
    writer = TorchWriter(counted.graph)
    scope = {}
    exec(writer.file(counted), scope)
    module = scope[writer.name]().eval()
    stored = {one.name: torch.tensor(onnx.numpy_helper.to_array(one)) for one in model.graph.initializer}
    module.load_state_dict({name: stored[name] for name in module.state_dict() if name in stored}, strict=False)
    image = np.random.default_rng(0).standard_normal((1, 3, 9, 9)).astype(np.float32)
    (found,) = ReferenceEvaluator(model).run(None, {"input": image})
    assert np.allclose(found, module(torch.tensor(image)).detach().numpy(), atol=1e-5)
    assert np.abs(found).sum() > 0


def test_twice_the_same_bytes():
    assert write(count(read(SMALL)), None) == write(count(read(SMALL)), None)


def test_norms_stay_unless_they_are_folded(tmp_path):
    path = tmp_path / "net.yaml"
    path.write_text(SMALL)
    for more, norms in ([], 1), (["--deploy"], 0):
        assert run(["export", str(path), "--to", "onnx", "-o", str(tmp_path / "x.onnx"), "--batch", "2", *more]) == 0
        model = onnx.load(tmp_path / "x.onnx")
        assert sum(node.op_type == "BatchNormalization" for node in model.graph.node) == norms
        assert model.graph.input[0].type.tensor_type.shape.dim[0].dim_value == 2


def test_too_large_for_one_file(tmp_path, capsys):
    path = tmp_path / "net.yaml"
    path.write_text("input: 100000\nlayers: [linear: 100000]\n")
    assert run(["export", str(path), "--to", "onnx", "-o", str(tmp_path / "x.onnx")]) == 2
    assert "error: the weights are 40,000,400,000 bytes" in capsys.readouterr().err
    assert not (tmp_path / "x.onnx").exists()


def test_no_bytes_on_a_terminal(tmp_path, capsys, monkeypatch):
    path = tmp_path / "net.yaml"
    path.write_text("input: 3x8x8\nlayers: [relu]\n")

    class Terminal(io.StringIO):
        def isatty(self):
            return True

    screen = Terminal()
    monkeypatch.setattr("sys.stdout", screen)
    assert run(["export", str(path), "--to", "onnx"]) == 2
    assert screen.getvalue() == ""
    assert "name a file with -o" in capsys.readouterr().err


def test_a_convolution_without_bias_reads_back_as_one_layer():
    """PyTorch's writer gives it a bias of zeros that it makes of the kernel's shape."""
    ours = count(read("input: 3x8x8\nlayers: [{conv: {filters: 4, kernel: 3, bias: false}}, batch_norm]"))
    theirs = graph_of(read_bytes(write(ours, None), "net.onnx"), (), "net.onnx", True)
    assert [layer.kind.name for layer in theirs.layers] == ["conv", "batch_norm"]
