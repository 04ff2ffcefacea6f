"""Element-wise operations as source that reads alike in every framework."""

from __future__ import annotations

from convcalc.exporters.code.code import Code, expression
from convcalc.kinds import Kind
from convcalc.kinds.joins import Add, Divide, Multiply, Subtract
from convcalc.kinds.primitives import Elementwise

SIGNS: dict[type[Kind], str] = {Add: " + ", Subtract: " - ", Multiply: " * ", Divide: " / "}
ONE_OF = "a function with this cost ({})"
FIRST_ELEMENTS = "the spec does not say which elements: the first ones, repeated"


def chain(count: int, sign: str = "", function: str = "", note: str = "") -> Code:
    """Apply an operation of two to all inputs in turn: with a sign between them, or a function.

    >>> chain(3, " + ").call, chain(3, function="torch.maximum").call
    ('{0} + {1} + {2}', 'torch.maximum(torch.maximum({0}, {1}), {2})')
    """
    call = "{0}"
    for number in range(1, count):
        call = f"{call}{sign}{{{number}}}" if sign else f"{function}({call}, {{{number}}})"
    return expression(call, note)


def elementwise(layer: Elementwise, count: int, library: str, power: str) -> Code:
    """Write one of the functions that the layer may be, over `count` inputs.

    `library` has sign, exp and maximum, `power` is its function for powers.

    >>> elementwise(Elementwise(operation="exponentials"), 1, "ops", "ops.power").call
    'ops.exp({0})'
    """
    words = {"square": "{0} * {0}", "root": f"{power}({{0}}, 0.5)"}
    if layer.operation in words:
        return expression(words[layer.operation])
    note = ONE_OF.format(layer.operation)
    if count > 1:
        signs = {"additions": SIGNS[Add], "multiplications": SIGNS[Multiply], "divisions": SIGNS[Divide]}
        functions = {"comparisons": f"{library}.maximum", "exponentials": power}
        return chain(count, signs.get(layer.operation, ""), functions.get(layer.operation, ""), note)
    calls = {
        "comparisons": f"{library}.sign({{0}})",
        "additions": "{0} + 1",
        "multiplications": "{0} * 2",
        "divisions": "1 / {0}",
        "exponentials": f"{library}.exp({{0}})",
    }
    return expression(calls[layer.operation], note)
