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
    """Return whether an exporter has folded batch norms into the layers before them, by the traces that some leave."""
    return any(
        "batch_norm" in node.module
        or node.inputs[-1].startswith("onnx::Conv")
        or any(mark in name for mark in _FOLDED for name in (node.name, *node.inputs[1:]))
        for node in model.nodes
        if node.operator in ("Conv", "ConvTranspose", "Gemm") and node.inputs
    )
