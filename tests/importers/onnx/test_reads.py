"""A rule reads every input and attribute that its operator has, or the node is unsupported and says what was not read.

The law is that of the importer, not of the rules: whatever a rule forgets, today's and tomorrow's, is noticed.
"""

import random

import pytest
from helpers.any_nodes import EXAMPLES, any_context, any_inputs, with_any_attributes
from onnx import defs

from convcalc.errors import SpecError, UserError
from convcalc.importers.onnx.elements import Part
from convcalc.importers.onnx.model import Node, Unsupported
from convcalc.importers.onnx.operators import RULES
from convcalc.importers.onnx.reads import RecordedInputs, require_all_read
from convcalc.importers.onnx.values import Value
from convcalc.importers.onnx.without_effect import ATTRIBUTES, ATTRIBUTES_OF_ALL, INPUTS

ROUNDS = 60


def right_node(chance, ctx, operator):
    """A node as the operator's example has it, and its inputs."""
    *_, attributes = EXAMPLES.get(operator, ({},))
    inputs, _, _ = any_inputs(chance, ctx, operator)
    names = ["" if value is None else f"i{at}" for at, value in enumerate(inputs)]
    node = Node(operator, names, ["y"], **attributes)
    ctx.values.update((name, value) for name, value in zip(names, inputs, strict=True) if name)
    return node, inputs


def applied(ctx, node, inputs):
    """Whether the importer's way of applying a rule succeeds, and the reason where it does not."""
    try:
        ctx._outputs(node, inputs)
    except (Unsupported, UserError, SpecError) as error:
        return False, str(error)
    return True, ""


@pytest.mark.parametrize("operator", sorted(RULES))
def test_an_attribute_that_no_rule_knows_makes_a_node_unsupported(operator):
    chance = random.Random(operator)
    for _ in range(ROUNDS):
        ctx = any_context(chance)
        node, inputs = right_node(chance, ctx, operator)
        node.set_attribute("of_a_later_opset", 1)
        is_applied, _ = applied(ctx, node, inputs)
        assert not is_applied


@pytest.mark.parametrize("operator", sorted(set(RULES) - {"If", "Loop", "Scan", "SequenceConstruct"}))
def test_an_input_that_no_rule_knows_is_counted_or_makes_a_node_unsupported(operator):
    """A learned tensor more: where the rule takes any number of inputs it belongs to the result."""
    chance = random.Random(operator)
    for _ in range(ROUNDS):
        ctx = any_context(chance)
        node, inputs = right_node(chance, ctx, operator)
        at = next(at for at in range(12, 30) if (operator, str(at)) not in INPUTS)
        more = Value((8,), source_weights=(Part("b", 8),))
        node.inputs = [*node.inputs, *[""] * (at - len(inputs)), "more"]
        inputs = [*inputs, *[None] * (at - len(inputs)), more]
        try:
            outputs = ctx._outputs(node, inputs)
        except (Unsupported, UserError, SpecError):
            continue
        used = {part.name for use in ctx.weights.uses for parts in use.weights for part in parts}
        assert "b" in used | {part.name for value in outputs for part in value.source_weights}


@pytest.mark.parametrize("operator", sorted(RULES))
def test_a_rule_reads_over_constants_what_it_reads_over_activations(operator):
    chance = random.Random(operator)
    for _ in range(ROUNDS):
        ctx = any_context(chance)
        node, inputs = right_node(chance, ctx, operator)
        is_applied, _ = applied(ctx, node, inputs)
        constants = [
            Value(value.shape, dtype=value.dtype) if value is not None and value.ref is not None else value
            for value in inputs
        ]
        _, reason = applied(ctx, node, constants)
        assert not (is_applied and reason.startswith("input ") and reason.endswith("is not read")), reason


def test_the_reason_names_what_was_not_read():
    ctx = any_context(random.Random(0))
    node = Node("Softmax", ["x", "b"], ["y"], axis=-1)
    x = Value((1, 8), ref=ctx.graph.add_input("x", (8,)), batch=0)
    inputs = RecordedInputs([x, Value((8,), source_weights=(Part("b", 8),))])
    assert inputs[0] is x
    with pytest.raises(Unsupported, match=r"input 1 \(b\) is not read"):
        require_all_read(node, inputs)
    assert inputs[0:2] == [x, inputs[1]]
    with pytest.raises(Unsupported, match="attribute 'axis' is not read"):
        require_all_read(node, inputs)
    assert node.copy().int("axis") == -1  # a copy reads for the node that it is one of
    require_all_read(node, inputs)


def test_an_input_without_elements_holds_nothing_to_be_read():
    require_all_read(Node("Resize", ["roi"], ["y"]), RecordedInputs([Value((0,), [])]))


def schemas(operator):
    found = [one for one in defs.get_all_schemas_with_history() if one.name == operator]
    return [one for one in found if one.domain in ("", "ai.onnx.ml")]


@pytest.mark.parametrize("operator", sorted(name for name in RULES if schemas(name)))
def test_a_rule_reads_every_attribute_that_the_standard_has(operator):
    """Over many nodes every attribute of any opset is asked for, or stands in the table with the reason why not."""
    chance, read = random.Random(operator), set()
    for _ in range(4 * ROUNDS):
        ctx = any_context(chance)
        inputs, right, wrong = any_inputs(chance, ctx, operator)
        names = ["" if value is None else f"i{at}" for at, value in enumerate(inputs)]
        node = with_any_attributes(chance, Node(operator, names, ["y"]), 0, right, wrong)
        applied(ctx, node, inputs)
        read |= node.were_read
    known = {name for one in schemas(operator) for name in one.attributes}
    excused = ATTRIBUTES_OF_ALL.keys() | {name for rule, name in ATTRIBUTES if rule == operator}
    assert known - read - excused - REFUSED.get(operator, set()) == set()


# attributes that no rule reads: a node that has one is unsupported, which is right
REFUSED = {
    "Constant": {"sparse_value", "value_string", "value_strings"},
    "Attention": {"qk_matmul_output_mode"},
}


def test_the_table_names_operators_that_have_rules():
    assert {operator for operator, _ in [*ATTRIBUTES, *INPUTS]} <= RULES.keys()
