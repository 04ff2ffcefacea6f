"""The code of one layer in any framework: how it is made, how it is called, and values as Python source."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any, NamedTuple

from convcalc.errors import printable
from convcalc.kinds import Shape

Shapes = tuple[Shape, ...]

PLAIN = "{module}({0})"


class Code(NamedTuple):
    """A layer in a framework.

    - `module`: what is made once; "" for a layer that is only an expression.
    - `needs`: its positional arguments by role, in order.
    - `options`: its keyword arguments: the value, and the default that may be left out.
    - `call`: the expression for its output, a tuple for several outputs: {module} is the module, {0} {1} ... the
      inputs, {batch} the batch size.
    - `helper`: source that the file must contain.
    - `note`: what the spec leaves open and the exporter chose.
    """

    module: str = ""
    needs: Mapping[str, Any] = {}
    options: Mapping[str, tuple[Any, Any]] = {}
    call: str = PLAIN
    helper: str = ""
    note: str = ""


class Name(str):
    """The name of a variable that holds the value."""


def constructor(code: Code) -> str:
    """Write the expression that makes a module.

    >>> constructor(Code("nn.Conv2d", {"in": 3, "out": 64}, {"kernel_size": (7, 1), "bias": (True, True)}))
    'nn.Conv2d(3, 64, kernel_size=7)'
    """
    return f"{code.module}({', '.join(arguments(code))})"


def arguments(code: Code) -> list[str]:
    """Write the arguments that make a module; those equal to their default are left out."""
    options = code.options.items()
    values = [literal(value) for value in code.needs.values()]
    return [*values, *(f"{name}={literal(value)}" for name, (value, default) in options if value != default)]


def expression(call: str, note: str = "") -> Code:
    """Build the code of a layer that has no module of its own."""
    return Code(call=call, note=note)


def literal(value: Any) -> str:
    """Write a value as Python source.

    >>> literal((3, 1)), literal(Decimal("0.10")), literal(Decimal(2)), literal("same"), literal(Name("stride"))
    ('(3, 1)', '0.1', '2', '"same"', 'stride')
    """
    if isinstance(value, Decimal):
        value = int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, Name):
        return str(value)
    if isinstance(value, str):
        return f'"{_escaped(value)}"'
    return repr(value)


def docstring(lines: Iterable[str]) -> str:
    """Write lines of any text as a docstring.

    >>> print(docstring(['net "a"', "b\\nc"]))
    \"\"\"net \\"a\\"
    b\\\\nc
    \"\"\"
    """
    return '"""' + "\n".join(map(_escaped, lines)) + '\n"""'


def comment(text: str) -> str:
    """Write any text as the comment after a line; "" where there is none.

    >>> comment("one\\ntwo")
    '  # one\\\\ntwo'
    """
    return f"  # {printable(text)}" if text else ""


def _escaped(text: str) -> str:
    """Text as it is inside of double quotes: it ends neither its line nor its string."""
    return printable(text).replace("\\", "\\\\").replace('"', '\\"')


def collapse(values: Iterable[int]) -> Any:
    """Return equal sizes of all axes as one number, others as a tuple.

    >>> collapse((3, 3)), collapse([1, 7])
    (3, (1, 7))
    """
    sizes = tuple(values)
    return sizes[0] if len(set(sizes)) == 1 else sizes


def subscript(start: int, stop: int | None, step: int, size: int) -> str:
    """Write the slice of `size` elements; ends that Python assumes are left out.

    >>> subscript(0, 58, 1, 116), subscript(2, 116, 2, 116)
    (':58', '2::2')
    """
    first = "" if start == 0 else start
    last = "" if stop in (None, size) else stop
    return f"{first}:{last}" + (f":{step}" if step != 1 else "")
