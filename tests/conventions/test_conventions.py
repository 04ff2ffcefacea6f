"""What other tools print, rule by rule, against what they were measured to print."""

import json
from functools import cache

import pytest
from helpers.paths import DATA

from convcalc.analysis.count import count
from convcalc.analysis.training.gradients import gradients
from convcalc.conventions import convention as convention_module
from convcalc.conventions.convention import figure, figures, find, known_errors, names, our_macs, terms, total_of
from convcalc.conventions.quantities import Census
from convcalc.deploy import deploy
from convcalc.errors import SpecError
from convcalc.graph import Graph
from convcalc.kinds import KINDS
from convcalc.loader import load, read

PEERS = json.loads((DATA / "peer-counters.json").read_text())

# the 52 measured cases as specs: 8 channels of 10x10 unless the case says otherwise
ONE_LAYER = {
    "F.conv2d w/ own Parameter": ("8x10x10", "conv: {filters: 16, kernel: 3, padding: 1, bias: false, via: function}"),
    "F.interp bilinear size=20": ("8x10x10", "upsample: {size: 20, mode: bilinear, via: function}"),
    "F.interpolate nearest x2": ("8x10x10", "upsample: {scale: 2, via: function}"),
    "LSTM 8->16 L7": ("7x8", "lstm: 16"),
    "MHA 32,4h L7": ("7x32", "attention: {heads: 4}"),
    "SE scale x*s": (None, "multiply: {from: [x, s]}"),
    "adaptiveavg ->1 (10x10)": ("8x10x10", "adaptive_avg_pool: 1"),
    "adaptiveavg ->3 (10x10)": ("8x10x10", "adaptive_avg_pool: 3"),
    "avgpool k2 s2 (10->5)": ("8x10x10", "avg_pool: 2"),
    "batch=2 conv nobias": ("8x10x10", "conv: {filters: 16, kernel: 3, padding: 1, bias: false}"),
    "bias-free conv+bn+relu": (
        "8x10x10",
        "conv: {filters: 16, kernel: 3, padding: 1, bias: false}}, batch_norm, {relu: {}",
    ),
    "bn affine": ("8x10x10", "batch_norm: {}"),
    "bn noaffine": ("8x10x10", "batch_norm: {affine: false}"),
    "concat": ("8x10x10", "concat: [[], []]"),
    "conv1d nobias": ("8x10", "conv: {filters: 16, kernel: 3, padding: 1, bias: false}"),
    "conv2d 1x7 p0,3 nobias": ("8x10x10", "conv: {filters: 16, kernel: [1, 7], padding: [0, 3], bias: false}"),
    "conv2d 8->16 k3 p1 bias": ("8x10x10", "conv: {filters: 16, kernel: 3, padding: 1}"),
    "conv2d 8->16 k3 p1 nobias": ("8x10x10", "conv: {filters: 16, kernel: 3, padding: 1, bias: false}"),
    "conv2d depthwise 8 k3 p1 nobias": (
        "8x10x10",
        "conv: {filters: 8, kernel: 3, padding: 1, groups: 8, bias: false}",
    ),
    "conv2d dil2 p0 nobias": ("8x10x10", "conv: {filters: 16, kernel: 3, dilation: 2, bias: false}"),
    "conv2d groups4 8->16 nobias": ("8x10x10", "conv: {filters: 16, kernel: 3, padding: 1, groups: 4, bias: false}"),
    "conv2d pad=same bias": ("8x10x10", "conv: {filters: 16, kernel: 3, padding: same}"),
    "conv3d nobias": ("8x4x10x10", "conv: {filters: 16, kernel: 3, padding: 1, bias: false}"),
    "convT 16->8 k4 s2 p1 bias": ("16x10x10", "transposed_conv: {filters: 8, kernel: 4, stride: 2, padding: 1}"),
    "convT 8->16 k2 s2 nobias": ("8x10x10", "transposed_conv: {filters: 16, kernel: 2, stride: 2, bias: false}"),
    "convT grp4 8->16 k2s2 nobias": (
        "8x10x10",
        "transposed_conv: {filters: 16, kernel: 2, stride: 2, groups: 4, bias: false}",
    ),
    "gelu": ("8x10x10", "gelu: {}"),
    "groupnorm": ("8x10x10", "group_norm: 4"),
    "hardsigmoid": ("8x10x10", "hard_sigmoid: {}"),
    "hardswish": ("8x10x10", "hard_swish: {}"),
    "layernorm 32 on 1x7x32": ("7x32", "layer_norm: {}"),
    "leakyrelu": ("8x10x10", "leaky_relu: {}"),
    "linear 32->10 bias": ("32", "linear: 10"),
    "linear 32->10 bias on 1x7x32": ("7x32", "linear: 10"),
    "linear 32->10 nobias": ("32", "linear: {features: 10, bias: false}"),
    "matmul q@k": (None, "matmul: {from: [q, k]}"),
    "maxpool k3 s2 p1 (10->5)": ("8x10x10", "max_pool: {kernel: 3, stride: 2, padding: 1}"),
    "nn.Upsample bilinear x2": ("8x10x10", "upsample: {scale: 2, mode: bilinear}"),
    "nn.Upsample nearest x2": ("8x10x10", "upsample: 2"),
    "prelu": ("8x10x10", "prelu: {slopes: one}"),
    "relu inplace": ("8x10x10", "relu: {}"),
    "relu module": ("8x10x10", "relu: {}"),
    "relu6": ("8x10x10", "relu6: {}"),
    "residual x+x": ("8x10x10", "add: [[], []]"),
    "shared conv used twice": (
        "8x10x10",
        "conv: {name: a, filters: 8, kernel: 3, padding: 1, bias: false}}, {conv: {share: a}",
    ),
    "sigmoid": ("8x10x10", "sigmoid: {}"),
    "silu": ("8x10x10", "silu: {}"),
    "softmax dim1 (1x1000)": ("1000", "softmax: {}"),
    "tanh": ("8x10x10", "tanh: {}"),
    "torch.add(x,x)": ("8x10x10", "add: {branches: [[], []], via: function}"),
    "x.mean((2,3))": ("8x10x10", "reshape: [8, 100]}, {mean: last"),
}
INPUTS = {"SE scale x*s": "{x: 8x10x10, s: 8x1x1}", "matmul q@k": "{q: 4x7x8, k: 4x8x7}"}


