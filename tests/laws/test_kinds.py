"""Laws that hold for every kind there is."""

import doctest
import importlib

import numpy as np
import pytest

from convcalc.graph import Graph
from convcalc.kinds import KINDS, foreign, formula, tallied, total
from convcalc.kinds.fields import Sizes, is_whole
from convcalc.kinds.sizes import MIXING, TALLIES
from convcalc.language.input_shapes import parse_shape

KIND = pytest.mark.parametrize("kind", [KINDS[name] for name in sorted(KINDS)], ids=lambda kind: kind.name)


def example(kind):
    text, fields = kind.example
    return kind(**fields), tuple(parse_shape(shape) for shape in text.split())


@KIND
def test_has_a_docstring_with_an_example_to_check_by_hand(kind):
    assert kind.__doc__, f"{kind.name} has no docstring"
    examples = doctest.DocTestParser().get_examples(kind.__doc__)
    assert any("print_cost(" in one.source and one.want for one in examples)
    assert importlib.import_module(kind.__module__).__doc__


@KIND
def test_every_field_says_what_it_is(kind):
    for name, field in kind.fields.items():
        assert field.doc, f"{kind.name}.{name}"
        assert field.expects()
        assert field.schema()
    assert sum(field.bare for field in kind.fields.values()) <= 1


@KIND
def test_tallies_are_exact_whole_numbers_with_known_names(kind):
    layer, shapes = example(kind)
    for name, products in tallied(layer, shapes, layer.outputs(*shapes)[0]).items():
        assert name in TALLIES
        assert type(total(products)) is int
        assert total(products) >= 0


@KIND
def test_the_formula_with_numbers_gives_the_number(kind):
    layer, shapes = example(kind)
    for name, products in tallied(layer, shapes, layer.outputs(*shapes)[0]).items():
        assert eval(formula(products, numbers=True).replace(",", "")) == total(products), name


@KIND
def test_arrays_give_what_ints_give(kind):
    """Every size of the input and every size among the fields as an int64 array: same shapes, same tallies."""
    layer, shapes = example(kind)
    wide = kind.__new__(kind)
    wide.__dict__.update({key: as_array(kind.fields[key], value) for key, value in layer.__dict__.items()})
    arrays = tuple(tuple(np.array([size, size]) for size in shape) for shape in shapes)
    plain, many = layer.outputs(*shapes), wide.outputs(*arrays)
    assert [tuple(np.broadcast_to(size, 2)[1] for size in shape) for shape in many] == [tuple(shape) for shape in plain]
    expected = tallied(layer, shapes, plain[0])
    found = tallied(wide, arrays, many[0])
    assert list(found) == list(expected)
    for name in expected:
        assert np.broadcast_to(total(found[name]), 2).tolist() == [total(expected[name])] * 2, name


def as_array(field, value):
    structural = field.name in ("order", "parts", "start", "axis", "axes", "shape")
    if is_whole(value) and not structural:
        return np.array([value, value])
    if isinstance(value, tuple) and isinstance(field, Sizes) and not structural:
        return tuple(as_array(field, item) for item in value)
    return value


@KIND
def test_a_layer_on_its_own_makes_a_graph(kind):
    layer, shapes = example(kind)
    graph = Graph("one")
    refs = [graph.add_input(f"x{number}", shape) for number, shape in enumerate(shapes)]
    ref = graph.add("layer", layer, refs)
    assert graph.shape(ref) == layer.outputs(*shapes)[0]
    assert layer.mixes(shapes) in (*MIXING, "")


@KIND
def test_weighted_layers_are_the_ones_with_weights(kind):
    layer, shapes = example(kind)
    assert bool(layer.depth) == ("weights" in tallied(layer, shapes, layer.outputs(*shapes)[0]))


@KIND
def test_a_wrong_field_is_refused_by_name(kind):
    layer = kind.__new__(kind)
    misfits = layer.fill({"kernal_sizes": (3, False)})
    assert any("kernal_sizes" in misfit.message for misfit in misfits)


@KIND
def test_other_tools_names_lead_to_one_kind(kind):
    for name in f"{kind.torch} {kind.keras}".split():
        found = foreign(name)
        assert found is not None
        assert name.lower() in f"{KINDS[found].torch} {KINDS[found].keras} {found}".lower()


@pytest.mark.parametrize("name", ["conv", "transposed_conv"])
def test_every_size_of_a_convolution_may_be_an_array(name):
    fields = {"filters": 8, "kernel": 3, "stride": 2, "padding": 1, "dilation": 1, "groups": 2}
    plain = KINDS[name](**fields)
    wide = KINDS[name](**{key: np.array([value, value]) for key, value in fields.items()})
    assert [int(np.broadcast_to(size, 2)[0]) for size in wide.output((4, 9, 9))] == list(plain.output((4, 9, 9)))
    ours, theirs = (tallied(one, ((4, 9, 9),), one.output((4, 9, 9))) for one in (plain, wide))
    assert {key: total(value) for key, value in ours.items()} == {
        key: int(total(value)[0]) for key, value in theirs.items()
    }
