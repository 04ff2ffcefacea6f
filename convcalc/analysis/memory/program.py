"""A network as a runtime runs it: operators in order, with the tensors that each reads and writes."""

from __future__ import annotations

from math import prod
from typing import NamedTuple

from convcalc.analysis.memory.profile import Profile, Step
from convcalc.deploy import deploy
from convcalc.graph import Graph, Layer, Ref
from convcalc.kinds import Shape
from convcalc.kinds.sizes import is_known

_STORED = ("parameter", "constant")


class Tensor(NamedTuple):
    """A tensor of activations: the layer that writes it, its shape without the batch, its elements with the batch.

    `elements` is None where the shape is not known; `shape` is () for a result inside a layer.
    """

    name: str
    shape: Shape
    elements: int | None


class Operator(NamedTuple):
    """One operator of a layer. `reads` and `writes` are numbers of tensors."""

    name: str
    path: str
    reads: tuple[int, ...]
    writes: tuple[int, ...]


class Program(NamedTuple):
    """Operators in order. `stored` are the indices of the layers whose outputs follow from weights alone."""

    profile: Profile
    graph: Graph
    tensors: tuple[Tensor, ...]
    operators: tuple[Operator, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    stored: frozenset[int]


def program_of(graph: Graph, profile: Profile) -> Program:
    """The operators of a network under the rules of a profile.

    Weights are no tensors, nor is what follows from weights alone: runtimes compute it beforehand.

    >>> from convcalc.analysis.memory.profile import profile as named
    >>> from convcalc.loader import read
    >>> network = read("{input: 3x8x8, layers: [{conv: {filters: 4, kernel: 3}}, relu, flatten, silu]}")
    >>> for operator in program_of(network, named("tflm")).operators:
    ...     print(operator.path, operator.name, operator.reads, operator.writes)
    conv1 conv (0,) (1,)
    silu1 sigmoid (1,) (2,)
    silu1 multiply (2, 1) (3,)
    """
    builder = _Builder(deploy(graph) if profile.folds_norms else graph, profile)
    return write_in_place(builder.build())


def stored_layers(graph: Graph) -> frozenset[int]:
    """The indices of the layers whose outputs follow from weights alone: a runtime has them before it begins."""
    found: set[int] = set()
    for layer in graph.all:
        if layer.is_input:
            continue
        if all(ref.layer in found for ref in layer.inputs) and (layer.inputs or layer.kind.name in _STORED):
            found.add(layer.index)
    return frozenset(found)


class _Builder:
    """Visits the layers in order; `where` is the tensor of each output, None for a constant."""

    def __init__(self, graph: Graph, profile: Profile) -> None:
        self.graph, self.profile = graph, profile
        self.tensors: list[Tensor] = []
        self.operators: list[Operator] = []
        self.inputs: list[int] = []
        self.where: dict[Ref, int | None] = {}
        self.stored = stored_layers(graph)
        self.readers: dict[Ref, int] = {}
        for layer in graph.all:
            for ref in layer.inputs:
                self.readers[ref] = self.readers.get(ref, 0) + 1

    def build(self) -> Program:
        for layer in self.graph.all:
            self._visit(layer)
        ends = [
            self.where[Ref(layer.index, port)] for layer in self.graph.outputs for port in range(len(layer.outputs))
        ]
        outputs = tuple(dict.fromkeys(tensor for tensor in ends if tensor is not None))
        inputs = tuple(self.inputs)
        return Program(
            self.profile, self.graph, tuple(self.tensors), tuple(self.operators), inputs, outputs, self.stored
        )

    def _visit(self, layer: Layer) -> None:
        if layer.is_input:
            self.inputs.append(self._tensor(layer.path, layer.output))
            self.where[Ref(layer.index)] = self.inputs[-1]
            return
        reads = [self.where[ref] for ref in layer.inputs]
        ports = [Ref(layer.index, port) for port in range(len(layer.outputs))]
        if layer.index in self.stored:
            self.where.update(dict.fromkeys(ports))
        elif layer.kind.name in self.profile.views or self._is_fused(layer):
            self.where.update(dict.fromkeys(ports, reads[0]))
        else:
            self.where.update(zip(ports, self._run(layer, reads), strict=True))

    def _is_fused(self, layer: Layer) -> bool:
        """Whether a layer is part of the operator before it, whose result it alone reads."""
        if len(layer.inputs) != 1 or self.readers[layer.inputs[0]] != 1:
            return False
        before = self.graph.all[layer.inputs[0].layer]
        return self.profile.is_fused(layer.kind, before.kind)

    def _run(self, layer: Layer, reads: list[int | None]) -> list[int]:
        """Add the operators of a layer and return the tensors of its outputs."""
        padded = self.profile.padded(layer)
        if padded:
            result = self._tensor(f"{layer.path} (padded)", (), padded)
            self._operator("pad", layer, reads, [result])
            reads = [result]
        expansion = self.profile.expansions.get(layer.kind.name)
        if expansion is None or not all(map(is_known, layer.shapes)):
            results = [
                self._tensor(layer.path if len(layer.outputs) == 1 else f"{layer.path}.{port}", shape)
                for port, shape in enumerate(layer.outputs)
            ]
            self._operator(layer.kind.name, layer, reads, results)
            return results
        done: list[int] = []
        steps = expansion(layer)
        for step in steps:
            done.append(self._step(step, layer, reads, done, is_last=len(done) == len(steps) - 1))
        return done[-1:]

    def _step(self, step: Step, layer: Layer, reads: list[int | None], done: list[int], is_last: bool) -> int:
        given = [done[number] for number in step.steps] + [reads[number] for number in step.inputs]
        if is_last:
            result = self._tensor(layer.path, layer.output)
        else:
            elements = prod(layer.output) if step.elements is None else step.elements
            result = self._tensor(f"{layer.path} ({step.operator})", (), elements)
        self._operator(step.operator, layer, given, [result])
        return result

    def _tensor(self, name: str, shape: Shape, elements: int = 0) -> int:
        if not elements:
            elements = prod(shape) if is_known(shape) else 0
        self.tensors.append(Tensor(name, shape, elements * self.graph.batch if is_known(shape) else None))
        return len(self.tensors) - 1

    def _operator(self, name: str, layer: Layer, reads: list[int | None], writes: list[int]) -> None:
        given = tuple(dict.fromkeys(tensor for tensor in reads if tensor is not None))
        self.operators.append(Operator(name, layer.path, given, tuple(writes)))


def write_in_place(program: Program) -> Program:
    """Let the operators that the profile names write over an input of the same size that nothing reads later.

    A network's input is never written over: it is its caller's.
    """
    names = program.profile.in_place
    if not names:
        return program
    last = {tensor: at for at, operator in enumerate(program.operators) for tensor in operator.reads}
    kept = {*program.inputs, *program.outputs}
    becomes = {tensor: tensor for tensor in range(len(program.tensors))}
    operators = []
    for at, operator in enumerate(program.operators):
        reads = tuple(dict.fromkeys(becomes[tensor] for tensor in operator.reads))
        if operator.name in names and len(operator.writes) == 1:
            (result,) = operator.writes
            for tensor in operator.reads:
                same = becomes[tensor]
                is_free = last[tensor] == at and last.get(same, at) <= at and same not in kept
                if is_free and program.tensors[same].elements == program.tensors[result].elements:
                    becomes[result] = same
                    last[same] = max(last.get(result, at), at)
                    kept |= {same} if result in kept else set()
                    break
        operators.append(operator._replace(reads=reads, writes=tuple(becomes[tensor] for tensor in operator.writes)))
    outputs = tuple(dict.fromkeys(becomes[tensor] for tensor in program.outputs))
    return program._replace(operators=tuple(operators), outputs=outputs)
