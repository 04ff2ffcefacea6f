"""Recurrent layers in Keras."""

from __future__ import annotations

from convcalc.errors import UserError
from convcalc.exporters.code.code import Code, Name, Shapes, constructor
from convcalc.exporters.keras.table import keras_code
from convcalc.kinds import Shape
from convcalc.kinds.recurrent import Gru, Lstm, Rnn


@keras_code(Lstm, Gru, Rnn)
def recurrent(layer: Lstm | Gru | Rnn, inputs: Shapes, output: Shape, channels_last: bool) -> Code:
    for name in ("peepholes", "projection"):
        if getattr(layer, name, None):
            raise UserError(f"Keras' LSTM has no {name}", name)
    options = {"return_sequences": (True, False), "use_bias": (layer.bias, True)}
    code = Code(f"layers.{layer.keras}", {"units": layer.features}, options)
    for wrapper, is_wanted in (("Bidirectional", layer.bidirectional), ("TimeDistributed", len(inputs[0]) == 3)):
        if is_wanted:
            code = Code(f"layers.{wrapper}", {"layer": Name(constructor(code))})
    if layer.layers > 1:
        code = Code("keras.Sequential", {"layers": Name(f"[{', '.join([constructor(code)] * layer.layers)}]")})
    missing = layer.layers * layer.directions * layer.gates * layer.features
    has_one = layer.bias and layer.keras != "GRU"
    return code._replace(note=f"Keras has one bias for each gate: {missing:,} params fewer" if has_one else "")
