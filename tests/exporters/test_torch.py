"""Networks as PyTorch: every kind, every network of the catalogue, and the file that is written."""

import re

import pytest
import torch
from helpers.networks import CASES, alone, example, network, windows
from hypothesis import HealthCheck, assume, given, settings
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

import convcalc
from convcalc.analysis.count import count
from convcalc.catalogue import catalogue_files
from convcalc.cli import run
from convcalc.errors import SpecError, UserError
from convcalc.exporters.code.code import Code
from convcalc.exporters.torch.table import TABLE
from convcalc.exporters.torch.verify import verify
from convcalc.exporters.torch.writer import TAKEN, TorchWriter
from convcalc.graph import Graph
from convcalc.kinds import KINDS
from convcalc.kinds.activation import Relu
from convcalc.kinds.conv import Conv
from convcalc.loader import load, read

pytestmark = pytest.mark.filterwarnings("ignore")


def differences(graph):
    return [one for one in verify(count(graph)) if not one.is_same]


@pytest.mark.parametrize("name", sorted(set(KINDS) - {"opaque", "custom"}))
def test_pytorch_agrees_on_every_kind(name):
    assert differences(example(KINDS[name])) == []


# every network under its name; what a variant changes is in them, or in the law and the search below
NETWORKS = [name for name in catalogue_files() if "layers/blocks" not in str(catalogue_files()[name])]


@pytest.mark.parametrize("name", NETWORKS)
def test_the_catalogue_is_the_same_in_pytorch(name):
    assert differences(load(name)) == []


@pytest.mark.parametrize("case", CASES)
def test_pytorch_agrees_on_every_field(case):
    assert differences(network(case)) == []


@settings(max_examples=250, deadline=None, suppress_health_check=list(HealthCheck))
@given(windows())
def test_pytorch_agrees_on_every_window(case):
    kind, fields, shape = case
    try:
        graph = alone(kind(**fields), shape)
    except UserError:
        assume(False)
    assert differences(graph) == []


def made(graph):
    """The module that the written file holds."""
    writer = TorchWriter(graph)
    scope = {}
    exec(writer.file(count(graph)), scope)
    return scope[writer.name]().eval()


def test_a_pool_with_a_border_of_its_own_gives_the_values_of_one_that_pytorch_pads():
    """The border of a maximum is never the largest, and of a mean it counts only where it should."""
    plain, own = ("1", "[[1, 1], [1, 1]]")
    grid = torch.randn(2, 3, 7, 7) - 5
    for kind, more in (("max_pool", ""), ("avg_pool", ""), ("avg_pool", ", include_padding: false")):
        of = "input: 3x7x7\nlayers: [{kind}: {{kernel: 2, stride: 2, padding: {padding}{more}}}]"
        first, second = (made(read(of.format(kind=kind, padding=padding, more=more)))(grid) for padding in (plain, own))
        assert torch.equal(first, second)
        wider = made(read(of.format(kind=kind, padding="[[1, 2], [1, 2]]", more=more)))(grid)
        assert torch.equal(wider[..., :4, :4], first)
        assert torch.isfinite(first).all()


def test_unpooling_puts_what_pooling_took_back_and_zeros_elsewhere():
    text = "input: 3x6x6\nlayers: [max_pool: {name: p, kernel: 2}, max_unpool: {from: [p, input], kernel: 2}]"
    values = torch.randn(2, 3, 6, 6)
    back = made(read(text))(values)
    assert ((back == values) | (back == 0)).all() and (back != 0).sum() == 2 * 3 * 3 * 3
    assert torch.equal(torch.nn.functional.max_pool2d(back.abs(), 2) != 0, torch.ones(2, 3, 3, 3, dtype=torch.bool))


def test_the_global_response_norm_is_the_papers():
    module = made(read("input: 4x3x5\nlayers: [global_response_norm: {epsilon: 0.5}]"))
    scale, shift = torch.randn(4), torch.randn(4)
    weight, bias = dict(module.named_parameters()).values()
    weight.data, bias.data = scale, shift
    values = torch.randn(2, 4, 3, 5)
    length = values.pow(2).sum((2, 3), keepdim=True).sqrt()
    share = length / (length.mean(1, keepdim=True) + 0.5)
    expected = values + scale[:, None, None] * values * share + shift[:, None, None]
    assert torch.allclose(module(values), expected, atol=1e-6)


