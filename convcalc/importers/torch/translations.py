"""Operators of PyTorch that its ONNX exporter does not write, or writes in pieces, and that we know as layers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

DOMAIN = "convcalc"  # of the operators that only our reader knows


def translations(torch: Any) -> dict[Any, Callable[..., Any]]:
    """Return a function that writes ONNX for each operator that the exporter lacks."""
    aten = torch.ops.aten
    standard = import_module("onnxscript").opset18
    average, largest = _operator("AdaptiveAvgPool", 1), _operator("AdaptiveMaxPool", 2)
    fractional = _operator("FractionalMaxPool", 2)

    def rrelu(x: Any, lower: float = 1 / 8, upper: float = 1 / 3, *_: Any, **__: Any) -> Any:
        return standard.LeakyRelu(x, alpha=(lower + upper) / 2)

    def adaptive_avg_pool(x: Any, output_size: Any) -> Any:
        if set(output_size) == {1}:
            return standard.ReduceMean(x, [-1 - axis for axis in range(len(output_size))])
        return average(x, output_size=list(output_size))

    def adaptive_max_pool(x: Any, output_size: Any) -> Any:
        return largest(x, output_size=list(output_size))

    def fractional_max_pool(x: Any, kernel: Any, output_size: Any, _samples: Any) -> Any:
        return fractional(x, kernel_shape=list(kernel), output_size=list(output_size))

    def cdist(one: Any, other: Any, p: float = 2.0, *_: Any, **__: Any) -> Any:
        if not 0 < p < float("inf"):
            raise ValueError(f"cdist with p={p}")
        difference = standard.Sub(standard.Unsqueeze(one, [-2]), standard.Unsqueeze(other, [-3]))
        powers = standard.Pow(standard.Abs(difference), p)
        return standard.Pow(standard.ReduceSum(powers, [-1], keepdims=0), 1 / p)

    table: dict[Any, Callable[..., Any]] = {
        aten.rrelu.default: rrelu,
        aten._cdist_forward.default: cdist,
        aten.cdist.default: cdist,
    }
    for axes in "123":
        table[getattr(aten, f"adaptive_avg_pool{axes}d").default] = adaptive_avg_pool
        table[getattr(aten, f"adaptive_max_pool{axes}d").default] = adaptive_max_pool
    for axes in "23":
        table[getattr(aten, f"fractional_max_pool{axes}d").default] = fractional_max_pool
    return table


def _operator(name: str, outputs: int) -> Any:
    """Return an operator of our domain on one tensor, which the exporter can call."""
    defs, values = import_module("onnx").defs, import_module("onnxscript").values
    schema = defs.OpSchema(
        name,
        DOMAIN,
        1,
        inputs=[defs.OpSchema.FormalParameter("x", "T")],
        outputs=[defs.OpSchema.FormalParameter(f"y{number}", "T") for number in range(outputs)],
        type_constraints=[("T", ["tensor(float)", "tensor(float16)", "tensor(double)", "tensor(bfloat16)"], "")],
        attributes=[
            defs.OpSchema.Attribute(attribute, defs.OpSchema.AttrType.INTS, required=False)
            for attribute in ("output_size", "kernel_shape")
        ],
    )
    return values.Op(values.Opset(DOMAIN, 1), name, schema)


@contextmanager
def writable_modules(torch: Any) -> Iterator[None]:
    """Let modules that are written for autograd alone compute the same by functions that can be traced."""
    kind = torch.nn.CrossMapLRN2d
    forward = kind.forward

    def local_response_norm(self: Any, x: Any) -> Any:
        return torch.nn.functional.local_response_norm(x, self.size, self.alpha, self.beta, self.k)

    kind.forward = local_response_norm
    try:
        yield
    finally:
        kind.forward = forward


def drop_generators(torch: Any, graph: Any) -> None:
    """Let random numbers be drawn without a generator of their own: as many are drawn."""
    for node in graph.nodes:
        packet, _, overload = str(node.target).removeprefix("aten.").partition(".")
        if overload in ("generator", "low_generator") and hasattr(torch.ops.aten, packet):
            node.target = getattr(getattr(torch.ops.aten, packet), "low" if overload[0] == "l" else "default")
        if node.op == "call_function" and "generator" in node.kwargs:
            node.kwargs = {name: value for name, value in node.kwargs.items() if name != "generator"}
