"""Fully connected layers, embedding, parameters and attention in PyTorch."""

from __future__ import annotations

from typing import Any

from convcalc.exporters.code.code import Code, Shapes, expression
from convcalc.exporters.torch.helpers import ATTENTION, PARAMETER, call_on_axis, weight_norm
from convcalc.exporters.torch.table import torch_code
from convcalc.kinds import Shape
from convcalc.kinds.linear import Attention, Embedding, Linear, Matmul, Parameter


@torch_code(Linear)
def linear(layer: Linear, inputs: Shapes, output: Shape) -> Code:
    axis = layer.feature_axis(inputs[0])
    needs = {"in_features": inputs[0][axis], "out_features": layer.features}
    code = Code("nn.Linear", needs, {"bias": (layer.bias, True)}, call_on_axis(axis, output))
    return weight_norm(code, layer.learned, inputs[0][axis] * layer.features, layer.features)


@torch_code(Embedding)
def embedding(layer: Embedding, inputs: Shapes, output: Shape) -> Code:
    needs = {"num_embeddings": layer.entries, "embedding_dim": layer.features}
    return Code("nn.Embedding", needs, call="{module}({0}.long())")


@torch_code(Parameter)
def parameter(layer: Parameter, inputs: Shapes, output: Shape) -> Code:
    return Code(PARAMETER, {"shape": output}, call=f"{{module}}.expand({{batch}}{', -1' * len(output)})")


@torch_code(Matmul)
def matmul(layer: Matmul, inputs: Shapes, output: Shape) -> Code:
    return expression("{0} @ {1}.transpose(-2, -1)" if layer.transpose else "{0} @ {1}")


@torch_code(Attention)
def attention(layer: Attention, inputs: Shapes, output: Shape) -> Code:
    query, key, value, inner = layer.sizes(inputs)
    lead = query[:-2]
    three = ", ".join(_sequences(min(index, len(inputs) - 1), len(lead)) for index in range(3))
    back = f".unflatten(0, (-1, {', '.join(map(str, lead))}))" if lead else ""
    needs = {"embed_dim": query[-1], "num_heads": layer.heads}
    options: dict[str, Any] = {
        "bias": (layer.bias, True),
        "kdim": (key[-1], query[-1]),
        "vdim": (value[-1], query[-1]),
    }
    if inner == query[-1]:
        options["batch_first"] = (True, False)
        return Code("nn.MultiheadAttention", needs, options, f"{{module}}({three}, need_weights=False)[0]{back}")
    options["head_dim"] = (layer.head_features, None)
    return Code("Attention", needs, options, f"{{module}}({three}){back}", helper=ATTENTION)


def _sequences(number: int, lead: int) -> str:
    """Write an input as a batch of sequences: the axes before tokens and features are merged into the batch."""
    return f"{{{number}}}.flatten(0, {lead})" if lead else f"{{{number}}}"
