"""Whatever a node is like, its rule gives values or says what it does not support: for every rule there is.

Nodes get attributes of any type, inputs that are missing, of any rank, empty or huge, and constants of any numbers.
"""

import random
import resource
from math import nan, prod
from pathlib import Path

import pytest
from helpers.any_nodes import EXAMPLES, OPERATORS, activation, any_context, any_node, with_any_attributes
from helpers.paths import ROOT

from convcalc.errors import SpecError, UserError
from convcalc.importers.onnx.elements import Part
from convcalc.importers.onnx.fusions import PATTERNS, fuse
from convcalc.importers.onnx.model import Node, Reference, Subgraph, Tensor, Unsupported
from convcalc.importers.onnx.operators import RULES
from convcalc.importers.onnx.operators.registry import rule
from convcalc.importers.onnx.values import Value

ONNX = ROOT / "convcalc" / "importers" / "onnx"
ROUNDS = 40


def assert_sound(ctx, value):
    """A value that rules after this one can rely on."""
    assert isinstance(value, Value)
    shape = value.shape
    if value.ref is not None:
        assert value.ref.layer < len(ctx.graph.all)
        assert shape is None or value.batch is None or 0 <= value.batch < len(shape)
    elif value.data is not None:
        assert len(value.data) == prod(value.sizes)
    assert shape is None or all(isinstance(size, int) and size >= 0 for size in shape)


@pytest.mark.parametrize("operator", sorted(RULES))
def test_a_rule_gives_values_or_says_what_it_does_not_support(operator):
    chance = random.Random(operator)
    for _ in range(ROUNDS):
        ctx = any_context(chance)
        node, inputs = any_node(chance, ctx, operator)
        try:
            outputs = RULES[operator](ctx, node, inputs)
        except (Unsupported, UserError, SpecError) as error:
            assert str(error)
            continue
        for value in outputs:
            assert_sound(ctx, value)


HUGE = 10**9
HUGE_SHAPES = ((HUGE,), (1, HUGE), (HUGE, 1), (HUGE, 3), (2, 3, HUGE), (1, HUGE, 8, 8), (1, 3, HUGE, 1), (0, HUGE))


def huge_value(chance, ctx):
    """An activation or a constant with an axis of 10^9, or numbers as large."""
    pick = chance.random()
    if pick < 0.4:
        return activation(chance, ctx, chance.choice([shape for shape in HUGE_SHAPES if 0 not in shape]), (None, 0))
    if pick < 0.7:
        return Value(chance.choice(HUGE_SHAPES), source_weights=(Part("w", 648),) if pick < 0.5 else ())
    numbers = [chance.choice((HUGE, HUGE, HUGE - 1, 1, 0, 3, -1)) for _ in range(chance.choice((1, 1, 1, 2, 3, 4)))]
    return Value((len(numbers),) if pick < 0.85 else (), numbers if pick < 0.85 else numbers[:1], dtype=7)


def test_no_rule_makes_a_list_as_long_as_an_axis():
    """Whatever stands in a file of 100 bytes, no rule takes memory for it: 10^9 numbers are 8 GB and more."""
    limits = resource.getrlimit(resource.RLIMIT_AS)
    used = int(Path("/proc/self/statm").read_text("ascii").split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + 2**29, limits[1]))
    try:
        for operator in OPERATORS:
            chance = random.Random(operator)
            for _ in range(ROUNDS):
                ctx = any_context(chance)
                inputs = [huge_value(chance, ctx) for _ in range(chance.choice((1, 1, 2, 2, 3, 4)))]
                names = [f"i{at}" for at in range(len(inputs))]
                node = Node(operator, names, ["y", "z"][: chance.choice((1, 1, 2))])
                right = EXAMPLES.get(operator, ({},))[-1]
                with_any_attributes(chance, node, 2, right, chance.choice((0.0, 0.1, 0.4)))
                ctx.values.update(zip(names, inputs, strict=True))
                try:
                    RULES[operator](ctx, node, inputs)
                except (Unsupported, UserError, SpecError):
                    continue
                except MemoryError:
                    raise AssertionError(f"{operator} with {inputs} takes all memory") from None
    finally:
        resource.setrlimit(resource.RLIMIT_AS, limits)


def test_patterns_take_any_node():
    """Patterns of several nodes leave a graph as it is where they do not fit."""
    chance = random.Random("patterns")
    operators = [*PATTERNS, "Add", "Mul", "Div", "Sub", "Pow", "Cast", "Reshape", "Reciprocal", "ReduceMean", "Tanh"]
    for _ in range(2000):
        ctx = any_context(chance)
        names = ["x", *(f"v{number}" for number in range(12))]
        nodes = []
        for at, name in enumerate(names[1:], 1):
            inputs = chance.choices([*names[max(0, at - 2) : at], "k", "w"], k=chance.choice((0, 1, 2, 2, 2, 3)))
            outputs = [name][: chance.choice((0, 1, 1, 1, 1, 1, 1))]
            nodes.append(with_any_attributes(chance, Node(chance.choice(operators), inputs, outputs)))
        ctx.values["k"] = Value((), [chance.choice((0.5, 1, 3, 6, 1 / 6, 2, nan))])
        ctx.values["w"] = Value((3,), source_weights=(Part("w", 3),))
        assert len(fuse(nodes, ctx.values, {names[-1]})) <= len(nodes)


def test_an_operator_with_two_rules_is_an_error():
    with pytest.raises(ValueError, match=r"two rules for the operator Conv: .*conv_pool\.conv and .*test_attributes"):
        rule("Conv")(lambda ctx, node, inputs: [])


@pytest.mark.parametrize(
    ("read", "right", "reason"),
    [
        (Node.int, 3, "attribute 'a' is not a whole number"),
        (Node.float, 0.5, "attribute 'a' is not a number"),
        (Node.ints, [1, 2], "attribute 'a' is not a list of integers"),
        (Node.floats, [0.5, 1], "attribute 'a' is not a list of numbers"),
        (Node.text, "same", "attribute 'a' is not a text"),
        (Node.tensor, Tensor(b""), "attribute 'a' is not a tensor"),
        (Node.subgraph, Subgraph(), "attribute 'a' is not a graph"),
    ],
)
def test_an_attribute_has_the_type_that_it_is_read_as(read, right, reason):
    assert read(Node("Any", a=right), "a") == right
    for wrong in ([[1]], ["b"], {}, Reference("b")):
        with pytest.raises(Unsupported, match=reason):
            read(Node("Any", a=wrong), "a")


def test_attributes_are_read_by_type_alone():
    """No file but that of the class touches the mapping itself."""
    for path in ONNX.rglob("*.py"):
        assert path.name == "model.py" or "._attributes" not in path.read_text(), path
