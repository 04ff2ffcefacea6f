"""Compare the time of `convcalc params model.onnx` with that of loading the same file with the onnx package.

Run by hand: python tests/benchmarks/onnx_speed.py model.onnx, for example a ResNet-50 with its weights (100 MB).
Without a model it makes a ResNet-50 with zeros for weights. Whole processes, best of seven; needs the onnx package.
"""

import subprocess
import sys
import tempfile
import time
from math import prod
from pathlib import Path

ROUNDS = 7
STRIPPED = Path(__file__).parents[1] / "data" / "onnx" / "resnet50.traced.onnx"


def filled(folder):
    """The stripped ResNet-50 of the tests with zeros as its weights."""
    import onnx

    model = onnx.load(str(STRIPPED))
    for tensor in model.graph.initializer:
        if tensor.data_type == onnx.TensorProto.FLOAT and not tensor.raw_data:
            tensor.raw_data = bytes(4 * prod(tensor.dims))
    path = Path(folder) / "resnet50.onnx"
    onnx.save(model, str(path))
    return path


def best(command):
    """The best time of several runs, in seconds."""
    found = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        found.append(time.perf_counter() - start)
    return min(found)


def main():
    with tempfile.TemporaryDirectory() as folder:
        path = Path(sys.argv[1]) if len(sys.argv) > 1 else filled(folder)
        load = best([sys.executable, "-c", f"import onnx; onnx.load({str(path)!r})"])
        count = best([sys.executable, "-m", "convcalc", "params", str(path), "-f", "json"])
        write = best([sys.executable, "-m", "convcalc", "import", str(path)])
    print(f"import onnx; onnx.load(...)   {load * 1000:5.0f} ms")
    print(f"convcalc params model.onnx    {count * 1000:5.0f} ms  {count / load:.2f} of it (goal: at most 2)")
    print(f"convcalc import model.onnx    {write * 1000:5.0f} ms  {write / load:.2f} of it")


if __name__ == "__main__":
    main()
