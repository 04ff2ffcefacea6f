"""Peak, floor, arena and flash of networks against .tflite files as TensorFlow Lite Micro runs them.

Arenas were measured: the planned part of the memory of its interpreter, reference kernels. Peaks and floors follow
from the files' operators; constants are the bytes that a file stores. Networks of Keras pad as "same"; where Keras's
code has a padding of its own (DenseNet), the file has an operator for it, as in the profile `tflm_pad`.

Not reached: NASNet-A mobile, MCUNet's networks and the sample networks with LSTM and SVDF, which no spec here describes
(the last two also have scratch buffers of their kernels). MobileNet v3 and EfficientNet do not run in that interpreter:
their arenas are worked out from the files.
"""

import pytest

from convcalc.analysis.memory.live import memory
from convcalc.analysis.memory.precision import PRECISIONS
from convcalc.analysis.memory.profile import profile
from convcalc.language.overrides import Overrides
from convcalc.loader import graph, read

# spec, variables, input, precision, profile: peak, floor, arena
KERAS = [
    ("mobilenet_v1", ("width=0.25", "size=96"), "", "tflm", 55_296, 55_296, 73_728),
    ("mobilenet_v1", (), "", "tflm", 1_204_224, 1_204_224, 1_204_224),
    ("mobilenet_v2", ("width=0.35",), "96", "tflm", 138_240, 138_240, 138_240),
    ("mobilenet_v2", ("width=0.35",), "144", "tflm", 311_040, 311_040, 311_040),
    ("mobilenet_v2", (), "", "tflm", 1_505_280, 1_505_280, 1_505_280),
    ("resnet@50", (), "", "tflm", 2_408_448, 2_408_448, 2_408_448),
    ("densenet", (), "", "tflm_pad", 2_107_392, 1_634_560, 2_709_504),
    ("inception_v3", (), "", "tflm", 2_074_464, 2_074_464, 2_074_464),
    ("mobilenet_v3@small", (), "", "tflm", 401_408, 401_408, 401_408),
    ("efficientnet@b0", (), "", "tflm", 3_612_672, 3_612_672, 3_612_672),
    # the same MobileNet v2, converted from PyTorch: its padding is an operator
    ("mobilenet_v2", (), "", "tflm_pad", 2_451_840, 2_451_840, 2_451_840),
    # a MobileNet v1 that sees grey images
    ("mobilenet_v1@vww", (), "1x96x96", "tflm", 55_296, 55_296, 55_296),
]
# spec, precision: peak, arena, constants of the file without the targets of its reshapes
MLPERF_TINY = [
    ("resnet8", "int8", 49_152, 49_152, 78_752 - 8),
    ("ds_cnn", "int8", 16_000, 16_000, 24_376 - 8),
    ("toycar_autoencoder", "int8", 768, 768, 270_880),
    ("mobilenet_v1@vww", "int8", 55_296, 73_728, 219_072 - 8),
    ("resnet8", "float32", 196_608, 196_608, 310_832 - 8),
    ("toycar_autoencoder", "float32", 3_072, 3_072, 1_063_456),
    ("mobilenet_v1@vww", "float32", 221_184, 294_912, 843_408 - 8),
]
# PyTorch 2.14, float32, the most bytes of storages alive in a forward pass; True where the lower bound is equal
EAGER = [
    ("alexnet_torchvision", 1_936_384, False),
    ("vgg@16", 26_292_224, True),
    ("vgg@16_bn", 26_292_224, True),
    ("resnet@18", 7_024_640, True),
    ("resnet@34", 7_024_640, True),
    ("resnet@50", 11_038_720, False),
    ("googlenet_torchvision", 7_024_640, True),
    ("squeezenet", 8_523_648, False),
    ("mobilenet_v2", 11_038_720, False),
    ("mobilenet_v3@large", 7_827_456, False),
    ("mobilenet_v3@small", 2_609_152, False),
    ("mnasnet", 6_221_824, False),
    ("shufflenet_v2", 3_010_560, True),
    ("densenet", 10_637_312, False),
    ("efficientnet@b0", 11_038_720, False),
    ("inception_v3", 14_902_572, False),
    ("convnext", 12_644_352, False),
    ("vit", 8_469_504, False),
]


def needed(network, precision="int8", rules="tflm"):
    return memory(network, profile(rules), PRECISIONS[precision])


@pytest.mark.parametrize(("spec", "sets", "size", "rules", "peak", "floor", "arena"), KERAS)
def test_a_network_needs_what_its_file_needs(spec, sets, size, rules, peak, floor, arena):
    found = needed(graph(spec, Overrides(sets=sets, inputs=(size,) if size else ())), rules=rules)
    assert (found.peak, found.floor, found.arena) == (peak, floor, arena)


@pytest.mark.parametrize(("spec", "precision", "peak", "arena", "constants"), MLPERF_TINY)
def test_mlperf_tiny_needs_what_its_files_need_and_store(spec, precision, peak, arena, constants):
    found = needed(graph(spec), precision)
    assert (found.peak, found.floor, found.arena, found.flash) == (peak, peak, arena, constants)


def test_the_file_of_ds_cnn_in_float_needs_as_much():
    found = needed(graph("ds_cnn"), "float32")  # this file's weights are quantised, so its constants are others
    assert (found.peak, found.arena) == (64_000, 64_000)


def test_streaming_wake_words():
    """MLPerf Tiny's sww: depthwise and 1x1 convolutions over time, no padding."""
    pairs = [(3, 128), (5, 128), (10, 128), (15, 32)]
    depthwise, pointwise = "{{conv: {{kernel: [{}, 1], groups: channels}}}}", "{{conv: {{filters: {}, kernel: 1}}}}"
    layers = "".join(f"{depthwise.format(span)}, relu, {pointwise.format(to)}, relu, " for span, to in pairs)
    found = needed(read(f"{{input: 40x30x1, layers: [{layers} flatten, linear: 3, softmax]}}"))
    assert (found.peak, found.arena) == (6_656, 6_656)


def test_hello_world_of_tflm():
    found = needed(read('{input: "1", layers: [linear: 16, relu, linear: 16, relu, linear: 1]}'))
    assert (found.peak, found.floor, found.arena) == (32, 32, 32)


@pytest.mark.parametrize(("spec", "measured", "is_equal"), EAGER)
def test_eager_is_a_lower_bound_of_what_pytorch_holds(spec, measured, is_equal):
    peak = needed(graph(spec), "float32", "eager").peak
    assert peak == measured if is_equal else peak < measured
