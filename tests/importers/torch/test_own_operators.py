"""A user's operators of PyTorch, counted by a user's rules."""

import importlib
import sys

import pytest

import convcalc
from convcalc.cli import run
from convcalc.errors import SpecError

pytestmark = pytest.mark.filterwarnings("ignore")

CODE = """\
import torch
from torch import Tensor, nn

@torch.library.custom_op("convcalc_test::ring_conv", mutates_args=())
def ring_conv(x: Tensor, w: Tensor, b: Tensor | None, stride: int, mode: str = "wrap", places: list[int] | None = None,
              is_wide: bool = False, scale: float = 1.5) -> Tensor:
    raise NotImplementedError

@ring_conv.register_fake
def _(x, w, b, stride, mode="wrap", places=None, is_wide=False, scale=1.5):
    return x.new_empty(x.shape[0], w.shape[0], x.shape[2] // stride, x.shape[3] // stride)

@torch.library.custom_op("convcalc_test::mixed", mutates_args=())
def mixed(xs: list[Tensor], y: Tensor) -> tuple[Tensor, Tensor]:
    raise NotImplementedError

@mixed.register_fake
def _(xs, y):
    return torch.empty_like(xs[0]), torch.empty_like(y)

class Net(nn.Module):
    def __init__(self, has_bias=True, **named):
        super().__init__()
        self.stem = nn.Conv2d(3, 16, 3, bias=False)
        self.weight = nn.Parameter(torch.zeros(32, 16, 5))
        self.bias = nn.Parameter(torch.zeros(32)) if has_bias else None
        self.fc = nn.Linear(32, 10, bias=False)
        self.named = {"stride": 2, **named}

    def forward(self, x):
        return self.fc(ring_conv(self.stem(x), self.weight, self.bias, **self.named).mean((2, 3)))

class Mixed(Net):
    def forward(self, x):
        one, other = mixed([x, x], self.stem(x))
        return one, super().forward(other[:, :3])
"""
RULES = """\
convcalc_test:ring_conv:
  inputs: {x: [N, C, H, W], weight: [K, C, R], bias?: [K]}
  attributes: {stride: , mode: wrap, places: {at: 0}, is_wide: 0, scale: 1}
  output: [N, K, "H // stride", "W // stride"]
  macs: (1 + is_wide + at)*K*C*R*(H // stride)*(W // stride)
convcalc_test:mixed:
  inputs: {x: [N, C, H, W], same: [N, C, H, W], y: }
  outputs: [x, y]
  additions: 2*x
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("own")
    (made / "own_ops_net.py").write_text(CODE)
    (made / "rules.yaml").write_text(RULES)
    return made


@pytest.fixture(scope="module")
def code(folder):
    sys.path.insert(0, str(folder))
    yield importlib.import_module("own_ops_net")
    sys.path.remove(str(folder))


@pytest.mark.parametrize(
    ("named", "params", "times"),
    [
        ({}, 32 * 16 * 5 + 32, 1),
        ({"has_bias": False}, 32 * 16 * 5, 1),
        ({"is_wide": True, "scale": 2.0}, 32 * 16 * 5 + 32, 2),
        ({"places": [3], "mode": "wrap"}, 32 * 16 * 5 + 32, 4),
    ],
)
def test_arguments_are_the_inputs_and_attributes_of_a_rule(folder, code, named, params, times):
    graph = convcalc.from_torch(code.Net(**named), "3x34x34", rules=[str(folder / "rules.yaml")])
    counted = convcalc.count(graph)
    assert counted.figure("params") == 27 * 16 + params + 320
    assert counted.figure("macs") == 27 * 16 * 32**2 + times * 32 * 16 * 5 * 16**2 + 320
    assert graph.balance.difference == 0
    assert not counted.uncounted


def test_an_argument_that_does_not_fit_the_rule_leaves_the_operator_uncounted(folder, code):
    graph = convcalc.from_torch(code.Net(mode="zeros"), "3x34x34", rules=str(folder / "rules.yaml"))
    reasons = [layer.kind.reason for layer in convcalc.count(graph).uncounted]
    assert "rules.yaml:1: attribute 'mode' is 'zeros', not 'wrap'" in reasons[0]


def test_an_operator_of_a_list_with_two_outputs(folder, code):
    graph = convcalc.from_torch(code.Mixed(), "3x34x34", rules=str(folder / "rules.yaml"))
    assert convcalc.count(graph).tallies["additions"] >= 2 * 3 * 34 * 34
    assert [layer.output for layer in graph.layers if layer.kind.name == "custom"][:2] == [(3, 34, 34), (16, 32, 32)]


def test_without_a_rule_the_error_names_the_operator(code):
    with pytest.raises(SpecError, match=r"convcalc_test\.ring_conv") as error:
        convcalc.from_torch(code.Net(), "3x34x34")
    assert "convcalc_test:ring_conv (--rules FILE)" in error.value.problems[0].hint


def test_the_command_line_hands_rules_to_modules(folder, code, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    assert run(["params", "own_ops_net:Net", "--input", "3x34x34", "--rules", "rules.yaml"]) == 0
    assert "counted by rules.yaml:1: convcalc_test:ring_conv" in capsys.readouterr().out


def test_a_file_of_rules_that_is_not_there_is_an_error_before_any_code_runs(folder):
    with pytest.raises(SpecError, match="--rules"):
        convcalc.load("no_such_module:Net", inputs="3x34x34", rules=str(folder / "nothing.yaml"))
