"""The FLOPs and bytes of a training step: measured ones, and laws over the catalogue."""

import pytest

from convcalc.analysis.count import count
from convcalc.analysis.memory.precision import PRECISIONS
from convcalc.analysis.training.step import OPTIMIZERS, Training
from convcalc.catalogue import catalogue_files
from convcalc.cli import run
from convcalc.loader import load, read
from convcalc.tables.train import figure_rows, train_report

# FLOPs forward, and forward with backward: FlopCounterMode of torch 2.14.1 on torchvision 0.29.1, batch 1
MEASURED = {
    "alexnet_torchvision": (1_428_376_960, 4_144_577_280),
    "vgg16": (30_940_528_640, 92_648_177_664),
    "vgg16_bn": (30_940_528_640, 92_648_177_664),
    "resnet18": (3_628_146_688, 10_648_412_160),
    "resnet34": (7_327_522_816, 21_746_540_544),
    "resnet50": (8_178_368_512, 24_299_077_632),
    "resnet101": (15_602_810_880, 46_572_404_736),
    "wide_resnet50_2": (22_796_042_240, 68_152_098_816),
    "squeezenet1_0": (1_637_849_152, 4_578_218_112),
    "densenet121": (5_668_323_328, 16_768_942_080),
    "googlenet_torchvision": (2_996_752_384, 8_754_229_248),
    "inception_v3": (11_426_432_192, 34_240_933_248),
}
NETWORKS = [name for name in catalogue_files() if "layers/blocks" not in str(catalogue_files()[name])]


def step_of(graph, optimizer="sgd", precision="float32", checkpoint=None):
    return Training(count(graph), PRECISIONS[precision], optimizer, checkpoint)


@pytest.mark.parametrize("name", MEASURED)
def test_flops_of_a_step_are_those_that_pytorch_counts(name):
    step = step_of(load(name))
    assert (step.forward, step.step) == MEASURED[name]


@pytest.mark.parametrize("name", NETWORKS)
def test_laws_of_every_network(name):
    """Rows add up; saved bytes are linear in the batch but for batch norms; backward is twice forward inside."""
    graph = load(name)
    once = step_of(graph)
    assert all(work.saved >= 0 for work in once.work)
    assert once.saved == sum(work.saved for work in once.work) <= once.upper
    (layers, _) = train_report(once).tables
    for at, column in enumerate(layers.columns):
        if column.key.endswith(("_bytes", "_flops")) or column.key == "params":
            assert layers.total[at] == sum(row[at] for row in layers.rows)
    for work in once.work:
        needed = once.needed[work.row.layer.index]
        if needed.weights and all(needed.inputs):
            assert work.backward == 2 * work.forward
    norms = [layer for layer in graph.layers if layer.kind.name == "batch_norm" and once.needed[layer.index].any]
    once_of_batches = sum(2 * layer.output[0] for layer in norms)
    many = step_of(load(name, batch=3))
    assert many.saved - 4 * once_of_batches == 3 * (once.saved - 4 * once_of_batches)
    assert (many.forward, many.backward) == (3 * once.forward, 3 * once.backward)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_an_optimizer_keeps_a_multiple_of_the_params(optimizer):
    step = step_of(load("resnet8"), optimizer)
    assert step.weights == step.gradients == 4 * step.counted.figure("params")
    assert step.state == {"sgd": 0, "momentum": 1, "adam": 2, "adamw": 2}[optimizer] * step.weights
    assert step.upper == step.weights + step.buffers + step.gradients + step.state + step.saved


def test_half_precision_halves_values_but_neither_indices_nor_statistics():
    graph = read("{input: 4x8x8, layers: [{conv: {filters: 4, kernel: 1}}, batch_norm, {max_pool: 2}]}")
    values, statistics, indices = 3 * 4 * 8 * 8, 2 * 4, 4 * 4 * 4
    for precision, size, of_statistics in (("float64", 8, 8), ("float32", 4, 4), ("bfloat16", 2, 4)):
        found = step_of(graph, precision=precision).saved
        assert found == size * values + of_statistics * statistics + 8 * indices


def test_frozen_weights_have_no_gradient_but_pass_one_on():
    graph = read("""
input: 3x8x8
layers:
  - conv: {filters: 4, kernel: 1, bias: false, learned: 0}
  - conv: {filters: 4, kernel: 1, bias: false}
  - conv: {filters: 4, kernel: 1, bias: false, learned: 0}
""")
    work = step_of(graph).work
    assert [one.backward // one.forward for one in work] == [0, 1, 1]
    assert step_of(graph).gradients == 4 * 4 * 4


def test_checkpointed_blocks_keep_their_inputs_and_the_largest_is_computed_again():
    graph = read("""
input: 4x8x8
blocks:
  unit: {layers: [{conv: {filters: 4, kernel: 3, padding: 1}}, tanh, {conv: {filters: 4, kernel: 3, padding: 1}}, tanh]}
layers: [unit, unit, unit]
""")
    tensor = 4 * 4 * 8 * 8
    whole, parts = step_of(graph), step_of(graph, checkpoint=1)
    assert whole.saved == 7 * tensor  # the image, and two results of tanh in each of three blocks
    assert parts.saved == 3 * tensor + 2 * tensor
    assert parts.again == whole.forward
    assert parts.step == whole.step + whole.forward


def test_what_a_recurrent_layer_keeps_is_not_known_and_said(capsys, tmp_path):
    path = tmp_path / "net.yaml"
    path.write_text("name: net\ninput: 7x8\nlayers: [lstm: 4]\n")
    assert run(["train", str(path)]) == 0
    assert "saved is a lower bound (>=): what lstm layers keep is not known" in capsys.readouterr().out


def test_the_figures_say_that_the_sum_is_an_upper_one():
    rows = {figure: meaning for figure, _, meaning in figure_rows(step_of(load("resnet8"), "adam"))}
    assert "saved and gradients are not all alive at once" in rows["upper bytes"]
