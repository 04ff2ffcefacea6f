"""What a runtime makes of a network's layers: which become several operators, which none, which write in place."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import prod
from typing import NamedTuple

from convcalc.graph import Layer
from convcalc.kinds import Kind
from convcalc.kinds.linear import Attention

DEFAULT = "tflm"


class Step(NamedTuple):
    """One operator of a layer that becomes several.

    It reads the results of earlier steps, and inputs of the layer: 0 is the first one, -1 the last one. `elements` are
    those of its result for a batch of one; None: as many as the layer's output has.
    """

    operator: str
    steps: tuple[int, ...] = ()
    inputs: tuple[int, ...] = ()
    elements: int | None = None


Expansion = Callable[[Layer], Sequence[Step]]


def _is_apart(activation: Kind, layer: Kind) -> bool:
    return False


def _needs_no_padding(layer: Layer) -> int:
    return 0


class Profile(NamedTuple):
    """The rules of a runtime by the names of kinds. A kind that no rule names is one operator with a result of its own.

    - `rules`: the convention in one sentence, printed with every figure.
    - `folds_norms`: batch norms are folded into convolutions, dropout and identity are gone (`deploy`).
    - `views`: kinds whose output is their input's memory.
    - `is_fused`: whether an activation is part of the operator that it alone reads, by the kinds of both.
    - `expansions`: kinds that become several operators.
    - `in_place`: operators that write over an input of the same size that nothing reads later.
    - `padded`: the elements of a layer's padded input where the padding is an operator of its own, else 0.
    - `keeps_inputs`: the network's inputs are alive to the end.
    - `is_lower_bound`: the runtime may need more.
    """

    name: str
    rules: str
    folds_norms: bool = True
    views: frozenset[str] = frozenset()
    is_fused: Callable[[Kind, Kind], bool] = _is_apart
    expansions: Mapping[str, Expansion] = {}
    in_place: frozenset[str] = frozenset()
    padded: Callable[[Layer], int] = _needs_no_padding
    keeps_inputs: bool = False
    is_lower_bound: bool = False


def profile_names() -> list[str]:
    """Every profile of the folder `profiles`.

    >>> profile_names()
    ['eager', 'tflm', 'tflm_pad']
    """
    from convcalc.discovery import modules

    return modules(__file__, "profiles")


def profile(name: str) -> Profile:
    """The profile of a name of `profile_names`."""
    from importlib import import_module

    value: Profile = import_module(f"convcalc.analysis.memory.profiles.{name}").PROFILE
    return value


def always(*steps: Step) -> Expansion:
    """Steps that are the same for every layer of a kind."""
    return lambda layer: steps


def attention_steps(layer: Layer) -> Sequence[Step]:
    """The products of an attention layer: queries, keys, values, scores, their softmax, the mixture, the projection."""
    assert isinstance(layer.kind, Attention)
    query, key, _, inner = layer.kind.sizes(layer.shapes)
    scores = prod(query[:-1]) * layer.kind.heads * key[-2]
    return (
        Step("linear", (), (0,), prod(query[:-1]) * inner),
        Step("linear", (), (1 if len(layer.shapes) == 3 else -1,), prod(key[:-1]) * inner),
        Step("linear", (), (-1,), prod(key[:-1]) * inner),
        Step("matmul", (0, 1), (), scores),
        Step("softmax", (3,), (), scores),
        Step("matmul", (4, 2), (), prod(query[:-1]) * inner),
        Step("linear", (5,)),
    )