def test_attention_over_windows_is_attention_in_each_of_them():
    module = made(read("input: 3x5x8\nlayers: [attention: 2]")).eval()
    values = torch.randn(2, 3, 5, 8)
    inner = next(part for part in module.modules() if isinstance(part, torch.nn.MultiheadAttention))
    each = [inner(window, window, window, need_weights=False)[0] for window in values.unbind(1)]
    assert torch.allclose(module(values), torch.stack(each, 1), atol=1e-6)


RESIDUAL = """\
name: two blocks
input: 4x8x8
blocks:
  residual:
    args: {filters: 4, stride: 1}
    layers:
      - conv: {name: wide, filters: "${filters}", kernel: 3, stride: "${stride}", padding: 1, bias: false}
      - batch_norm
      - relu
layers:
  - residual: {name: first}
  - residual: {name: second, filters: 6, stride: 2}
  - flatten
  - linear: 3
"""
WRITTEN = '''\
"""two blocks.

Input, without the batch: input 4x8x8.
671 parameters; 12,960 MACs for a batch of 1. Written by convcalc.
"""

import torch
from torch import nn


class Residual(nn.Module):
    def __init__(self, out_channels, stride):
        super().__init__()
        self.wide = nn.Conv2d(4, out_channels, kernel_size=3, stride=stride, padding=1, bias=False)
        self.batch_norm1 = nn.BatchNorm2d(out_channels)
        self.relu1 = nn.ReLU()

    def forward(self, x):
        x = self.wide(x)
        x = self.batch_norm1(x)
        return self.relu1(x)


class TwoBlocks(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = Residual(4, 1)
        self.second = Residual(6, 2)
        self.linear1 = nn.Linear(96, 3)

    def forward(self, x):
        x = self.first(x)
        x = self.second(x)
        x = x.flatten(1)
        return self.linear1(x)
'''


def test_the_file_to_the_letter(tmp_path, capsys):
    (tmp_path / "net.yaml").write_text(RESIDUAL)
    assert run(["export", str(tmp_path / "net.yaml"), "--to", "torch"]) == 0
    assert capsys.readouterr().out == WRITTEN


def test_a_file_is_read_back_as_the_same_network(tmp_path, monkeypatch):
    for name in ("resnet18", "shufflenet_v2_x0_5", "squeezenet1_1", "reduce-5x5-2-bottleneck"):
        ours = count(load(name))
        theirs = count(convcalc.from_torch(made(ours.graph), next(iter(ours.graph.inputs.values())) and shaped(ours)))
        assert [ours.figure(key) for key in ("weights", "biases", "params", "macs")] == [
            theirs.figure(key) for key in ("weights", "biases", "params", "macs")
        ]


def shaped(counted):
    return tuple(torch.zeros(1, *shape) for shape in counted.graph.inputs.values())


def test_layers_keep_the_places_of_their_blocks():
    names = dict(made(load("resnet18")).named_parameters())
    assert names["stage2.basic1.shortcut.weight"].shape == (128, 64, 1, 1)


SHARED = """\
input: {left: 3x8x8, right: 3x8x8, words: 5}
blocks:
  tower:
    layers: [conv: {name: first, filters: 4, kernel: 3}, relu]
layers:
  - tower: {name: one, from: left}
  - conv: {name: again, share: one/first, filters: 4, kernel: 3, from: right}
  - conv: {name: more, share: again, filters: 4, kernel: 3, from: right}
  - embedding: {name: table, entries: 9, features: 6, from: words}
  - linear: {name: head, features: 9, bias: false, share: table}
  - concat: {from: [one, again, more]}
"""


def test_shared_weights_are_one_module():
    graph = read(SHARED)
    assert differences(graph) == []
    module = made(graph)
    assert module.again is module.one.first is module.more
    assert module.head.weight is module.table.weight
    assert sum(one.numel() for one in module.parameters()) == 3 * 4 * 9 + 4 + 9 * 6