# what the reference calls a counter, and which of its figures -> our convention
def measured(counters):
    found = {
        "fvcore": counters.get("fvcore"),
        "fvcore (mmengine)": counters.get("mmengine"),
        "thop": counters.get("thop"),
        "ptflops": counters.get("ptflops.pytorch"),
        "ptflops-aten": counters.get("ptflops.aten"),
        "ptflops-modules": counters.get("ptflops.pytorch.nofunc"),
        "flopth": counters.get("flopth"),
        "torch": counters.get("torch.flop_counter"),
        "torchinfo": counters.get("torchinfo.multadds"),
        "torchprofile": counters.get("torchprofile"),
        "onnx-tool": counters.get("onnx-tool"),
        "onnx_opcounter": counters.get("onnx_opcounter"),
    }
    head = counters["torchinfoHEAD"]
    found["torchinfo (head)"] = head[0] if isinstance(head, list) else head
    uthop = counters.get("uthop")
    found["ultralytics-thop"] = uthop[0] if isinstance(uthop, list) else uthop
    for theirs, ours in PAIRS.items():
        pair = counters.get(theirs)
        found[ours[0]], found[ours[1]] = map(whole, pair) if isinstance(pair, list) else (None, None)
    scan = counters.get("torchscan")
    if isinstance(scan, dict):
        found["torchscan"] = scan["macs"][1]
        found["torchscan-flops"] = scan["module_flops"][1]
    return {name: value for name, value in found.items() if isinstance(value, int)}


PAIRS = {
    "calflops": ("calflops", "calflops-macs"),
    "torchstat": ("torchstat", "torchstat-madd"),
    "torchmeter": ("torchmeter-flops", "torchmeter"),
}


