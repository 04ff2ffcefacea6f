"""Receptive fields against measured and published ones, and against the gradients of written modules."""

from math import ceil, floor

import pytest
import torch

from convcalc.analysis.count import count
from convcalc.analysis.receptive_field import growth, receptive_fields, sights
from convcalc.analysis.receptive_rules import RULES
from convcalc.cli import run
from convcalc.exporters.torch.writer import TorchWriter
from convcalc.kinds import KINDS
from convcalc.loader import load, read

# size, stride, padding of the last layer before global pooling, measured as the gradient of one output element in
# torchvision 0.29.1 with constant weights, norms and gates as identity
TORCHVISION = {
    "alexnet_torchvision": (195, 32, 66),
    "vgg11": (150, 32, 59),
    "vgg16": (212, 32, 90),
    "vgg19": (268, 32, 118),
    "resnet18": (435, 32, 217),
    "resnet34": (899, 32, 449),
    "resnet50": (427, 32, 213),
    "resnet101": (971, 32, 485),
    "resnet152": (1451, 32, 725),
    "googlenet_torchvision": (379, 32, 167),
    "inception_v3": (1311, 32, 618),
    "squeezenet1_0": (155, 16, 60),
    "squeezenet1_1": (207, 16, 88),
    "mobilenet_v2": (491, 32, 245),
    "mobilenet_v3_large": (595, 32, 297),
    "mobilenet_v3_small": (639, 32, 319),
    "mnasnet1_0": (843, 32, 421),
    "shufflenet_v2_x1_0": (527, 32, 263),
    "densenet121": (2071, 32, 1021),
    "efficientnet_b0": (851, 32, 425),
    "resnext50_32x4d": (427, 32, 213),
    "convnext_tiny": (1688, 32, 828),
    "regnet_x_400mf": (975, 32, 487),
}
# Araujo, Norris and Sim, Distill 2019; TF-slim's networks. MobileNet v1 has no one padding there
PUBLISHED = {
    "alexnet": (195, 32, 64),
    "vgg16": (212, 32, 90),
    "inception_v3": (1311, 32, 618),
    "inception_v4": (2071, 32, 998),
    "inception_resnet_v2": (3039, 32, 1482),
    "mobilenet_v1": (315, 32, None),
}


def last_field(graph):
    sight = [sight for sight in sights(graph) if sight.fields][-1]
    assert len(set(sight.fields)) == 1
    field = sight.fields[0]
    return field.size, field.step, -field.low


@pytest.mark.parametrize("name", TORCHVISION)
def test_fields_are_those_measured_in_torchvision(name):
    assert last_field(load(name)) == TORCHVISION[name]


@pytest.mark.parametrize("name", PUBLISHED)
def test_fields_are_the_published_ones(name):
    size, stride, padding = PUBLISHED[name]
    found = last_field(load(name))
    assert found[:2] == (size, stride)
    assert padding in (None, found[2])


def test_every_kind_has_a_rule():
    assert {*RULES} == {*KINDS}


def measured(graph):
    """The least low and the largest size of what one output element of the middle depends on, by gradients."""
    writer = TorchWriter(graph)
    scope = {}
    exec(writer.file(count(graph)), scope)
    module = scope[writer.name]()
    module = module.double().eval()
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.fill_(1)
    image = torch.ones((1, *next(iter(graph.inputs.values()))), dtype=torch.double, requires_grad=True)
    output = module(image).sum(dim=(0, 1))
    middle = output.shape[0] // 2
    found = []
    for row in range(middle - 4, middle + 4):
        (gradient,) = torch.autograd.grad(output[row, middle], image, retain_graph=True)
        rows = gradient[0].abs().sum(dim=(0, 2)).nonzero().flatten()
        found.append((row, int(rows.min()), int(rows.max())))
    return found


