"""Build the pieces that several kinds share in Keras: axes, padding, reshaping, written classes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from convcalc.exporters.code.code import Code, collapse, expression, literal


def keras_axis(axis: int, channels_last: bool) -> int:
    """Return the number in Keras of an axis of the spec (from 0, without the batch).

    >>> keras_axis(0, True), keras_axis(1, True), keras_axis(0, False), keras_axis(1, False)
    (-1, 1, 1, 2)
    """
    return (axis or -1) if channels_last else axis + 1


def zero_padding(padding: Sequence[tuple[int, int]], layer: str = "ZeroPadding") -> str:
    """Write {0} with zeros before and after each axis, or with `Cropping` without; {0} alone where there are none.

    >>> zero_padding([(3, 3), (3, 3)]), zero_padding([(0, 1)]), zero_padding([(0, 0), (0, 0)])
    ('layers.ZeroPadding2D(3)({0})', 'layers.ZeroPadding1D((0, 1))({0})', '{0}')
    """
    if not any(map(any, padding)):
        return "{0}"
    width: object = padding[0] if len(padding) == 1 else tuple(padding)
    if all(before == after for before, after in padding):
        width = collapse(before for before, _ in padding)
    return f"layers.{layer}{len(padding)}D({width})({{0}})"


def pad_call(padding: Iterable[tuple[int, int]], fill: str) -> str:
    """Write {0} padded with something other than zeros, channels last.

    >>> pad_call([(0, 1)], 'mode="reflect"')
    'ops.pad({0}, [[0, 0], [0, 1], [0, 0]], mode="reflect")'
    """
    widths = [[0, 0], *map(list, padding), [0, 0]]
    return f"ops.pad({{0}}, {widths}, {fill})"


def named_activation(name: str) -> Code:
    """Build an activation that Keras knows by a name."""
    return Code("layers.Activation", {"activation": name})


def reshape_call(value: str, *steps: tuple[int, ...]) -> Code:
    """Write a value in another shape, then its axes in another order, and so on in turn.

    >>> reshape_call("{0}", (4, 4, 2), (3, 1, 2)).call
    'layers.Permute((3, 1, 2))(layers.Reshape((4, 4, 2))({0}))'
    """
    for number, step in enumerate(steps):
        value = f"layers.{'Permute' if number % 2 else 'Reshape'}({literal(step)})({value})"
    return expression(value)


def merge(layer: str, count: int, options: str = "") -> Code:
    """Write the call of a layer that takes a list of all inputs."""
    inputs = ", ".join(f"{{{index}}}" for index in range(count))
    return expression(f"layers.{layer}({options})([{inputs}])")


SCALE = '''
class Scale(layers.Layer):
    """A trainable factor for each entry of an axis; with `bias`, an offset too."""

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

RESPONSE_NORM = '''
class GlobalResponseNorm(layers.Layer):
    """Each channel by its length over the mean length; then a trainable scale and shift, and the input."""

    def __init__(self, epsilon=1e-6, **options):
        super().__init__(**options)
        self.epsilon = epsilon

    def build(self, shape):
        self.factor = self.add_weight(shape=[shape[-1]], initializer="zeros", name="factor")
        self.offset = self.add_weight(shape=[shape[-1]], initializer="zeros", name="offset")

    def call(self, x):
        squares = ops.sum(ops.square(x), axis=[*range(1, len(x.shape) - 1)], keepdims=True)
        length = ops.power(squares, 0.5)
        share = length / (ops.mean(length, axis=-1, keepdims=True) + self.epsilon)
        return x + x * share * self.factor + self.offset
'''

PARAMETER = '''
class Parameter(layers.Layer):
    """Trainable values, the same for each sample of its input."""

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
    """Values that are not trainable, the same for each sample of its input."""

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
