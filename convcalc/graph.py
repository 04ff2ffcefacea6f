"""A network as layers with edges and shapes, in the order of computation.

Whoever adds a layer names earlier layers as its inputs, so a graph has no cycles by construction and every shape is
known as soon as the layer is in.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from convcalc.errors import Place, Problem, TooLarge, UserError
from convcalc.kinds import Input, Kind, Shape, require, tallied, total
from convcalc.kinds.primitives import Opaque
from convcalc.kinds.sizes import STORED, is_known
from convcalc.record import Record

if TYPE_CHECKING:
    from convcalc.bits import Bits
    from convcalc.syntax.node import Node

MOST_LAYERS = 250_000


class Ref(NamedTuple):
    """One output of one layer: the layer's index in the graph, and which of its outputs."""

    layer: int
    port: int = 0


class Shared(NamedTuple):
    """Elements of a tally that a layer stores but does not count: layer number `layer` counts them; None where training
    does not change them, or where the layer uses them twice."""

    tally: str
    elements: Any
    layer: int | None


class Layer:
    """A layer in a graph: its path (`inception_3a/reduce_5x5`), kind with fields, inputs, and shapes.

    `shares` is the index of the earlier layer whose weights it uses, all of them; `shared` lists elements that it has
    from other layers besides its own. `place` where a spec asks for it, `via` how code
    calls it: as a module or a function, where the spec says so.
    `bits` are those of its weights and activations: of every layer of a network that has bits, of none of another.
    """

    __slots__ = ("bits", "index", "inputs", "kind", "outputs", "path", "place", "shapes", "shared", "shares", "via")

    def __init__(
        self,
        index: int,
        path: str,
        kind: Kind,
        inputs: tuple[Ref, ...],
        shapes: tuple[Shape, ...],
        outputs: tuple[Shape, ...],
        shares: int | None = None,
        place: Place | None = None,
    ) -> None:
        self.index, self.path, self.kind, self.inputs = index, path, kind, inputs
        self.shapes, self.outputs, self.shares, self.place = shapes, outputs, shares, place
        self.via = ""
        self.bits: Bits | None = None
        self.shared: tuple[Shared, ...] = ()

    @property
    def output(self) -> Shape:
        return self.outputs[0]

    @property
    def is_input(self) -> bool:
        return isinstance(self.kind, Input)

    @property
    def signature(self) -> Hashable:
        """Equal for layers that are alike: they differ only in their names, and in the layers that they read."""
        kind = self.kind
        own = (repr(kind.__dict__), self.shapes, self.outputs, self.shares is None, self.shared, self.via, self.bits)
        return type(kind), *own

    def __repr__(self) -> str:
        return f"Layer({self.path!r}, {self.kind!r})"


class Group(NamedTuple):
    """Layers `start` to `stop` (not included) that a block or a repeat expanded to."""

    path: str
    label: str
    start: int
    stop: int
    output: Shape
    place: Place | None = None


def joined_notes(*notes: str) -> str:
    """Notes on a network as one text, those that are empty left out."""
    return "; ".join(filter(None, notes))


class Provenance(Record):
    """Where a network comes from, and what its spec says about it.

    `path` is of the spec or the model, `data` are the bytes of the spec and of its includes: none for a model.
    """

    source: str = ""  # a citation, or what was imported
    note: str = ""  # what a reader of the figures should know
    path: str = ""
    data: Sequence[bytes] = ()
    variant: str = ""
    variables: Mapping[str, Any] = {}
    used: frozenset[str] = frozenset()  # the variables that layers use
    expect: Node | None = None  # published figures; None under overrides
    budget: Node | None = None
    unused: Sequence[Problem] = ()  # what the spec defines and nothing uses
    producer: str = ""  # of a model: the program that wrote it
    opset: int | None = None  # of an ONNX model


class LeftOut(Record):
    """Learned elements of a stored tensor that no layer counts, and why."""

    name: str
    elements: int
    why: str


class Balance(Record):
    """The account of an imported model: the learned elements that it stores, and those that its layers count.

    `not_stored` of those counted are in no tensor, such as a bias of zeros that an exporter left out. `unneeded` are
    the layers with MACs that no output needs, which are not in the graph, and `unneeded_macs` theirs; None: not known.
    """

    stored: int
    counted: int
    not_stored: int = 0
    left_out: tuple[LeftOut, ...] = ()
    unneeded: tuple[str, ...] = ()
    unneeded_macs: int | None = 0

    @property
    def difference(self) -> int:
        """How many elements more are counted or left out than there are; 0 where the account is right."""
        return self.counted + sum(tensor.elements for tensor in self.left_out) - self.stored - self.not_stored


