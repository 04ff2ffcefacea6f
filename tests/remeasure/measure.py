"""Measure again what released counters print, in a throw-away environment: for whoever updates a convention's version.

    python tests/remeasure/measure.py                    every tool, on the networks of tests/data/conventions
    python tests/remeasure/measure.py thop fvcore        these tools
    python tests/remeasure/measure.py --with "thop==0.1.1.post2209072238"

It makes a virtual environment in a temporary folder with torch and torchvision, installs one tool after the other (two
of them share a module's name), runs each on each network in a process of its own (some change the model that they
count), and prints the figure beside ours. Neither convcalc nor its tests ever import a tool.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).parents[2]
NETWORKS = sorted(path.stem for path in (ROOT / "tests" / "data" / "conventions").glob("*.yaml"))

# a convention -> what to install, and the lines that print its figure for `model` and `x`
TOOLS = {
    "fvcore": (
        "fvcore",
        "from fvcore.nn import FlopCountAnalysis\n"
        "print(FlopCountAnalysis(model, x).unsupported_ops_warnings(False).uncalled_modules_warnings(False).total())",
    ),
    "thop": ("thop", "import thop\nprint(int(thop.profile(model, (x,), verbose=False)[0]))"),
    "ultralytics-thop": ("ultralytics-thop", "import thop\nprint(int(thop.profile(model, (x,), verbose=False)[0]))"),
    "ptflops": (
        "ptflops",
        "from ptflops import get_model_complexity_info as info\n"
        "print(info(model, tuple(x.shape[1:]), as_strings=False, print_per_layer_stat=False, backend='pytorch')[0])",
    ),
    "ptflops-aten": (
        "ptflops",
        "from ptflops import get_model_complexity_info as info\n"
        "print(info(model, tuple(x.shape[1:]), as_strings=False, print_per_layer_stat=False, backend='aten')[0])",
    ),
    "torchinfo": (
        "torchinfo",
        "from torchinfo import summary\nprint(summary(model, input_data=x, verbose=0).total_mult_adds)",
    ),
    "torch": (
        "torch",
        "from torch.utils.flop_counter import FlopCounterMode\n"
        "counter = FlopCounterMode(display=False)\nwith counter:\n    model(x)\nprint(counter.get_total_flops())",
    ),
    "torchprofile": ("torchprofile", "from torchprofile import profile_macs\nprint(profile_macs(model, x))"),
    "ptflops-modules": (
        "ptflops",
        "from ptflops import get_model_complexity_info as info\n"
        "print(info(model, tuple(x.shape[1:]), as_strings=False, print_per_layer_stat=False, backend='pytorch',\n"
        "           backend_specific_config={'count_functional': False})[0])",
    ),
    "calflops": (
        "calflops",
        "from calflops import calculate_flops\n"
        "print(calculate_flops(model, tuple(x.shape), print_results=False, output_as_string=False)[0])",
    ),
    "calflops-macs": (
        "calflops",
        "from calflops import calculate_flops\n"
        "print(calculate_flops(model, tuple(x.shape), print_results=False, output_as_string=False)[1])",
    ),
    "flopth": (
        "flopth",
        "from flopth import flopth\nprint(flopth(model, in_size=((3, 224, 224),), bare_number=True)[0])",
    ),
    "torchmeter": (
        "torchmeter",
        "from torchmeter import Meter\nmeter = Meter(model, device='cpu')\nmeter(x)\nprint(meter.cal.Macs.val)",
    ),
}
# what a tool's own requirements forget
ALSO = {"calflops": ["transformers"]}
SETUP = """
import torch, torchvision
model = torchvision.models.get_model({network!r}, weights=None).eval()
x = torch.rand(1, 3, 224, 224)
"""


def main() -> None:
    """Install, measure, and print a line for each tool and network."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("tools", nargs="*", help=f"of {', '.join(TOOLS)}")
    parser.add_argument("--with", dest="versions", nargs="*", default=[], help="requirements that pin versions")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="convcalc-remeasure-") as folder:
        venv.create(folder, with_pip=True)
        python = Path(folder) / "bin" / "python"
        pip(python, "install", "torch", "torchvision", "setuptools<81")
        for tool in options.tools or TOOLS:
            package = TOOLS[tool][0]
            pinned = [version for version in options.versions if version.partition("==")[0] == package]
            pip(python, "install", *(pinned or [package]), *ALSO.get(package, []))
            for network in NETWORKS:
                print(f"{tool:18} {network:14} {measured(python, tool, network):>16} ours {ours(tool, network):,}")
            if package != "torch":
                pip(python, "uninstall", "-y", package)


def pip(python: Path, *arguments: str) -> None:
    """Run pip in the environment."""
    subprocess.run([python, "-m", "pip", arguments[0], "-q", *arguments[1:]], check=True)


def measured(python: Path, tool: str, network: str) -> str:
    """What the tool prints, or the last line of its error."""
    program = SETUP.format(network=network) + TOOLS[tool][1]
    done = subprocess.run([python, "-c", program], capture_output=True, text=True, check=False)
    lines = (done.stdout if done.returncode == 0 else done.stderr).split("\n")
    last = [line for line in lines if line.strip()][-1:]
    return f"{int(float(last[0])):,}" if done.returncode == 0 and last else " ".join(last)


def ours(tool: str, network: str) -> int:
    """What the convention says."""
    from convcalc.conventions.convention import find, total_of
    from convcalc.conventions.quantities import Census
    from convcalc.loader import load

    return total_of(find(tool), Census(load(ROOT / "tests" / "data" / "conventions" / f"{network}.yaml")))


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    main()
