"""Networks as Keras: every kind, networks of the catalogue, and the file that is written."""

import os
from math import prod

import pytest
import torch
from helpers.networks import CASES, alone, example, network, windows
from hypothesis import HealthCheck, assume, given, settings
from torch.utils.flop_counter import FlopCounterMode

os.environ.setdefault("KERAS_BACKEND", "torch")
import keras

from convcalc.analysis.count import count
from convcalc.cli import run
from convcalc.errors import SpecError, UserError
from convcalc.exporters.keras.writer import KerasWriter
from convcalc.exporters.torch.writer import TorchWriter
from convcalc.graph import Ref
from convcalc.kinds import KINDS
from convcalc.loader import load, read

pytestmark = pytest.mark.filterwarnings("ignore")

REFUSED = {
    "pad {amount: 2, mode: circular} 8x4": "Keras has no 'circular' padding",
    "pad {amount: 1, mode: replicate} 8x4x5x6": "Keras has no 'replicate' padding",
    "upsample {size: 9, mode: bilinear} 8x4x4x4": "Keras has bilinear interpolation only for two spatial axes",
    "upsample {size: 7, mode: bilinear} 8x4": "Keras has bilinear interpolation only for two spatial axes",
    "max_unpool {kernel: 3, stride: 2, padding: 1} 8x4x4 8x8x8": "Keras' pooling does not tell where",
    "max_unpool 2 3x2 3x5": "Keras' pooling does not tell where",
    "max_unpool [1, 2, 3] 4x2x2x2 4x2x5x7": "Keras' pooling does not tell where",
    "avg_pool {kernel: 3, dilation: 2} 8x9x9": "Keras has no pooling with dilation",
}


def made(graph, device="cpu"):
    """The model that the written file holds, and what wrote it."""
    writer = KerasWriter(graph)
    scope = {}
    exec(compile(writer.file(count(graph)), "<file>", "exec"), scope)
    with keras.device(device):
        return scope[writer.name](), writer


def learned(model):
    return sum(prod(weight.shape) for weight in model.trainable_weights)


def turned(tensors, refs, writer, to_keras):
    """Values with their channels where Keras has them, or back where the spec has them."""
    places = (1, -1) if to_keras else (-1, 1)
    return [one.movedim(*places) if writer.channels_last[ref] else one for one, ref in zip(tensors, refs, strict=True)]


def outputs_of(graph):
    return [Ref(layer.index, port) for layer in graph.outputs for port in range(len(layer.outputs))]


def same(graph):
    """Assert that Keras has our params, MACs and shapes, and with equal weights PyTorch's values."""
    counted, (model, writer) = count(graph), made(graph)
    assert learned(model) == counted.figure("params") - sum(map(second_biases, graph.layers))
    ends = [shape for layer in graph.outputs for shape in layer.outputs]
    inputs = [torch.rand(graph.batch, *shape) for shape in graph.inputs.values()]
    if any(layer.kind.name == "embedding" for layer in graph.layers):
        inputs = [(9 * one).long() for one in inputs]
    with FlopCounterMode(display=False) as counter:
        ours = listed(model(turned(inputs, writer.root.takes, writer, to_keras=True)))
    ours = turned(ours, outputs_of(graph), writer, to_keras=False)
    assert [tuple(one.shape[1:]) for one in ours] == ends
    kinds = {layer.kind.name for layer in graph.layers}
    # PyTorch's counter does not see what the CPU has of attention, and Keras runs the first step of its plain recurrent
    # layer twice
    if not kinds & {"attention", "rnn"}:
        assert counter.get_total_flops() == 2 * counted.figure("macs")
    with torch.no_grad():
        for weight in model.trainable_weights:
            weight.assign(weight * 0 + worth(weight.name))
        module = module_of(graph)
        for name, weight in module.named_parameters():
            weight.fill_(worth(name))
        fixed = [weight for weight in model.non_trainable_weights if "kernel" in weight.name]
        for weight in fixed:
            weight.assign(weight * 0 + 0.1)
        for buffer in module.buffers() if fixed else ():
            buffer.fill_(0.1)
        theirs = listed(module(*inputs))
        ours = turned(listed(model(turned(inputs, writer.root.takes, writer, True))), outputs_of(graph), writer, False)
    for one, other in zip(ours, theirs, strict=True):
        assert torch.allclose(one.float(), other.float(), atol=1e-4, rtol=1e-3, equal_nan=True)


