"""Which learned tensor belongs to which layer, and what is forgotten of a layer that is taken back."""

import pytest

from convcalc.graph import Graph
from convcalc.importers.onnx.layer_names import Namer
from convcalc.importers.onnx.model import Model, Node, Tensor
from convcalc.importers.onnx.values import Value
from convcalc.importers.onnx.weights import WeightTracker
from convcalc.kinds import KINDS


def tracker(**shapes):
    model = Model("m.onnx")
    for name, shape in shapes.items():
        model.tensors[name] = tensor = Tensor(b"")
        tensor.name, tensor.shape, tensor.dtype = name, shape, 1
    return WeightTracker(model, Graph("m"), Namer())


@pytest.fixture
def weights():
    return tracker(w=(4, 3), v=(4, 3), b=(4,))


def linear(weights, *values):
    image = weights.graph.add_input(f"x{len(weights.graph.all)}", (3,))
    kind = KINDS["linear"](features=4, bias=False)
    return weights.graph.all[weights.add_layer(Node(), kind, [image], values).layer]


def learned(name, shape=(4, 3)):
    return Value(shape, source_weights=(name,))


def test_the_first_layer_with_a_tensor_counts_it_and_the_others_share(weights):
    first, second, other = (linear(weights, learned(name)) for name in ("w", "w", "v"))
    assert (first.shares, second.shares, other.shares) == (None, first.index, None)
    assert weights.uncounted(["w", "v", "b"]) == ["b"]


def test_learned_values_are_those_that_no_layer_counts_yet(weights):
    product = Value((4, 3), source_weights=("w", "b"))
    assert weights.learned_values(product) == 12 + 4
    assert weights.learned_field(product) == {"learned": 16}
    assert weights.learned_field(learned("w")) == {}
    linear(weights, learned("b", (4,)))
    assert weights.learned_values(product) == 12
    assert weights.learned_values(Value((4, 3))) is None


def test_a_parameter_is_one_layer_however_often_it_is_read(weights):
    first, again = (weights.parameter(learned("w"), (4, 3), Node(), 1) for _ in range(2))
    assert first == again
    flat = weights.parameter(learned("w"), (12,), Node(), 1)
    assert weights.graph.all[flat.layer].shares == first.layer
    part = weights.graph.all[weights.parameter(learned("w"), (2, 3), Node(), 1).layer]
    assert (part.kind.name, part.inputs) == ("gather", (first,))


def test_a_constant_that_is_not_learned_is_no_parameter(weights):
    constant = weights.parameter(Value((2,), [1, 2]), (2,), Node(), 1)
    assert weights.graph.all[constant.layer].kind.name == "constant"


def test_layers_taken_back_count_nothing(weights):
    kept = linear(weights, learned("w"))
    start = len(weights.graph.all)
    linear(weights, learned("v"))
    computed = Value((4,), ref=weights.parameter(learned("b", (4,)), (4,), Node(), 1))
    weights.materialized.append(computed)
    del weights.graph.all[start:]
    weights.take_back(start)
    assert computed.ref is None
    assert weights.counted_by == {"w": kept.index}
    assert weights.uncounted(["w", "v", "b"]) == ["b", "v"]
    assert not weights.parameter_layers
    assert linear(weights, learned("v")).shares is None
