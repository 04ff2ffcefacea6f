"""Recurrent layers over a sequence of T steps: T x D -> T x H; or over S separate sequences: S x T x D."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

from convcalc.kinds.fields import Flag, Integer
from convcalc.kinds.kind import Kind
from convcalc.kinds.sizes import Shape, Size, Tally, rank


class _Recurrent(Kind):
    """`gates` products of the input and of the state at every step, in each direction and each layer."""

    gates: ClassVar[int] = 1
    features = Integer[int](bare=True, letter="H", also="hidden_size units hidden", doc="size of the state")
    layers = Integer[int](1, also="num_layers", doc="number of stacked layers")
    bidirectional = Flag(False, doc="whether a second pass runs from the end; the output is twice as wide")
    bias = Flag(True, doc="whether each gate has two biases, one with the input and one with the state")
    depth = 1
    mixing = "recurrent"
    example = ("7x8", {"features": 16})

    @property
    def directions(self) -> int:
        return 2 if self.bidirectional else 1

    @property
    def state(self) -> Size:
        """Return how many features each step hands on."""
        return self.features

    def output(self, *inputs: Shape) -> Shape:
        rank(inputs[0], 2, 3, f"{self.name} (steps x features, or sequences x steps x features)")
        return (*inputs[0][:-1], self.directions * self.state)

    def _weights(self, entry: Size) -> Iterable[dict[str, Size]]:
        """One product for the first layer's input, one for the other layers', one for all states."""
        both = {"2": 2} if self.bidirectional else {}
        gates = {str(self.gates): self.gates} if self.gates > 1 else {}
        yield {**both, **gates, "H": self.features, "D": entry}
        if self.layers != 1:
            yield {
                **both,
                **gates,
                "(n-1)": self.layers - 1,
                "H": self.features,
                "D'": self.directions * self.state,
            }
        yield {
            **both,
            **gates,
            **({"n": self.layers} if self.layers != 1 else {}),
            "H": self.features,
            "H'": self.state,
        }

    def tally(self, inputs: tuple[Shape, ...], output: Shape) -> Iterable[Tally]:
        *sequences, steps, entry = inputs[0]
        places = {**({"S": sequences[0]} if sequences else {}), "T": steps}
        for weights in self._weights(entry):
            yield "weights", weights
            yield "linear_macs", {**weights, **places}
        if self.bias:
            biases = {"b": 2 * self.gates * self.directions * self.layers, "H": self.features}
            yield "biases", biases
            yield "bias_adds", {**biases, **places}
        cells = {"n": self.layers * self.directions, "H": self.features, **places}
        for name, times in self.element_work.items():
            yield name, {str(times): times, **cells} if times > 1 else cells

    element_work: ClassVar[dict[str, int]] = {}


class Lstm(_Recurrent, name="lstm"):
    """Long short-term memory: four gates. b = 8: two biases for each gate, as PyTorch has them.

    Element-wise work for each cell: three sigmoids, two tanh, three products, one sum. With `projection` the state that
    a step hands on is H sums fewer or more: R features, by R*H weights more.
    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.LSTM.html

    >>> print_cost(Lstm(features=16), "7x8")
    7x16
    weights = 4*H*D + 4*H*H' = 4*16*8 + 4*16*16 = 1,536
    linear_macs = 4*H*D*T + 4*H*H'*T = 4*16*8*7 + 4*16*16*7 = 10,752
    biases = b*H = 8*16 = 128
    bias_adds = b*H*T = 8*16*7 = 896
    exponentials = 5*n*H*T = 5*1*16*7 = 560
    additions = 8*n*H*T = 8*1*16*7 = 896
    divisions = 5*n*H*T = 5*1*16*7 = 560
    multiplications = 5*n*H*T = 5*1*16*7 = 560
    >>> Lstm(features=32, projection=8).output((7, 16))
    (7, 8)
    """

    projection = Integer[Any](None, letter="R", also="proj_size", doc="features that each step's state is projected to")
    peepholes = Flag(False, doc="the gates also see the cell, each number through a factor of its own")
    gates = 4
    nonlinearities = 5
    element_work = {"exponentials": 5, "additions": 8, "divisions": 5, "multiplications": 5}
    torch = "LSTM"
    keras = "LSTM"
    onnx = "LSTM"

    @property
    def state(self) -> Size:
        return self.features if self.projection is None else self.projection

    def _weights(self, entry: Size) -> Iterable[dict[str, Size]]:
        yield from super()._weights(entry)
        if self.projection is not None:
            yield {"n": self.layers * self.directions, "H": self.features, "R": self.projection}

    def tally(self, inputs: tuple[Shape, ...], output: Shape) -> Iterable[Tally]:
        yield from super().tally(inputs, output)
        if self.peepholes:  # of three gates
            factors = {"3": 3, "n": self.layers * self.directions, "H": self.features}
            work = {**factors, **({"S": inputs[0][0]} if len(inputs[0]) == 3 else {}), "T": inputs[0][-2]}
            yield "other_params", factors
            yield "multiplications", work
            yield "additions", work


class Gru(_Recurrent, name="gru"):
    """Gated recurrent unit: three gates. b = 6: two biases for each gate.

    Element-wise work for each cell: two sigmoids, one tanh, three products, two sums.
    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.GRU.html

    >>> print_cost(Gru(features=16, bias=False), "7x8")
    7x16
    weights = 3*H*D + 3*H*H' = 3*16*8 + 3*16*16 = 1,152
    linear_macs = 3*H*D*T + 3*H*H'*T = 3*16*8*7 + 3*16*16*7 = 8,064
    exponentials = 3*n*H*T = 3*1*16*7 = 336
    additions = 6*n*H*T = 6*1*16*7 = 672
    divisions = 3*n*H*T = 3*1*16*7 = 336
    multiplications = 4*n*H*T = 4*1*16*7 = 448
    """

    gates = 3
    nonlinearities = 3
    element_work = {"exponentials": 3, "additions": 6, "divisions": 3, "multiplications": 4}
    torch = "GRU"
    keras = "GRU"
    onnx = "GRU"


class Rnn(_Recurrent, name="rnn"):
    """Plain recurrent layer: one product of the input and one of the state, then tanh.

    >>> print_cost(Rnn(features=16, bias=False, bidirectional=True, layers=2), "7x8")
    7x32
    weights = 2*H*D + 2*(n-1)*H*D' + 2*n*H*H' = 2*16*8 + 2*1*16*32 + 2*2*16*16 = 2,304
    linear_macs = 2*H*D*T + 2*(n-1)*H*D'*T + 2*n*H*H'*T = 2*16*8*7 + 2*1*16*32*7 + 2*2*16*16*7 = 16,128
    exponentials = n*H*T = 4*16*7 = 448
    additions = 3*n*H*T = 3*4*16*7 = 1,344
    divisions = n*H*T = 4*16*7 = 448
    multiplications = n*H*T = 4*16*7 = 448
    """

    nonlinearities = 1
    element_work = {"exponentials": 1, "additions": 3, "divisions": 1, "multiplications": 1}
    torch = "RNN"
    keras = "SimpleRNN"
    onnx = "RNN"
