"""What PyTorch keeps of each kind of layer for the backward pass: inputs, the output, and tensors of its own.

Source: derivatives.yaml of PyTorch 2.13, on a CPU; each rule is compared with `saved_tensors_hooks`.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any, NamedTuple

from convcalc.analysis.training.gradients import Gradients
from convcalc.graph import Layer
from convcalc.kinds import KINDS, Shape
from convcalc.kinds.window import pairs, same_sides

INDEX_BITS = 64
STATISTIC_BITS = 32  # at least: GPUs keep those of narrower types so


class Own(NamedTuple):
    """Elements of a tensor that a layer makes and keeps; `sort`: value, statistic or index."""

    what: str
    elements: int
    sort: str = "value"


class Kept(NamedTuple):
    """What a layer keeps: inputs by number, its output, tensors of its own."""

    inputs: tuple[int, ...] = ()
    output: bool = False
    own: tuple[Own, ...] = ()


class Case(NamedTuple):
    """A layer with the batch and the gradients that are needed."""

    layer: Layer
    batch: int
    needed: Gradients

    @property
    def kind(self) -> Any:
        return self.layer.kind

    def elements(self, shape: Shape) -> int:
        return self.batch * prod(shape)

    @property
    def outputs(self) -> int:
        return self.elements(self.layer.output)


Rule = Callable[[Case], Kept]


def kept_by(case: Case) -> Kept | None:
    """What a layer keeps; None where that is not known, nothing where no gradient passes through it."""
    if not case.needed.any:
        return Kept()
    rule = RULES[case.layer.kind.name]
    return None if rule is None else rule(case)


def _nothing(case: Case) -> Kept:
    return Kept()


def _input(case: Case) -> Kept:
    return Kept((0,))


def _output(case: Case) -> Kept:
    return Kept((), True)


def _window(case: Case) -> Kept:
    """The input; where the padding before and after differs, a padded copy of it."""
    padded = _padded(case)
    kept = Kept((), own=(Own("padded input", padded),)) if padded else Kept((0,))
    if case.kind.name == "max_pool":
        kept = kept._replace(own=(*kept.own, Own("indices", case.outputs, "index")))
    return kept


def _padded(case: Case) -> int:
    """The elements of a padded copy; 0 where PyTorch pads inside the layer."""
    (channels, *spatial), kind = case.layer.shapes[0], case.kind
    if isinstance(kind.padding, str) and kind.padding == "same":
        windows = kind.window(case.layer.shapes[0])
        sides = [same_sides(size, span, stride) for size, (span, stride, _) in zip(spatial, windows, strict=True)]
    else:
        sides = list(pairs(kind.padding, len(spatial)))
    if all(before == after for before, after in sides):
        return 0
    sizes = [size + before + after for size, (before, after) in zip(spatial, sides, strict=True)]
    return case.elements((channels, *sizes))


def _linear(case: Case) -> Kept:
    return Kept((0,) if case.needed.weights else ())


def _embedding(case: Case) -> Kept:
    return Kept(own=(Own("indices", case.elements(case.layer.shapes[0]), "index"),))


def _attention(case: Case) -> Kept:
    """Queries, keys and values as projected, the logarithms of the sums of the softmax, the mixture."""
    query, key, _, inner = case.kind.sizes(case.layer.shapes)
    queries, keys = case.elements(query[:-1]), case.elements(key[:-1])
    own = (
        Own("projected queries, keys, values", inner * (queries + 2 * keys)),
        Own("softmax sums", case.kind.heads * queries, "statistic"),
        Own("mixture", inner * queries),
    )
    return Kept(tuple(range(len(case.layer.inputs))), own=own)


def _product(case: Case) -> Kept:
    """The factors of which another has a gradient; of more than two, the products between as well."""
    needs = case.needed.inputs
    kept = tuple(at for at in range(len(needs)) if any(need for other, need in enumerate(needs) if other != at))
    return Kept(kept, own=_between(case))


def _quotient(case: Case) -> Kept:
    """The divisors, and what is divided where a divisor has a gradient."""
    first = (0,) if any(case.needed.inputs[1:]) else ()
    return Kept((*first, *range(1, len(case.needed.inputs))), own=_between(case))


def _largest(case: Case) -> Kept:
    return Kept(tuple(range(len(case.layer.inputs))), own=_between(case))


def _between(case: Case) -> tuple[Own, ...]:
    more = len(case.layer.inputs) - 2
    return (Own("results between", more * case.outputs),) if more > 0 else ()


def _matmul(case: Case) -> Kept:
    """Each factor of which the other has a gradient, repeated where it is broadcast."""
    kept, own = [], []
    for at, shape in enumerate(case.layer.shapes):
        if case.needed.inputs[1 - at]:
            batches = case.layer.output[:-2]
            if shape[:-2] == batches or prod((case.batch, *shape[:-2])) == 1:  # one that is repeated is a view
                kept.append(at)
            else:
                own.append(Own("repeated factor", case.elements((*batches, *shape[-2:]))))
    return Kept(tuple(kept), own=tuple(own))


def _elementwise(case: Case) -> Kept:
    """Of two inputs both, and of a power the result; of one its result, or nothing."""
    many = len(case.layer.inputs) > 1
    operation = case.kind.operation
    if operation == "additions":
        return Kept()
    if operation in ("square", "root"):
        return Kept((0,))
    if many:
        rule = {"multiplications": _product, "divisions": _quotient}.get(operation, _largest)
        return rule(case)._replace(output=operation == "exponentials")
    return Kept((), operation in ("divisions", "exponentials"))


def _reduce(case: Case) -> Kept:
    return {
        "comparisons": Kept((0,), True),
        "maximum": Kept((0,), True),
        "exponentials": Kept((0,), True),
        "multiplications": Kept((0,)),
    }.get(case.kind.operation, Kept())


def _statistics(elements: int) -> tuple[Own, ...]:
    return (Own("statistics", elements, "statistic"),)


def _batch_norm(case: Case) -> Kept:
    """The input, mean and deviation of each channel."""
    return Kept((0,), own=_statistics(2 * case.layer.output[0]))


def _rows(case: Case) -> int:
    """How many means a layer norm has."""
    over = getattr(case.kind, "over", "last")
    shape = case.layer.output
    return case.batch * {"last": prod(shape[:-1]), "channels": prod(shape[1:]), "all": 1}[over]


def _layer_norm(case: Case) -> Kept:
    return Kept((0,), own=_statistics(2 * _rows(case)))


def _rms_norm(case: Case) -> Kept:
    return Kept((0,), own=(*_statistics(_rows(case)), Own("normalised input", case.outputs)))


def _group_norm(case: Case) -> Kept:
    return Kept((0,), own=_statistics(2 * case.batch * case.kind.groups))


def _instance_norm(case: Case) -> Kept:
    """As a batch norm of N*C channels, for which the scale is repeated."""
    channels = case.batch * case.layer.output[0]
    repeated = (Own("repeated scale", channels),) if case.kind.affine else ()
    return Kept((0,), own=(*_statistics(2 * channels), *repeated))


def _response_norm(case: Case) -> Kept:
    """The input and its scaled form; of each channel its sum of squares, length and share; the mean length."""
    channels = case.batch * case.layer.output[0]
    return Kept((0,), own=(Own("scaled input", case.outputs), Own("lengths", 3 * channels + case.batch)))


def _lrn(case: Case) -> Kept:
    """The input, its squares with padding along the channels, the sum, and its power."""
    channels, *spatial = case.layer.output
    padded = case.elements((channels + case.kind.size - 1, *spatial))
    return Kept((0,), own=(Own("padded squares", padded), Own("sums and powers", 2 * case.outputs)))


def _pooled(case: Case) -> Kept:
    """Adaptive average pooling to one element is a mean, which keeps nothing."""
    return Kept() if all(size == 1 for size in case.layer.output[1:]) else Kept((0,))


def _max_pooled(case: Case) -> Kept:
    return Kept((0,), own=(Own("indices", case.outputs, "index"),))


def _dropout(case: Case) -> Kept:
    """A mask of the input's type; at a rate of 0 nothing, at 1 a zero."""
    elements = {0: 0, 1: 1}.get(case.kind.rate, case.outputs)
    return Kept(own=(Own("mask", elements),) if elements else ())


