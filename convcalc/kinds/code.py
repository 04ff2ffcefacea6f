"""How another framework makes and calls a layer, as text: what a kind says about itself to an exporter."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any, NamedTuple

from convcalc.errors import UserError

PLAIN = "{module}({0})"


class Code(NamedTuple):
    """A layer in PyTorch.

    `module` is what is made once, from `needs` (by role, in order) and `options` (by name: the value, and the default
    that may be left out); "" for a layer that is only an expression. `call` is the expression for its output, a tuple
    for several: {module} is the module, {0} {1} ... the inputs, {batch} the size of the batch. `helper` is source that
    the file must hold. `note` says what the spec leaves open and is chosen here.
    """

    module: str = ""
    needs: Mapping[str, Any] = {}
    options: Mapping[str, tuple[Any, Any]] = {}
    call: str = PLAIN
    helper: str = ""
    note: str = ""


class Name(str):
    """A variable that stands in the place of a value."""


def worked_out(code: Code, learned: int | str, weights: int, filters: int) -> Code:
    """A layer whose weights come from so many learned values: PyTorch has one more for each filter.

    >>> worked_out(Code("nn.Linear", {"in_features": 4, "out_features": 3}), 15, 12, 3).needs
    {'module': 'nn.Linear(4, 3)'}
    """
    if learned == "all":
        return code
    if learned != weights + filters:
        raise UserError("the spec does not say how its weights are worked out from what is learned", "learned")
    return Code("nn.utils.parametrizations.weight_norm", {"module": Name(made(code))}, {}, code.call)


def made(code: Code) -> str:
    """The expression that makes a module.

    >>> made(Code("nn.Conv2d", {"in_channels": 3, "out_channels": 64}, {"kernel_size": (7, None), "stride": (1, 1)}))
    'nn.Conv2d(3, 64, kernel_size=7)'
    """
    return f"{code.module}({', '.join(arguments(code))})"


def arguments(code: Code) -> list[str]:
    """What a module is made from, as source; what is the default anyway is left out."""
    given = code.options.items()
    values = [literal(value) for value in code.needs.values()]
    return [*values, *(f"{name}={literal(value)}" for name, (value, default) in given if value != default)]


def expression(call: str, note: str = "") -> Code:
    """A layer without a module of its own."""
    return Code(call=call, note=note)


def literal(value: Any) -> str:
    """A value as Python source.

    >>> literal((3, 1)), literal(Decimal("0.10")), literal(Decimal(2)), literal("same"), literal(Name("stride"))
    ('(3, 1)', '0.1', '2', '"same"', 'stride')
    """
    if isinstance(value, Decimal):
        value = int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, Name):
        return str(value)
    if isinstance(value, str):
        return f'"{value}"'
    return repr(value)


def one(values: Iterable[int]) -> Any:
    """Equal sizes of all axes as one number, others as a tuple.

    >>> one((3, 3)), one([1, 7])
    (3, (1, 7))
    """
    found = tuple(values)
    return found[0] if len(set(found)) == 1 else found


def padded(borders: Iterable[tuple[int, int]], fill: str = "") -> str:
    """{0} with a border: PyTorch lists the last axis first.

    >>> padded([(0, 1), (2, 2)])
    'F.pad({0}, (2, 2, 0, 1))'
    """
    sides = [str(side) for pair in reversed(list(borders)) for side in pair]
    return f"F.pad({{0}}, ({', '.join(sides)}){fill})"


def on_last(axis: int, shape: tuple[int, ...]) -> str:
    """A module that works on the last axis, called on another one (from 0, without the batch).

    >>> on_last(0, (96, 56, 56)), on_last(1, (197, 768))
    ('{module}({0}.movedim(1, -1)).movedim(-1, 1)', '{module}({0})')
    """
    if axis == len(shape) - 1:
        return PLAIN
    return f"{{module}}({{0}}.movedim({axis + 1}, -1)).movedim(-1, {axis + 1})"


def chained(count: int, sign: str, function: str = "", note: str = "") -> Code:
    """An operation of two, over all inputs one after the other: with a sign between them, or a function.

    >>> chained(3, " + ").call, chained(3, "", "torch.maximum").call
    ('{0} + {1} + {2}', 'torch.maximum(torch.maximum({0}, {1}), {2})')
    """
    call = "{0}"
    for number in range(1, count):
        call = f"{call}{sign}{{{number}}}" if sign else f"{function}({call}, {{{number}}})"
    return expression(call, note)


def on_grid(module: str, needs: Mapping[str, Any], options: Mapping[str, Any], shape: tuple[int, ...]) -> Code:
    """A module that PyTorch has for grids of one to three axes; a grid of more is laid flat for it.

    >>> on_grid("BatchNorm", {"num_features": 8}, {}, (8, 4, 4)).module, on_grid("BatchNorm", {}, {}, (8,)).module
    ('nn.BatchNorm2d', 'nn.BatchNorm1d')
    """
    axes = len(shape) - 1
    if axes > 3:
        return Code(f"nn.{module}1d", needs, options, f"{{module}}({{0}}.flatten(2)).unflatten(2, {shape[1:]})")
    return Code(f"nn.{module}{max(axes, 1)}d", needs, options)


PARAMETER, BUFFER = "nn.Parameter", "buffer"

SCALE = '''
class Scale(nn.Module):
    """A learned factor for each channel, and with `bias` a learned offset."""

    def __init__(self, shape, bias=False):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(shape))
        self.bias = nn.Parameter(torch.zeros(shape)) if bias else None

    def forward(self, x):
        scaled = x * self.weight
        return scaled if self.bias is None else scaled + self.bias
'''

DROP_PATH = '''
class DropPath(nn.Module):
    """Drops the whole branch of a sample in training."""

    def __init__(self, rate):
        super().__init__()
        self.rate = rate

    def forward(self, x):
        if not self.training or self.rate == 0:
            return x
        kept = torch.rand(x.shape[0], *[1] * (x.dim() - 1), device=x.device) >= self.rate
        return x * kept / max(1 - self.rate, 1e-6)
'''

ATTENTION = '''
class Attention(nn.Module):
    """Attention whose heads together are not as wide as its input."""

    def __init__(self, embed_dim, num_heads, head_dim, bias=True, kdim=None, vdim=None):
        super().__init__()
        self.num_heads = num_heads
        self.query = nn.Linear(embed_dim, num_heads * head_dim, bias)
        self.key = nn.Linear(kdim or embed_dim, num_heads * head_dim, bias)
        self.value = nn.Linear(vdim or embed_dim, num_heads * head_dim, bias)
        self.out = nn.Linear(num_heads * head_dim, embed_dim, bias)

    def forward(self, query, key, value):
        parts = self.query(query), self.key(key), self.value(value)
        heads = [part.unflatten(2, (self.num_heads, -1)).transpose(1, 2) for part in parts]
        return self.out(F.scaled_dot_product_attention(*heads).transpose(1, 2).flatten(2))
'''
