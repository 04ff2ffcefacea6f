"""Measure how fast convcalc is, as ratios of times taken in one run. Run it by hand:

    python tests/benchmarks/speed.py

Ratios carry over to another machine, times do not. Every time is the least of several rounds; the rounds are
interleaved, so that a slow moment of the machine affects all of them. Whole processes are timed, from start to end.
"""

import os
import platform
import pty
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

Task = Callable[[], None]
RATIOS = [
    ("params, ResNet-50, JSON", "import yaml, click", 1.6),
    ("params, ResNet-50, on a terminal", "import yaml, click, rich", 1.6),
    ("list: the whole catalogue", "import yaml, click", 2.5),
    ("params, 100,000 layers", "params, 10,000 layers", 11),
    ("params, 10,000 layers", "yaml.load of 10,000 layers", 3),
]
CONVCALC = [sys.executable, "-c", "from convcalc.cli import main; main()"]  # what the installed script does


def chain(layers: int) -> str:
    """The text of a spec: a chain of convolutions, batch norms and ReLUs."""
    parts = ["conv: {filters: 64, kernel: 3, padding: same, bias: false}", "batch_norm", "relu"]
    return "input: 64x28x28\nlayers:\n" + "".join(f"  - {parts[at % 3]}\n" for at in range(layers))


def piped(command: list[str]) -> None:
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)


def on_a_terminal(command: list[str]) -> None:
    """Run a command with a pseudo-terminal of 100 columns as stdout."""
    own, theirs = pty.openpty()
    process = subprocess.Popen(command, stdout=theirs, env={**os.environ, "COLUMNS": "100", "TERM": "xterm-256color"})
    os.close(theirs)
    try:
        while os.read(own, 65536):
            pass
    except OSError:  # the end of a pseudo-terminal
        pass
    os.close(own)
    assert process.wait() == 0


def least(tasks: dict[str, Task], rounds: int) -> dict[str, float]:
    """Run all tasks several times; return the least time of each, in seconds."""
    times = dict.fromkeys(tasks, float("inf"))
    for _ in range(rounds):
        for name, task in tasks.items():
            began = time.perf_counter()
            task()
            times[name] = min(times[name], time.perf_counter() - began)
    return times


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        texts = {"10000": chain(10_000), "100000": chain(100_000)}
        for file, text in texts.items():
            (folder / f"{file}.yaml").write_text(text)
        times = {**least(short_tasks(), 15), **least(long_tasks(folder), 5)}
    print(f"Python {platform.python_version()}, {platform.machine()}, {os.cpu_count()} cores")
    for name, seconds in times.items():
        print(f"  {name:36} {seconds * 1000:9.1f} ms")
    for one, other, goal in RATIOS:
        if other in times:
            print(f"{one} / {other}: {times[one] / times[other]:.2f} (goal: at most {goal})")


def short_tasks() -> dict[str, Task]:
    """A command on the catalogue's ResNet-50, and the imports that bound its time from below."""
    params = [*CONVCALC, "params", "resnet50"]
    tasks: dict[str, Task] = {
        "python alone": lambda: piped([sys.executable, "-c", ""]),
        "import yaml, click": lambda: piped([sys.executable, "-c", "import yaml, click"]),
        "params, ResNet-50, JSON": lambda: piped([*params, "--format", "json"]),
        "params, ResNet-50, on a terminal": lambda: on_a_terminal(params),
        "list: the whole catalogue": lambda: piped([*CONVCALC, "list", "--folder", "networks"]),
    }
    if find_spec("rich"):
        libraries = "import yaml, click, rich.console, rich.table"
        tasks["import yaml, click, rich"] = lambda: piped([sys.executable, "-c", libraries])
    return tasks


def long_tasks(folder: Path) -> dict[str, Task]:
    """Long specs read, built, counted and summed, each in a process; and PyYAML alone on the same file."""
    load = "import sys, yaml; yaml.load(open(sys.argv[1]), getattr(yaml, 'CSafeLoader', yaml.SafeLoader))"
    return {
        "yaml.load of 10,000 layers": lambda: piped([sys.executable, "-c", load, str(folder / "10000.yaml")]),
        "params, 10,000 layers": lambda: piped([*CONVCALC, "params", str(folder / "10000.yaml"), "--by", "kind"]),
        "params, 100,000 layers": lambda: piped([*CONVCALC, "params", str(folder / "100000.yaml"), "--by", "kind"]),
    }


if __name__ == "__main__":
    main()
