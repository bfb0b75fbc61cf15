"""Tasks of the tests of the executor, which workers import by this name, and a real Dask cluster to run them on."""

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from distributed import LocalCluster

import waiting
from lodestone.errors import LodestoneError
from lodestone.runtime.executor import CLUSTER, EXECUTOR, SCHEDULER


@contextmanager
def dask_workers(n: int = 3, **changes: object) -> Iterator[LocalCluster]:
    """A scheduler and Dask workers that are processes of their own."""
    options = {"n_workers": n, "threads_per_worker": 1, "processes": True, "memory_limit": 0} | changes
    with LocalCluster(host="127.0.0.1", dashboard_address="127.0.0.1:0", silence_logs=50, **options) as cluster:
        yield cluster


def choose_dask(monkeypatch, address: str | None = None, file: Path | None = None) -> None:
    monkeypatch.setenv(EXECUTOR, "dask")
    for name, value in ((SCHEDULER, address), (CLUSTER, file)):
        monkeypatch.delenv(name, raising=False)
        if value is not None:
            monkeypatch.setenv(name, str(value))


def dask_pids(cluster: LocalCluster) -> set[int]:
    return {nanny.process.pid for nanny in cluster.workers.values()}


def describe(text: str) -> tuple[str, int, int, str | None, bool]:
    is_main = threading.current_thread() is threading.main_thread()
    return text.upper(), os.getpid(), os.getppid(), os.environ.get("OMP_NUM_THREADS"), is_main


def kill_when(condition: Callable[[], object], held: Path, killed: list[int]) -> None:
    """Kill the Dask worker whose number a file holds, as soon as a condition holds."""
    waiting.wait_for(lambda: held.exists() and condition())
    killed.append(int(held.read_text()))
    os.kill(killed[0], signal.SIGKILL)


def leave_dask_pid(held: Path) -> None:
    """Write the number of this task's Dask worker."""
    partial = held.with_suffix(f".{os.getpid()}")
    partial.write_text(str(where(0)))
    partial.rename(held)


def square(number: int) -> int:
    return number**2


def fault_of(number: int) -> int:
    """An unknown error, a known one, the death of the process, a result that cannot be sent, or the number."""
    if number == 1:
        raise ZeroDivisionError(number)
    if number == 2:
        raise LodestoneError("task 2 is bad", "choose another")
    if number == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return (lambda: number) if number == 4 else number


def leave_pid_and_stay(file: Path | None) -> None:
    if file is not None:
        partial = file.with_suffix(".part")
        partial.write_text(str(os.getpid()))
        partial.rename(file)
        signal.pause()


def kill_dask_worker(number: int) -> int:
    if number == 1:
        time.sleep(0.5)  # until the others are done: Dask suspects what waits behind a task whose worker dies
        os.kill(multiprocessing.parent_process().pid, signal.SIGKILL)
        signal.pause()
    return number


def where(_: int) -> int:
    return multiprocessing.parent_process().pid
