"""Import torchvision's networks through PyTorch and hold params and MACs to the figures in tests/data; run by hand.

    python tests/remeasure/torchvision_models.py                the networks of tests/data/torchvision.json
    python tests/remeasure/torchvision_models.py resnet18       these
    python tests/remeasure/torchvision_models.py --timm ghostnet_100 levit_128

It needs torch and torchvision (or timm) beside convcalc's extra torch. The written spec must count the same too. Of
other networks, params are held to the module's own and MACs to those of PyTorch's FlopCounterMode.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

import convcalc  # noqa: E402
from convcalc.exporters.yaml.writer import write_spec  # noqa: E402


def main() -> None:
    """A line for each network: agreed, or what differs."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("names", nargs="*")
    parser.add_argument("--timm", action="store_true")
    parser.add_argument("--size", default="")
    options = parser.parse_args()
    reference = json.loads((ROOT / "tests" / "data" / "torchvision.json").read_text())["networks"]
    wrong = 0
    for name in options.names or reference:
        began = time.perf_counter()
        try:
            said = hold(name, None if options.timm or options.size else reference.get(name), options)
        except Exception as error:  # the next network may still be right
            said = f"{type(error).__name__}: {error}".replace("\n", " ")[:300]
        wrong += said != "agrees"
        print(f"{name:32} {time.perf_counter() - began:6.1f} s  {said}", flush=True)
    print(f"{wrong} differ")


def hold(name: str, wanted: dict[str, Any] | None, options: argparse.Namespace) -> str:
    """Whether a network's params and MACs are what they should be, through the graph and through the spec."""
    module, shape = make(name, options.timm)
    shape = tuple(map(int, options.size.split("x"))) if options.size else tuple(wanted["input"]) if wanted else shape
    module.eval()
    with torch.device("meta"):
        example = torch.empty((1, *shape))
    params = sum(one.numel() for one in module.parameters())
    if wanted:
        params, macs = wanted.get("params_without_aux", wanted["params"]), wanted["macs"]
    else:
        counter = FlopCounterMode(display=False)
        with torch.no_grad(), counter:
            module(example)
        macs = counter.get_total_flops() // 2
    graph = convcalc.from_torch(module, example)
    counted = convcalc.count(graph)
    again = convcalc.count(convcalc.read(write_spec(graph)))
    opaque = sorted({str(layer.kind.operator) for layer in counted.uncounted})
    found = []
    for label, one in (("graph", counted), ("spec", again)):
        for figure, right in (("params", params), ("macs", macs)):
            if one.figure(figure) != right:
                found.append(f"{label} {figure} {one.figure(figure):,} not {right:,} ({one.figure(figure) - right:+,})")
    return "; ".join(found + ([f"unknown: {', '.join(opaque)}"] if opaque else [])) or "agrees"


def make(name: str, is_timm: bool) -> tuple[Any, tuple[int, ...]]:
    """A network without weights, and the shape that it is made for."""
    with torch.device("meta"):
        if is_timm:
            import timm

            module = timm.create_model(name)
            return module, tuple(module.default_cfg["input_size"])
        from torchvision.models import get_model

        has_backbone = name.startswith(("fcn_", "deeplabv3_", "lraspp_"))
        return get_model(name, weights=None, **({"weights_backbone": None} if has_backbone else {})), (3, 224, 224)


if __name__ == "__main__":
    main()
