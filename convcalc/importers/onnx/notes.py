"""Notes on what an exporter did to a network that the figures alone do not show."""

from __future__ import annotations

from math import prod

from convcalc.importers.onnx.learned import Origins
from convcalc.importers.onnx.model import Model

_FOLDED = ("/batchnorm/", "/merged_input", "/FusedBatchNorm")  # in the names that tf2onnx gives what it has folded


def notes(model: Model) -> list[str]:
    """Return a sentence for each reason why the stored values are not those of the module."""
    sentences = ["batch norm was folded into the convolutions when the model was exported"] * _has_folded_norm(model)
    tables = Origins(model).computed_tables(model.nodes)
    if tables:
        size = sum(prod(model.tensors[name].shape) for name in tables)
        number = f"{len(tables)} table{'s'[: len(tables) != 1]}"
        sentences.append(
            f"{size:,} params are values that the exporter computed and stored ({number}, such as relative positions); "
            "the model's own parameters may be fewer"
        )
    return sentences


def _has_folded_norm(model: Model) -> bool:
    """Return whether an exporter has folded batch norms into the layers before them, by the traces that some leave.

    A folded norm leaves a bias. Weights alone that an exporter worked out are something else, such as a transpose.
    """
    return any(
        "batch_norm" in node.module
        or (len(node.inputs) > 2 and node.inputs[2] and _leaves_trace(node.name, *node.inputs[1:3]))
        for node in model.nodes
        if node.operator in ("Conv", "ConvTranspose", "Gemm")
    )


def _leaves_trace(name: str, weight: str, bias: str) -> bool:
    """Whether the names of a layer, its weights and its bias say that both were computed from a batch norm."""
    is_pair = weight.startswith("onnx::Conv") and bias.startswith("onnx::Conv")
    return is_pair or any(mark in text for mark in _FOLDED for text in (name, weight, bias))
