"""PyTorch modules as graphs: params and MACs are PyTorch's own, and the module stays as it was."""

import sys

import pytest
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812  # what everyone calls it
from torch.utils.flop_counter import FlopCounterMode

import convcalc
from convcalc.cli import run
from convcalc.errors import SpecError
from convcalc.exporters.yaml.writer import write_spec

pytestmark = pytest.mark.filterwarnings("ignore")


class Residual(nn.Module):
    def __init__(self, channels, filters, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, filters, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(filters)
        self.conv2 = nn.Conv2d(filters, filters, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(filters)
        self.shortcut = nn.Conv2d(channels, filters, 1, stride) if stride > 1 else nn.Identity()

    def forward(self, x):
        out = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        return F.relu(out + self.shortcut(x))


class ResNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(*(Residual(8 * (1 + n // 2), 8 * (1 + (n + 1) // 2), 1 + n % 2) for n in range(4)))
        self.head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(0.5), nn.Linear(24, 10))

    def forward(self, x):
        return self.head(self.layers(x))


class Mobile(nn.Module):
    def __init__(self):
        super().__init__()
        self.expand = nn.Sequential(nn.Conv2d(8, 48, 1, bias=False), nn.BatchNorm2d(48), nn.Hardswish())
        self.depthwise = nn.Conv2d(48, 48, 5, 2, 2, groups=48, bias=False)
        self.squeeze, self.excite = nn.Conv2d(48, 12, 1), nn.Conv2d(12, 48, 1)
        self.project = nn.Conv2d(48, 16, 1)

    def forward(self, x):
        x = self.depthwise(self.expand(x))
        gate = torch.sigmoid(self.excite(F.silu(self.squeeze(x.mean((2, 3), keepdim=True)))))
        return self.project(x * gate)


class Shuffle(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(4, 4, 3, padding=1, groups=2)

    def forward(self, x):
        left, right = x.chunk(2, 1)
        x = torch.cat((left, self.conv(right)), 1)
        n, c, h, w = x.shape
        return x.view(n, 2, c // 2, h, w).transpose(1, 2).reshape(n, c, h, w)


class UNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.down, self.bottom = nn.Conv2d(8, 16, 3, padding=1), nn.Conv2d(16, 32, 3, padding=1)
        self.up, self.out = nn.ConvTranspose2d(32, 16, 2, 2), nn.Conv2d(32, 8, 1)

    def forward(self, x):
        across = F.gelu(self.down(x))
        below = F.gelu(self.bottom(F.max_pool2d(across, 2)))
        return F.interpolate(self.out(torch.cat((across, self.up(below)), 1)), scale_factor=2, mode="bilinear")


class Encoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.patches = nn.Conv2d(8, 32, 4, 4)
        self.position = nn.Parameter(torch.zeros(1, 16, 32))
        self.encoder = nn.TransformerEncoder(
            nn.TransformerEncoderLayer(32, 4, 64, batch_first=True, norm_first=True), 2, enable_nested_tensor=False
        )

    def forward(self, x):
        return self.encoder(self.patches(x).flatten(2).transpose(1, 2) + self.position).mean(1)


class Tied(nn.Module):
    def __init__(self):
        super().__init__()
        self.words, self.mix = nn.Embedding(100, 16), nn.Linear(16, 16)
        self.out = nn.Linear(16, 100, bias=False)
        self.out.weight = self.words.weight

    def forward(self, tokens):
        return self.out(torch.tanh(self.mix(self.mix(self.words(tokens)))))


class Two(nn.Module):
    def __init__(self):
        super().__init__()
        self.seen, self.other = nn.Conv2d(3, 4, 3), nn.Linear(5, 4)

    def forward(self, image, vector):
        return self.seen(image) * self.other(vector)[:, :, None, None]


class Blurred(nn.Module):
    """Values that are not learned: a blur, what undoes it, and a product."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(8, 6, 3)
        self.register_buffer("blur", torch.ones(6, 1, 3, 3))
        self.register_buffer("back", torch.ones(6, 4, 2, 2))
        self.register_buffer("mix", torch.ones(12, 5))

    def forward(self, x):
        x = F.conv2d(self.conv(x), self.blur, stride=2, groups=6)
        return F.conv_transpose2d(x, self.back, stride=2) @ self.mix


class Positions(nn.Module):
    """A small network over a table of places, added to what comes in."""

    def __init__(self):
        super().__init__()
        self.register_buffer("table", torch.ones(5, 5, 2))
        self.net = nn.Sequential(nn.Linear(2, 7), nn.ReLU(), nn.Linear(7, 3, bias=False))

    def forward(self, x):
        return x + 16 * torch.sigmoid(self.net(self.table).view(-1, 3))


class Windows(nn.Module):
    """Attention with an axis of windows before the heads, which PyTorch's ONNX writer does not know."""

    def __init__(self):
        super().__init__()
        self.project = nn.Linear(8, 24)

    def forward(self, x):
        query, key, value = self.project(x).reshape(1, 2, 6, 3, 2, 4).permute(3, 0, 4, 1, 2, 5)
        return F.scaled_dot_product_attention(query, key, value)


def meta(*shape, **options):
    return torch.empty(shape, device="meta", **options)


MODELS = {
    "residuals": (ResNet, (meta(1, 8, 32, 32),)),
    "mobile": (Mobile, (meta(1, 8, 16, 16),)),
    "shuffle": (Shuffle, (meta(1, 8, 6, 6),)),
    "unet": (UNet, (meta(1, 8, 16, 16),)),
    "encoder": (Encoder, (meta(1, 8, 16, 16),)),
    "tied": (Tied, (meta(1, 7, dtype=torch.int64),)),
    "blurred": (Blurred, (meta(1, 8, 16, 16),)),
    "positions": (Positions, (meta(1, 25, 3),)),
    "windows": (Windows, (meta(1, 2, 6, 8),)),
    "two inputs": (Two, (meta(1, 3, 8, 8), meta(1, 5))),
}


@pytest.fixture(scope="module", params=MODELS)
def imported(request):
    make, example = MODELS[request.param]
    with torch.device("meta"):
        module = make().train()
    return module, example, convcalc.from_torch(module, example)


def test_params_and_macs_are_pytorchs_own(imported):
    module, example, graph = imported
    counted = convcalc.count(graph)
    counter = FlopCounterMode(display=False)
    with torch.no_grad(), counter:
        module.eval()(*example)
    module.train()
    assert not counted.uncounted
    assert counted.figure("params") == sum(one.numel() for one in module.parameters())
    assert counted.figure("macs") == counter.get_total_flops() // 2


def test_the_written_spec_counts_the_same(imported):
    graph = imported[2]
    before, after = convcalc.count(graph), convcalc.count(convcalc.read(write_spec(graph)))
    assert [after.figure(name) for name in ("params", "macs")] == [before.figure(name) for name in ("params", "macs")]


def test_layers_keep_the_path_of_their_module(imported):
    module, _, graph = imported
    paths = {name.replace(".", "/") for name, _ in module.named_modules()}
    weighted = [
        layer.path for layer in graph.layers if layer.kind.weighted and layer.kind.name in ("conv", "transposed_conv")
    ]
    assert all(path in paths for path in weighted), weighted


def test_a_module_stays_as_it_was():
    module = ResNet()
    module.layers[0].eval()
    before = [(name, one.data_ptr(), one.device, one.requires_grad) for name, one in module.named_parameters()]
    modes = [part.training for part in module.modules()]
    graph = convcalc.from_torch(module, "8x32x32")
    assert convcalc.count(graph).figure("params") == sum(one.numel() for one in module.parameters())
    assert [(name, one.data_ptr(), one.device, one.requires_grad) for name, one in module.named_parameters()] == before
    assert [part.training for part in module.modules()] == modes
    assert not any(part._forward_hooks for part in module.modules())


CODE = """
import torch
from torch import nn

class Net(nn.Sequential):
    def __init__(self, filters=4):
        super().__init__(nn.Conv2d(3, filters, 3), nn.ReLU())

class Words(nn.Module):
    def __init__(self):
        super().__init__()
        self.words = nn.Embedding(10, 4)
    def forward(self, tokens):
        return self.words(tokens)

class Branches(nn.Module):
    def forward(self, x):
        return x + 1 if x.sum() > 0 else x

class Broken(nn.Module):
    def __init__(self):
        raise RuntimeError("no luck\\nat all")

made = Net(8)
number = 3

def makes_nothing():
    return 3
"""


@pytest.fixture
def code(tmp_path, monkeypatch):
    (tmp_path / "my_nets.py").write_text(CODE)
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    sys.modules.pop("my_nets", None)
    sys.path[:] = [path for path in sys.path if path != str(tmp_path)]


@pytest.mark.parametrize(
    ("spec", "size", "params"),
    [
        ("my_nets:Net", "3x8x8", 112),
        ("my_nets.py:Net", "3x8x8", 112),
        ("my_nets:made", "3x8x8", 224),
        ("my_nets:Words", "6", 40),
    ],
)
def test_commands_take_what_python_code_names(code, capsys, spec, size, params):
    assert run(["params", spec, "--input", size]) == 0
    assert f" {params} " in capsys.readouterr().out
    assert run(["import", spec, "--input", size]) == 0
    assert f"params: {params}" in capsys.readouterr().out
    assert run(["suggest", spec, "--input", size]) == 0


@pytest.mark.parametrize(
    ("spec", "words", "said"),
    [
        ("my_nets:Net", [], "needs the shape of its input"),
        ("my_nets:Nett", ["--input", "3x8x8"], "'my_nets' has no 'Nett'"),
        ("my_nets:number", ["--input", "3x8x8"], "is of type int, not a module"),
        ("my_nets:makes_nothing", ["--input", "3x8x8"], "gives a int, not a torch.nn.Module"),
        ("my_nets:Broken", ["--input", "3x8x8"], "RuntimeError: no luck\n   hint: raised at "),
        ("my_nets:Branches", ["--input", "3x8x8"], "cannot be exported by torch.export"),
        ("my_nets:Net", ["--input", "4x8x8"], "cannot be exported by torch.export"),
        ("my_nets:Net", ["--input", "3x8x"], "--input"),
        ("no_such_module:Net", ["--input", "3x8x8"], "ModuleNotFoundError: No module named 'no_such_module'"),
        ("nothing.py:Net", ["--input", "3x8x8"], "no file 'nothing.py'"),
    ],
)
def test_what_cannot_be_imported(code, capsys, spec, words, said):
    assert run(["params", spec, *words]) == 2
    err = capsys.readouterr().err
    assert said in err
    assert "Traceback" not in err


def test_without_the_extra(code, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    assert run(["params", "my_nets:Net", "--input", "3x8x8"]) == 2
    assert 'pip install "convcalc[torch]"' in capsys.readouterr().err


def test_something_else_is_no_module():
    with pytest.raises(SpecError, match=r"a torch.nn.Module was expected, found int"):
        convcalc.from_torch(3, "3x8x8")


def test_an_error_is_one_and_without_the_program_that_pytorch_prints(tmp_path, monkeypatch, capfd):
    (tmp_path / "branching.py").write_text(
        "from torch import nn\nclass Net(nn.Module):\n    def forward(self, x):\n        print('seen')\n"
        "        return x if x.sum() > 0 else -x\n"
    )
    monkeypatch.chdir(tmp_path)
    assert run(["params", "branching.py:Net", "--input", "3x8x8"]) == 2
    captured = capfd.readouterr()
    assert captured.out == ""
    seen, error, hint = captured.err.splitlines()
    assert seen == "seen"
    assert error.startswith("error: 'branching.py:Net' cannot be exported by torch.export: ")
    assert hint.startswith("   hint: ")
