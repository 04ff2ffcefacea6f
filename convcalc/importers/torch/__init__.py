"""A PyTorch module -> Graph: torch.export, PyTorch's own ONNX writer, our reader of ONNX. No weights are read."""

from convcalc.importers.torch.module import from_torch, load

__all__ = ["from_torch", "load"]
