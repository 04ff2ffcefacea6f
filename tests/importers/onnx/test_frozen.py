"""Weights that nobody trains, such as the kernel of a blur, by every operator that has weights."""

from math import prod

import pytest
from helpers.onnx_models import node, save

from convcalc.analysis.count import count
from convcalc.exporters.yaml.writer import write_spec
from convcalc.language.overrides import Overrides
from convcalc.loader import graph, read

FROZEN = {
    "Conv": (["x", "w"], {}, (5, 4, 1, 1), (1, 4, 3, 3)),
    "QLinearConv": (["x", "s", "z", "w", "s", "z", "s", "z"], {}, (5, 4, 1, 1), (1, 4, 3, 3)),
    "ConvTranspose": (["x", "w"], {}, (4, 5, 1, 1), (1, 4, 3, 3)),
    "MatMul": (["x", "w"], {}, (4, 5), (1, 4)),
    "Gemm": (["x", "w"], {}, (4, 5), (1, 4)),
    "Gemm by rows": (["x", "w"], {"transB": 1}, (5, 4), (1, 4)),
    "Gemm from the left": (["w", "x"], {}, (5, 4), (4, 1)),
    "QLinearMatMul": (["x", "s", "z", "w", "s", "z", "s", "z"], {}, (4, 5), (1, 4)),
    "QGemm": (["x", "s", "z", "w", "s", "z", "", "s", "z"], {"domain": "com.microsoft"}, (4, 5), (1, 4)),
    "Einsum": (["x", "w"], {"equation": "bi,ij->bj"}, (4, 5), (1, 4)),
    "Einsum of three": (["x", "v", "w"], {"equation": "bi,ij,jk->bk"}, (4, 5), (1, 4)),
}


@pytest.mark.parametrize("form", FROZEN)
def test_weights_that_nobody_trains_are_buffers_whatever_the_layer(tmp_path, form):
    """Their place among the inputs is the operator's, after scales and zero points where it has them."""
    inputs, attributes, shape, of_input = FROZEN[form]
    inputs = ["blur.filt" if name == "w" else name for name in inputs]
    weights = {"blur.filt": shape, "s": [0.5], "z": [0], "v": (4, 4)}
    path = save(tmp_path / "m.onnx", [node(form.split()[0], inputs, **attributes)], weights, of_input)
    counted = count(graph(path, Overrides(strict=True)))
    assert counted.figure("params") == (16 if "v" in inputs else 0)
    assert counted.tallies["buffers"] == prod(shape)
    assert counted.figure("macs") >= prod(shape)
    again = count(read(write_spec(counted.graph)))
    assert again.tallies == counted.tallies
