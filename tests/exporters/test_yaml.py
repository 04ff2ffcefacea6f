"""Graph -> YAML: what repeats is a block or a repeat, residuals are joins, and the text counts to the same figures."""

import pytest

from convcalc.analysis.count import count
from convcalc.exporters.yaml.writer import write_spec
from convcalc.graph import Graph, Ref
from convcalc.kinds import KINDS
from convcalc.language.builder import build
from convcalc.language.document_loader import parse
from convcalc.language.overrides import Overrides
from convcalc.language.sources import File


class Net:
    """A graph in the making: `net("conv", x, filters=4)` adds a layer, its path from `at`."""

    def __init__(self, shape, name="net"):
        self.graph = Graph(name)
        self.module = ""
        self.input = self.graph.add_input("x", shape)

    def __call__(self, kind, *inputs, path="", shares=None, **fields):
        path = self.module + (path or f"{kind}{len(self.graph.all)}")
        return self.graph.add(path, KINDS[kind](**fields), inputs, shares)

    def conv(self, x, path, filters, kernel, stride=1):
        x = self("conv", x, path=path, filters=filters, kernel=kernel, stride=stride, padding=kernel // 2, bias=False)
        return self("batch_norm", x)


def resnet50():
    net = Net((3, 224, 224), "resnet50")
    x = net("relu", net.conv(net.input, "conv1", 64, 7, 2))
    x = net("max_pool", x, kernel=3, stride=2, padding=1)
    for stage, (width, times) in enumerate(zip((64, 128, 256, 512), (3, 4, 6, 3), strict=True), 1):
        for number in range(times):
            net.module = f"layer{stage}/{number}/"
            stride = 2 if number == 0 and stage > 1 else 1
            y = net("relu", net.conv(x, "conv1", width, 1))
            y = net("relu", net.conv(y, "conv2", width, 3, stride))
            y = net.conv(y, "conv3", 4 * width, 1)
            skip = x if number else net.conv(x, "downsample", 4 * width, 1, stride)
            x = net("relu", net("add", y, skip))
    net.module = ""
    net("linear", net("flatten", net("global_avg_pool", x)), path="fc", features=1000)
    return net.graph


def dense():
    net = Net((3, 32, 32))
    x = net.conv(net.input, "stem", 16, 3)
    for block in range(3):
        for _ in range(6):
            x = net("concat", x, net("conv", net("relu", net("batch_norm", x)), filters=12, kernel=3, padding=1))
        x = net("avg_pool", net("conv", x, filters=40 * (block + 1), kernel=1), kernel=2)
    return net.graph


def shuffle():
    net = Net((24, 32, 32))
    x = net.input
    for unit in range(6):
        left = net("split", x, parts=2)
        y = net("relu", net.conv(Ref(left.layer, 1), f"unit{unit}/first", 12, 1))
        y = net("conv", y, kernel=3, padding=1, groups="channels")
        x = net("channel_shuffle", net("concat", left, y), groups=2)
        if unit == 2:
            x = net("max_pool", x, kernel=2)
    return net.graph


def attention():
    net = Net((3, 32, 32))
    x = net("permute", net("reshape", net.conv(net.input, "patches", 48, 4, 4), shape=(48, 81)), order=(1, 0))
    x = net("add", x, net("parameter", shape=(81, 48)))
    for number in range(4):
        y = net("layer_norm", x)
        q, k, v = (
            net("permute", net("reshape", net("linear", y, path=f"e/{number}/{name}", features=48), shape=(81, 4, 12)),
                order=(1, 0, 2))
            for name in "qkv"
        )  # fmt: skip
        y = net("matmul", net("softmax", net("matmul", q, k, transpose=True), axis="last"), v)
        y = net("reshape", net("permute", y, order=(1, 0, 2)), shape=(81, 48))
        x = net("add", x, net("linear", y, features=48))
    return net.graph


def unet():
    net = Net((3, 64, 64))
    x, skips = net.input, []
    for level in range(4):
        x = net("relu", net.conv(net("relu", net.conv(x, f"down{level}/a", 8 << level, 3)), f"down{level}/b", 8, 3))
        skips.append(x)
        x = net("max_pool", x, kernel=2)
    for level in reversed(range(4)):
        x = net("concat", skips[level], net("transposed_conv", x, filters=8 << level, kernel=2, stride=2))
        x = net("relu", net.conv(x, f"up{level}/a", 8 << level, 3))
    return net.graph


def shared():
    net = Net((8, 16, 16))
    first = net("conv", net.input, filters=8, kernel=3, padding=1)
    x = first
    for _ in range(3):
        x = net("conv", net("relu", x), filters=8, kernel=3, padding=1, shares=first.layer)
    return net.graph


def several_inputs():
    net = Net((8, 16, 16))
    other = net.graph.add_input("image:0", (8, 16, 16))
    scalar = net.graph.add_input("t", (4,))
    net("add", net("relu", net.input), other)
    net("linear", scalar, path="a name with blanks", features=3)
    net("split", net.input, parts=2)
    return net.graph


NETWORKS = (resnet50, dense, shuffle, attention, unet, shared, several_inputs)


def read_back(text, **settings):
    return count(build(parse(File("net.yaml", text.encode(), None)), Overrides(**settings)))


@pytest.mark.parametrize("network", NETWORKS, ids=lambda network: network.__name__)
def test_counts_to_the_same_figures(network):
    graph = network()
    ours, theirs = count(graph), read_back(write_spec(graph))
    assert ours.tallies == theirs.tallies
    assert ours.depth == theirs.depth
    assert sorted(row.output for row in ours.rows) == sorted(row.output for row in theirs.rows)


@pytest.mark.parametrize(
    ("network", "most"), [(resnet50, 45), (dense, 25), (shuffle, 25), (attention, 45), (unet, 55)],
)  # fmt: skip
def test_is_short(network, most):
    assert write_spec(network()).count("\n") <= most


def test_resnet_reads_as_a_person_would_write_it():
    text = write_spec(resnet50())
    assert "- stage: {name: layer3, filters: 256, stride: 2, times: 5}" in text
    assert '"${4 * filters}"' in text


def test_layers_keep_their_module_path():
    paths = {row.path for row in read_back(write_spec(resnet50())).rows}
    assert {"conv1", "fc"} <= paths
    assert any(path.startswith("layer4/") for path in paths)


def test_a_skip_across_resolutions_is_named_not_nested():
    text = write_spec(unet())
    assert text.count("from: [") == 4
    assert "branches" not in text


def test_shared_weights_stay_shared():
    text = write_spec(shared())
    assert text.count("share: ") == 3
    assert read_back(text).figure("weights") == 8 * 8 * 9


def test_the_batch_is_not_in_the_text():
    graph = dense()
    graph.batch = 4
    text = write_spec(graph)
    assert read_back(text).figure("macs") * 4 == count(graph).figure("macs")
    assert read_back(text, batch=4).tallies == count(graph).tallies


def nested(net, x, times):
    """Residuals in residuals."""
    if not times:
        return net("relu", net("conv", x, filters=8, kernel=3, padding=1))
    return net("relu", net("add", nested(net, x, times - 1), x))


def test_a_block_that_names_its_input_stays_a_block_in_a_repeat():
    """In a repeat `input` is the network's; each copy reads what it is given, though too deep to be a branch."""
    net = Net((8, 9, 9))
    x = net("conv", net.input, filters=8, kernel=3, padding=1)
    for _ in range(3):
        first = net("conv", x, filters=8, kernel=1)
        x = net("add", x, net("add", nested(net, first, 4), first))
    net("conv", x, filters=4, kernel=1)
    again = build(parse(File("net.yaml", write_spec(net.graph).encode(), None)), Overrides())
    assert [layer.inputs for layer in again.all] == [layer.inputs for layer in net.graph.all]
