"""The quantities of a layer that the rules of other tools compute with.

They are its tallies, its fields, and the sizes below. `inputs` and `outputs` are elements, the batch included.

- `macs`, `params` and every tally of the layer, multiplied by the batch as our own are
- `inputs`, `outputs`: elements of the first input and of the output; `N`: the batch
- `channels`, `filters`: the first axis of the input and of the output; `last`: the last axis of the input
- `window`: elements of one window; `strides`: the product of the strides; `rank`: axes without the channels
- `kernel`: as it was given: a single number stays one, a list is multiplied
- `bias`, `affine`: 1 with a bias, with learned scale or slope; `branches`: inputs of a join
- `first`: 0 where the layer uses the weights of an earlier one
- `module`, `function`: 1 by how the spec says the layer is called (`via`); a module unless it says so
- `input_gradient`, `weight_gradient`: 1 where a training step computes it; `step_macs`: those forward and backward
- `FIELD_is_WORD`: 1 where a field has this word; any whole-number field by its name
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from math import prod

from convcalc.analysis.training.gradients import Gradients, backward_macs, gradients
from convcalc.errors import UserError
from convcalc.graph import Graph, Layer
from convcalc.kinds import tallied, total
from convcalc.kinds.sizes import MACS, STORED, TALLIES, spread


class Quantities:
    """What rules compute with, for one layer; called with a name, it gives the number."""

    def __init__(self, layer: Layer, batch: int, needed: Gradients | None = None) -> None:
        self.layer, self.batch = layer, batch
        self.needed = needed or Gradients(True, (True,) * len(layer.inputs), True)
        self.tallies: dict[str, int] = {}
        for name, products in tallied(layer.kind, layer.shapes, layer.output).items():
            self.tallies[name] = total(products) * (1 if name in STORED else batch)

    def __call__(self, name: str) -> int:
        if name in TALLIES:
            return self.tallies.get(name, 0)
        rule = _RULES.get(name)
        if rule is not None:
            return rule(self)
        field, equals, word = name.partition("_is_")
        kind = self.layer.kind
        if equals:
            return int(getattr(kind, field, None) == word)
        value = getattr(kind, name, None)
        if isinstance(value, int):
            return int(value)
        raise UserError(f"'{kind.name}' has no quantity '{name}'")

    def along(self, field: str, otherwise: int = 1) -> tuple[int, ...]:
        """A field's value along each spatial axis."""
        value = getattr(self.layer.kind, field, None)
        if value is None or isinstance(value, str):
            value = otherwise
        return spread(value, len(self.layer.shapes[0]) - 1, field)


class Census:
    """The layers of a graph by what rules can tell of them: those that are alike have one entry, and how many they are.

    >>> from convcalc.loader import read
    >>> census = Census(read("{input: 4x8x8, layers: [{conv: {filters: 4, kernel: 1}}, relu, relu, relu]}"))
    >>> census.counts, [quantities("comparisons") for quantities in census.quantities(1)]
    ([1, 3], [0, 256])
    """

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.entries: dict[int, int] = {}  # by the layer's index in the graph
        self.counts: list[int] = []
        self._alike: list[tuple[Layer, Gradients]] = []
        self._quantities: dict[int, list[Quantities]] = {}
        known: dict[Hashable, int] = {}
        needed = gradients(graph)
        for layer in graph.layers:
            entry = known.setdefault((layer.signature, needed[layer.index]), len(known))
            if entry == len(self.counts):
                self._alike.append((layer, needed[layer.index]))
                self.counts.append(0)
            self.counts[entry] += 1
            self.entries[layer.index] = entry

    def quantities(self, batch: int) -> list[Quantities]:
        """The quantities of each entry, of its first layer."""
        if batch not in self._quantities:
            self._quantities[batch] = [Quantities(layer, batch, needed) for layer, needed in self._alike]
        return self._quantities[batch]

    def total(self, figures: Sequence[int]) -> int:
        """The sum over all layers of a figure for each entry."""
        return sum(figure * count for figure, count in zip(figures, self.counts, strict=True))


def _given(found: Quantities) -> int:
    kernel = getattr(found.layer.kind, "kernel", 1)
    return prod(kernel) if isinstance(kernel, tuple) else int(kernel)


def _groups(found: Quantities) -> int:
    groups = getattr(found.layer.kind, "groups", 1)
    return found.layer.shapes[0][0] if isinstance(groups, str) else int(groups)


def _step_macs(found: Quantities) -> int:
    """Multiply-accumulates forward and backward."""
    named = tallied(found.layer.kind, found.layer.shapes, found.layer.output)
    products = {name: [found.batch * total([product]) for product in named[name]] for name in MACS if name in named}
    return found("macs") + backward_macs(found.layer, found.needed, products)


def _as_if_forward(found: Quantities) -> int:
    """Places that a plain convolution with the same window would have."""
    places = 1
    for size, kernel, step, apart, pad in zip(
        found.layer.shapes[0][1:],
        found.along("kernel"),
        found.along("stride"),
        found.along("dilation"),
        found.along("padding", 0),
        strict=True,
    ):
        around = sum(pad) if isinstance(pad, tuple) else 2 * pad
        places *= (size + around - apart * (kernel - 1) - 1) // step + 1
    return places


def _shared_out(found: Quantities) -> int:
    """Elements of the window that torchscan takes for adaptive pooling: the quotient, or the remainder and one."""
    return prod(
        size // parts if size % parts == 0 else size % parts + 1
        for size, parts in zip(found.layer.shapes[0][1:], found.layer.output[1:], strict=True)
    )


def _along_axis(found: Quantities) -> int:
    from convcalc.kinds.sizes import axis_of

    shape = found.layer.shapes[0]
    return shape[axis_of(getattr(found.layer.kind, "axis", "last"), shape)]


_RULES: dict[str, Callable[[Quantities], int]] = {
    "N": lambda found: found.batch,
    "macs": lambda found: sum(found(name) for name in MACS),
    "step_macs": _step_macs,
    "input_gradient": lambda found: int(any(found.needed.inputs)),
    "weight_gradient": lambda found: int(found.needed.weights),
    "params": lambda found: sum(found(name) for name in ("weights", "biases", "other_params")),
    "inputs": lambda found: found.batch * prod(found.layer.shapes[0]) if found.layer.shapes else 0,
    "outputs": lambda found: found.batch * prod(found.layer.output),
    "channels": lambda found: found.layer.shapes[0][0],
    "filters": lambda found: found.layer.output[0],
    "last": lambda found: found.layer.shapes[0][-1],
    "rank": lambda found: len(found.layer.shapes[0]) - 1,
    "window": lambda found: prod(found.along("kernel")),
    "strides": lambda found: prod(found.along("stride")),
    "kernel": _given,
    "groups": _groups,
    "forward_places": _as_if_forward,
    "shared_window": _shared_out,
    "axis_size": _along_axis,
    "steps": lambda found: found.layer.shapes[0][0],
    "scaled": lambda found: int(getattr(found.layer.kind, "scale", None) is not None),
    "bias": lambda found: int(found("biases") > 0),
    "affine": lambda found: int(found("other_params") > 0),
    "branches": lambda found: len(found.layer.inputs),
    "first": lambda found: int(found.layer.shares is None),
    "module": lambda found: int(found.layer.via != "function"),
    "function": lambda found: int(found.layer.via == "function"),
}
