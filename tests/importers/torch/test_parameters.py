"""What is a parameter of a module, and that each counts once whatever layers use it."""

import random

import pytest
import torch
from torch import nn
from torch.nn import functional

from convcalc import from_torch
from convcalc.analysis.count import count
from convcalc.graph import LeftOut
from convcalc.tables.count import balance_lines


class Shared(nn.Module):
    """A forward over tensors `w`, `b`, ..., given as shapes, and a function of the input and the module."""

    def __init__(self, forward, **shapes):
        super().__init__()
        self.call = forward
        for name, shape in shapes.items():
            setattr(self, name, nn.Parameter(torch.zeros(shape)))

    def forward(self, x):
        return self.call(x, self)


IMAGE = torch.zeros(1, 3, 8, 8)
ROWS = torch.zeros(1, 5, 8)
# what is said about a module -> the module, an input, its params
MODULES = {
    "a kernel serves a convolution and a transposed one": (
        Shared(
            lambda x, m: functional.conv_transpose2d(functional.conv2d(x, m.w, m.b), m.w, m.c), w=(4, 3, 3, 3), b=4, c=3
        ),
        IMAGE,
        4 * 3 * 3 * 3 + 4 + 3,
    ),
    "a kernel has two biases": (
        Shared(lambda x, m: functional.conv2d(x, m.w, m.b) + functional.conv2d(x, m.w, m.c), w=(4, 3, 3, 3), b=4, c=4),
        IMAGE,
        4 * 3 * 3 * 3 + 4 + 4,
    ),
    "a bias serves two kernels": (
        Shared(
            lambda x, m: functional.conv2d(x, m.w, m.b) + functional.conv2d(x, m.v, m.b),
            w=(4, 3, 3, 3),
            v=(4, 3, 3, 3),
            b=4,
        ),
        IMAGE,
        2 * 4 * 3 * 3 * 3 + 4,
    ),
    "a bank of kernels": (
        Shared(lambda x, m: functional.conv2d(x, m.w[0]) + functional.conv2d(x, m.w[1]), w=(2, 4, 3, 3, 3)),
        IMAGE,
        2 * 4 * 3 * 3 * 3,
    ),
    "a part, and then the whole": (
        Shared(
            lambda x, m: functional.linear(functional.linear(x, m.w[2:6]), m.w[:, :4]) + functional.linear(x, m.w),
            w=(8, 8),
        ),
        ROWS,
        8 * 8,
    ),
    "rows, then columns": (
        Shared(
            lambda x, m: functional.linear(x, m.w[:4]).sum() + functional.linear(x, m.w[:, :2].t().flip(0)).sum(),
            w=(8, 8),
        ),
        ROWS,
        4 * 8 + 4 * 2,
    ),
    "encoder and decoder are tied": (
        Shared(lambda x, m: functional.linear(functional.linear(x, m.w, m.b), m.w.t(), m.c), w=(3, 8), b=3, c=8),
        ROWS,
        3 * 8 + 3 + 8,
    ),
    "a factor is the offset too": (Shared(lambda x, m: x * m.w + m.w, w=8), ROWS, 8),
    "scale and shift of a norm are one": (Shared(lambda x, m: functional.layer_norm(x, (8,), m.w, m.w), w=8), ROWS, 8),
    "a layer makes the weights of another": (
        Shared(
            lambda x, m: functional.linear(x, functional.linear(m.z, m.w, m.b).view(4, 8)), z=(1, 6), w=(32, 6), b=32
        ),
        ROWS,
        6 + 32 * 6 + 32,
    ),
    "a bias is learned in part": (
        Shared(lambda x, m: functional.linear(x, m.w, torch.cat([m.b, torch.zeros(3), m.c])), w=(9, 8), b=3, c=3),
        ROWS,
        9 * 8 + 3 + 3,
    ),
    "learned queries go through a layer": (
        Shared(lambda x, m: functional.linear(m.q, m.w) @ x.transpose(1, 2), q=(1, 2, 8), w=(8, 8)),
        ROWS,
        2 * 8 + 8 * 8,
    ),
    "a plain recurrent layer": (nn.RNN(8, 20, batch_first=True), ROWS, 20 * 8 + 20 * 20 + 20 + 20),
    "both directions": (nn.RNN(8, 20, batch_first=True, bidirectional=True), ROWS, 2 * (20 * 8 + 20 * 20 + 20 + 20)),
}


