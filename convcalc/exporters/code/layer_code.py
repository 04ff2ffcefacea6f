"""A layer as lines of source: what its kind says, put into words."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from convcalc.errors import Problem, SpecError, UserError
from convcalc.graph import Graph, Layer
from convcalc.kinds.code import BUFFER, PARAMETER, Code, arguments


def codes(graph: Graph) -> dict[int, Code]:
    """The code of each layer in PyTorch by its index. Raises SpecError for all that have none."""

    def rule(layer: Layer, owner: Layer | None) -> Code:
        if owner is not None and "parameter" in (layer.kind.name, owner.kind.name):  # has no module to take it from
            require_same_kind(layer, owner)
        return layer.kind.to_torch(layer.shapes, layer.output)

    return coded(graph, rule, "PyTorch")


def require_same_kind(layer: Layer, owner: Layer) -> None:
    """Raise UserError where a layer shares the weights of one of another kind."""
    if layer.kind.name != owner.kind.name:
        raise UserError(f"its weights are those of '{owner.path}', a layer of another kind")


def coded(graph: Graph, rule: Callable[[Layer, Layer | None], Code], language: str) -> dict[int, Code]:
    """What a rule gives for each layer and the one whose weights it shares, by its index. Raises SpecError for all that
    it refuses."""
    found, problems = {}, []
    for layer in graph.layers:
        try:
            found[layer.index] = rule(layer, None if layer.shares is None else graph.all[layer.shares])
        except UserError as misfit:
            what = f"'{layer.path}' cannot be written in {language}: {misfit.message}"
            problems.append(Problem(what, layer.place, (), misfit.hint))
    if problems:
        raise SpecError(problems)
    return found


def made(code: Code) -> str:
    """The expression that makes what a layer calls."""
    name, values = parts(code)
    return f"{name}({', '.join(values)})"


def parts(code: Code) -> tuple[str, list[str]]:
    """What makes a module, and its arguments."""
    values = arguments(code)
    if code.module == PARAMETER:
        return "nn.Parameter", [f"torch.zeros(1, {_bare(values[0])})"]
    if code.module == BUFFER:
        return "torch.zeros", ["1", _bare(values[0])]
    return code.module, values


def _bare(shape: str) -> str:
    """The sizes of a shape, or the name of one, spread out.

    >>> _bare("(3, 4)"), _bare("(3,)"), _bare("shape")
    ('3, 4', '3', '*shape')
    """
    return shape.strip("(),") if shape.startswith("(") else f"*{shape}"


def called(code: Code, module: str, inputs: Sequence[str], batch: str) -> str:
    """The expression for a layer's output.

    >>> called(Code("nn.ReLU"), "self.relu", ["x"], "x.shape[0]")
    'self.relu(x)'
    """
    return code.call.format(*inputs, module=module, batch=batch)
