"""Measure a sweep in architectures per second: GoogLeNet over two variables, against counting one by one. Run by hand:

python tests/benchmarks/sweep.py
"""

import subprocess
import sys
import tempfile
from pathlib import Path
from random import Random
from time import perf_counter

from convcalc.analysis.count import count
from convcalc.language.builder import build
from convcalc.language.document_loader import load
from convcalc.language.overrides import Overrides
from convcalc.sweep.grid import read_axes
from convcalc.sweep.sweep import Sweep

SPEC = str(Path(__file__).with_name("googlenet.yaml"))
FIGURES = ["params", "macs"]


def rate(document, *sets):
    """Architectures per second, including building the models, best of three; checked at random points."""
    grid = read_axes(sets, "", document)
    best = 0.0
    for _ in range(3):
        start = perf_counter()
        sweep = Sweep(document, Overrides(), grid, FIGURES)
        sweep.check()
        chunks = list(sweep.chunks())
        best = max(best, grid.size / (perf_counter() - start))
    starts = [0]
    for chunk in chunks:
        starts.append(starts[-1] + len(chunk))
    for row in Random(0).sample(range(grid.size), 5):
        at = next(number for number in range(len(chunks)) if row < starts[number + 1])
        values = [axis.values[place] for axis, place in zip(grid.axes, grid.point(row), strict=True)]
        plain = count(build(document, sweep._overrides(values)))
        found = [int(chunks[at].columns[name][row - starts[at]]) for name in FIGURES]
        assert found == [plain.figure(name) for name in FIGURES]
    return grid.size, best


def plain_rate(document, seconds=2.0):
    start, done = perf_counter(), 0
    while perf_counter() - start < seconds:
        count(build(document, Overrides({"reduce": 4 + done % 60})))
        done += 1
    return done / (perf_counter() - start)


def csv_run(rows):
    """Seconds and peak memory of the whole command, writing CSV."""
    with tempfile.TemporaryDirectory() as folder:
        words = ["sweep", SPEC, "--set", f"reduce=1:{rows // 1000}", "--set", "input=225:1224", "-f", "csv"]
        script = (
            "import sys; from pathlib import Path; from convcalc.cli import run; code = run(sys.argv[1:]); "
            "print(Path('/proc/self/status').read_text().split('VmHWM:')[1].split()[0]); sys.exit(code)"
        )
        start = perf_counter()
        done = subprocess.run(
            [sys.executable, "-c", script, *words, "-o", f"{folder}/points.csv"], check=True, capture_output=True
        )
        return perf_counter() - start, int(done.stdout) // 1024


def main():
    document = load(SPEC)
    plain = plain_rate(document)
    print(f"plain counter                         {plain:>14,.0f} architectures/s")
    for sets in (
        ("reduce=1:1000", "input=225:1224"),
        ("input=225:1224", "reduce=1:1000"),
        ("width=0.01:10:0.01", "input=225:1224"),
        ("reduce=1:100", "width=0.01:1:0.01", "input=225:324"),
    ):
        size, found = rate(document, *sets)
        print(f"{' '.join(sets):<37} {found:>14,.0f} architectures/s ({size:,} of them, {found / plain:,.0f} times)")
    for rows in (100_000, 1_000_000):
        seconds, memory = csv_run(rows)
        print(f"{f'as CSV, the whole command, {rows:,} rows':<37} {rows / seconds:>9,.0f} rows/s, at most {memory} MiB")


if __name__ == "__main__":
    main()