@pytest.mark.parametrize("name", MODULES)
def test_each_parameter_counts_once_where(name):
    module, example, right = MODULES[name]
    graph = from_torch(module, example)
    assert count(graph).figure("params") == right
    assert graph.balance.difference == 0
    assert graph.balance.stored == sum(parameter.numel() for parameter in module.parameters())


def test_a_head_with_a_bias_of_its_own_shares_the_weights_of_an_embedding():
    class Language(nn.Module):
        def __init__(self):
            super().__init__()
            self.words, self.head = nn.Embedding(50, 16), nn.Linear(16, 50)
            self.head.weight = self.words.weight

        def forward(self, ids):
            return self.head(self.words(ids))

    counted = count(from_torch(Language(), torch.zeros(1, 7, dtype=torch.long)))
    assert counted.figure("params") == 50 * 16 + 50
    assert [row.shares for row in counted.rows if row.shares] == ["words: 800"]


def test_tensors_that_are_no_parameters_are_not_learned():
    class Constants(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(3, 16, 3)
            self.kernel = torch.zeros(8, 16, 3, 3)

        def forward(self, x):
            return functional.conv2d(self.conv(x), self.kernel) * torch.tensor([1.0, 2.0, 3.0, 4.0])

    graph = from_torch(nn.Sequential(Constants()), IMAGE)
    assert count(graph).figure("params") == 16 * 3 * 3 * 3 + 16


def test_a_parameter_that_the_export_calls_a_constant_is_known_by_its_memory():
    class Hidden(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.zeros(4, 8))
            self.hidden = [self.weight.data[:2]]

        def forward(self, x):
            return functional.linear(x, self.hidden[0])

    graph = from_torch(Hidden(), ROWS)
    assert count(graph).figure("params") == 2 * 8
    assert graph.balance.left_out == (LeftOut("weight", 2 * 8, "unused part of 32"),)


def test_what_no_layer_counts_is_said_by_name():
    module = nn.ModuleDict({"used": nn.Linear(8, 8), "idle": nn.Linear(8, 2)})
    module.forward = lambda x: module["used"](x)
    balance = from_torch(module, ROWS).balance
    assert balance.left_out == (LeftOut("idle.weight", 16, "never used"), LeftOut("idle.bias", 2, "never used"))
    assert (balance.counted, balance.difference) == (8 * 8 + 8, 0)


class Vain(nn.Module):
    """Makes results that no output needs: by layers, by products of activations, by parameters alone."""

    def __init__(self, last=lambda y: y):
        super().__init__()
        self.used, self.vain, self.conv = nn.Linear(8, 8), nn.Linear(8, 5), nn.Conv1d(5, 4, 3)
        self.shift, self.kind, self.last = nn.Parameter(torch.zeros(8)), nn.Parameter(torch.zeros(8)), last

    def forward(self, x):
        y = self.used(x.to(self.kind.dtype))
        self.last(self.vain(y))
        self.conv(x)
        y + self.shift
        x @ x.transpose(1, 2)
        return {"y": y, "none": None}


VAIN_MACS = 5 * 8 * 5 + 6 * 4 * 5 * 3 + 5 * 8 * 5


def test_work_that_no_output_needs_is_named_with_its_params_and_macs():
    graph = from_torch(Vain(), ROWS)
    assert {tensor.name: tensor.why for tensor in graph.balance.left_out} == {
        **dict.fromkeys(("vain.weight", "vain.bias", "conv.weight", "conv.bias", "shift"), "no output needs it"),
        "kind": "never used",
    }
    assert (graph.balance.unneeded_macs, graph.balance.difference) == (VAIN_MACS, 0)
    assert graph.balance.unneeded == ("vain", "conv", "matmul1")
    assert (count(graph).figure("macs"), [layer.path for layer in graph.layers]) == (5 * 8 * 8, ["used"])
    assert f"{VAIN_MACS} MACs that no output needs are not counted: vain, conv, matmul1" in balance_lines(graph)


class Queries(nn.Module):
    """Learned queries, normed and put through a head whether or not the input has a part in it."""

    def __init__(self, is_output):
        super().__init__()
        self.is_output = is_output
        self.queries, self.norm, self.head = nn.Embedding(5, 8), nn.LayerNorm(8), nn.Linear(8, 3)
        self.mixed, self.scale = nn.Linear(8, 8), nn.Parameter(torch.ones(4))

    def forward(self, x):
        queries = self.norm(self.queries.weight.unsqueeze(0).repeat(x.shape[0], 1, 1))
        first = self.head(queries)
        last = self.head(self.mixed(x) + queries)
        return (last, first, self.scale) if self.is_output else (last, self.scale)


@pytest.mark.parametrize("is_output", [True, False])
def test_work_that_follows_from_weights_alone_is_counted_as_an_output_and_else_named(is_output):
    graph = from_torch(Queries(is_output).eval(), ROWS)
    counted = count(graph)
    own, first = 5 * 8 * 8 + 5 * 8 * 3, 5 * 8 * 3
    assert counted.figure("macs") == own + first * is_output
    assert graph.balance.unneeded_macs == first * (not is_output)
    assert counted.figure("params") == sum(part.numel() for part in Queries(is_output).parameters())
    assert (graph.balance.difference, graph.balance.left_out) == (0, ())


def test_work_that_no_output_needs_and_pytorch_cannot_write_is_named_without_a_number():
    graph = from_torch(Vain(lambda y: torch.linalg.svd(y)[1] @ torch.zeros(5)), ROWS)
    assert "vain.weight" in {tensor.name for tensor in graph.balance.left_out if tensor.why == "no output needs it"}
    assert graph.balance.unneeded_macs is None
    assert any(line.startswith("an unknown number of MACs that no output needs") for line in balance_lines(graph))


def any_weight(chance, module):
    """A matrix of 8 x 8 made of the parameters of a module: whole, transposed, a slice of a bank, flipped, repeated."""
    return chance.choice(
        (
            module.w,
            module.w.t(),
            module.bank[chance.randrange(3)],
            module.wide[:, 2:10],
            module.wide[::2].reshape(6, 8).flip(1)[[5, 4, 3, 2, 1, 0, 0, 0]],
            module.w.flip(0),
            torch.cat([module.w[:4], module.bank[1, 4:]]),
            module.wide[:4].reshape(6, 8)[[0, 2, 4]].repeat(3, 1)[:8],
        )
    )


@pytest.mark.parametrize("seed", range(8))
def test_the_balance_closes_however_layers_share_parameters(seed):
    def forward(x, module):
        chance = random.Random(seed)
        for _ in range(6):
            bias = chance.choice((None, module.b, module.wide[0, :8], module.bank[0, 0]))
            pick = chance.random()
            if pick < 0.7:
                x = functional.linear(x, any_weight(chance, module), bias)
            elif pick < 0.85:
                x = functional.layer_norm(x, (8,), module.b, bias)
            else:
                x = x * module.b + chance.choice((module.b, module.bank[2, 2]))
        return x

    module = Shared(forward, w=(8, 8), bank=(3, 8, 8), wide=(8, 12), b=8, unused=5)
    graph = from_torch(module, ROWS)
    balance = graph.balance
    assert balance.difference == 0, [(layer.path, layer.kind, layer.shared) for layer in graph.layers]
    assert balance.stored == 64 + 3 * 64 + 96 + 8 + 5
    assert balance.counted == count(graph).figure("params") <= balance.stored - 5


ROW_BY_ROW = [
    torch.sigmoid,
    torch.tanh,
    torch.exp,
    torch.abs,
    torch.neg,
    lambda rows: 1 - 2 * rows,
    lambda rows: rows**2,
    functional.softplus,
    functional.silu,
    lambda rows: rows * rows.sigmoid(),
    lambda rows: rows.clamp(min=0.1),
    lambda rows: torch.where(rows > 0, rows, rows / 2),
    lambda rows: rows.masked_fill(rows > 0, 0.0),
    torch.tril,
]
MIXES_ROWS = [
    lambda rows: functional.softmax(rows, 0),
    lambda rows: functional.normalize(rows, dim=0),
    lambda rows: rows - rows.mean(0, keepdim=True),
    lambda rows: rows.cumsum(0),
    lambda rows: rows.roll(1, 0),
]


@pytest.mark.parametrize("function", ROW_BY_ROW)
def test_a_row_of_a_parameter_after_a_function_is_that_row(function):
    class Rows(nn.Module):
        def __init__(self):
            super().__init__()
            self.rows, self.conv = nn.Parameter(torch.ones(4, 8)), nn.Conv2d(8, 8, 1, bias=False)

        def forward(self, x):
            rows = function(self.rows).view(4, 8, 1, 1)
            return self.conv(x * rows[0]) * rows[1]

    balance = from_torch(Rows(), "8x4x4").balance
    assert (balance.counted, balance.difference) == (8 * 8 + 2 * 8, 0)
    assert [tensor.elements for tensor in balance.left_out] == [2 * 8]


@pytest.mark.parametrize("function", MIXES_ROWS)
def test_a_row_of_a_parameter_after_a_function_that_mixes_rows_is_made_of_all(function):
    module = Shared(lambda x, m: functional.linear(x * function(m.r)[0], m.w) * function(m.r)[1], r=(4, 8), w=(8, 8))
    balance = from_torch(module, ROWS).balance
    assert (balance.counted, balance.difference, balance.left_out) == (8 * 8 + 4 * 8, 0, ())


def mixed(module, at=0):
    """A vector of 8 that is made from the 4 x 8 values of a parameter."""
    return functional.softmax(module.r, 0)[at]


ZEROS, ONES = torch.zeros(8), torch.ones(8)
FEATURES = torch.zeros(1, 8, 6, 6)
# a layer with weights made from more values than they have -> its other weights, an input
MIXED = {
    "the bias of a product": (lambda x, m: functional.linear(x, m.w, mixed(m)), (8, 8), ROWS),
    "a product, and what is added to it": (lambda x, m: x @ m.w + mixed(m), (8, 8), ROWS),
    "the bias of a convolution": (lambda x, m: functional.conv2d(x, m.w, mixed(m)), (8, 8, 3, 3), FEATURES),
    "a convolution, and what is added to it": (
        lambda x, m: functional.conv2d(x, m.w) + mixed(m).view(8, 1, 1),
        (8, 8, 3, 3),
        FEATURES,
    ),
    "the bias of a transposed convolution": (
        lambda x, m: functional.conv_transpose2d(x, m.w, mixed(m)),
        (8, 8, 3, 3),
        FEATURES,
    ),
    "scale and shift of a layer norm": (lambda x, m: functional.layer_norm(x, (8,), mixed(m), mixed(m, 1)), 0, ROWS),
    "the scale of a layer norm": (lambda x, m: functional.layer_norm(x, (8,), mixed(m), m.w), 8, ROWS),
    "the shift of a layer norm": (lambda x, m: functional.layer_norm(x, (8,), m.w, mixed(m)), 8, ROWS),
    "the scale of a batch norm": (lambda x, m: functional.batch_norm(x, ZEROS, ONES, mixed(m), m.w), 8, FEATURES),
    "the shift of a batch norm": (lambda x, m: functional.batch_norm(x, ZEROS, ONES, m.w, mixed(m)), 8, FEATURES),
    "the scale of an instance norm": (lambda x, m: functional.instance_norm(x, None, None, mixed(m), m.w), 8, FEATURES),
    "slopes": (lambda x, m: functional.prelu(x, mixed(m)), 0, FEATURES),
    "factors and offsets": (lambda x, m: x * m.w + mixed(m), 8, ROWS),
}


@pytest.mark.parametrize("name", MIXED)
def test_weights_made_from_more_values_than_they_have_count_these(name):
    forward, other, example = MIXED[name]
    module = Shared(forward, r=(4, 8), w=other)
    graph = from_torch(module, example)
    assert count(graph).figure("params") == 4 * 8 + module.w.numel() == graph.balance.stored
    assert graph.balance.difference == 0
    assert all(layer.kind.is_counted for layer in graph.layers)
