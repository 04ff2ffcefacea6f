"""Build a network in PyTorch on the meta device: the shapes, parameters and MACs of each layer there.

Every layer is made from the text that `export --to torch` writes for it, and counted by PyTorch's own counter; then
the whole file is. Nothing is allocated.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from convcalc.analysis.count import Count
from convcalc.errors import SpecError
from convcalc.exporters.code.code import Code
from convcalc.exporters.code.own_code import evaluate, run
from convcalc.exporters.torch.ties import ties
from convcalc.exporters.torch.vocabulary import VOCABULARY
from convcalc.exporters.torch.writer import TorchWriter, call, maker_and_arguments, torch_codes
from convcalc.graph import Graph, Layer
from convcalc.kinds import Shape
from convcalc.optional import first_line_of, need, quiet


class Seen(NamedTuple):
    """Shapes of the outputs, parameters and MACs; or the error instead."""

    shapes: tuple[Shape, ...] = ()
    params: int = 0
    macs: int = 0
    error: str = ""


class Checked(NamedTuple):
    """Our figures and PyTorch's for one layer, or with None for the whole network."""

    layer: Layer | None
    ours: Seen
    theirs: Seen

    @property
    def is_same(self) -> bool:
        return self.ours == self.theirs


def verify(counted: Count) -> list[Checked]:
    """Compare each layer, and at the end the whole network. Raises SpecError where it cannot be written in PyTorch."""
    torch = need("torch", "comparing with PyTorch")
    graph = counted.graph
    with quiet(), torch.device("meta"):
        builder = _Builder(torch, graph)
        checks = []
        for row in counted.rows:
            assert row.layer is not None
            ours = Seen(row.layer.outputs, row.figure("params"), row.figure("macs"))
            checks.append(Checked(row.layer, ours, builder.layer(row.layer)))
        ends = tuple(shape for layer in graph.ends for shape in layer.outputs)
        ours = Seen(ends, counted.figure("params"), counted.figure("macs"))
        return [*checks, Checked(None, ours, builder.whole(counted))]


class _Builder:
    def __init__(self, torch: Any, graph: Graph) -> None:
        from torch.utils.flop_counter import FlopCounterMode

        self.torch, self.graph, self.counter = torch, graph, FlopCounterMode
        self.codes = torch_codes(graph)
        self.modules: dict[int, Any] = {}
        self.counted: set[int] = set()  # parameters, by identity

    def layer(self, layer: Layer) -> Seen:
        """Run the layer alone, on inputs of the shapes that it should have."""
        code = self.codes[layer.index]
        names = {f"x{at}": self.torch.zeros(self.graph.batch, *shape) for at, shape in enumerate(layer.shapes)}
        scope = {**_scope(self.torch), **names}
        try:
            module = self._module(layer, code, scope)
            text = call(code, "module", list(names), str(self.graph.batch))
            with self._counting() as macs:
                outputs = evaluate(text, VOCABULARY, {**scope, "module": module})
        except SpecError:
            raise
        except Exception as error:
            return Seen(error=first_line_of(error))
        return Seen(_shapes(outputs), self._params(module), macs())

    def _module(self, layer: Layer, code: Code, scope: dict[str, Any]) -> Any:
        owner = None if layer.shares is None else self.graph.all[layer.shares]
        if owner is not None and owner.kind.name == layer.kind.name:
            module = self.modules[owner.index]
        elif code.module:
            scope = run(code.helper, VOCABULARY, scope)
            maker, values = maker_and_arguments(code)
            module = evaluate(f"{maker}({', '.join(values)})", VOCABULARY, scope)
            if hasattr(module, "eval"):
                module.eval()
            if owner is not None:
                module.weight = self.modules[owner.index].weight
            for tensor, other in ties(layer, self.graph):
                setattr(module, tensor, getattr(self.modules[other.index], tensor))
        else:
            module = None
        self.modules[layer.index] = module
        return module

    def whole(self, counted: Count) -> Seen:
        """Run the whole file once."""
        writer = TorchWriter(self.graph)
        text = writer.file(counted)
        try:
            module = run(text, VOCABULARY)[writer.name]().eval()
            inputs = [self.torch.zeros(self.graph.batch, *shape) for shape in self.graph.inputs.values()]
            with self._counting() as macs:
                outputs = module(*inputs)
        except SpecError:
            raise
        except Exception as error:
            return Seen(error=first_line_of(error))
        return Seen(_shapes(outputs), sum(tensor.numel() for tensor in module.parameters()), macs())

    def _params(self, module: Any) -> int:
        """Count the parameters of a module that no earlier one has."""
        torch = self.torch
        tensors = module.parameters() if isinstance(module, torch.nn.Module) else [module]
        new = {id(tensor): tensor.numel() for tensor in tensors if isinstance(tensor, torch.nn.Parameter)}
        new = {key: size for key, size in new.items() if key not in self.counted}
        self.counted |= set(new)
        return sum(new.values())

    @contextmanager
    def _counting(self) -> Iterator[Any]:
        """Count MACs with PyTorch's counter, which counts 2 operations for each."""
        with self.counter(display=False) as counter:
            yield lambda: counter.get_total_flops() // 2


def _scope(torch: Any) -> dict[str, Any]:
    return {"torch": torch, "nn": torch.nn, "F": torch.nn.functional}


def _shapes(outputs: Any) -> tuple[Shape, ...]:
    """Return the shapes of the outputs without the batch."""
    tensors = outputs if isinstance(outputs, (tuple, list)) else (outputs,)
    return tuple(tuple(tensor.shape[1:]) for tensor in tensors)
