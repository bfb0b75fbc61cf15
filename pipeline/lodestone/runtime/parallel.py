"""Work on all cores: one single-threaded process per core, results as they arrive."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from typing import TypeVar

from lodestone.errors import LodestoneError
from lodestone.runtime.processes import die_with_parent

T = TypeVar("T")
R = TypeVar("R")

# One thread per process: results then depend on no number of cores, and the threads of two processes do not fight
# for the same cores (measured with CHGNet on two cores: ten times slower where they do).
_ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")


def n_workers() -> int:
    """``$LODESTONE_WORKERS``, or the number of cores this process may use.

    Raises:
        LodestoneError: If the variable is no positive integer.
    """
    text = os.environ.get("LODESTONE_WORKERS", "")
    if text and not (text.isdigit() and int(text) > 0):
        raise LodestoneError(f"LODESTONE_WORKERS is {text!r}", "set it to a positive integer, or unset it")
    return int(text) if text else _n_cores()


def _n_cores() -> int:
    """Cores this process may use; all of the machine where the system does not say (macOS)."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def process_all(function: Callable[[T], R], tasks: Mapping[str, T]) -> Iterator[tuple[str, R]]:
    """Apply a picklable function to each task in fresh single-threaded processes.

    Args:
        function: Top-level function or bound method of a picklable object.
        tasks: Arguments by key.

    Yields:
        Key and result, in the order in which they finish.

    Raises:
        LodestoneError: If a process dies, e.g. killed for memory.
    """
    from concurrent.futures.process import BrokenProcessPool

    if not tasks:
        return
    with _environment(_ONE_THREAD):
        spawn = multiprocessing.get_context("spawn")
        pool = ProcessPoolExecutor(min(n_workers(), len(tasks)), mp_context=spawn, initializer=die_with_parent)
        try:
            futures = {pool.submit(function, task): key for key, task in tasks.items()}
            for future in as_completed(futures):
                yield futures[future], future.result()
        except BrokenProcessPool as error:
            raise LodestoneError(
                "a worker process died, most likely killed for lack of memory",
                "run again (finished work is kept), with fewer processes: LODESTONE_WORKERS=1",
            ) from error
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


@contextmanager
def _environment(values: Mapping[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.__setitem__(name, value)
