"""Operators that PyTorch's exporter does not write, and errors that say which, where and what to do."""

import pytest
import torch
from torch import nn

import convcalc
from convcalc.analysis.count import count
from convcalc.conventions.convention import figure, find, names
from convcalc.errors import SpecError
from convcalc.exporters.yaml.writer import write_spec
from convcalc.loader import read

pytestmark = pytest.mark.filterwarnings("ignore")


class Distances(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(4, 5)

    def forward(self, x):
        return torch.cdist(self.linear(x), self.linear(x))


class Guarded(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(4, 5)

    def forward(self, x):
        torch._assert_async((x > 0).any())
        return self.linear(x)


class Eigenvalues(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(4, 4)

    def forward(self, x):
        return torch.linalg.eigvals(self.linear(x)).real


class Outer(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = Eigenvalues()

    def forward(self, x):
        return self.inner(x)


@pytest.mark.parametrize(
    ("module", "shape", "kinds", "output"),
    [
        (nn.AdaptiveMaxPool2d((3, 4)), "3x13x17", ["adaptive_max_pool"], (3, 3, 4)),
        (nn.AdaptiveMaxPool1d(3), "3x13", ["adaptive_max_pool"], (3, 3)),
        (nn.AdaptiveMaxPool3d(1), "3x4x4x4", ["global_max_pool"], (3, 1, 1, 1)),
        (nn.AdaptiveAvgPool3d((2, 1, 1)), "3x6x6x6", ["adaptive_avg_pool"], (3, 2, 1, 1)),
        (nn.AdaptiveAvgPool2d(3), "3x8x8", ["adaptive_avg_pool"], (3, 3, 3)),
        (nn.AdaptiveAvgPool2d(6), "3x6x6", ["adaptive_avg_pool"], (3, 6, 6)),
        (nn.AdaptiveAvgPool2d(1), "3x6x6", ["global_avg_pool"], (3, 1, 1)),
        (nn.RReLU(), "3x6x6", ["leaky_relu"], (3, 6, 6)),
    ],
    ids=str,
)
def test_a_layer_that_we_know_is_that_layer(module, shape, kinds, output):
    graph = convcalc.from_torch(module, shape)
    assert [layer.kind.name for layer in graph.layers] == kinds
    assert [layer.output for layer in graph.outputs] == [output]


def test_a_fractional_pool_compares_the_elements_of_its_windows():
    graph = convcalc.from_torch(nn.FractionalMaxPool2d(2, output_size=5), "3x8x8")
    assert convcalc.count(graph).tallies["comparisons"] == 3 * 5 * 5 * 4
    assert [layer.output for layer in graph.outputs] == [(3, 5, 5)]


@pytest.mark.parametrize("module", [nn.CrossMapLRN2d(3), nn.LocalResponseNorm(3)], ids=str)
def test_local_response_norms_are_read(module):
    forward = type(module).forward
    assert convcalc.from_torch(module, "3x6x6").outputs[0].output == (3, 6, 6)
    assert type(module).forward is forward


def test_distances_are_differences_and_powers():
    counted = convcalc.count(convcalc.from_torch(Distances(), "6x4"))
    assert (counted.figure("params"), counted.figure("macs")) == (25, 2 * 6 * 20)
    assert counted.graph.outputs[0].output == (6, 6)


def test_an_assertion_is_no_layer():
    graph = convcalc.from_torch(Guarded(), "4")
    assert [layer.kind.name for layer in graph.layers] == ["linear"]


def test_an_operator_that_cannot_be_written_is_named_with_its_module():
    with pytest.raises(SpecError) as error:
        convcalc.from_torch(Outer(), "4x4")
    (problem,) = error.value.problems
    assert "aten.linalg_eig" in problem.message
    assert "inner, a Eigenvalues" in problem.message
    assert "\x1b" not in str(error.value)
    assert "write a rule for aten:linalg_eig (--rules FILE)" in problem.hint
    assert "name a part" in problem.hint


def test_a_rule_counts_an_operator_that_cannot_be_written(tmp_path):
    """Complex numbers have a last axis of two."""
    rules = tmp_path / "rules.yaml"
    rules.write_text("aten:linalg_eig: {inputs: {x: [B, N, N]}, outputs: [[B, N, 2], [B, N, N, 2]], macs: 10*N*N*N}")
    counted = convcalc.count(convcalc.from_torch(Outer(), "4x4", rules=str(rules)))
    assert (counted.figure("params"), counted.figure("macs")) == (20, 4 * 16 + 10 * 4**3)
    assert not counted.uncounted


@pytest.mark.parametrize("name", ["DynamicCache", "EncoderDecoderCache"])
def test_a_cache_among_the_outputs_has_its_hint(name):
    cache = type(name, (), {})

    class Model(nn.Module):
        def forward(self, x):
            return x, cache()

    with pytest.raises(SpecError) as error:
        convcalc.from_torch(Model(), "4")
    assert "use_cache = False" in error.value.problems[0].hint


class Calls(nn.Module):
    """Modules, functions and operators; one module is called twice."""

    def __init__(self):
        super().__init__()
        self.conv, self.relu, self.pool = nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(6)
        self.linear = nn.Linear(6, 6)

    def forward(self, x):
        x = self.relu(torch.relu(self.pool(self.relu(self.conv(x)))) @ x[:, :1, :6, :6])
        x = torch.add(torch.matmul(x, x), x) + x
        return x @ self.linear.weight


def test_how_code_calls_a_layer_is_known():
    layers = convcalc.from_torch(Calls(), "3x8x8").layers
    assert [(layer.kind.name, layer.via) for layer in layers if layer.kind.name not in ("slice", "broadcast")] == [
        ("conv", "module"),
        ("relu", "module"),
        ("adaptive_avg_pool", "module"),
        ("relu", "function"),
        ("matmul", ""),
        ("relu", "module"),
        ("matmul", "function"),
        ("add", "function"),
        ("add", ""),
        ("linear", "function"),
    ]


@pytest.mark.parametrize("tool", names())
def test_a_written_spec_is_counted_by_each_tool_as_the_module_is(tool):
    graph = convcalc.from_torch(Calls(), "3x8x8")
    again = read(write_spec(graph))
    assert figures_by_kind(find(tool), again) == figures_by_kind(find(tool), graph)


def figures_by_kind(convention, graph):
    return sorted((layer.kind.name, figure(convention, layer)) for layer in graph.layers)


DRAWS = {
    "as many as": lambda y: y + torch.randn_like(y),
    "with a generator": lambda y: y + torch.randn(y.shape, generator=torch.Generator()),
    "between two": lambda y: y + torch.randint(0, 3, (6,), generator=torch.Generator()),
    "with chances": lambda y: y * torch.bernoulli(y.sigmoid()),
}


@pytest.mark.parametrize("name", DRAWS)
def test_random_numbers_have_a_shape_and_no_params(name):
    class Noisy(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.last = nn.Conv1d(4, 8, 3), nn.Conv1d(8, 8, 1)

        def forward(self, x):
            return self.last(DRAWS[name](self.first(x)))

    graph = convcalc.from_torch(Noisy(), torch.zeros(1, 4, 8))
    assert all(layer.kind.is_counted for layer in graph.layers)
    assert count(graph).figure("macs") == 6 * 8 * 4 * 3 + 6 * 8 * 8
    assert (graph.balance.counted, graph.balance.difference) == (8 * 4 * 3 + 8 + 8 * 8 + 8, 0)