def test_several_inputs_and_outputs_and_split_ports():
    graph = read("""\
input: {image: 4x6x6, class: 4x6x6}
layers:
  - split: {name: halves, parts: 2, from: image}
  - conv: {name: train, filters: 2, kernel: 1, from: halves.1}
  - add: {name: both, from: [halves.0, train]}
  - conv: {name: 1x1, filters: 3, kernel: 1, from: class}
""")
    assert differences(graph) == []
    outputs = made(graph)(torch.zeros(1, 4, 6, 6), torch.zeros(1, 4, 6, 6))
    assert [tuple(one.shape) for one in outputs] == [(1, 2, 6, 6), (1, 3, 6, 6)]


def test_a_block_of_learned_values_alone_is_told_the_batch():
    graph = read("""\
input: 7x8
blocks: {tokens: {layers: [parameter: {name: one, shape: [1, 8]}, scale: {axis: last}]}}
layers:
  - identity: {name: words}
  - tokens: {name: extra}
  - concat: {axis: 0, from: [extra, words]}
""")
    assert differences(graph) == []
    assert made(graph)(torch.zeros(3, 7, 8)).shape == (3, 8, 8)


def test_a_block_around_one_that_reads_nothing_is_told_the_batch_as_well():
    """The inner block takes the network's input, so each block around it has to take it too."""
    graph = read("""\
input: 7x8
blocks:
  gains: {layers: [parameter: {shape: [7, 8], from: []}, relu]}
  node: {layers: [gains, add: [[], {from: input}]]}
  outer: {layers: [node, tanh]}
layers: [tanh, sigmoid, outer]
""")
    assert differences(graph) == []
    assert made(graph)(torch.zeros(3, 7, 8)).shape == (3, 7, 8)


def test_blocks_with_several_outputs_and_any_inputs_are_the_same_in_pytorch():
    graph = read("""\
input: 4x8x8
blocks:
  levels:
    inputs: any
    outputs: [mixed, last]
    layers:
      - parallel: [{over: {i: "${inputs}"}, from: "input.${i - 1}", layers: [conv: {filters: 4, kernel: 1}, relu]}]
      - add: {name: mixed}
      - conv: {name: last, filters: 3, kernel: 1}
layers:
  - parallel: {name: two, branches: [{times: 2, layers: [conv: {filters: 4, kernel: 3, padding: 1}]}]}
  - levels
  - concat
  - levels: {from: [two, two.0]}
  - concat
""")
    assert differences(graph) == []


def test_no_name_of_a_layer_hides_what_a_module_means():
    public = {name for name in dir(nn.Module) if not name.startswith("_")} | set(vars(nn.Module()))
    assert {name for name in public if not name.startswith("_")} <= TAKEN
    for name in sorted(public - {""}):
        if re.fullmatch("[A-Za-z][A-Za-z0-9_]*", name):
            graph = Graph("net")
            graph.add(name, Relu(), (graph.add_input("input", (3,)),))
            assert made(graph)(torch.ones(2, 3)).shape == (2, 3)


def test_names_cannot_break_out_of_the_file():
    graph = Graph('"""\n\\N{x}; import os')
    graph.add('a b\'"""', Relu(), (graph.add_input("x\ny", (3,)),))
    assert made(graph)(torch.ones(2, 3)).shape == (2, 3)
    graph = Graph("nn")
    graph.add("Nn", Relu(), (graph.add_input("torch", (3,)),))
    assert made(graph)(torch.ones(2, 3)).shape == (2, 3)


def test_what_is_not_known_is_refused_by_name(tmp_path, capsys):
    path = tmp_path / "net.yaml"
    path.write_text(
        "input: 3x8\nlayers:\n  - opaque: {name: nms, operator: NonMaxSuppression, shape: [3, 8]}\n"
        "  - upsample: {name: up, scale: 2, mode: bicubic}\n"
    )
    for command in (["export", str(path), "--to", "torch"], ["verify", str(path)]):
        assert run(command) == 2
        assert capsys.readouterr().err.splitlines() == [
            f"{path}:3:5: error: 'nms' cannot be written in PyTorch: the operator NonMaxSuppression is not known",
            "    3 |   - opaque: {name: nms, operator: NonMaxSuppression, shape: [3, 8]}",
            "      |     ^~~~~~",
            f"{path}:4:5: error: 'up' cannot be written in PyTorch: "
            "PyTorch has bicubic interpolation only for two spatial axes",
            "    4 |   - upsample: {name: up, scale: 2, mode: bicubic}",
            "      |     ^~~~~~~~",
        ]


