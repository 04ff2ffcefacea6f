"""Recurrent layers in PyTorch."""

from __future__ import annotations

from convcalc.errors import UserError
from convcalc.exporters.code.code import Code, Shapes
from convcalc.exporters.torch.table import torch_code
from convcalc.kinds import Shape
from convcalc.kinds.recurrent import Gru, Lstm, Rnn


@torch_code(Lstm, Gru, Rnn)
def recurrent(layer: Lstm | Gru | Rnn, inputs: Shapes, output: Shape) -> Code:
    if isinstance(layer, Lstm) and layer.peepholes:
        raise UserError("PyTorch's LSTM has no peepholes", "peepholes")
    needs = {"input_size": inputs[0][-1], "hidden_size": layer.features}
    options = {
        "num_layers": (layer.layers, 1),
        "bias": (layer.bias, True),
        "batch_first": (True, False),
        "bidirectional": (layer.bidirectional, False),
        **({"proj_size": (layer.projection or 0, 0)} if isinstance(layer, Lstm) else {}),
    }
    call = "{module}({0})[0]"
    if len(output) == 3:
        call = f"{{module}}({{0}}.flatten(0, 1))[0].unflatten(0, (-1, {output[0]}))"
    return Code(f"nn.{layer.torch}", needs, options, call)
