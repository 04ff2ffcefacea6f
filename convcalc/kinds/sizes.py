"""Products of named sizes: what a tally is, its number and formula, and conditions on shapes.

A kind touches sizes only with `+ - * //` and states what must hold through `require`. So the same lines serve a
network (ints), a sweep (int64 arrays) and an explanation (ints that remember their formula).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import prod
from typing import Any

from convcalc.errors import UserError

Size = int
Shape = tuple[Size, ...]
Product = Mapping[str, Size]
Tally = tuple[str, Product]


class Unknown(tuple[int, ...]):
    """The shape of an output that is not known. It equals no other shape, and has no sizes to compute with."""

    __slots__ = ()
    __hash__ = tuple.__hash__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Unknown)

    def __ne__(self, other: object) -> bool:
        return not isinstance(other, Unknown)


UNKNOWN = Unknown()


def is_known(shape: Shape) -> bool:
    """Return whether a shape is known: that of an opaque layer may not be.

    >>> is_known((3, 8, 8)), is_known(UNKNOWN)
    (True, False)
    """
    return not isinstance(shape, Unknown)


# Every tally is an exact whole number. The first four are stored sizes, independent of the batch; the rest is work.
TALLIES: dict[str, str] = {
    "weights": "trainable factors of convolution, linear, attention, recurrent and embedding layers",
    "biases": "trainable offsets of the same layers",
    "other_params": "all other trainable values: scale and shift of norms, slopes of prelu, tokens, positions",
    "buffers": "stored but not trainable: running mean and variance, frozen weights",
    "conv_macs": "multiply-accumulates of convolutions, without bias",
    "linear_macs": "multiply-accumulates of fully connected layers, without bias",
    "matmul_macs": "multiply-accumulates of products of two activations",
    "bias_adds": "additions of a bias",
    "norm_elements": "elements that a norm computes",
    "comparisons": "comparisons: relu, max pooling",
    "additions": "element-wise additions, sums of pooling",
    "multiplications": "element-wise multiplications",
    "divisions": "element-wise divisions",
    "exponentials": "exponentials, logarithms, roots, powers, trigonometric functions",
    "window_elements": "elements under all pooling windows",
}
STORED = ("weights", "biases", "other_params", "buffers")
MACS = ("conv_macs", "linear_macs", "matmul_macs")
OPERATIONS = ("bias_adds", "comparisons", "additions", "multiplications", "divisions", "exponentials")

# What a layer's multiply-accumulates combine: channels to channels, neighbours in space, both at once, or everything.
MIXING = ("cross-channel (1x1)", "spatial (depthwise)", "both (kxk)", "fully connected", "attention", "recurrent")

LEARNED = (
    "trainable values behind the weights: 'all' weights are trainable, 0 for frozen ones, or another number of "
    "values from which the weights are computed (weight norm, low rank)"
)


def require(condition: Any, message: str, field: str = "", hint: str = "", **facts: Any) -> None:
    """Raise UserError with `message` and `hint`, both formatted with `facts`, unless `condition` holds.

    Shapes among the facts are formatted only then, so that a condition that holds costs nothing. In a sweep the
    condition is an array; the points where it fails go to the sweep's collector (`arrays.collectors`).

    >>> require(1 > 2, "{n} is not enough", n=1)
    Traceback (most recent call last):
    convcalc.errors.UserError: 1 is not enough
    """
    if condition is True:
        return
    if hasattr(condition, "dtype"):
        if condition.all():
            return
        from convcalc.arrays import collectors

        if collectors:
            collectors[-1](condition, message, facts)
            return
    elif condition:
        return
    facts = {name: shape_text(fact) if isinstance(fact, tuple) else fact for name, fact in facts.items()}
    raise UserError(message.format(**facts), field, hint.format(**facts))


def is_fixed(learned: int | str) -> bool:
    """Whether `learned` says that the weights are frozen."""
    return isinstance(learned, int) and learned == 0


def learned_weights(learned: int | str, weights: Product) -> Tally:
    """Return what is stored for weights that are trainable, frozen, or computed from another number of values.

    >>> learned_weights("all", {"C/g": 4, "K": 8}), learned_weights(0, {"K": 8}), learned_weights(40, {"K": 8})
    (('weights', {'C/g': 4, 'K': 8}), ('buffers', {'K': 8}), ('weights', {'n': 40}))
    """
    if isinstance(learned, str):
        return "weights", weights
    return ("buffers", weights) if is_fixed(learned) else ("weights", {"n": learned})


def total(products: Iterable[Product]) -> Size:
    """Return the sum of products.

    >>> total([{"C": 256, "K": 16}, {"K": 16}])
    4112
    """
    return sum(prod(product.values()) for product in products)


def formula(products: Iterable[Product], numbers: bool = False) -> str:
    """Write the sum of products with letters, or with numbers.

    >>> formula([{"C/g": 256, "K": 32, "R": 5, "S": 5}])
    'C/g*K*R*S'
    >>> formula([{"C/g": 256, "K": 32, "R": 5, "S": 5}], numbers=True)
    '256*32*5*5'
    >>> formula([{"C": 16, "K": 50}, {"shared": -800}]), formula([{"C": 16, "K": 50}, {"shared": -800}], numbers=True)
    ('C*K - shared', '16*50 - 800')
    """
    text = ""
    for product in products:
        sign = "-" if any(size < 0 for size in product.values()) else "+"
        term = "*".join(f"{abs(size):,}" if numbers else name for name, size in product.items())
        text += f" {sign} {term}"
    return text.removeprefix(" + ") or "0"


def elements(shape: Shape, letters: str = "") -> dict[str, Size]:
    """Return the elements of a shape as a product of named sizes: C*D*H*W by default.

    >>> elements((64, 8, 8)), elements((197, 768)), elements((10,))
    ({'C': 64, 'H': 8, 'W': 8}, {'L': 197, 'D': 768}, {'C': 10})
    """
    if len(shape) == 2 and not letters:
        return {"L": shape[0], "D": shape[1]}
    letters = letters or "CDHW"
    if len(shape) > 4:
        return {f"n{i}": size for i, size in enumerate(shape, 1)}
    names = letters[0] + letters[len(letters) - len(shape) + 1 :] if len(shape) > 1 else letters[0]
    return dict(zip(names, shape, strict=True))


def shape_text(shape: Iterable[Any]) -> str:
    """Write a shape as people do.

    >>> shape_text((256, 28, 28)), shape_text(UNKNOWN)
    ('256x28x28', 'unknown')
    """
    return "unknown" if isinstance(shape, Unknown) else "x".join(str(size) for size in shape)


def axis_of(axis: int | str, shape: Shape) -> int:
    """Return the number of an axis, from 0: 'channels' is the first, 'last' and negative numbers count from the end.

    >>> axis_of("channels", (3, 8, 8)), axis_of("last", (197, 768)), axis_of(-2, (3, 8, 8))
    (0, 1, 1)
    """
    number = {"channels": 0, "last": -1}.get(axis, axis) if isinstance(axis, str) else axis
    if not isinstance(number, int) or not -len(shape) <= number < len(shape):
        raise UserError(f"no axis {axis} in {shape_text(shape)}", "axis", f"axes count from 0 to {len(shape) - 1}")
    return number % len(shape)


def axes(letters: Sequence[str], sizes: Iterable[Size]) -> dict[str, Size]:
    """Sizes of up to three spatial axes by letter, the last letter for the last axis.

    >>> axes("TRS", (3, 5)), axes("ZPQ", (28,))
    ({'R': 3, 'S': 5}, {'Q': 28})
    """
    sizes = tuple(sizes)
    return dict(zip(letters[len(letters) - len(sizes) :], sizes, strict=True))


def spread(value: Any, count: int, field: str) -> tuple[Any, ...]:
    """One value an axis: a single one for all, or a list that must have `count` entries.

    >>> spread(3, 2, "kernel"), spread((3, 1), 2, "kernel")
    ((3, 3), (3, 1))
    """
    if not isinstance(value, tuple):
        return (value,) * count
    if len(value) != count:
        what = f"'{field}' has {len(value)} entries, the input has {count} spatial {'axis' if count == 1 else 'axes'}"
        raise UserError(what, field, f"give one number, or {count}")
    return value


def rank(shape: Shape, least: int, most: int, what: str) -> None:
    """Require that a shape has between `least` and `most` axes, the channels counted."""
    require(
        least <= len(shape) <= most,
        "{what} needs an input of " + (f"{least}" if least == most else f"{least} to {most}") + " axes, found {shape}",
        what=what,
        shape=shape,
        hint="a shape is channels x height x width" if len(shape) < least else "",
    )


def require_groups(count: Size, groups: Size, what: str = "channels") -> None:
    """Require that channels (or filters) can be divided into equal groups.

    >>> require_groups(30, 4, "filters")
    Traceback (most recent call last):
    convcalc.errors.UserError: 30 filters cannot be divided into 4 groups
    """
    require(
        count % groups == 0,
        "{count} {what} cannot be divided into {groups} groups",
        "groups",
        f"groups must divide the {what.rpartition(' ')[2]}",
        count=count,
        what=what,
        groups=groups,
    )


def broadcast(first: Shape, second: Shape, what: str) -> Shape:
    """Return the shape of an element-wise operation: axes are equal, or one of the two is 1 and is broadcast.

    >>> broadcast((64, 28, 28), (64, 1, 1), "multiply")
    (64, 28, 28)
    """
    facts: dict[str, Any] = {"what": what, "first": first, "second": second}
    require(
        len(first) == len(second),
        "{what}: {first} and {second} differ in the number of axes",
        hint="flatten, reshape or pool one of them",
        **facts,
    )
    sizes = []
    for axis, (ours, theirs) in enumerate(zip(first, second, strict=True)):
        require(
            (ours == theirs) | (ours == 1) | (theirs == 1),
            "{what}: the branches differ in {axis}: {first} and {second}",
            hint="a 1x1 conv with {channels} filters makes the channels equal"
            if axis == 0
            else "give both the same stride and padding",
            axis="channels" if axis == 0 else "size",
            channels=second[0],
            **facts,
        )
        sizes.append(ours + (theirs - ours) * (ours == 1))
    return tuple(sizes)


def distinct(shapes: Sequence[Shape]) -> Iterable[tuple[Shape, int]]:
    """Each shape once, with the number of the first that has it, from 1; all of them where sizes are arrays.

    >>> list(distinct([(8, 4), (8, 4), (2, 4)]))
    [((8, 4), 1), ((2, 4), 3)]
    """
    try:
        numbers: dict[Shape, int] = {}
        for number, shape in enumerate(shapes, 1):
            numbers.setdefault(shape, number)
    except (TypeError, ValueError):
        return zip(shapes, range(1, len(shapes) + 1), strict=True)
    return numbers.items()
