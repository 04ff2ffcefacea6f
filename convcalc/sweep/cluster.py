"""A sweep on many processes or machines: its chunks as tasks of a Dask cluster, taken back in order.

A task is a chunk's number, so nothing is lost with a worker: Dask gives its tasks to another.
"""

from __future__ import annotations

import pickle
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from importlib import import_module
from typing import Any

from convcalc.errors import SpecError
from convcalc.sweep.sweep import Chunk, Sweep


@contextmanager
def cluster(workers: int | None, scheduler: str) -> Iterator[Any]:
    """A Dask client: of the cluster at an address, or of so many local processes. Raises SpecError."""
    try:
        dask = import_module("dask")
        distributed = import_module("distributed")
    except ImportError:
        raise SpecError("--workers and --scheduler need Dask", "pip install 'convcalc[sweep]'") from None
    dask.config.set({"distributed.logging.distributed": "error"})
    if scheduler:
        try:
            client = distributed.Client(scheduler, timeout="10s")
        except (OSError, ValueError, TimeoutError) as error:
            raise SpecError(f"--scheduler: no Dask scheduler answers at '{scheduler}'", f"{error}"[:200]) from None
        with client:
            yield client
        return
    local = distributed.LocalCluster(
        n_workers=workers, threads_per_worker=1, processes=True, dashboard_address=None, silence_logs="ERROR"
    )
    with local, distributed.Client(local) as client:
        yield client


def spread(sweep: Sweep, client: Any) -> Iterator[Chunk]:
    """Every chunk in order; a few more than there are workers are under way at a time."""
    payload = pickle.dumps(sweep)
    waiting: deque[Any] = deque()
    for number in range(sweep.count()):
        waiting.append(client.submit(work, payload, number, pure=False))
        if len(waiting) > 2 * max(1, len(client.ncores())) + 2:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


def work(payload: bytes, number: int) -> Chunk:
    """One chunk, on a worker."""
    return _sweep(payload).chunk(number)


@lru_cache(maxsize=2)
def _sweep(payload: bytes) -> Sweep:
    found: Sweep = pickle.loads(payload)
    return found