def test_values_that_stand_for_themselves_are_not_another_layers_weights(tmp_path, capsys):
    path = tmp_path / "net.yaml"
    path.write_text("input: 4x8x8\nlayers: [scale: {name: by}, parameter: {name: same, shape: [4, 1, 1], share: by}]\n")
    assert run(["verify", str(path)]) == 2
    said = "'same' cannot be written in PyTorch: it shares the weights of 'by', a layer of another kind"
    assert said in capsys.readouterr().err


def test_what_the_spec_leaves_open_is_said_in_the_file():
    graph = read("input: 3x8x8\nlayers: [elementwise: {operation: exponentials}]")
    text = TorchWriter(graph).file(count(graph))
    assert "return torch.exp(x)  # a function with this cost (exponentials)\n" in text


def test_verify_finds_what_differs(monkeypatch, tmp_path, capsys):
    path = tmp_path / "net.yaml"
    path.write_text("input: 3x8x8\nlayers: [conv: {filters: 4, kernel: 3, bias: false}, relu, flatten]\n")
    assert run(["verify", str(path)]) == 0
    assert "3 layers and the network: shapes, params and MACs are the same in PyTorch" in capsys.readouterr().out
    assert run(["verify", str(path), "--all", "-f", "csv"]) == 0
    assert [line.split(",")[0] for line in capsys.readouterr().out.splitlines()] == [
        "name",
        "conv1",
        "relu1",
        "flatten1",
    ]
    rule = Conv.tally

    def wrong(self, inputs, output):
        for name, product in rule(self, inputs, output):
            yield name, ({**product, "2": 2} if name == "conv_macs" else product)

    monkeypatch.setattr(Conv, "tally", wrong)
    assert run(["verify", str(path), "-f", "csv"]) == 1
    out = capsys.readouterr().out.splitlines()
    assert len(out) == 2
    assert out[1].endswith("conv1,conv,4x6x6,4x6x6,108,108,7776,3888")
    monkeypatch.setitem(TABLE.rules, Conv, lambda layer, inputs, output: Code("nn.ReLU"))
    assert run(["verify", str(path)]) == 1
    assert "1 differ" not in capsys.readouterr().out


def test_what_fails_in_pytorch_is_a_difference_not_a_crash(monkeypatch):
    rule = TABLE.rules[Conv]
    monkeypatch.setitem(TABLE.rules, Conv, lambda *given: rule(*given)._replace(call="{module}({0}, 1, 2)"))
    layer, whole = differences(read("input: 3x8x8\nlayers: [conv: {filters: 4, kernel: 3}]"))
    assert "TypeError" in layer.theirs.error
    assert "TypeError" in whole.theirs.error


@pytest.mark.parametrize("name", ["torch", "onnx"])
def test_a_library_that_is_missing_is_named(name, monkeypatch, spec, capsys):
    monkeypatch.setitem(__import__("sys").modules, "torch", None)
    if name == "torch":
        assert run(["verify", spec]) == 2
    else:
        assert run(["export", spec, "--to", "onnx", "-o", "x.onnx"]) == 2
    assert 'pip install "convcalc[torch]"' in capsys.readouterr().err


def test_the_written_module_trains():
    module = made(
        read("input: 3x8x8\nlayers: [conv: {filters: 4, kernel: 3}, drop_path: 0.5, batch_norm, relu, scale]")
    )
    module.train()
    module(torch.randn(4, 3, 8, 8)).sum().backward()
    assert all(one.grad is not None for one in module.parameters())


def test_the_counter_is_pytorchs_own():
    counted = count(load("squeezenet1_1"))
    with FlopCounterMode(display=False) as counter:
        made(counted.graph)(*shaped(counted))
    assert counter.get_total_flops() == 2 * counted.figure("macs")


def test_a_spec_error_names_every_layer():
    with pytest.raises(SpecError) as error:
        TorchWriter(read("input: 3\nlayers: [opaque: {operator: A, shape: [3]}, opaque: {operator: B, shape: [3]}]"))
    assert len(error.value.problems) == 2