def module_of(graph):
    """The module that the file of PyTorch holds."""
    writer, scope = TorchWriter(graph), {}
    exec(writer.file(count(graph)), scope)
    return scope[writer.name]().eval()


def worth(name):
    """What every weight of a name is set to in both."""
    return 0 if "bias" in name or name.endswith(("beta", "offset")) else 0.1


def second_biases(layer):
    """What Keras has fewer of: its recurrent layers have one bias where PyTorch's have two."""
    kind = layer.kind
    if kind.name not in ("lstm", "rnn") or not kind.bias:
        return 0
    return kind.gates * kind.layers * (1 + kind.bidirectional) * kind.features


def listed(found):
    return list(found) if isinstance(found, (list, tuple)) else [found]


@pytest.mark.parametrize("name", sorted(set(KINDS) - {"opaque", "custom", "max_unpool"}))
def test_keras_agrees_on_every_kind(name):
    same(example(KINDS[name]))


@pytest.mark.parametrize("case", [case for case in CASES if case not in REFUSED])
def test_keras_agrees_on_every_field(case):
    same(network(case))


@pytest.mark.parametrize("case", REFUSED)
def test_what_keras_does_not_have_is_refused(case):
    with pytest.raises(SpecError) as error:
        KerasWriter(network(case))
    assert f"'it' cannot be written in Keras: {REFUSED[case]}" in str(error.value)


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(windows())
def test_keras_agrees_on_every_window(case):
    kind, fields, shape = case
    try:
        layer = kind(**fields)
        graph = alone(layer, shape)
    except UserError:
        assume(False)
    try:
        KerasWriter(graph)
    except SpecError as error:
        assert "Keras has no" in str(error)
        assume(False)
    same(graph)


@pytest.mark.parametrize(
    "name", ["resnet18", "googlenet", "densenet121", "shufflenet_v2_x0_5", "vit_b_16", "mobilenet_v3_large", "unet"]
)
def test_networks_of_the_catalogue_are_the_same_in_keras(name):
    counted = count(load(name))
    model, _ = made(counted.graph, "meta")
    assert learned(model) == counted.figure("params")
    assert [tuple(one.shape[1:]) for one in model.outputs] == [
        (*shape[1:], shape[0]) for layer in counted.graph.outputs for shape in layer.outputs
    ]


RESIDUAL = """\
name: Two blocks
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
  - residual: {name: second, filters: 6}
  - residual: {name: third, filters: 6, stride: 2}
  - flatten
  - linear: 3
"""
WRITTEN = '''\
"""Two blocks.

Input, without the batch: input 4x8x8. The layout is channels last.
1,007 parameters; 28,512 MACs for a batch of 1. Written by convcalc.
"""

import keras
from keras import layers


def residual(x, filters, name):
    x = layers.Conv2D(filters, 3, use_bias=False, padding="same", name=f"{name}_wide")(x)
    x = layers.BatchNormalization(epsilon=1e-05, name=f"{name}_batch_norm1")(x)
    return layers.ReLU()(x)


def residual2(x, name):
    x = layers.ZeroPadding2D(1)(x)
    x = layers.Conv2D(6, 3, strides=2, use_bias=False, name=f"{name}_wide")(x)
    x = layers.BatchNormalization(epsilon=1e-05, name=f"{name}_batch_norm1")(x)
    return layers.ReLU()(x)


def two_blocks():
    inputs = keras.Input((8, 8, 4), name="inputs")
    x = residual(inputs, 4, name="first")
    x = residual(x, 6, name="second")
    x = residual2(x, name="third")
    x = layers.Permute((3, 1, 2))(x)
    x = layers.Flatten()(x)
    x = layers.Dense(3, name="linear1")(x)
    return keras.Model(inputs, x, name="two_blocks")
'''


def test_the_file_to_the_letter(tmp_path, capsys):
    (tmp_path / "net.yaml").write_text(RESIDUAL)
    assert run(["export", str(tmp_path / "net.yaml"), "--to", "keras"]) == 0
    assert capsys.readouterr().out == WRITTEN
    same(read(RESIDUAL))


def test_shared_weights_are_one_layer_that_is_called_twice():
    graph = read("""\
input: {left: 3x8x8, right: 3x8x8}
layers:
  - conv: {name: first, filters: 4, kernel: 3, from: left}
  - conv: {name: again, share: first, filters: 4, kernel: 3, from: right}
  - add: {from: [first, again]}
""")
    same(graph)
    text = KerasWriter(graph).file(count(graph))
    assert text.count("layers.Conv2D(") == 1
    assert "first_layer(right)" in text


