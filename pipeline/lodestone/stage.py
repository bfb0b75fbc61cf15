"""Shared by every stage script: one clear message per known fault, and timings in files of their own."""

from __future__ import annotations

import errno
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from lodestone.errors import LodestoneError, WaitingError
from lodestone.runtime.kernels import restart_with_pinned_kernels
from lodestone.runtime.processes import die_with_parent
from lodestone.runtime.working_tree import refuse_foreign_package
from lodestone.tables.layout import TIMINGS

TRACEBACK_VARIABLE = "LODESTONE_TRACEBACK"
WAITING_VARIABLE = "LODESTONE_WAITING"  # a file for what a stage waits for; set by `lodestone discover`
_FULL = (errno.ENOSPC, errno.EDQUOT)


def run_stage(main: Callable[[], None]) -> None:
    """Run the body of a stage script; a fault with a known cause ends the process with one message.

    The wall-clock time goes to ``timings/<stage>[-<arguments>].json``, which DVC does not track.

    Args:
        main: Reads, calls and writes.

    Raises:
        SystemExit: With the code of a :class:`LodestoneError` (1, or 75 where it only waits), 1 after a full disk, 130
            after Ctrl-C; 143 when terminated.
    """
    restart_with_pinned_kernels()
    with _cleaning_up_when_terminated():
        die_with_parent(signal.SIGTERM)  # if DVC is killed, its stage must not write alongside the next run
        guarded(lambda: _timed(main))


def guarded(main: Callable[[], None]) -> None:
    """Call ``main`` and turn faults with a known cause into a message on stderr and an exit code.

    Raises:
        SystemExit: See :func:`run_stage`. With ``LODESTONE_TRACEBACK=1`` the original exception instead.
    """
    try:
        main()
    except KeyboardInterrupt:
        print("\ninterrupted; run again to go on from here", file=sys.stderr)
        raise SystemExit(130) from None
    except Exception as error:
        known = error if isinstance(error, LodestoneError) else _full_disk(error)
        if known is None or os.environ.get(TRACEBACK_VARIABLE, "0") not in ("", "0"):
            raise
        print(f"{known.word}: {known}", file=sys.stderr)
        _report_waiting(known)
        raise SystemExit(known.exit_code) from None


def _report_waiting(error: LodestoneError) -> None:
    """Where a stage only waits, say so to whoever has started DVC, which passes on neither exit codes nor messages."""
    path = os.environ.get(WAITING_VARIABLE)
    if path and isinstance(error, WaitingError):
        Path(path).write_text(json.dumps([error.problem, error.remedy]), encoding="utf-8")


def stage_name(argv: list[str] | None = None) -> str:
    """Name of the running stage, e.g. ``train-structure-round_0``; for paths, only the last component counts."""
    script, *arguments = sys.argv if argv is None else argv
    return "-".join([Path(script).stem, *(Path(argument).name for argument in arguments)])


def record_timing(name: str | None = None, /, **numbers: float) -> None:
    """Record machine-dependent numbers, e.g. ``seconds_per_step=0.02``, in ``timings/<name>.json``.

    Args:
        name: File name; by default the name of the running stage.
        **numbers: Values by name; existing names are overwritten.
    """
    from lodestone.tables.files import read_json, write_json

    path = TIMINGS / f"{name or stage_name()}.json"
    try:
        before = read_json(path)
    except LodestoneError:  # missing or damaged: timings belong to this run only, and nothing depends on them
        before = {}
    write_json({**before, **numbers}, path)


class _Terminated(BaseException):
    """This process was asked to terminate."""


@contextmanager
def _cleaning_up_when_terminated() -> Iterator[None]:
    """Turn SIGTERM into an exception so that temporary files are removed; workers end with this process."""

    def terminated(*_: object) -> None:
        raise _Terminated

    before = signal.signal(signal.SIGTERM, terminated)
    try:
        yield
    except _Terminated:
        os._exit(128 + signal.SIGTERM)  # a normal exit would wait for the workers to finish their tasks
    finally:
        signal.signal(signal.SIGTERM, before)


def _timed(main: Callable[[], None]) -> None:
    refuse_foreign_package()
    began = time.perf_counter()
    main()
    record_timing(seconds=round(time.perf_counter() - began, 3))


def _full_disk(error: BaseException) -> LodestoneError | None:
    """A disk-full message if any error in the chain was a full disk (Rust libraries report it only as text)."""
    for cause in _chain(error):
        number = cause.errno if isinstance(cause, OSError) else None
        if number in _FULL or any(os.strerror(code) in str(cause) for code in _FULL):
            where = getattr(cause, "filename", None) or os.getcwd()
            return LodestoneError(
                f"the disk is full: {where} cannot be written", "free some disk space, then run again"
            )
    return None


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
