"""Layers that torchvision calls as functions: tools that see only modules leave them out."""

import json
from pathlib import Path

import pytest

from convcalc.conventions.convention import figure, find
from convcalc.loader import load

COUNTERS = json.loads((Path(__file__).parents[1] / "data" / "peer-counters.json").read_text("utf-8"))["networks"]


@pytest.mark.parametrize("tool", ["flopth", "fvcore", "thop", "torchprofile"])
@pytest.mark.parametrize("network", ["densenet121", "mobilenet_v2"])
def test_a_network_with_functions_is_counted_as_the_tool_counts_it(network, tool):
    graph = load(network)
    assert any(layer.via == "function" for layer in graph.layers)
    assert sum(figure(find(tool), layer, 1) for layer in graph.layers) == COUNTERS[network][tool]
