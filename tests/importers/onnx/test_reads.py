"""A rule reads every input and attribute that its operator has, or the node is unsupported and says what was not read.

The law is that of the importer, not of the rules: whatever a rule forgets, today's and tomorrow's, is noticed.
"""

import random
from math import prod

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
        is_applied, used = used_by(ctx, node, inputs)
        assert not is_applied or "b" in used


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


_PLACES = "numbers that say which elements: as many in any case"
_SHAPE = "its shape alone matters"
# inputs that rules read and that add no params even where they are learned: why
READ_AS_NUMBERS = {
    ("ArrayFeatureExtractor", 1): _PLACES,
    ("Cast", 1): "its rule is that of CastLike, where the dtype alone matters",
    ("CastLike", 1): "its dtype alone matters",
    ("Clip", 1): "a bound; one that is learned is named as in no layer",
    ("Clip", 2): "a bound; one that is learned is named as in no layer",
    ("CumProd", 1): "the axis",
    ("CumSum", 1): "the axis",
    ("EmbedLayerNormalization", 0): _PLACES,
    ("EyeLike", 0): _SHAPE,
    ("Gather", 1): _PLACES,
    ("MelWeightMatrix", 2): "the sample rate and bounds change the numbers, not how many there are",
    ("MelWeightMatrix", 3): "the sample rate and bounds change the numbers, not how many there are",
    ("MelWeightMatrix", 4): "the sample rate and bounds change the numbers, not how many there are",
    ("MultiHeadAttention", 4): "a mask: masked scores are computed all the same",
    ("MultiHeadAttention", 5): "a mask of one axis: masked scores are computed all the same",
    ("OneHot", 0): _PLACES,
    ("RandomNormalLike", 0): _SHAPE,
    ("RandomUniformLike", 0): _SHAPE,
    ("Resize", 1): "the region, which changes the numbers",
    ("Shape", 0): _SHAPE,
    ("Size", 0): _SHAPE,
    ("Trilu", 1): "which diagonal, not how many numbers there are",
    ("Upsample", 1): "the region, which changes the numbers",
}


@pytest.mark.parametrize("operator", sorted(set(RULES) - {"If", "Loop", "Scan", "SequenceConstruct"}))
def test_a_learned_tensor_in_any_input_is_counted_or_has_its_reason(operator):
    """Each input in turn is a learned tensor, of any shape: the layer uses it, or the node is unsupported."""
    chance = random.Random(operator)
    inputs_of_standard = max([len(one.inputs) for one in schemas(operator)] + [9])
    for at in range(inputs_of_standard):
        if (operator, str(at)) in INPUTS or (operator, at) in READ_AS_NUMBERS:
            continue
        for shape in ((8,), (3,), (1, 8), (1, 3), (1, 15)):
            ctx = any_context(chance)
            node, inputs = right_node(chance, ctx, operator)
            missing = at + 1 - len(inputs)
            node.inputs, inputs = [*node.inputs, *[""] * missing], [*inputs, *[None] * missing]
            node.inputs[at], inputs[at] = "more", Value(shape, source_weights=(Part("more", prod(shape)),))
            is_applied, used = used_by(ctx, node, inputs)
            assert not is_applied or "more" in used, at


def used_by(ctx, node, inputs):
    """Whether a rule applies, and the learned tensors that its layers and results are made from."""
    try:
        outputs = ctx._outputs(node, inputs)
    except (Unsupported, UserError, SpecError):
        return False, set()
    used = {part.name for use in ctx.weights.uses for parts in use.weights for part in parts}
    return True, used | {part.name for value in outputs for part in value.source_weights}


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
    assert {operator for operator, _ in [*ATTRIBUTES, *INPUTS, *READ_AS_NUMBERS]} <= RULES.keys()