def _drop_path(case: Case) -> Kept:
    """A factor for each sample."""
    return Kept(own=(Own("factors", case.batch),) if case.kind.rate else ())


def _pad(case: Case) -> Kept:
    return Kept((0,) if case.kind.mode in ("reflect", "replicate") else ())


def _log_sigmoid(case: Case) -> Kept:
    return Kept((0,), own=(Own("exponentials", case.outputs),))


def _softsign(case: Case) -> Kept:
    return Kept((0,), own=(Own("divisor", case.outputs),))


# every kind by its exact name; None where what is kept is not known
RULES: dict[str, Rule | None] = {
    **{name: _input for name, kind in KINDS.items() if kind.family == "activation"},
    **dict.fromkeys(("relu", "sigmoid", "tanh", "softmax", "log_softmax"), _output),
    "log_sigmoid": _log_sigmoid,
    "softsign": _softsign,
    **dict.fromkeys(("conv", "max_pool", "avg_pool"), _window),
    "transposed_conv": _input,
    "linear": _linear,
    "embedding": _embedding,
    "attention": _attention,
    "matmul": _matmul,
    "batch_norm": _batch_norm,
    "layer_norm": _layer_norm,
    "rms_norm": _rms_norm,
    "group_norm": _group_norm,
    "instance_norm": _instance_norm,
    "global_response_norm": _response_norm,
    "lrn": _lrn,
    "scale": _input,
    "adaptive_avg_pool": _pooled,
    **dict.fromkeys(("adaptive_max_pool", "global_max_pool"), _max_pooled),
    "multiply": _product,
    "divide": _quotient,
    "maximum": _largest,
    "elementwise": _elementwise,
    "reduce": _reduce,
    "gather": _nothing,  # its indices are constants
    "dropout": _dropout,
    "drop_path": _drop_path,
    "pad": _pad,
    "max_unpool": _nothing,  # the indices are those of its pooling, which keeps them
    **dict.fromkeys(("add", "subtract", "concat", "mean", "global_avg_pool", "upsample"), _nothing),
    **dict.fromkeys(("identity", "flatten", "reshape", "permute", "crop", "center_crop", "slice", "split"), _nothing),
    **dict.fromkeys(("pixel_shuffle", "pixel_unshuffle", "channel_shuffle", "parameter", "constant"), _nothing),
    **dict.fromkeys(("lstm", "gru", "rnn", "opaque", "custom")),
}
