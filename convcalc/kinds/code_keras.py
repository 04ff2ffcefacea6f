"""What kinds have in common when they say how Keras makes and calls them.

Keras keeps a grid with its channels behind (H x W x C), everything else here in the order of the spec. Which of the two
a layer wants is its kind's `keras_order`; `place` finds an axis in either.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from convcalc.kinds.code import Code, expression, literal

BEHIND, AS_IN_SPEC, EITHER = "channels behind", "as in the spec", "either"


def place(axis: int, is_behind: bool) -> int:
    """Where an axis of the spec (from 0, without the batch) is in Keras.

    >>> place(0, True), place(1, True), place(0, False), place(1, False)
    (-1, 1, 1, 2)
    """
    return (axis or -1) if is_behind else axis + 1


def zeros_around(sides: Sequence[tuple[int, int]], layer: str = "ZeroPadding") -> str:
    """{0} with a border of zeros, or with `Cropping` less one; nothing where there is no border.

    >>> zeros_around([(3, 3), (3, 3)]), zeros_around([(0, 1)]), zeros_around([(0, 0), (0, 0)])
    ('layers.ZeroPadding2D(3)({0})', 'layers.ZeroPadding1D((0, 1))({0})', '{0}')
    """
    if not any(map(any, sides)):
        return "{0}"
    width: object = sides[0] if len(sides) == 1 else tuple(sides)
    if all(before == after for before, after in sides):
        each = tuple(before for before, _ in sides)
        width = each[0] if len(set(each)) == 1 else each
    return f"layers.{layer}{len(sides)}D({width})({{0}})"


def filled_around(sides: Iterable[tuple[int, int]], fill: str) -> str:
    """{0} with a border that is not of zeros, channels behind.

    >>> filled_around([(0, 1)], 'mode="reflect"')
    'ops.pad({0}, [[0, 0], [0, 1], [0, 0]], mode="reflect")'
    """
    widths = [[0, 0], *map(list, sides), [0, 0]]
    return f"ops.pad({{0}}, {widths}, {fill})"


def activation(name: str) -> Code:
    """An activation that Keras knows by a name."""
    return Code("layers.Activation", {"activation": name})


def reshaped(value: str, *steps: tuple[int, ...]) -> Code:
    """A value in another shape, then its axes in another order, and so on in turn.

    >>> reshaped("{0}", (4, 4, 2), (3, 1, 2)).call
    'layers.Permute((3, 1, 2))(layers.Reshape((4, 4, 2))({0}))'
    """
    for at, step in enumerate(steps):
        value = f"layers.{'Permute' if at % 2 else 'Reshape'}({literal(step)})({value})"
    return expression(value)


def joined(layer: str, count: int, options: str = "") -> Code:
    """A layer that is given a list."""
    inputs = ", ".join(f"{{{at}}}" for at in range(count))
    return expression(f"layers.{layer}({options})([{inputs}])")


SCALE = '''
class Scale(layers.Layer):
    """A learned factor for each entry of an axis, and with `bias` a learned offset."""

    def __init__(self, axis=-1, bias=False, **options):
        super().__init__(**options)
        self.axis, self.bias = axis, bias

    def build(self, shape):
        sizes = [1] * len(shape)
        sizes[self.axis] = shape[self.axis]
        self.factor = self.add_weight(shape=sizes, initializer="ones", name="factor")
        self.offset = self.add_weight(shape=sizes, initializer="zeros", name="offset") if self.bias else None

    def call(self, x):
        return x * self.factor if self.offset is None else x * self.factor + self.offset
'''

PARAMETER = '''
class Parameter(layers.Layer):
    """Learned values, the same for each sample of what it is called with."""

    def __init__(self, shape, **options):
        super().__init__(**options)
        self.shape = shape

    def build(self, _):
        self.value = self.add_weight(shape=(1, *self.shape), initializer="zeros", name="value")

    def call(self, x):
        return ops.broadcast_to(self.value, (ops.shape(x)[0], *self.shape))

    def compute_output_shape(self, shape):
        return (shape[0], *self.shape)
'''

CONSTANT = '''
class Constant(layers.Layer):
    """Values that were never learned, the same for each sample of what it is called with."""

    def __init__(self, shape, **options):
        super().__init__(**options)
        self.shape = shape

    def call(self, x):
        return ops.zeros((ops.shape(x)[0], *self.shape))

    def compute_output_shape(self, shape):
        return (shape[0], *self.shape)
'''

NEIGHBOURS = '''
def local_response_norm(x, size, alpha, beta, k):
    """Each element divided by a power of the squares of its `size` nearest channels."""
    channels = x.shape[-1]
    around = [[0, 0]] * (len(x.shape) - 1) + [[size // 2, (size - 1) // 2]]
    squares = ops.pad(ops.square(x), around)
    total = sum(squares[..., at : at + channels] for at in range(size))
    return x / ops.power(k + alpha * total, beta)
'''