ACROSS = """\
input: 3x8x8
blocks: {tower: {layers: [conv: {name: first, filters: 3, kernel: 3, padding: same}, relu]}}
layers:
  - tower: {name: one}
  - conv: {name: again, share: one/first, filters: 3, kernel: 3, padding: same}
"""


def test_weights_that_blocks_share_are_written_without_functions():
    graph = read(ACROSS)
    same(graph)
    text = KerasWriter(graph).file(count(graph))
    assert text.count("def ") == 1
    assert 'name="one_first"' in text


def test_layers_whose_places_read_alike_have_names_of_their_own():
    graph = read("""\
input: 3x8x8
blocks:
  a: {layers: [relu, conv: {name: b_c, filters: 3, kernel: 1}]}
layers: [a: {name: a}, a: {name: a_b}, conv: {name: a_b_c, filters: 3, kernel: 1}, linear: {axis: 0, features: 2}]
""")
    same(graph)
    names = [layer.name for layer in made(graph)[0].layers if layer.weights]
    assert len(set(names)) == 4


def test_weights_of_another_kind_of_layer_are_refused(tmp_path, capsys):
    path = tmp_path / "net.yaml"
    path.write_text(
        "input: 5\nlayers:\n  - embedding: {name: table, entries: 9, features: 6}\n"
        "  - linear: {name: head, features: 9, bias: false, share: table}\n"
        "  - opaque: {name: nms, operator: NonMaxSuppression, shape: [3, 8]}\n"
    )
    assert run(["export", str(path), "--to", "keras"]) == 2
    assert capsys.readouterr().err.splitlines() == [
        f"{path}:4:5: error: 'head' cannot be written in Keras: it shares the weights of 'table', a layer of another"
        " kind",
        "    4 |   - linear: {name: head, features: 9, bias: false, share: table}",
        "      |     ^~~~~~",
        f"{path}:5:5: error: 'nms' cannot be written in Keras: the operator NonMaxSuppression is not known",
        "    5 |   - opaque: {name: nms, operator: NonMaxSuppression, shape: [3, 8]}",
        "      |     ^~~~~~",
    ]


@pytest.mark.parametrize(
    "layer",
    [
        "conv: {filters: 8, kernel: 3, stride: 2, dilation: 2}",
        "transposed_conv: {filters: 8, kernel: 3, groups: 4}",
        "max_pool: {kernel: 3, dilation: 2}",
    ],
)
def test_what_keras_convolutions_and_pools_lack(layer):
    with pytest.raises(SpecError, match="Keras has no"):
        KerasWriter(read(f"input: 4x9x9\nlayers: [{layer}]"))


def test_several_inputs_and_outputs_and_split_ports():
    graph = read("""\
input: {image: 4x6x6, class: 4x6x6, words: 7}
layers:
  - split: {name: halves, parts: 2, from: image}
  - conv: {name: train, filters: 2, kernel: 1, from: halves.1}
  - add: {name: both, from: [halves.0, train]}
  - conv: {name: 1x1, filters: 3, kernel: 1, from: class}
  - embedding: {name: table, entries: 9, features: 2, from: words}
""")
    model, _ = made(graph)
    assert {one.name: (tuple(one.shape[1:]), one.dtype) for one in model.inputs} == {
        "image": ((6, 6, 4), "float32"),
        "class2": ((6, 6, 4), "float32"),
        "words": ((7,), "int32"),
    }
    assert [tuple(one.shape[1:]) for one in model.outputs] == [(6, 6, 2), (6, 6, 3), (7, 2)]


def test_names_cannot_break_out_of_the_file():
    graph = read(
        'name: "\\"\\"\\"; import os"\ninput: {keras: 3x4x4, x: 3x4x4}\nlayers: [add: {name: layers, from: [keras, x]}]'
    )
    model, _ = made(graph)
    assert model.output_shape == (None, 4, 4, 3)


def test_the_written_model_trains():
    layers = "conv: {filters: 4, kernel: 3}, drop_path: 0.5, batch_norm, relu, scale, flatten, linear: 2"
    model, _ = made(read(f"input: 3x8x8\nlayers: [{layers}]"))
    model.compile("sgd", "mse")
    model.fit(torch.randn(4, 8, 8, 3), torch.randn(4, 2), verbose=0)
