"""Runs tasks on a Dask cluster, with the same outcomes as :mod:`lodestone.runtime.parallel` has on one machine."""

from __future__ import annotations

import pickle
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeVar, cast
from uuid import uuid4

from lodestone.errors import LodestoneError
from lodestone.runtime.executor import DaskChoice
from lodestone.runtime.installation import installation
from lodestone.runtime.parallel import Outcome, WorkerDiedError, modules_of

if TYPE_CHECKING:
    from pathlib import Path

    from distributed import Client, Future

T = TypeVar("T")
R = TypeVar("R")

_AT_ONCE = 4_000  # tasks that the scheduler knows: many for each worker, but not a million in its memory
_TIMEOUT = 10.0  # seconds to reach the scheduler


def dask_each(
    function: Callable[[T], R], tasks: Mapping[str, T], preload: Sequence[str], choice: DaskChoice
) -> Iterator[Outcome[R]]:
    """Like :func:`lodestone.runtime.parallel.process_each`, on a Dask cluster.

    A task whose Dask worker is lost, with its machine or its job, begins anew on another; after the fourth loss in a
    row (``distributed.scheduler.allowed-failures``) its outcome is a :class:`WorkerDiedError`. If the iterator is
    closed, tasks that run are stopped, and those that wait are dropped.

    Args:
        function: As there, like the next two.
        tasks: As there; they travel to other machines.
        preload: As there.
        choice: The cluster.

    Raises:
        LodestoneError: If the cluster cannot be reached or is lost.
    """
    require_dask()
    with _connected(choice) as client:
        yield from _on_client(client, function, tasks, modules_of(function, preload))


def n_threads(choice: DaskChoice) -> int:
    """How many tasks a cluster runs at a time: now, or when all jobs of its file run; one at least."""
    require_dask()
    if choice.cluster is not None:
        from lodestone.runtime.job_queue import read_job_queue

        settings = read_job_queue(choice.cluster)
        return settings.jobs * settings.cores
    with _connected(choice) as client:
        return max(sum(client.nthreads().values()), 1)


def require_dask() -> None:
    """Raise a :class:`LodestoneError` if Dask is not installed."""
    for module in ("distributed", "dask_jobqueue"):
        if find_spec(module) is None:
            raise LodestoneError(
                f"the executor dask needs the package {module.replace('_', '-')}, which is not installed",
                "pip install 'lodestone-materials[cluster]'",
            )


@contextmanager
def _connected(choice: DaskChoice, timeout: float = _TIMEOUT) -> Iterator[Client]:
    name = f"the Dask scheduler {choice.scheduler or f'of {choice.cluster}'}"
    try:
        client = _client(choice.scheduler or _jobs(choice), timeout)
    except (OSError, TypeError, ValueError) as error:  # TypeError: tls without certificates
        raise LodestoneError(
            f"{name} cannot be reached: {error}",
            "start it (`dask scheduler`) and workers (`dask worker`); check address, network, and Dask's TLS settings",
        ) from error
    with client:
        if not client.scheduler_info()["workers"]:
            print(f"{name} has no workers yet: waiting for them", file=sys.stderr, flush=True)
        yield client


def _client(address: Any, timeout: float) -> Client:
    """A client of a scheduler; one that cannot connect is closed.

    By us: the garbage collector would close it in whatever this thread does then, perhaps with the lock of Dask that
    closing waits for.
    """
    from distributed import Client

    client = Client.__new__(Client)
    try:
        Client.__init__(client, address, timeout=timeout, set_as_default=False)
    except Exception:
        client.close()
        raise
    return client


def _jobs(choice: DaskChoice) -> Any:
    from lodestone.runtime.job_queue import running_cluster

    return running_cluster(cast("Path", choice.cluster))


def _on_client(
    client: Client, function: Callable[[T], R], tasks: Mapping[str, T], modules: Sequence[str]
) -> Iterator[Outcome[R]]:
    from distributed import as_completed

    from lodestone.runtime.dask_crew import Crew, Packed, run_on_crew

    run, waiting = f"lodestone-{uuid4().hex}", iter(tasks)
    keys: dict[Future[Any], str] = {}

    def submitted(count: int) -> list[Future[Any]]:
        new = {}
        for key in islice(waiting, count):
            dask_key, task = f"{run}-{key}", pickle.dumps(tasks[key])
            new[client.submit(run_on_crew, run, dask_key, key, task, key=dask_key, pure=False)] = key
        keys.update(new)
        return list(new)

    _enlist(client, Crew(Packed(function), modules, installation()), run)
    try:
        arriving = as_completed(submitted(_AT_ONCE), loop=client.loop)
        for future in arriving:
            outcome: Outcome[R] = _outcome(future, keys.pop(future))
            future.release()  # else the cluster would compute it again if its worker were lost
            arriving.update(submitted(1))
            yield outcome
    finally:
        if client.status == "running":
            client.cancel(list(keys), force=True)
            client.unregister_worker_plugin(run)


def _enlist(client: Client, crew: Any, run: str) -> None:
    """Give every Dask worker, also those that come later, processes for this run."""
    try:
        client.register_plugin(crew, name=run)
    except Exception as error:  # of unpickling in another environment: anything
        raise LodestoneError(
            f"a Dask worker cannot take part: {type(error).__name__}: {error}",
            "install this version of Lodestone where scheduler and workers run, and start them anew",
        ) from error


def _outcome(future: Future[Any], key: str) -> Outcome[R]:
    from distributed import KilledWorker

    if future.status not in ("finished", "error"):
        raise LodestoneError(
            f"the Dask scheduler was lost, or dropped the task {key} ({future.status})",
            "start scheduler and workers anew, then run again: finished work is kept",
        )
    if future.status == "finished":
        return _unpacked(future.result())
    error = future.exception()
    if isinstance(error, KilledWorker):
        return Outcome(key, error=_death(key, error))
    return Outcome(key, error=error if isinstance(error, Exception) else RuntimeError(str(error)))


def _unpacked(outcome: Outcome[bytes]) -> Outcome[R]:
    if outcome.value is None:
        return Outcome(outcome.key, error=outcome.error)
    return Outcome(outcome.key, pickle.loads(outcome.value))  # noqa: S301 - from workers that run our code anyway


def _death(key: str, error: Exception) -> WorkerDiedError:
    return WorkerDiedError(
        f"Dask workers were lost again and again at {key}: {error}",
        "see their logs: a limit of memory or of time of the queue; then run again (finished work is kept)",
    )
