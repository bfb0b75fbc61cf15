"""Where tasks run that may run anywhere: in processes on this machine, or on a Dask cluster.

The environment says where, and not `params.yaml`: results do not depend on it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from lodestone.errors import LodestoneError
from lodestone.runtime.parallel import Outcome, n_workers, process_each

T = TypeVar("T")
R = TypeVar("R")

EXECUTOR, SCHEDULER, CLUSTER = "LODESTONE_EXECUTOR", "LODESTONE_SCHEDULER", "LODESTONE_CLUSTER"
_LOCAL, _DASK = "local", "dask"
_ADDRESS = re.compile(r"(tcp|tls)://(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+):\d{1,5}")


@dataclass(frozen=True)
class DaskChoice:
    """A Dask cluster, by one of two ways to name it.

    Attributes:
        scheduler: Address of a scheduler that runs already.
        cluster: File that says which jobs a queue shall run; see :mod:`lodestone.runtime.job_queue`.
    """

    scheduler: str | None = None
    cluster: Path | None = None


def run_all(function: Callable[[T], R], tasks: Mapping[str, T], preload: Sequence[str] = ()) -> Iterator[tuple[str, R]]:
    """:func:`lodestone.runtime.parallel.process_all`, on the executor that the environment names."""
    for outcome in run_each(function, tasks, preload):
        yield outcome.key, outcome.result()


def run_each(function: Callable[[T], R], tasks: Mapping[str, T], preload: Sequence[str] = ()) -> Iterator[Outcome[R]]:
    """:func:`lodestone.runtime.parallel.process_each`, on the executor that the environment names.

    Functions and tasks must need no file of this machine.

    Raises:
        LodestoneError: If the environment names none, or it cannot be reached.
    """
    choice = chosen_executor()
    if choice is None or not tasks:
        yield from process_each(function, tasks, preload)
        return
    from lodestone.runtime.dask_executor import dask_each

    yield from dask_each(function, tasks, preload, choice)


def n_places() -> int:
    """How many tasks the executor that the environment names runs at a time, one at least.

    Raises:
        LodestoneError: As for :func:`run_each`.
    """
    choice = chosen_executor()
    if choice is None:
        return n_workers()
    from lodestone.runtime.dask_executor import n_threads

    return n_threads(choice)


def chosen_executor() -> DaskChoice | None:
    """The Dask cluster of ``$LODESTONE_EXECUTOR`` and its companions, ``None`` for this machine.

    Raises:
        LodestoneError: If the variables contradict each other, or say nothing that there is.
    """
    name = os.environ.get(EXECUTOR) or _LOCAL
    scheduler, cluster = os.environ.get(SCHEDULER) or None, os.environ.get(CLUSTER) or None
    if name not in (_LOCAL, _DASK):
        raise LodestoneError(f"{EXECUTOR} is {name!r}", f"set it to {_LOCAL} or {_DASK}, or unset it")
    if name == _LOCAL:
        _refuse_companions(scheduler, cluster)
        return None
    if (scheduler is None) == (cluster is None):
        problem = (
            f"{EXECUTOR} is {_DASK}, and {'neither' if scheduler is None else 'each'} of {SCHEDULER} and {CLUSTER}"
        )
        raise LodestoneError(f"{problem} is set", "set one: a scheduler's address, or a file that describes jobs")
    if scheduler is not None and not _ADDRESS.fullmatch(scheduler):
        raise LodestoneError(f"{SCHEDULER} is {scheduler!r}", "write it as tcp://HOST:PORT or tls://HOST:PORT")
    return DaskChoice(scheduler, None if cluster is None else Path(cluster))


def prepare_executor() -> None:
    """Check the choice before work begins, and make the path of its file hold in other folders, too.

    Raises:
        LodestoneError: As for :func:`chosen_executor`; and if the file is wrong or Dask is not installed.
    """
    choice = chosen_executor()
    if choice is None:
        return
    from lodestone.runtime.dask_executor import require_dask

    require_dask()
    if choice.cluster is not None:
        from lodestone.runtime.job_queue import read_job_queue

        read_job_queue(choice.cluster)
        os.environ[CLUSTER] = str(choice.cluster.resolve())


def _refuse_companions(scheduler: str | None, cluster: str | None) -> None:
    for variable, value in ((SCHEDULER, scheduler), (CLUSTER, cluster)):
        if value is not None:
            raise LodestoneError(
                f"{variable} is set, but {EXECUTOR} is not {_DASK}, so it would have no effect",
                f"set {EXECUTOR}={_DASK}, or unset {variable}",
            )
