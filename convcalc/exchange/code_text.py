"""A layer as lines of source: what its kind says, put into words."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from convcalc.errors import Misfit, Problem, SpecError
from convcalc.graph import Layer
from convcalc.kinds.code import BUFFER, PARAMETER, Code, arguments


def codes(layers: Sequence[Layer]) -> dict[int, Code]:
    """The code of each layer by its index. Raises SpecError for all that have none."""
    return coded(layers, lambda layer: layer.kind.to_torch(layer.shapes, layer.output), "PyTorch")


def coded(layers: Sequence[Layer], rule: Callable[[Layer], Code], language: str) -> dict[int, Code]:
    """What a rule gives for each layer, by its index. Raises SpecError for all that it refuses."""
    found, problems = {}, []
    for layer in layers:
        try:
            found[layer.index] = rule(layer)
        except Misfit as misfit:
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