def whole(value):
    """Some tools print 1600.0 for a count."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def spec_of(case):
    shape, layers = ONE_LAYER[case]
    return f"input: {shape or INPUTS[case]}\nlayers: [{{{layers}}}]\n"


def graph_of(case):
    graph = read(spec_of(case))
    graph.batch = 2 if case.startswith("batch=2") else 1
    return graph


EXPORTED = "depends on the operators that the ONNX exporter writes for it"
CONSTANTS = "the exporter writes the scales as a constant, and its 4 elements are counted"
IDENTITIES = "an untrained network has equal vectors, and the exporter writes an Identity for each repetition"
# what a static spec cannot know, by hand: (case, convention) -> why
DIFFERENT = {
    ("F.interp bilinear size=20", "onnx_opcounter"): CONSTANTS,
    ("F.interpolate nearest x2", "onnx_opcounter"): CONSTANTS,
    ("nn.Upsample bilinear x2", "onnx_opcounter"): CONSTANTS,
    ("nn.Upsample nearest x2", "onnx_opcounter"): CONSTANTS,
    ("bn affine", "onnx_opcounter"): IDENTITIES,
    ("bias-free conv+bn+relu", "onnx_opcounter"): IDENTITIES,
    ("LSTM 8->16 L7", "onnx_opcounter"): EXPORTED,
    ("MHA 32,4h L7", "onnx_opcounter"): EXPORTED,
    ("MHA 32,4h L7", "onnx-tool"): EXPORTED,
    ("MHA 32,4h L7", "torchprofile"): "the trace multiplies four scalars",
    **{(net, "flopth"): "one relu module serves a block and counts once" for net in ("resnet18", "resnet50")},
    ("linear 32->10 bias on 1x7x32", "torchinfo (head)"): "counted for each token since 1.8.0, not released",
    **{(network, "onnx_opcounter"): IDENTITIES for network in PEERS["networks"]},
}
LEFT_OUT = {"SDPA 4h 7x8": "no layer: a function without weights, which no kind states alone"}

CASES = [
    (case, name, value)
    for group in ("one_layer", "networks")
    for case, counters in PEERS[group].items()
    for name, value in measured(counters).items()
    if case not in LEFT_OUT
]


@cache
def graph_for(case):
    return graph_of(case) if case in ONE_LAYER else load(DATA / "conventions" / f"{case}.yaml")


@pytest.mark.parametrize(("case", "name", "value"), CASES, ids=[f"{name}-{case}" for case, name, _ in CASES])
def test_a_convention_gives_what_the_tool_printed(case, name, value):
    ours = total_of(find(name.partition(" ")[0]), Census(graph_for(case)))
    assert (ours == value) is ((case, name) not in DIFFERENT)


@pytest.mark.parametrize(
    ("name", "printed"),
    [
        ("fvcore", 714_197_696),
        ("thop", 714_206_912),
        ("ptflops", 716_441_128),
        ("ptflops-aten", 714_682_664),
        ("torchinfo", 714_682_664),
        ("torchprofile", 714_197_696),
        ("torchscan", 714_383_552),
        ("calflops", 1_429_741_184),
    ],
)
def test_a_network_that_is_not_in_the_file(name, printed):
    assert total_of(find(name), Census(graph_for("alexnet"))) == printed


def test_every_measured_counter_is_one_of_our_conventions():
    """torch_flops stops with an error in all that was measured; the rest of the columns are params, not costs."""
    counters = set().union(*(PEERS["one_layer"][case] for case in ONE_LAYER))
    assert all(str(PEERS["one_layer"][case]["torch_flops"]).startswith("ERR") for case in ONE_LAYER)
    seen = {name.partition(" ")[0] for _, name, _ in CASES}
    unseen = set(names()) - seen
    # no figure of these was measured there; test_backward.py has those of the backward pass
    assert unseen == {"paper", "torchvision", "netscope", "keras-flops", "darknet", "torch-backward"}
    assert len(counters) == 19


def test_every_measured_case_has_a_spec():
    assert set(ONE_LAYER) | set(LEFT_OUT) == set(PEERS["one_layer"])


@pytest.mark.parametrize("network", PEERS["networks"])
def test_params_are_what_the_tools_print(network):
    ours = count(graph_for(network)).figure("params")
    counters = PEERS["networks"][network]
    assert ours == counters["thop.params"]
    # torchinfo lists GoogLeNet's auxiliary heads, which do not run at inference
    assert (ours == counters["torchinfo.params"]) is (network != "googlenet")


@pytest.mark.parametrize("name", names())
def test_every_rule_can_be_worked_out(name):
    """A rule that names a quantity its kind has not is a mistake in the file."""
    convention = find(name)
    assert convention.source
    assert convention.about
    for kind_name in {*convention.rules, *convention.errors}:
        kind = KINDS[kind_name]
        shape, fields = kind.example
        graph = Graph("one")
        inputs = [graph.add_input(f"x{at}", parse_shape(text)) for at, text in enumerate(shape.split())]
        while len(inputs) < kind.inputs[0]:
            inputs.append(inputs[0])
        graph.add("layer", kind(**fields), inputs)
        assert total_of(convention, Census(graph)) >= 0


def parse_shape(text):
    return tuple(int(size) for size in text.split("x"))


@pytest.mark.parametrize("name", names())
def test_the_batch_multiplies_or_does_not(name):
    graph = read(spec_of("conv2d 8->16 k3 p1 bias"))
    one = total_of(find(name), Census(graph))
    graph.batch = 4
    assert total_of(find(name), Census(graph)) == (4 * one if find(name).batch else one)


def test_the_terms_add_up_to_the_difference():
    graph = graph_for("resnet50")
    for name in names():
        convention = find(name)
        ours = our_macs(convention, Census(graph))
        if not convention.backward:
            assert ours == count(graph).figure("macs") * (2 if convention.counts_flops else 1)
        census = Census(graph)
        assert ours + sum(term.difference for term in terms(convention, census)) == total_of(convention, census)


def test_a_known_error_says_how_far_off_it_is():
    graph = graph_for("convT 8->16 k2 s2 nobias")
    (line,) = known_errors(find("thop"), Census(graph))
    assert line == "thop counts a transposed convolution at the output's size: here 4 x our figure"
    assert known_errors(find("fvcore"), Census(graph)) == []


def test_a_version_is_checked():
    assert find("thop@0.1.1").label == "thop@0.1.1"
    assert find("thop@0.1").label == "thop@0.1.1"
    with pytest.raises(SpecError, match="no version '9' of the convention 'thop'"):
        find("thop@9")
    with pytest.raises(SpecError, match="did you mean 'thop'"):
        find("thopp")


@pytest.mark.parametrize(
    ("network", "params"), [("resnet50", 25_530_472), ("mobilenet_v2", 3_487_816), ("densenet121", 7_971_368)]
)
def test_deploy_folds_batch_norms(network, params):
    graph = load(DATA / "conventions" / f"{network}.yaml", deploy=True)
    assert count(graph).figure("params") == params
    assert count(graph).figure("macs") == count(graph_for(network)).figure("macs")


def test_deploy_leaves_a_shared_convolution_alone():
    text = (
        "input: 8x8x8\nlayers: [{conv: {name: a, filters: 8, kernel: 1}}, batch_norm, {conv: {share: a}}, batch_norm]"
    )
    assert [layer.kind.name for layer in deploy(read(text)).layers] == ["conv", "batch_norm", "conv", "batch_norm"]


def test_via_is_module_or_function():
    with pytest.raises(SpecError, match="'via' must be module or function, found 'hook'"):
        read("input: 8x8x8\nlayers: [{relu: {via: hook}}]")
    with pytest.raises(SpecError, match="'via' belongs to a layer"):
        read("input: 8x8x8\nlayers: [{repeat: {times: 2, via: function, layers: [relu]}}]")


def test_layers_that_are_alike_are_worked_out_once(monkeypatch):
    evaluated = []
    whole = convention_module._evaluate
    monkeypatch.setattr(convention_module, "_evaluate", lambda *words: evaluated.append(1) or whole(*words))
    totals = []
    for times in (2, 40):
        layers = "{conv: {filters: 8, kernel: 3, padding: same}}, batch_norm, relu, " * times
        census = Census(read(f"{{input: 8x6x6, layers: [{layers}]}}"))
        evaluated.clear()
        totals.append((total_of(find("thop"), census), len(evaluated)))
    assert totals[1][0] == 20 * totals[0][0] > 0
    assert totals[1][1] == totals[0][1] == 4  # one for each kind, and the first conv, whose input has no gradient


@pytest.mark.parametrize("name", names())
def test_a_census_says_of_each_layer_what_the_rule_says(name):
    graph = graph_for("resnet50")
    convention, needed = find(name), gradients(graph)
    census = Census(graph)
    each = figures(convention, census, 2)
    for layer in graph.layers:
        alone = figure(convention, layer, 2, needed[layer.index])
        assert each[census.entries[layer.index]] == alone
