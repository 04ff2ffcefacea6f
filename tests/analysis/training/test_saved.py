"""What layers keep for the backward pass, against PyTorch's own hooks and measures of torchvision's networks."""

import pytest
import torch
from helpers.networks import CASES, example, network
from torch._subclasses.fake_tensor import FakeTensorMode

from convcalc.analysis.count import count
from convcalc.analysis.memory.precision import PRECISIONS
from convcalc.analysis.training.gradients import Gradients
from convcalc.analysis.training.saved import RULES, Case, kept_by
from convcalc.analysis.training.step import Training
from convcalc.exporters.code.own_code import run
from convcalc.exporters.torch.vocabulary import VOCABULARY
from convcalc.exporters.torch.writer import TorchWriter
from convcalc.graph import learned
from convcalc.kinds import KINDS
from convcalc.loader import load, read

pytestmark = pytest.mark.filterwarnings("ignore")

# torch.autograd.graph.saved_tensors_hooks on torchvision 0.29.1, torch 2.14.1, float32, training, batch 1, on a CPU:
# bytes without params and buffers, each storage once; 224x224, Inception 299x299
TORCHVISION = {
    "resnet18": 22_218_240,
    "resnet34": 32_283_136,
    "resnet50": 86_121_984,
    "resnet101": 127_274_496,
    "wide_resnet50_2": 112_474_624,
    "resnext50_32x4d": 112_474_624,
    "googlenet_torchvision": 48_229_120,
    "inception_v3": 98_318_380,
    "squeezenet1_0": 35_767_328,
    "densenet121": 130_695_936,
    "mobilenet_v2": 78_345_984,
    "mobilenet_v3_large": 44_211_552,
    "mobilenet_v3_small": 16_218_272,
    "mnasnet1_0": 44_417_152,
    "shufflenet_v2_x1_0": 20_449_680,
    "regnet_y_400mf": 33_739_456,
    "vit_b_16": 118_160_680,
}
# what the catalogue leaves out of them, in bytes
WITHOUT = {
    "vgg16": (73_355_264, 4 * 512 * 7 * 7),  # an adaptive pool from 7x7 to 7x7
    "vgg16_bn": (127_579_136, 4 * 512 * 7 * 7),
    # the same from 6x6, and a dropout before the first linear layer whose mask has its size; the one after is absent
    "alexnet_torchvision": (3_741_184, 4 * (256 * 6 * 6 + 256 * 6 * 6 - 2 * 4096)),
    "efficientnet_b0": (88_362_116, 4 * 9),  # the factors of 9 stochastic depths
    "convnext_tiny": (109_155_876, 4 * 17),
}


def saved(graph):
    return Training(count(graph), PRECISIONS["float32"], "sgd").saved


@pytest.mark.parametrize("name", TORCHVISION)
def test_saved_bytes_are_those_measured_in_torchvision(name):
    assert saved(load(name)) == TORCHVISION[name]


@pytest.mark.parametrize("name", WITHOUT)
def test_saved_bytes_differ_by_what_the_catalogue_leaves_out(name):
    measured, left_out = WITHOUT[name]
    assert saved(load(name)) == measured - left_out


def test_a_batch_of_32_saves_32_times_as_much_but_for_the_statistics_of_norms():
    once, many = load("resnet50"), load("resnet50", batch=32)
    norms = sum(layer.output[0] for layer in once.layers if layer.kind.name == "batch_norm")
    assert saved(many) == 2_749_316_608 == 32 * (saved(once) - 8 * norms) + 8 * norms


def test_every_kind_has_a_rule_or_is_said_not_to():
    assert {*RULES} == {*KINDS}
    assert {name for name, rule in RULES.items() if rule is None} == {"lstm", "gru", "rnn", "opaque", "custom"}


def hooked(graph, needs_gradients=True):
    """The bytes that PyTorch keeps of a written module; by default its inputs need gradients."""
    writer = TorchWriter(graph)
    with FakeTensorMode():
        module = run(writer.file(count(graph)), VOCABULARY)[writer.name]().train()
        stored = {tensor.untyped_storage()._cdata for tensor in (*module.parameters(), *module.buffers())}
        inputs = [torch.zeros(graph.batch, *shape, requires_grad=needs_gradients) for shape in graph.inputs.values()]
        kept = []
        keep, give = (lambda tensor: kept.append(tensor) or tensor), (lambda tensor: tensor)
        with torch.autograd.graph.saved_tensors_hooks(keep, give):
            outputs = module(*inputs)
        storages = {tensor.untyped_storage()._cdata: tensor.untyped_storage().nbytes() for tensor in kept}
        del outputs
    return sum(size for storage, size in storages.items() if storage not in stored)


def ruled(layer, batch):
    """The bytes that our rule gives for a layer whose inputs need gradients."""
    case = Case(layer, batch, Gradients("weights" in learned(layer), (True,) * len(layer.inputs), True))
    kept = kept_by(case)
    inputs = {layer.inputs[at]: case.elements(layer.shapes[at]) for at in kept.inputs}
    own = sum(one.elements * (8 if one.sort == "index" else 4) for one in kept.own)
    return 4 * sum(inputs.values()) + own + 4 * sum(case.elements(shape) for shape in layer.outputs) * kept.output


UNKNOWN = [name for name, rule in RULES.items() if rule is None]
# the written module has another form of these: a mask of booleans, indices that are computed each time, an input copied
# three times, a convolution, an explicit divisor
OTHER_FORM = (
    "max_unpool",
    "gather",
    "attention 2 3x5x8",
    "drop_path",
    "avg_pool {kernel: 3, dilation: 2}",
    "avg_pool {kernel: 3, padding: [[0, 1]], include",
)


@pytest.mark.parametrize("name", sorted(set(KINDS) - {*UNKNOWN, *OTHER_FORM}))
def test_the_rule_of_every_kind_is_what_pytorch_keeps(name):
    graph = example(KINDS[name])
    assert ruled(graph.layers[0], graph.batch) == hooked(graph)


@pytest.mark.parametrize("case", [case for case in CASES if case.split()[0] not in UNKNOWN])
def test_the_rule_of_every_field_is_what_pytorch_keeps(case):
    if case.startswith(OTHER_FORM):
        pytest.skip("the written module has another form")
    graph = network(case)
    assert ruled(graph.layers[0], graph.batch) == hooked(graph)


@pytest.mark.parametrize("name", ["resnet8", "ghostnet", "se_resnet@50", "unet", "nin_cifar10"])
def test_whole_networks_keep_what_pytorch_keeps(name):
    graph = load(name)
    assert saved(graph) == hooked(graph, needs_gradients=False)


def test_layers_through_which_no_gradient_passes_keep_nothing():
    graph = read("{input: 3x8x8, layers: [relu, {max_pool: 2}, {conv: {filters: 4, kernel: 3, bias: false}}]}")
    assert saved(graph) == 4 * 3 * 4 * 4


def test_what_was_split_is_kept_as_a_whole():
    shuffled = read("""
input: 4x8x8
layers:
  - {conv: {filters: 4, kernel: 1}}
  - split: {name: halves, parts: 2}
  - {conv: {filters: 2, kernel: 1, from: halves.0}}
""")
    assert saved(shuffled) == 4 * (4 * 8 * 8) * 2  # the image, and the whole of what was split
