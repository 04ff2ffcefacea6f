"""Print how the time of every command grows with the layers, as exponents: 1 is linear. Run it by hand:

    python tests/benchmarks/growth.py [COMMAND ...] [--large]

Five shapes of networks at 1,000 and 10,000 layers, with --large at 10,000 and 100,000. The time is the user CPU of a
whole process, without that of the same command on 10 layers, the least of three.
"""

import resource
import subprocess
import sys
import tempfile
from math import log
from pathlib import Path

ROUNDS = 3
SECONDS = 300
GOAL = 1.1
CONVCALC = [sys.executable, "-c", "from convcalc.cli import main; main()"]
COMMANDS = {
    "params": ["params", "{spec}"],
    "params --as all": ["params", "{spec}", "--as", "all"],
    "params --deploy": ["params", "{spec}", "--deploy"],
    "explain": ["explain", "{spec}"],
    "check": ["check", "{spec}", "--max-params", "1000G"],
    "compare": ["compare", "{spec}", "{other}"],
    "diff": ["diff", "{spec}", "{other}"],
    "memory": ["memory", "{spec}"],
    "reconcile": ["reconcile", "{spec}", "--claim", "1G"],
    "suggest": ["suggest", "{spec}"],
    "export": ["export", "{spec}", "--to", "torch"],
}


def flat(layers: int) -> str:
    entries = ("conv: {filters: 16, kernel: 3, padding: same, bias: false}", "batch_norm", "relu")
    return "".join(f"  - {entries[number % 3]}\n" for number in range(layers))


def named(layers: int) -> str:
    entries = (
        "conv: {name: c%d, filters: 16, kernel: 3, padding: same}",
        "batch_norm: {name: b%d}",
        "relu: {name: r%d}",
    )
    return "".join(f"  - {entries[number % 3] % number}\n" for number in range(layers))


def wide(layers: int) -> str:
    """Concatenations of a tenth of all layers."""
    branches = "    - - conv: {filters: 1, kernel: 3, padding: same}\n" * max(1, layers // 10 - 1)
    return f"  - concat:\n{branches}" * 10


def residual(layers: int) -> str:
    block = "  - add:\n    - - conv: {filters: 16, kernel: 3, padding: same}\n      - relu\n    - []\n"
    return block * max(1, layers // 3)


def nested(layers: int) -> str:
    inner = "repeat: {times: 5, layers: [{conv: {filters: 16, kernel: 3, padding: same}}, relu]}"
    return f"  - repeat: {{times: {max(1, layers // 10)}, layers: [{{{inner}}}]}}\n"


SHAPES = (flat, named, wide, residual, nested)


def seconds(words: list[str], rounds: int = ROUNDS) -> float | None:
    """The least user CPU of a command, None where it takes too long."""
    times = []
    for _ in range(rounds):
        before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
        try:
            done = subprocess.run(
                [*CONVCALC, *words], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, timeout=SECONDS, check=False
            )
        except subprocess.TimeoutExpired:
            return None
        if done.returncode == 3 or b"Usage:" in done.stderr:
            raise SystemExit(f"{' '.join(words)}: {done.stderr.decode()}")
        times.append(resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before)
    return min(times)


def main() -> None:
    is_large = "--large" in sys.argv
    sizes = (10, 10_000, 100_000) if is_large else (10, 1_000, 10_000)
    chosen = [word for word in sys.argv[1:] if word != "--large"] or list(COMMANDS)
    print(f"{'':16}" + "".join(f"{shape.__name__:>24}" for shape in SHAPES))
    with tempfile.TemporaryDirectory() as folder:
        for name in chosen:
            print(f"{name:16}" + "".join(f"{growth(name, shape, sizes, Path(folder)):>24}" for shape in SHAPES))


def growth(name: str, shape, sizes, folder: Path) -> str:
    """The two times and the exponent, as text; `!` where it is above the goal."""
    times = []
    for size in sizes:
        spec, other = folder / f"{shape.__name__}{size}.yaml", folder / f"{shape.__name__}{size}b.yaml"
        text = f"input: 16x28x28\nlayers:\n{shape(size)}"
        spec.write_text(text)
        other.write_text(text + "  - relu\n")
        found = seconds([word.format(spec=spec, other=other) for word in COMMANDS[name]])
        if found is None:
            return f"over {SECONDS} s at {size:,} !"
        times.append(found)
    start, *rest = times
    one, ten = (max(time - start, 0.01) for time in rest)
    exponent = log(ten / one) / log(sizes[2] / sizes[1])
    return f"{one:.2f} {ten:.2f} s n^{exponent:.2f}{' !' if exponent > GOAL else ''}"


if __name__ == "__main__":
    main()
