"""Build the pieces that several kinds share in PyTorch: padding, other axes, weight normalisation, written classes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from convcalc.errors import UserError
from convcalc.exporters.code.code import PLAIN, Code, Name, constructor

PARAMETER, BUFFER = "nn.Parameter", "buffer"


def weight_norm(code: Code, learned: int | str, weights: int, filters: int) -> Code:
    """Wrap a layer whose weights come from `learned` values: PyTorch's weight norm has one more for each filter.

    >>> weight_norm(Code("nn.Linear", {"in_features": 4, "out_features": 3}), 15, 12, 3).needs
    {'module': 'nn.Linear(4, 3)'}
    """
    if learned == "all":
        return code
    if learned != weights + filters:
        raise UserError("the spec does not say how its weights are computed from the trainable values", "learned")
    return Code("nn.utils.parametrizations.weight_norm", {"module": Name(constructor(code))}, {}, code.call)


def pad_call(padding: Iterable[tuple[int, int]], fill: str = "") -> str:
    """Write {0} padded before and after along each axis, or cropped where negative: PyTorch lists the last axis first.

    >>> pad_call([(0, 1), (2, 2)])
    'F.pad({0}, (2, 2, 0, 1))'
    """
    widths = [str(width) for pair in reversed(list(padding)) for width in pair]
    return f"F.pad({{0}}, ({', '.join(widths)}){fill})"


def call_on_axis(axis: int, shape: tuple[int, ...]) -> str:
    """Write the call of a module that works on the last axis, on another axis (from 0, without the batch).

    >>> call_on_axis(0, (96, 56, 56)), call_on_axis(1, (197, 768))
    ('{module}({0}.movedim(1, -1)).movedim(-1, 1)', '{module}({0})')
    """
    if axis == len(shape) - 1:
        return PLAIN
    return f"{{module}}({{0}}.movedim({axis + 1}, -1)).movedim(-1, {axis + 1})"


def spatial_module(module: str, needs: Mapping[str, Any], options: Mapping[str, Any], shape: tuple[int, ...]) -> Code:
    """Build a module that PyTorch has for one to three spatial axes; more are flattened to one for it.

    >>> [spatial_module("BatchNorm", {}, {}, shape).module for shape in ((8, 4, 4), (8,))]
    ['nn.BatchNorm2d', 'nn.BatchNorm1d']
    """
    axes = len(shape) - 1
    if axes > 3:
        return Code(f"nn.{module}1d", needs, options, f"{{module}}({{0}}.flatten(2)).unflatten(2, {shape[1:]})")
    return Code(f"nn.{module}{max(axes, 1)}d", needs, options)


SCALE = '''
class Scale(nn.Module):
    """A trainable factor for each channel; with `bias`, an offset too."""

    def __init__(self, shape, bias=False):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(shape))
        self.bias = nn.Parameter(torch.zeros(shape)) if bias else None

    def forward(self, x):
        scaled = x * self.weight
        return scaled if self.bias is None else scaled + self.bias
'''

RESPONSE_NORM = '''
class GlobalResponseNorm(nn.Module):
    """Each channel by its length over the mean length; then a trainable scale and shift, and the input."""

    def __init__(self, num_channels, eps=1e-6):
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.zeros(num_channels))
        self.bias = nn.Parameter(torch.zeros(num_channels))

    def forward(self, x):
        x = x.movedim(1, -1)
        length = torch.pow(x.flatten(1, -2).square().sum(1), 0.5)
        share = length / (length.mean(1, keepdim=True) + self.eps)
        scaled = x * share.reshape(x.shape[0], *[1] * (x.dim() - 2), x.shape[-1])
        return (x + scaled * self.weight + self.bias).movedim(-1, 1)
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
    """Attention whose heads have another total width than its input."""

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
