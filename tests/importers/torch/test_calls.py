"""What a module is called with: shapes on the command line, and examples with any batch."""

import json

import pytest
import torch
from torch import nn

import convcalc
from convcalc.cli import run
from convcalc.errors import SpecError

pytestmark = pytest.mark.filterwarnings("ignore")

NETS = """
import torch
from torch import nn

plain, half, steps_first = nn.Conv2d(3, 4, 3), nn.Conv2d(3, 4, 3).half(), nn.LSTM(6, 8)
lazy = lambda: nn.Sequential(nn.LazyConv2d(8, 3), nn.Flatten(), nn.LazyLinear(5))

class Mixed(nn.Module):
    def __init__(self):
        super().__init__()
        self.e, self.l = nn.Embedding(10, 4), nn.Linear(7, 2)
    def forward(self, cat, cont):
        return self.l(torch.cat([self.e(cat), cont], -1))

class Steps(nn.Module):
    def __init__(self):
        super().__init__()
        self.t, self.c = nn.Embedding(1000, 8), nn.Conv2d(3, 8, 3)
    def forward(self, x, t):
        return self.c(x) + self.t(t)[:, :, None, None]

class Nested(nn.Module):
    def __init__(self):
        super().__init__()
        self.c = nn.Conv2d(3, 4, 3)
    def forward(self, batch):
        return self.c(batch["images"][0]) + self.c(batch["images"][1])

class Masked(nn.Module):
    def __init__(self):
        super().__init__()
        self.l = nn.Linear(4, 4)
    def forward(self, x, *, mask):
        return self.l(x).masked_fill(mask, 0.0)
"""
CONV = 4 * 3 * 9 + 4


@pytest.mark.parametrize(
    ("name", "inputs", "params", "macs"),
    [
        ("plain", ["3x8x8"], CONV, 108 * 36),
        ("plain", ["1x3x8x8"], CONV, 108 * 36),
        ("plain", ["2x3x8x8"], CONV, 108 * 36),
        ("plain", ["Nx3x8x8"], CONV, 108 * 36),
        ("half", ["3x8x8"], CONV, 108 * 36),
        ("lazy", ["3x8x8"], 8 * 27 + 8 + 8 * 36 * 5 + 5, 216 * 36 + 8 * 36 * 5),
        ("Mixed", ["cat=1:int64", "cont=1x3"], 10 * 4 + 7 * 2 + 2, 14),
        ("Mixed", ["cat=N:int64", "cont=3"], 10 * 4 + 7 * 2 + 2, 14),
        ("Steps", ["x=3x8x8", "t=N:int64"], 8000 + 8 * 27 + 8, 216 * 36),
        ("Nested", ["batch.images.0=3x8x8", "batch.images.1=3x8x8"], CONV, 2 * 108 * 36),
        ("Masked", ["x=5x4", "mask=5x1:bool"], 20, 80),
        ("steps_first", ["7xNx6"], 4 * 8 * (6 + 8 + 2), 7 * 4 * 8 * 14),
        ("steps_first", ["7x1x6"], 4 * 8 * (6 + 8 + 2), 7 * 4 * 8 * 14),
    ],
)
def test_every_input_can_be_said_on_the_command_line(tmp_path, monkeypatch, capsys, name, inputs, params, macs):
    (tmp_path / "nets.py").write_text(NETS)
    monkeypatch.chdir(tmp_path)
    options = [word for text in inputs for word in ("--input", text)]
    assert run(["params", f"nets.py:{name}", *options, "-f", "json"]) == 0
    totals = json.loads(capsys.readouterr().out)["tables"][0]["totals"]
    assert (totals["params"], totals["macs"]) == (params, macs)


@pytest.mark.parametrize(
    ("name", "inputs", "text"),
    [
        ("plain", ["4x8x8"], "to have 3 channels, but got 4"),
        ("plain", ["1x4x8x8"], "to have 3 channels, but got 4"),
        ("Mixed", ["cat=1", "cont=3"], "hint: say which are whole numbers: --input cat=12:int64"),
        ("plain", ["3x8x8:int65"], "no dtype 'int65'"),
        ("plain", ["a=3x8x8", "a.b=3x8x8"], "is an input and contains inputs"),
    ],
)
def test_an_error_is_that_of_the_real_attempt(tmp_path, monkeypatch, capsys, name, inputs, text):
    (tmp_path / "nets.py").write_text(NETS)
    monkeypatch.chdir(tmp_path)
    assert run(["params", f"nets.py:{name}", *(word for one in inputs for word in ("--input", one))]) == 2
    assert text in capsys.readouterr().err


class Convolutions(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(16, 4)
        )

    def forward(self, x):
        return self.body(x)


ENCODER = nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), 1)
BATCHES = {
    "encoder": (ENCODER, (10, 8), 0),
    "convolutions": (Convolutions(), (3, 8, 8), 0),
    "steps first": (nn.LSTM(6, 8), (7, 6), 1),
    "batch first": (nn.GRU(6, 8, batch_first=True), (7, 6), 0),
}


@pytest.mark.parametrize("name", BATCHES)
def test_figures_are_the_same_for_any_batch(name):
    module, shape, axis = BATCHES[name]
    seen = set()
    for batch in (1, 2, 3, 4):
        counted = convcalc.count(convcalc.from_torch(module, torch.zeros(*shape[:axis], batch, *shape[axis:])))
        seen.add((counted.figure("params"), counted.figure("macs"), counted.figure("flops")))
    assert len(seen) == 1
    assert seen.pop()[0] == sum(one.numel() for one in module.parameters())


@pytest.mark.parametrize("name", BATCHES)
def test_files_exported_with_any_batch_say_the_same(name, tmp_path):
    module, shape, axis = BATCHES[name]
    seen = set()
    for batch in (1, 2, 3, 4):
        example = torch.zeros(*shape[:axis], batch, *shape[axis:])
        path = str(tmp_path / f"{batch}.onnx")
        torch.onnx.export(module.eval(), (example,), path, dynamo=True, verbose=False)
        counted = convcalc.count(convcalc.load(path))
        seen.add((counted.figure("params"), counted.figure("macs")))
    assert len(seen) == 1


def test_a_module_says_which_axis_was_taken_as_the_batch():
    note = convcalc.from_torch(nn.GRU(6, 8), torch.zeros(7, 2, 6)).provenance.note
    assert note == "axis 1 of the input, of size 2, was taken as the batch; figures are for one input"
    assert convcalc.from_torch(nn.Conv2d(3, 4, 3), "3x8x8").provenance.note == ""


def test_texts_are_examples_too():
    class Words(nn.Module):
        def __init__(self):
            super().__init__()
            self.words = nn.Embedding(10, 4)

        def forward(self, ids):
            return self.words(ids)

    assert convcalc.from_torch(Words(), "ids=12:int64").inputs == {"ids": (12,)}
    with pytest.raises(SpecError, match="no dtype"):
        convcalc.from_torch(Words(), "ids=12:int")
