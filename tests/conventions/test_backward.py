"""What PyTorch's counter prints for a forward and a backward pass, with its error for grouped convolutions."""

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from convcalc.analysis.count import count
from convcalc.cli import BAD, run
from convcalc.conventions.convention import find, known_errors, terms, total_of
from convcalc.conventions.quantities import Census
from convcalc.exporters.code.own_code import run as run_code
from convcalc.exporters.torch.vocabulary import VOCABULARY
from convcalc.exporters.torch.writer import TorchWriter
from convcalc.loader import load, read

# FlopCounterMode of torch 2.14.1, forward and backward, torchvision 0.29.1, batch 1
PRINTED = {
    "mobilenet_v2": 12_279_700_992,
    "mobilenet_v3_large": 11_777_209_344,
    "mobilenet_v3_small": 3_902_718_720,
    "mnasnet1_0": 22_888_086_528,
    "efficientnet_b0": 32_185_843_584,
    "convnext_tiny": 77_476_101_120,
    "resnext50_32x4d": 39_481_933_824,
    "shufflenet_v2_x1_0": 1_707_510_240,
    "vit_b_16": 100_859_793_408,
    "resnet18": 10_648_412_160,
}
LAYERS = [
    "{conv: {filters: 8, kernel: 3, groups: 4}}, {transposed_conv: {filters: 8, kernel: 2, groups: 2}}",
    "{conv: {filters: 8, kernel: 3}}, relu, flatten, {linear: 5}",
    "{flatten: {start: 1}}, {permute: [1, 0]}, layer_norm, {attention: 2}, {linear: 3}",
]


@pytest.mark.parametrize("name", PRINTED)
def test_the_convention_is_what_pytorch_prints(name):
    assert total_of(find("torch-backward"), Census(load(name))) == PRINTED[name]


@pytest.mark.parametrize("layers", LAYERS)
def test_the_rules_are_those_of_pytorch(layers):
    graph = read(f"{{input: 8x6x6, layers: [{layers}]}}")
    writer = TorchWriter(graph)
    module = run_code(writer.file(count(graph)), VOCABULARY)[writer.name]().train()
    with FlopCounterMode(display=False) as counter:
        module(torch.zeros(1, 8, 6, 6)).sum().backward()
    assert total_of(find("torch-backward"), Census(graph)) == counter.get_total_flops()


def test_only_what_is_wrong_differs_from_ours():
    convention = find("torch-backward")
    assert terms(convention, Census(load("resnet18"))) == known_errors(convention, Census(load("resnet18"))) == []
    (error,) = known_errors(convention, Census(load("resnext50_32x4d")))
    assert error.endswith("once for each group: here 1.57 x our figure")


def test_the_backward_pass_is_asked_for_and_reconciled(capsys):
    assert run(["params", "mobilenet_v2", "--as", "torch", "--backward"]) == 0
    text = capsys.readouterr().out
    assert "12,279,700,992" in text and "once for each group: here 6.913 x our figure" in text
    assert run(["reconcile", "mobilenet_v2", "--claim", "12279700992"]) == 0
    assert "torch-backward" in capsys.readouterr().out
    assert run(["params", "mobilenet_v2", "--as", "thop", "--backward"]) == BAD
    assert "no convention 'thop-backward'" in capsys.readouterr().err
    assert run(["params", "mobilenet_v2", "--backward"]) == BAD
