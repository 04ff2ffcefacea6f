"""Which learned tensor belongs to which layer, and what is forgotten of a layer that is taken back."""

from math import prod

import pytest

from convcalc.graph import Graph
from convcalc.importers.onnx.elements import Layout, Ledger, Part, distinct
from convcalc.importers.onnx.layer_names import Namer
from convcalc.importers.onnx.model import Model, Node, Tensor
from convcalc.importers.onnx.values import Value
from convcalc.importers.onnx.weights import WeightTracker, account
from convcalc.kinds import KINDS


def tracker(**shapes):
    model = Model("m.onnx")
    for name, shape in shapes.items():
        model.tensors[name] = tensor = Tensor(b"")
        tensor.name, tensor.shape, tensor.dtype = name, shape, 1
    return WeightTracker(model, Graph("m"), Namer())


SIZES = {"w": (4, 3), "v": (4, 3), "b": (4,)}


@pytest.fixture
def weights():
    return tracker(**SIZES)


def linear(weights, *values, **fields):
    image = weights.graph.add_input(f"x{len(weights.graph.all)}", (3,))
    kind = KINDS["linear"](features=4, **{"bias": len(values) > 1, **fields})
    return weights.graph.all[weights.add_layer(Node(), kind, [image], values).layer]


def learned(name):
    shape = SIZES[name]
    part = Part(name, prod(shape))
    return Value(shape, source_weights=(part,), layout=Layout.contiguous(shape))


def settle(weights):
    return account(weights.graph, weights.uses, {layer.index: layer.index for layer in weights.graph.all})


def test_the_first_layer_with_a_tensor_counts_it_and_the_others_share(weights):
    first, second, other = (linear(weights, learned(name)) for name in ("w", "w", "v"))
    ledger = settle(weights)
    assert (first.shares, second.shares, other.shares) == (None, first.index, None)
    assert [ledger.counted(name) for name in SIZES] == [12, 12, 0]


def test_a_layer_with_a_bias_of_its_own_shares_the_weights_alone(weights):
    first, second = linear(weights, learned("w")), linear(weights, learned("w"), learned("b"))
    settle(weights)
    assert second.shares is None
    assert second.shared == (("weights", 12, first.index),)


def test_a_constant_is_made_from_each_learned_element_once():
    assert distinct((Part("w", 12), Part("b", 4), Part("w", 12, 0, ((3, 1),)))) == 12 + 4


def test_parts_of_a_tensor_are_counted_where_they_are_used_first():
    ledger = Ledger()
    whole = Layout.contiguous((4, 3))
    column = whole.cut(1, range(1, 2)).part("w", 12, (4, 1))
    rows = whole.cut(0, range(1, 3)).part("w", 12, (2, 3))
    assert ledger.claim([column], 1) == (4, {})
    assert ledger.claim([rows], 2) == (4, {1: 2})  # two of its six elements are in the column
    assert ledger.claim([Part("w", 12)], 3) == (4, {1: 4, 2: 4})
    assert ledger.claim([whole.permuted((1, 0)).cut(1, range(3, -1, -1)).part("w", 12, (3, 4))], 4) == (
        0,
        {1: 4, 2: 4, 3: 4},
    )


def test_a_parameter_is_one_layer_however_often_it_is_read(weights):
    first, again = (weights.parameter(learned("w"), (4, 3), Node(), 1) for _ in range(2))
    assert first == again
    flat = weights.parameter(learned("w"), (12,), Node(), 1)
    part = weights.graph.all[weights.parameter(learned("w"), (2, 3), Node(), 1).layer]
    assert (weights.graph.all[flat.layer].kind.name, weights.graph.all[flat.layer].inputs) == ("reshape", (first,))
    assert (part.kind.name, part.inputs) == ("gather", (first,))


def test_a_constant_that_is_not_learned_is_no_parameter(weights):
    constant = weights.parameter(Value((2,), [1, 2]), (2,), Node(), 1)
    assert weights.graph.all[constant.layer].kind.name == "constant"


def test_layers_taken_back_count_nothing(weights):
    kept = linear(weights, learned("w"))
    start = len(weights.graph.all)
    linear(weights, learned("v"))
    computed = Value((4,), ref=weights.parameter(learned("b"), (4,), Node(), 1))
    weights.materialized.append(computed)
    del weights.graph.all[start:]
    weights.take_back(start)
    assert computed.ref is None
    assert [use.layer for use in weights.uses] == [kept.index]
    assert not weights.parameter_layers