LAYERS = {
    "windows": "conv: {filters: 4, kernel: 5, stride: 2, dilation: 2, padding: 3}, avg_pool: {kernel: 2}",
    "same": "conv: {filters: 4, kernel: 4, stride: 2, padding: same}, conv: {filters: 4, kernel: 3}",
    "transposed": "transposed_conv: {filters: 4, kernel: 3, stride: 2, padding: 1}, conv: {filters: 4, kernel: 3}",
    "upsampled": "upsample: 2, conv: {filters: 4, kernel: 3, padding: 1}",
    "bicubic": "upsample: {scale: 2, mode: bicubic}",
    "bilinear": "upsample: {scale: 2, mode: bilinear}, conv: {filters: 4, kernel: 3}",
    "shuffled": "pixel_shuffle: 2, conv: {filters: 4, kernel: 3}, pixel_unshuffle: 2",
    "cut": "pad: [[1, 2], [3, 4]], conv: {filters: 4, kernel: 3}, crop: [[2, 0], [0, 1]], center_crop: 30",
    "sliced": "slice: {axis: 1, start: 3, step: 2, stop: 39}, conv: {filters: 4, kernel: 3}",
    "permuted": "permute: [2, 0, 1], permute: [1, 2, 0], conv: {filters: 4, kernel: 3}",
    "reshaped": "reshape: [2, 2, 40, 40], reshape: [4, 40, 40], conv: {filters: 2, kernel: 3}",
    "adaptive": "adaptive_avg_pool: 20, conv: {filters: 2, kernel: 3}",
    "uneven": "adaptive_avg_pool: 24, conv: {filters: 2, kernel: 3}",
}


@pytest.mark.parametrize("name", LAYERS)
def test_fields_are_those_of_gradients(name):
    entries = _entries(LAYERS[name])
    graph = read("input: 4x40x40\nlayers:\n" + "".join(f"  - {entry}\n" for entry in entries))
    field = sights(graph)[-1].fields[0]
    rows = measured(graph)
    assert field.size == max(last - first + 1 for _, first, last in rows)
    for row, first, last in rows:
        assert floor(field.low + row * field.step) <= first
        assert last <= ceil(field.high + row * field.step)


def _entries(text):
    """The entries of `a: ..., b: ...` at the top level."""
    entries, depth, start = [], 0, 0
    for at, sign in enumerate(text + ","):
        depth += (sign in "[{") - (sign in "]}")
        if sign == "," and not depth:
            entries.append(text[start:at].strip())
            start = at + 1
    return entries


def test_what_follows_a_gate_is_marked_and_a_global_pool_sees_everything():
    graph = read("""
input: 3x32x32
layers:
  - conv: {filters: 8, kernel: 3}
  - multiply: [[], [global_avg_pool, {conv: {filters: 8, kernel: 1}}, sigmoid]]
  - conv: {filters: 8, kernel: 3}
  - global_avg_pool
""")
    found = {layer.path: sight for layer, sight in zip(graph.all, sights(graph), strict=True)}
    assert found["conv1"].size == (3, 3) and not found["conv1"].has_gate
    assert found["multiply1"].size == (3, 3) and found["multiply1"].has_gate
    assert graph.layers[-2].kind.name == "conv" and sights(graph)[-2].size == (5, 5) and sights(graph)[-2].has_gate
    assert sights(graph)[-1].is_all


def test_a_field_along_channels_and_in_tokens_is_not_known():
    graph = read("{input: 3x32x32, layers: [{conv: {filters: 8, kernel: 4, stride: 4}}, {flatten: {start: 1}}, "
                 "{permute: [1, 0]}, {attention: 2}]}")  # fmt: skip
    assert [sight.size for sight in sights(graph)][1:] == [(4, 4), None, None, None]
    assert [sight.is_all for sight in sights(graph)][1:] == [False, False, False, True]


def test_growth_ends_at_the_layer_and_never_shrinks():
    graph = load("inception_v3")
    steps = growth(graph, next(layer for layer in graph.layers if layer.kind.name == "global_avg_pool"))
    sizes = [step.sight.size for step in steps if step.sight.size]
    assert sizes == sorted(sizes) and sizes[-1] == (1311, 1311)
    assert receptive_fields(graph)[steps[-2].layer.index] == (1311, 1311)


def test_params_has_the_fields_as_numbers_and_says_where_they_exceed_the_input(capsys):
    assert run(["params", "resnet18", "--columns", "name,sees,sees_stride,sees_padding"]) == 0
    text = capsys.readouterr().out
    assert "effective stride 32: stage4/more/1/basic1/relu2 sees 435, padding 217" in text
    assert "exceeds the input: stage4/more/1/basic1/relu2 sees 435 of 224x224" in text
    assert run(["explain", "resnet18", "stage1", "--sees"]) == 0
    assert "19 + 2*4 = 27" in capsys.readouterr().out
