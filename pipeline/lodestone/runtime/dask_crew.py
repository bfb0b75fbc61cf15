"""What a Dask worker does for us: it gives each task to a process of its own making, as a local run does.

Dask runs tasks in threads. There an oracle would have no time limit (signals reach main threads only), a task could not
be stopped, and one that runs out of memory would take the Dask worker with it.
"""

from __future__ import annotations

import multiprocessing
import pickle
import threading
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any, cast

from distributed import Worker as DaskWorker
from distributed import get_worker
from distributed.diagnostics.plugin import WorkerPlugin

from lodestone.errors import LodestoneError
from lodestone.runtime.installation import differences, installation
from lodestone.runtime.parallel import Outcome, WorkerDiedError, outcome_of
from lodestone.runtime.workers import Worker


class Packed:
    """A function that travels as bytes, as its tasks and results do: only who calls it imports its modules.

    Args:
        function: Picklable.
    """

    def __init__(self, function: Callable[[Any], Any]) -> None:
        self.content = pickle.dumps(function)

    def __call__(self, task: bytes) -> bytes:
        """The result of a task, both pickled."""
        return pickle.dumps(self._function(pickle.loads(task)))  # noqa: S301 - from the caller of this run

    @cached_property
    def _function(self) -> Callable[[Any], Any]:
        function: Callable[[Any], Any] = pickle.loads(self.content)  # noqa: S301 - the same
        return function


class Crew(WorkerPlugin):
    """The processes of one run on one Dask worker, one for each of its threads. They end when the run ends.

    Args:
        function: What they apply to tasks.
        preload: Modules that it imports.
        expected: The installation of the caller.
    """

    def __init__(self, function: Packed, preload: Sequence[str], expected: Mapping[str, str]) -> None:
        self._function, self._preload, self._expected = function, preload, expected

    def setup(self, worker: DaskWorker) -> None:
        """Begin a run on this Dask worker."""
        # Dask's workers are daemons, which may have no children. Ours end with their caller, however it ends.
        multiprocessing.current_process().daemon = False
        self._wrong = differences(self._expected, installation())
        self._ended, self._address = False, worker.address
        self._lock, self._starting = threading.Lock(), threading.Lock()
        self._idle, self._busy = list[Worker](), dict[str, Worker]()
        for other in worker.plugins.values():
            if isinstance(other, Crew) and other is not self:  # perhaps of a caller that was killed
                other.rest()

    def teardown(self, worker: DaskWorker) -> None:
        """End the run: no process of it is left."""
        with self._lock:
            self._ended = True
            while self._busy:
                self._busy.popitem()[1].stop()
        self.rest()

    def transition(self, key: Any, start: str, finish: str, **_: object) -> None:
        """Stop the process of a task that nobody waits for any more: it was canceled, or its caller is gone."""
        with self._lock:
            worker = self._busy.pop(key, None) if (start, finish) == ("executing", "released") else None
        if worker is not None:
            worker.stop()

    def rest(self) -> None:
        """End the processes that have no task; others take their place when there is one."""
        with self._lock:
            idle, self._idle = self._idle, []
        for worker in idle:
            worker.dismiss()

    def run(self, dask_key: str, key: str, task: bytes) -> Outcome[bytes]:
        """How a task ends in a process of this crew."""
        if self._wrong:
            return Outcome(key, error=self._refusal())
        worker = self._take(dask_key)
        worker.send(task)
        reply = worker.reply()
        self._give_back(dask_key, worker, is_alive=reply is not None)
        return Outcome(key, error=self._death(key, worker.exit_code)) if reply is None else outcome_of(key, reply)

    def _take(self, dask_key: str) -> Worker:
        with self._lock:
            worker = self._idle.pop() if self._idle else None
        if worker is None:
            with self._starting:  # with variables of its own, which all threads see meanwhile
                worker = Worker(self._function, self._preload)
        with self._lock:
            self._busy[dask_key] = worker
            if self._ended:
                worker.stop()
        return worker

    def _give_back(self, dask_key: str, worker: Worker, *, is_alive: bool) -> None:
        with self._lock:
            was_stopped = self._busy.pop(dask_key, None) is None
            if is_alive and not (was_stopped or self._ended):
                self._idle.append(worker)
                return
        if is_alive:
            worker.dismiss()

    def _death(self, key: str, exit_code: int | None) -> WorkerDiedError:
        return WorkerDiedError(
            f"a process of the Dask worker {self._address} died at {key} (exit code {exit_code}), most likely killed "
            "for lack of memory",
            "run again (finished work is kept), with fewer Dask workers on a machine",
        )

    def _refusal(self) -> LodestoneError:
        return LodestoneError(
            f"the Dask worker {self._address} would give other results: {'; '.join(self._wrong)}",
            "install the same there (`pip install -r requirements.lock`, the same code), and start the workers anew",
        )


def run_on_crew(run: str, dask_key: str, key: str, task: bytes) -> Outcome[bytes]:
    """The task of Dask: have it done by the crew of the run."""
    return cast("Crew", get_worker().plugins[run]).run(dask_key, key, task)
