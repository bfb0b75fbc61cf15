"""One label for one crystal: an oracle's exceptions become the reason for a missing label, and time is limited."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

from lodestone.crystals.crystal import Crystal
from lodestone.errors import LodestoneError
from lodestone.oracles.base import OUT_OF_MEMORY, TIMED_OUT, Label, Oracle, RejectedError
from lodestone.runtime.memory import is_out_of_memory

_LONGEST_REASON = 200  # characters
_SHORTEST_LIMIT = 1e-3  # seconds; a timer set to zero never fires


class TimeIsUp(BaseException):
    """The time limit has passed. Not an ``Exception``, so that an oracle's ``except Exception`` cannot swallow it."""


def label_one(oracle: Oracle, crystal: Crystal) -> Label:
    """The label of one crystal, whatever happens.

    Args:
        oracle: Any oracle.
        crystal: The crystal.

    Returns:
        The oracle's label; or one whose status is ``timed_out``, ``out_of_memory``, or ``failed: Type: message``.

    Raises:
        LodestoneError: Passed on from the oracle: the installation is at fault, not the crystal.
    """
    began = time.perf_counter()
    try:
        labels = [label for _, label in labels_of(oracle, [crystal])]
        label = labels[0] if labels else Label("failed: the oracle gave no label")
    except LodestoneError:
        raise
    except (Exception, TimeIsUp) as error:  # an oracle may raise anything
        label = Label(reason(error))
    return replace(label, seconds=time.perf_counter() - began)


def labels_of(oracle: Oracle, crystals: Sequence[Crystal]) -> Iterator[tuple[int, Label]]:
    """Labels from one call of an oracle, within its time limit times the number of crystals.

    Args:
        oracle: Any oracle.
        crystals: Crystals to label.

    Raises:
        TimeIsUp: If it takes longer; time between requests for labels does not count.
    """
    limit = oracle.settings.max_seconds
    remaining = None if limit is None else limit * len(crystals)
    labels = iter(oracle.label(crystals))
    while True:
        began = time.perf_counter()
        with time_limit(remaining):
            item = next(labels, None)
        if item is None:
            return
        seconds = time.perf_counter() - began
        remaining = None if remaining is None else max(remaining - seconds, _SHORTEST_LIMIT)
        yield item[0], replace(item[1], seconds=seconds)


def reason(error: BaseException) -> str:
    """Status of a label for which an error was raised."""
    if isinstance(error, TimeIsUp):
        return TIMED_OUT
    if is_out_of_memory(error):
        return OUT_OF_MEMORY
    if isinstance(error, RejectedError):
        return str(error)[:_LONGEST_REASON]
    return f"failed: {type(error).__name__}: {error}"[:_LONGEST_REASON]


@contextmanager
def time_limit(seconds: float | None) -> Iterator[None]:
    """Raise :class:`TimeIsUp` in the block once the limit has passed, at the next line of Python.

    Args:
        seconds: The limit; ``None`` for no limit. Outside the main thread there is none, as signals do not reach it.
    """
    if seconds is None or threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGALRM, _ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _ring(*_: object) -> None:
    raise TimeIsUp
