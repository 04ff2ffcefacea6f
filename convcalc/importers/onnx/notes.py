"""What an exporter has done to a network that its figures alone do not show."""

from __future__ import annotations

from math import prod

from convcalc.importers.onnx.learned import Origins
from convcalc.importers.onnx.model import Model

_FOLDED = ("/batchnorm/", "/merged_input", "/FusedBatchNorm")  # in the names that tf2onnx gives what it has folded


def notes(model: Model) -> list[str]:
    """A sentence for each thing that makes the stored values others than the module's."""
    found = ["batch norm was folded into the convolutions when the model was exported"] * _has_folded_norm(model)
    made = Origins(model).worked_out(model.nodes)
    if made:
        size = sum(prod(model.tensors[name].shape) for name in made)
        found.append(
            f"{size:,} learned values are as the exporter stored them in tables it worked out ({len(made)} of them), "
            "such as those of relative positions"
        )
    return found


def _has_folded_norm(model: Model) -> bool:
    """Whether an exporter has made batch norms part of the layers before them; those known leave traces."""
    return any(
        "batch_norm" in node.module
        or node.inputs[-1].startswith("onnx::Conv")
        or any(mark in name for mark in _FOLDED for name in (node.name, *node.inputs[1:]))
        for node in model.nodes
        if node.operator in ("Conv", "ConvTranspose", "Gemm") and node.inputs
    )