class Graph:
    """Layers in the order of computation, inputs first, and the groups that blocks and repeats made of them.

    >>> from convcalc.kinds.conv import Conv
    >>> graph = Graph("tiny")
    >>> image = graph.add_input("image", (3, 8, 8))
    >>> graph.shape(graph.add("wide", Conv(filters=4, kernel=3), (image,)))
    (4, 6, 6)
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.all: list[Layer] = []
        self.groups: list[Group] = []
        self.batch = 1
        self.stated_outputs: tuple[int, ...] | None = None  # their indexes, where a spec says which
        self.provenance = Provenance()
        self.balance: Balance | None = None  # of an imported model
        self.has_bits = False  # whether every layer has its bits

    @property
    def layers(self) -> list[Layer]:
        """Every layer but the inputs."""
        return [layer for layer in self.all if not layer.is_input]

    @property
    def inputs(self) -> dict[str, Shape]:
        return {layer.path: layer.output for layer in self.all if layer.is_input}

    @property
    def outputs(self) -> list[Layer]:
        """The layers whose outputs are the network's: those that are stated, else those that no other layer reads."""
        return self.unread if self.stated_outputs is None else [self.all[index] for index in self.stated_outputs]

    @property
    def unread(self) -> list[Layer]:
        """The layers that no other layer reads."""
        read = {ref.layer for layer in self.all for ref in layer.inputs}
        return [layer for layer in self.layers if layer.index not in read]

    @property
    def ends(self) -> list[Layer]:
        """The outputs, and the layers that no other layer reads, in the order of computation: what code returns."""
        found = {layer.index for layer in (*self.unread, *self.outputs)}
        return [self.all[index] for index in sorted(found)]

    def shape(self, ref: Ref) -> Shape:
        return self.all[ref.layer].outputs[ref.port]

    def add_input(self, path: str, shape: Shape) -> Ref:
        kind = Input()
        kind.shape = shape
        return self.add(path, kind, ())

    def add(
        self, path: str, kind: Kind, inputs: Sequence[Ref], shares: int | None = None, place: Place | None = None
    ) -> Ref:
        """Put a layer behind its inputs and work out its shapes. Raises UserError where they do not fit.

        A layer that reads an unknown shape becomes opaque: so no kind computes with one, and totals are lower bounds.
        """
        if len(self.all) >= MOST_LAYERS:
            raise TooLarge(f"the network has more than {MOST_LAYERS:,} layers")
        _require_inputs(kind, len(inputs))
        shapes = tuple(self.shape(ref) for ref in inputs)
        if kind.reads_shapes and not all(map(is_known, shapes)):
            kind = Opaque(operator=kind.name, unknown_input=True, ports=kind.output_count)
        outputs = kind.outputs(*shapes)
        for output in outputs:
            for size in output:
                require(size >= 1, "the output {shape} has an empty axis", shape=output)
        layer = Layer(len(self.all), path, kind, tuple(inputs), shapes, outputs, shares, place)
        self.all.append(layer)
        return Ref(layer.index)

    def walk(self) -> Iterator[tuple[Layer, tuple[Layer, ...]]]:
        """Each layer with the layers it reads."""
        for layer in self.all:
            yield layer, tuple(self.all[ref.layer] for ref in layer.inputs)


def _require_inputs(kind: Kind, count: int) -> None:
    least, most = kind.inputs
    if least <= count and (most is None or count <= most):
        return
    wanted = str(least) if least == most else f"at least {least}" if most is None else f"{least} to {most}"
    plural = "" if wanted == "1" else "s"
    raise UserError(f"{kind.name} takes {wanted} input{plural}, found {count}", "from", "name them in from:")


def stored(layer: Layer) -> dict[str, int]:
    """The sizes of what a layer stores."""
    tallies = tallied(layer.kind, layer.shapes, layer.output)
    return {name: total(products) for name, products in tallies.items() if name in STORED}


def learned(layer: Layer) -> dict[str, int]:
    """The sizes of what a layer stores and training changes."""
    return {name: size for name, size in stored(layer).items() if name != "buffers"}


def same_weights(one: Layer, other: Layer) -> bool:
    """Whether two layers can be one in what they store.

    They must store the same sizes; layers of different kinds (an embedding and a linear layer) as much in all.
    What is not known may be the same.
    """
    if not one.kind.is_counted or not other.kind.is_counted:
        return True
    ours, theirs = stored(one), stored(other)
    if one.kind.name == other.kind.name:
        return ours == theirs
    return bool(ours) and sum(ours.values()) == sum(theirs.values())


def cannot_share(layer: Layer, other: Layer) -> Problem:
    """The problem of two layers that share weights although their sizes differ."""
    notes = tuple(
        f"'{one.path}': {', '.join(f'{name} {size:,}' for name, size in stored(one).items()) or 'no weights'}"
        for one in (layer, other)
    )
    what = f"'{layer.path}' cannot share the weights of '{other.path}': their sizes differ"
    return Problem(what, layer.place, notes, "fields and input channels must be the same")
