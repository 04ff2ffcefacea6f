"""Operators of PyTorch that a user's rules count: each is written as one ONNX node, for its rule to read.

`ns:op` in a file of rules is `torch.ops.ns.op`. Its tensors are the inputs of the node, in their order; its numbers,
booleans, texts and lists of numbers are attributes with the names of the arguments.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any

from convcalc.importers.onnx.own_rules import OwnRule


def own_translations(torch: Any, rules: Sequence[OwnRule]) -> dict[Any, Callable[..., Any]]:
    """Return a function that writes ONNX for each operator of PyTorch, in each of its forms, that has a rule."""
    table: dict[Any, Callable[..., Any]] = {}
    for rule in rules:
        operator = getattr(getattr(torch.ops, rule.domain, None), rule.operator, None) if rule.domain else None
        for overload in getattr(operator, "overloads", tuple)():
            target = getattr(operator, overload)
            table[target] = _translation(target, rule)
    return table


def _translation(target: Any, rule: OwnRule) -> Callable[..., Any]:
    """Return a function that writes a call of an operator as one node."""
    arguments = target._schema.arguments
    value_type = import_module("onnx_ir").Value

    def write(*given: Any, **named: Any) -> Any:
        inputs: list[Any] = []
        attributes: dict[str, Any] = {}
        for argument, value in zip(arguments, given, strict=False):
            named[argument.name] = value
        for argument in arguments:
            value = named.get(argument.name)
            values = value if isinstance(value, (list, tuple)) else [value]
            if any(isinstance(item, value_type) for item in values) or "Tensor" in str(argument.type):
                inputs += values
            elif isinstance(value, bool):
                attributes[argument.name] = int(value)
            elif all(isinstance(item, (int, float, str)) for item in values):
                attributes[argument.name] = value
        while inputs and inputs[-1] is None:
            inputs.pop()
        return _operator(rule, len(inputs), len(target._schema.returns), attributes)(*inputs, **attributes)

    return write


def _operator(rule: OwnRule, inputs: int, outputs: int, attributes: dict[str, Any]) -> Any:
    """Return the ONNX operator of a rule for one call: so many inputs and outputs of any type, and its attributes."""
    onnx, values = import_module("onnx"), import_module("onnxscript").values
    schema, any_type = onnx.defs.OpSchema, list(onnx.defs.get_schema("Identity").type_constraints[0].allowed_type_strs)
    read, made = [f"x{at}" for at in range(inputs)], [f"y{at}" for at in range(outputs)]
    optional = schema.FormalParameterOption.Optional
    own = schema(
        rule.operator,
        rule.domain,
        1,
        inputs=[schema.FormalParameter(one, one.upper(), param_option=optional) for one in read],
        outputs=[schema.FormalParameter(one, one.upper()) for one in made],
        type_constraints=[(one.upper(), any_type, "") for one in (*read, *made)],
        attributes=[schema.Attribute(one, onnx.helper.make_attribute(one, value)) for one, value in attributes.items()],
    )
    return values.Op(values.Opset(rule.domain, 1), rule.operator, own)
