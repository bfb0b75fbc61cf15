"""A worker process that starts in milliseconds, computes with one thread, and ends with its caller.

Workers are forked by a server that has imported the modules they need, has one thread, and computes nothing. Forking
the caller itself would be unsafe, as it has threads. On macOS forking is always unsafe, so workers are spawned there.
"""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

# Results then do not depend on the number of cores, and processes do not compete for cores (measured with CHGNet on two
# cores: ten times slower if they do). Must be set before the server loads its libraries.
_ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
_NVIDIA = Path("/dev/nvidiactl")  # there if a driver is


@dataclass(frozen=True)
class Reply:
    """A worker's reply to one task.

    Attributes:
        value: Result of the function.
        error: Exception raised instead.
        traceback: Its traceback as text.
    """

    value: Any = None
    error: Exception | None = None
    traceback: str = ""


class Worker:
    """A process that applies one function to one task at a time.

    Args:
        function: Picklable.
        preload: Modules that the server imports before it forks; modules that it cannot import are left to the workers.
    """

    def __init__(self, function: Callable[[Any], Any], preload: Sequence[str]) -> None:
        context = _context(preload)
        self._connection, theirs = context.Pipe()
        with _environment(_ONE_THREAD), _one_copy_of_this_package():
            self._process = context.Process(target=_serve, args=(function, theirs, dict(os.environ)))
            self._process.start()
        theirs.close()

    def fileno(self) -> int:
        """File descriptor to wait on for a reply or the death of the process."""
        return self._connection.fileno()

    @property
    def exit_code(self) -> int | None:
        """Exit code of a process that has ended, negative where a signal ended it."""
        return self._process.exitcode

    def send(self, task: object) -> None:
        """Send a task; :meth:`reply` shows whether the process survived it."""
        with suppress(BrokenPipeError, ConnectionResetError):
            self._connection.send(task)

    def reply(self) -> Reply | None:
        """Wait for the reply to the last task; ``None`` if the process died."""
        try:
            reply: Reply = self._connection.recv()
        except (EOFError, ConnectionResetError):
            self._process.join()
            self._connection.close()
            return None
        return reply

    def dismiss(self) -> None:
        """Let the process end, when there are no more tasks."""
        self._connection.close()
        self._process.join()

    def stop(self) -> None:
        """Kill the process, even while another thread waits for its reply, which is then ``None``."""
        self._process.kill()

    def kill(self) -> None:
        """Kill the process in the middle of its task."""
        self.stop()
        self.dismiss()


def _context(preload: Sequence[str]) -> Any:
    if sys.platform == "darwin" or _may_use_cuda():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([name for name in preload if name != "__main__"])
    return context


def _may_use_cuda() -> bool:
    """Whether a worker may use CUDA: a process cannot that is forked from one where a library has asked for it."""
    return _NVIDIA.exists() and os.environ.get("LODESTONE_DEVICE") != "cpu"


def _serve(function: Callable[[Any], Any], connection: Connection, environment: Mapping[str, str]) -> None:
    """Body of a worker: reply to tasks until there are no more."""
    _end_with_caller()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # after Ctrl-C the caller ends its workers itself
    os.environ.update(environment)  # the server was started with an earlier environment
    for name in os.environ.keys() - environment.keys():
        del os.environ[name]
    while True:
        try:
            task = connection.recv()
        except EOFError:
            return
        reply = _reply(function, task)
        try:
            connection.send(reply)
        except (pickle.PicklingError, AttributeError, TypeError) as error:  # of the value; nothing was sent
            connection.send(Reply(None, _picklable(error), traceback.format_exc()))


def _reply(function: Callable[[Any], Any], task: Any) -> Reply:
    try:
        return Reply(function(task))
    except Exception as error:
        return Reply(None, _picklable(error), traceback.format_exc())


def _picklable(error: Exception) -> Exception:
    """The error, or its text if its class cannot be unpickled."""
    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301 - of our own making, a moment ago
    except Exception:
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error


def _end_with_caller() -> None:
    """End this process immediately when its caller is gone."""
    caller = multiprocessing.parent_process()
    if caller is None:
        return

    def watch() -> None:
        caller.join()
        os.kill(os.getpid(), signal.SIGKILL)

    if not caller.is_alive():  # it ended during the imports; a thread would be too late for the first task
        watch()
    threading.Thread(target=watch, daemon=True).start()


@contextmanager
def _environment(values: Mapping[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.__setitem__(name, value)


@contextmanager
def _one_copy_of_this_package() -> Iterator[None]:
    """An import path without other copies: MLflow puts a part of this package first with each model that it loads."""
    before, package = sys.path, Path(__file__).parents[1]
    sys.path = [entry for entry in before if Path(entry).resolve() == package.parent or not _holds(entry, package.name)]
    try:
        yield
    finally:
        sys.path = before


def _holds(entry: str, package: str) -> bool:
    return Path(entry, package, "__init__.py").exists()
