"""Runs tasks on all cores: one single-threaded process per core, outcomes as they arrive."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import inf
from multiprocessing.connection import wait
from time import monotonic
from typing import Any, Generic, TypeVar, cast

from lodestone.errors import LodestoneError
from lodestone.runtime.workers import Reply, Worker

T = TypeVar("T")
R = TypeVar("R")


class WorkerDiedError(LodestoneError):
    """The process that worked on a task died; nothing more is known about the task."""


class OutOfTimeError(LodestoneError):
    """The process that worked on a task was killed, as the task took too long."""


@dataclass(frozen=True)
class Outcome(Generic[R]):
    """How one task ended.

    Attributes:
        key: Key of the task.
        value: What the function returned.
        error: What it raised instead, or :class:`WorkerDiedError`, or :class:`OutOfTimeError`.
    """

    key: str
    value: R | None = None
    error: Exception | None = None

    def result(self) -> R:
        """The value; raises the error if there is one."""
        if self.error is not None:
            raise self.error
        return cast("R", self.value)


def n_workers() -> int:
    """``$LODESTONE_WORKERS``, or the number of cores this process may use.

    Raises:
        LodestoneError: If the variable is not a positive integer.
    """
    text = os.environ.get("LODESTONE_WORKERS", "")
    if text and not (text.isdigit() and int(text) > 0):
        raise LodestoneError(f"LODESTONE_WORKERS is {text!r}", "set it to a positive integer, or unset it")
    return int(text) if text else _n_cores()


def process_all(
    function: Callable[[T], R], tasks: Mapping[str, T], preload: Sequence[str] = ()
) -> Iterator[tuple[str, R]]:
    """Apply a function to each task; the first error stops everything. See :func:`process_each`.

    Yields:
        Key and result, in the order in which they finish.

    Raises:
        WorkerDiedError: If a process dies, e.g. killed for memory.
    """
    for outcome in process_each(function, tasks, preload):
        yield outcome.key, outcome.result()


def process_each(
    function: Callable[[T], R], tasks: Mapping[str, T], preload: Sequence[str] = (), *, max_seconds: float = inf
) -> Iterator[Outcome[R]]:
    """Apply a picklable function to each task in single-threaded processes; no task affects another.

    A process that dies takes one task with it, and another process takes its place. All of them end when the iterator
    is closed.

    Args:
        function: Top-level function or bound method of a picklable object.
        tasks: Arguments by key.
        preload: Modules that the function imports when called; they are imported once for all processes.
        max_seconds: For one task, start of its process included; then the process is killed.

    Yields:
        Outcomes, in the order in which tasks finish.
    """
    waiting, busy, modules = deque(tasks), dict[Worker, tuple[str, float]](), modules_of(function, preload)

    def give(worker: Worker) -> None:
        key = waiting.popleft()
        busy[worker] = key, monotonic() + max_seconds
        worker.send(tasks[key])

    try:
        for _ in range(min(n_workers(), len(tasks)) if tasks else 0):
            give(Worker(function, modules))
        while busy:
            for worker in _ready(busy):
                (key, end), reply = busy.pop(worker), worker.reply()
                if waiting:
                    give(worker if reply is not None else Worker(function, modules))
                elif reply is not None:
                    worker.dismiss()
                yield _outcome(key, reply, worker) if reply or monotonic() < end else _out_of_time(key, max_seconds)
    finally:
        for worker in busy:
            worker.kill()


def _ready(busy: Mapping[Worker, tuple[str, float]]) -> list[Worker]:
    """Wait until at least one worker replies or dies; those that take too long are killed."""
    sources: list[Any] = [*busy]
    first = min(end for _, end in busy.values())
    while not (ready := wait(sources, None if first == inf else max(0.001, first - monotonic()))):
        for worker, (_, end) in busy.items():
            if monotonic() >= end:
                worker.stop()
    return cast("list[Worker]", ready)


def _outcome(key: str, reply: Reply | None, worker: Worker) -> Outcome[R]:
    if reply is None:
        return Outcome(key, error=_death(key, worker.exit_code))
    return outcome_of(key, reply)


def modules_of(function: Callable[[Any], Any], preload: Sequence[str]) -> tuple[str, ...]:
    """The module of a function, also of a partial one, and those that it imports when called."""
    return (getattr(function, "func", function).__module__, *preload)


def outcome_of(key: str, reply: Reply) -> Outcome[R]:
    """How a task ended whose process replied; an unknown error says where it was raised."""
    if reply.error is not None and not isinstance(reply.error, LodestoneError):
        reply.error.add_note(f"in a worker process, at {key}:\n{reply.traceback}")
    return Outcome(key, cast("R", reply.value), reply.error)


def _out_of_time(key: str, max_seconds: float) -> Outcome[R]:
    problem = f"{key} took longer than {max_seconds:g} seconds"
    return Outcome(key, error=OutOfTimeError(problem, "allow it more time, or leave it out"))


def _death(key: str, exit_code: int | None) -> WorkerDiedError:
    return WorkerDiedError(
        f"a worker process died at {key} (exit code {exit_code}), most likely killed for lack of memory",
        "run again (finished work is kept), with fewer processes: LODESTONE_WORKERS=1",
    )


def _n_cores() -> int:
    """Cores this process may use, or all cores of the machine if the system does not say (macOS)."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
