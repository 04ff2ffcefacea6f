"""The loop of the fuzz runs by hand: one seed after the other in a pool of processes, with figures at the end.

    python tests/language/test_fuzz.py 1000000 --jobs 2
    python tests/importers/onnx/test_fuzz.py 200000 --seed 7

An exception that is no refusal is what a user would see as exit code 3. It is printed with its seed, which repeats it
(`1 --seed SEED`), and the run goes on.
"""

import argparse
import resource
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterable
from functools import partial
from multiprocessing import Pool

OK, REFUSED, BUG = "ok", "refused", "exit 3"
MEMORY = 3 * 2**30  # bytes of address space; an input that needs more fails with a MemoryError, and so shows up
AT_ONCE = 200  # seeds that a process takes before it reports
Check = Callable[[int], bool]


def outcome(check: Check, seed: int) -> tuple[str, str]:
    """What became of one input, and the traceback of a bug."""
    try:
        return (OK if check(seed) else REFUSED), ""
    except Exception:
        return BUG, f"seed {seed}:\n{traceback.format_exc(limit=-6)}"


def _limit() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))


def figures(outcomes: Iterable[tuple[str, str]]) -> str:
    """The line that sums up a run; what failed is printed as it comes."""
    found: Counter[str] = Counter()
    for name, report in outcomes:
        found[name] += 1
        if report:
            print(report, flush=True)
        if found.total() % 10_000 == 0:
            print(f"... {found.total():,}, {found[BUG]:,} exit 3", flush=True)
    return f"{found.total():,} inputs: {found[OK]:,} ok, {found[REFUSED]:,} refused, {found[BUG]:,} exit 3"


def main(check: Check) -> None:
    """Try as many inputs as the command line says, with other seeds every time; exit code 1 if there was a bug."""
    parser = argparse.ArgumentParser()
    parser.add_argument("count", type=int)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--seed", type=int, default=time.time_ns(), help="the first")
    options = parser.parse_args()
    seeds = range(options.seed, options.seed + options.count)
    with Pool(options.jobs, initializer=_limit) as pool:
        line = figures(pool.imap_unordered(partial(outcome, check), seeds, AT_ONCE))
    print(line)
    sys.exit(not line.endswith(" 0 exit 3"))
